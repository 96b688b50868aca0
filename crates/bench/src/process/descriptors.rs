//! How many connections the limit on open files lets the generator have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for everything else in this process.
const OTHERS: u64 = 128;

/// Raises the limit on open files as far as it goes; how many connections fit.
pub(crate) fn make_room_for_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // A refusal leaves the limit as it was, and that is read next.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit.saturating_sub(OTHERS)).unwrap_or(usize::MAX)
}

//! The only place of this crate that reads clocks: what is decided by the moment of the commit.
//!
//! Everything else takes `now` as an argument, and that may be much older than the commit: a prompt was left open, the
//! database was locked, the process was stopped, the machine slept.

use std::time::Duration;

use obol_token::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// `now` of a request, or the machine's wall clock where that is later: no token that a commit from here on refuses
/// was issued after it by more than [`COMMIT_PATIENCE`].
pub(crate) fn not_before_wall(now: Timestamp) -> Timestamp {
    now.max(Timestamp::from_secs(clock_gettime(ClockId::Realtime).tv_sec))
}

/// Time since the machine started, sleep included.
pub(crate) fn boottime() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The longest from reading the clock in a transaction to the end of its commit that
/// [`obol_store::DENIAL_MARGIN_SECS`] makes good.
pub(crate) const COMMIT_PATIENCE: Duration = Duration::from_secs(30 * 60);

//! Bugs that a test can switch on, to show that the suite finds them. Never in a release.
//!
//! Other crates use this one only with their feature `planted-bugs`, which is off by default and which a build without
//! debug assertions refuses (`crates/app/src/main.rs`). Each bug stands at one place, in a few lines, where a person might have made it.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// One bug, as the environment variable [`VARIABLE`] names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Writes are acknowledged before their `COMMIT`.
    AcknowledgedBeforeCommit,
    /// A revocation is acknowledged before the other nodes have applied it.
    AcknowledgedBeforePeers,
    /// Leases are counted by the wall clock.
    LeaseOnWallClock,
    /// The moment by which a lease is checked is that of the last turn of the follower.
    CachedNow,
    /// The deny list is read before the lease is checked.
    DenyListBeforeLease,
    /// A refresh token of a family that has ended still works.
    RefreshSkipsCheck,
    /// A node that starts answers without what was denied before.
    ServesBeforeCaughtUp,
}

/// The environment variable that picks a bug.
pub const VARIABLE: &str = "OBOL_PLANTED_BUG";

impl Bug {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AcknowledgedBeforeCommit,
        Self::AcknowledgedBeforePeers,
        Self::LeaseOnWallClock,
        Self::CachedNow,
        Self::DenyListBeforeLease,
        Self::RefreshSkipsCheck,
        Self::ServesBeforeCaughtUp,
    ];

    /// Its name in the environment.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AcknowledgedBeforeCommit => "200-before-commit",
            Self::AcknowledgedBeforePeers => "200-before-peers",
            Self::LeaseOnWallClock => "lease-on-wall-clock",
            Self::CachedNow => "cached-now",
            Self::DenyListBeforeLease => "deny-list-before-lease",
            Self::RefreshSkipsCheck => "refresh-skips-check",
            Self::ServesBeforeCaughtUp => "serves-before-caught-up",
        }
    }

    /// Whether it is switched on in this process.
    pub fn is_on(self) -> bool {
        picked() == Some(self)
    }
}

/// The bug that is switched on.
///
/// # Panics
/// When the variable names none of them: a test that means to find a bug must not run without it.
#[allow(clippy::panic, reason = "only tests build this")]
pub fn picked() -> Option<Bug> {
    static PICKED: OnceLock<Option<Bug>> = OnceLock::new();
    *PICKED.get_or_init(|| {
        #[allow(clippy::disallowed_methods, reason = "no option of the program, and never in a release")]
        let name = std::env::var(VARIABLE).ok()?;
        let bug = Bug::ALL.into_iter().find(|bug| bug.name() == name);
        Some(
            bug.unwrap_or_else(|| {
                panic!("{VARIABLE}={name} is no planted bug: {:?}", Bug::ALL.map(Bug::name))
            }),
        )
    })
}

/// Whether this process began to ask less than two seconds ago.
pub fn is_young() -> bool {
    static FIRST_ASKED: OnceLock<Instant> = OnceLock::new();
    FIRST_ASKED.get_or_init(Instant::now).elapsed() < Duration::from_secs(2)
}

/// By how many seconds the machine's wall clock is wrong: the number in the file `wall-clock` of the working folder. A test
/// cannot set the clock of one process.
pub fn wall_clock_error_secs() -> i64 {
    let text = fs::read_to_string("wall-clock").unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_switched_on_by_itself() {
        assert_eq!(picked(), None);
        assert!(Bug::ALL.iter().all(|bug| !bug.is_on()));
    }

    #[test]
    fn every_bug_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> = Bug::ALL.map(Bug::name).into_iter().collect();
        assert_eq!(names.len(), Bug::ALL.len());
    }
}

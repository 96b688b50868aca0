//! The lease: until when this node may vouch for its memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Boottime;

/// How long a node vouches, and how often it renews.
#[derive(Debug, Clone, Copy)]
pub struct LeaseOptions {
    /// How long after a renewal was sent the node may vouch.
    pub lease: Duration,
    /// How often it renews when nothing is appended.
    pub renew_every: Duration,
}

impl Default for LeaseOptions {
    /// 2 s, renewed every 500 ms.
    fn default() -> Self {
        Self { lease: Duration::from_secs(2), renew_every: Duration::from_millis(500) }
    }
}

impl LeaseOptions {
    /// How long the holder itself counts on it: shortened by 1 % and 20 ms for clocks that differ in rate.
    fn own_view(&self) -> Duration {
        self.lease.mul_f64(0.99).saturating_sub(MARGIN)
    }

    /// After this long nobody can still hold a lease that was granted before: lengthened as [`Self::own_view`] is
    /// shortened.
    pub(crate) fn certain_end(&self) -> Duration {
        self.lease.mul_f64(1.01).saturating_add(MARGIN)
    }
}

const MARGIN: Duration = Duration::from_millis(20);

/// This node cannot vouch for its memory now: it has not read the log for a lease's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this node has not been able to read the change log in time; it answers again when it can")]
pub struct Stale;

/// The end of this node's lease, in microseconds since boot; 0 before the first renewal.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    ends_at_micros: AtomicU64,
}

impl Lease {
    /// Extends the lease after a successful renewal that was sent at `sent`.
    pub(crate) fn extend(&self, sent: Boottime, options: &LeaseOptions) {
        self.ends_at_micros.fetch_max(sent.plus(options.own_view()).micros(), Ordering::AcqRel);
    }

    /// Gives the lease up: this node is leaving.
    pub(crate) fn end(&self) {
        self.ends_at_micros.store(0, Ordering::Release);
    }

    /// How long the lease runs from `now` on.
    pub(crate) fn left(&self, now: Boottime) -> Duration {
        let ends_at = self.ends_at_micros.load(Ordering::Acquire);
        Duration::from_micros(ends_at.saturating_sub(now.micros()))
    }

    /// Whether the lease runs at `now`, a time read after the request arrived.
    pub(crate) fn check(&self, now: Boottime) -> Result<(), Stale> {
        match now.micros() < self.ends_at_micros.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err(Stale),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Boottime {
        Boottime::from_duration(Duration::from_millis(millis))
    }

    #[test]
    fn a_lease_counts_from_the_sending_and_is_shortened() {
        let lease = Lease::default();
        assert_eq!(lease.check(at(0)), Err(Stale), "no lease before the first renewal");
        lease.extend(at(1_000), &LeaseOptions::default());
        for (now, expected) in [(1_000, Ok(())), (2_959, Ok(())), (2_960, Err(Stale)), (9_000, Err(Stale))] {
            assert_eq!(lease.check(at(now)), expected, "{now}");
        }
    }

    #[test]
    fn a_late_answer_to_an_early_renewal_does_not_shorten() {
        let lease = Lease::default();
        lease.extend(at(5_000), &LeaseOptions::default());
        lease.extend(at(1_000), &LeaseOptions::default());
        assert_eq!(lease.check(at(6_000)), Ok(()));
    }

    #[test]
    fn the_certain_end_is_after_every_own_view() {
        let options = LeaseOptions::default();
        assert!(options.certain_end() > options.own_view().mul_f64(1.02));
    }
}

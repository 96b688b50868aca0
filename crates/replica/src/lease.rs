//! The lease: until when this node may vouch for its memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Boottime, OnStale};

/// How long a node vouches, how often it renews, and what it does when it can vouch no more.
#[derive(Debug, Clone, Copy)]
pub struct LeaseOptions {
    /// How long after a renewal was sent the node may vouch.
    pub lease: Duration,
    /// How often it renews when nothing is appended.
    pub renew_every: Duration,
    /// What it does when it can vouch no more.
    pub on_stale: OnStale,
}

impl Default for LeaseOptions {
    /// 2 s, renewed every 500 ms, and without it nothing is answered.
    fn default() -> Self {
        let (lease, renew_every) = (Duration::from_secs(2), Duration::from_millis(500));
        Self { lease, renew_every, on_stale: OnStale::Refuse }
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

/// This node's lease, in microseconds since boot; 0 before the first renewal.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    ends_at_micros: AtomicU64,
    /// When the latest renewal that succeeded was sent.
    read_at_micros: AtomicU64,
    /// When this node last found that its memory is not what the log says, though the log could be read.
    fenced_at_micros: AtomicU64,
}

impl Lease {
    /// Extends the lease after a successful renewal that was sent at `sent`.
    pub(crate) fn extend(&self, sent: Boottime, options: &LeaseOptions) {
        self.ends_at_micros.fetch_max(sent.plus(options.own_view()).micros(), Ordering::AcqRel);
        self.read_at_micros.fetch_max(sent.micros(), Ordering::AcqRel);
    }

    /// From `now` on nothing stale is told, until a renewal succeeds that was sent later. The lease ends by itself.
    pub(crate) fn fence(&self, now: Boottime) {
        self.fenced_at_micros.fetch_max(now.micros(), Ordering::AcqRel);
    }

    /// Gives the lease up: this node is leaving.
    pub(crate) fn end(&self) {
        self.fenced_at_micros.store(u64::MAX, Ordering::Release);
        self.ends_at_micros.store(0, Ordering::Release);
    }

    /// How long the lease runs from `now` on.
    pub(crate) fn left(&self, now: Boottime) -> Duration {
        let ends_at = self.ends_at_micros.load(Ordering::Acquire);
        Duration::from_micros(ends_at.saturating_sub(now.micros()))
    }

    /// How old at `now` what this node knows is: counted from the sending of its latest renewal.
    pub(crate) fn age(&self, now: Boottime) -> Duration {
        Duration::from_micros(now.micros().saturating_sub(self.read_at_micros.load(Ordering::Acquire)))
    }

    /// How long from `now` on the policy lets this node tell what it last knew, whether or not its lease runs; zero where
    /// it never read the log, has left, or is fenced.
    pub(crate) fn left_stale(&self, now: Boottime, on_stale: OnStale) -> Duration {
        let OnStale::Serve { max_age } = on_stale else { return Duration::ZERO };
        let read_at = self.read_at_micros.load(Ordering::Acquire);
        match read_at > self.fenced_at_micros.load(Ordering::Acquire) {
            true => now.until(Boottime::from_duration(Duration::from_micros(read_at)).plus(max_age)),
            false => Duration::ZERO,
        }
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

    const SERVE: OnStale = OnStale::Serve { max_age: Duration::from_secs(10) };

    #[test]
    fn what_is_stale_is_told_until_it_has_the_age_of_the_policy_and_by_the_policy_only() {
        let lease = Lease::default();
        assert!(lease.left_stale(at(0), SERVE).is_zero(), "nothing was ever read");
        lease.extend(at(1_000), &LeaseOptions::default());
        // What was sent earlier and answered later makes nothing older.
        lease.extend(at(500), &LeaseOptions::default());
        for (now, told) in [(1_000, true), (2_960, true), (10_999, true), (11_000, false), (99_000, false)] {
            assert_eq!(!lease.left_stale(at(now), SERVE).is_zero(), told, "{now}");
            assert!(lease.left_stale(at(now), OnStale::Refuse).is_zero(), "{now}");
        }
        assert_eq!(lease.age(at(11_000)), Duration::from_secs(10));
        lease.end();
        lease.extend(at(3_000), &LeaseOptions::default());
        assert!(lease.left_stale(at(3_000), SERVE).is_zero(), "who has left tells nothing");
    }

    #[test]
    fn who_is_fenced_tells_nothing_stale_until_a_later_renewal() {
        let lease = Lease::default();
        lease.extend(at(1_000), &LeaseOptions::default());
        lease.fence(at(2_000));
        assert_eq!(lease.check(at(2_000)), Ok(()), "the lease runs out by itself");
        for (sent, told) in [(1_999, false), (2_000, false), (2_001, true)] {
            lease.extend(at(sent), &LeaseOptions::default());
            assert_eq!(!lease.left_stale(at(5_000), SERVE).is_zero(), told, "{sent}");
        }
    }

    #[test]
    fn the_certain_end_is_after_every_own_view() {
        let options = LeaseOptions::default();
        assert!(options.certain_end() > options.own_view().mul_f64(1.02));
    }
}

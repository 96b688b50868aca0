//! The two clocks: wall time for what tokens say, time since boot for leases.

use std::time::Duration;

use obol_token::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Time since the machine started, sleep included (`CLOCK_BOOTTIME`). Never jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Boottime(Duration);

impl Boottime {
    /// This long after the machine started.
    pub const fn from_duration(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// Whole seconds since the machine started.
    pub(crate) fn as_secs(self) -> i64 {
        i64::try_from(self.0.as_secs()).unwrap_or(i64::MAX)
    }

    /// Microseconds since the machine started.
    pub(crate) fn micros(self) -> u64 {
        u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX)
    }

    /// The moment this much later.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// How long until `later`; zero if it has passed.
    pub const fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }
}

/// Where time comes from. The door reads it once per request and passes it down.
pub trait Clock: Send + Sync {
    /// Seconds since the epoch by the wall clock.
    fn wall(&self) -> Timestamp;

    /// Time since boot, sleep included.
    fn boottime(&self) -> Boottime;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_secs(clock_gettime(ClockId::Realtime).tv_sec)
    }

    fn boottime(&self) -> Boottime {
        let time = clock_gettime(ClockId::Boottime);
        let secs = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Boottime(Duration::new(secs, nanos))
    }
}

//! The two clocks: wall time for what tokens say, time since boot for leases; and wall time that does not jump.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
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
        // Whole seconds: a few milliseconds late are nothing beside the cost of the fine clock.
        let secs = clock_gettime(ClockId::RealtimeCoarse).tv_sec;
        #[cfg(feature = "planted-bugs")]
        let secs = secs.saturating_add(obol_planted::wall_clock_error_secs());
        Timestamp::from_secs(secs)
    }

    fn boottime(&self) -> Boottime {
        #[cfg(feature = "planted-bugs")]
        if obol_planted::Bug::LeaseOnWallClock.is_on() {
            return Boottime(Duration::from_secs(self.wall().as_secs().unsigned_abs()));
        }
        let time = clock_gettime(ClockId::Boottime);
        let secs = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Boottime(Duration::new(secs, nanos))
    }
}

/// Wall time that counts from its making by time since boot, follows the machine's wall clock only in small steps, and
/// never goes back: where the machine's clock does, it stands still.
///
/// Denials leave by wall time. A clock that jumped forward would let them go early, and one that jumped back afterwards
/// would bring back the tokens that they refused.
pub(crate) struct SteadyClock {
    machine: Arc<dyn Clock>,
    /// How far the wall clock is ahead of the time since boot, in seconds.
    ahead_secs: AtomicI64,
    /// The latest moment that it has said, in seconds since the epoch.
    latest_secs: AtomicI64,
    /// Whether the machine's wall clock was last seen far off.
    far_off: AtomicBool,
}

impl SteadyClock {
    /// From this difference on the machine's wall clock is not followed, in seconds.
    const JUMP_SECS: u64 = 60;

    /// Begins at what the machine's wall clock says now.
    pub(crate) fn new(machine: Arc<dyn Clock>) -> Self {
        let now = machine.wall();
        Self {
            ahead_secs: AtomicI64::new(ahead_secs(now, machine.boottime())),
            latest_secs: AtomicI64::new(now.as_secs()),
            far_off: AtomicBool::new(false),
            machine,
        }
    }

    /// From now on it says no moment before this one.
    pub(crate) fn not_before(&self, moment: Timestamp) -> Timestamp {
        let latest = self.latest_secs.load(Ordering::Relaxed);
        if moment.as_secs() <= latest {
            return Timestamp::from_secs(latest);
        }
        // Once a second at the most, so that the threads do not fight for the line.
        self.latest_secs.fetch_max(moment.as_secs(), Ordering::Relaxed);
        moment
    }

    /// Says that the wall clock jumped, or that it has come back, once each time.
    fn say(&self, jump_secs: i64) {
        let far_off = jump_secs.unsigned_abs() >= Self::JUMP_SECS;
        if self.far_off.load(Ordering::Relaxed) == far_off
            || self.far_off.swap(far_off, Ordering::Relaxed) == far_off
        {
            return;
        }
        if far_off {
            tracing::warn!(
                "the wall clock jumped by {jump_secs} s; going on by the time since the start; restart to take the new time"
            );
        } else {
            tracing::info!("the wall clock is back; following it again");
        }
    }
}

impl SteadyClock {
    /// The wall time at this time since boot, which was read just now.
    pub(crate) fn wall_at(&self, boottime: Boottime) -> Timestamp {
        let machine = self.machine.wall();
        let found = ahead_secs(machine, boottime);
        let known = self.ahead_secs.load(Ordering::Relaxed);
        let jump_secs = found.saturating_sub(known);
        self.say(jump_secs);
        if jump_secs.unsigned_abs() >= Self::JUMP_SECS {
            return self.not_before(Timestamp::from_secs(boottime.as_secs()).plus_secs(known));
        }
        if jump_secs != 0 {
            // Fails when another thread has followed meanwhile, and that will do.
            let _ = self.ahead_secs.compare_exchange(known, found, Ordering::Relaxed, Ordering::Relaxed);
        }
        self.not_before(machine)
    }
}

impl Clock for SteadyClock {
    fn wall(&self) -> Timestamp {
        self.wall_at(self.machine.boottime())
    }

    fn boottime(&self) -> Boottime {
        self.machine.boottime()
    }
}

/// The moment of the follower's last turn, once it has made one.
#[cfg(feature = "planted-bugs")]
static LAST_TURN_MICROS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// The follower has made a turn at this moment.
#[cfg(feature = "planted-bugs")]
pub(crate) fn planted_turn(now: Boottime) {
    LAST_TURN_MICROS.store(now.micros(), Ordering::Relaxed);
}

/// Now, or with a planted bug the follower's last turn.
#[cfg(feature = "planted-bugs")]
pub(crate) fn planted_now(now: Boottime) -> Boottime {
    match LAST_TURN_MICROS.load(Ordering::Relaxed) {
        turn @ 1.. if obol_planted::Bug::CachedNow.is_on() => Boottime(Duration::from_micros(turn)),
        _ => now,
    }
}

fn ahead_secs(wall: Timestamp, boottime: Boottime) -> i64 {
    wall.as_secs().saturating_sub(boottime.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000;
    const BOOTED_SECS: i64 = 5_000;
    const DAY: i64 = 86_400;

    /// Seconds by the wall clock and since the machine started, as set.
    struct SetClock {
        wall: AtomicI64,
        boottime: AtomicI64,
    }

    impl Clock for SetClock {
        fn wall(&self) -> Timestamp {
            Timestamp::from_secs(self.wall.load(Ordering::SeqCst))
        }

        fn boottime(&self) -> Boottime {
            let secs = self.boottime.load(Ordering::SeqCst).unsigned_abs();
            Boottime::from_duration(Duration::from_secs(secs))
        }
    }

    fn clocks() -> (Arc<SetClock>, SteadyClock) {
        let machine =
            Arc::new(SetClock { wall: AtomicI64::new(START), boottime: AtomicI64::new(BOOTED_SECS) });
        (machine.clone(), SteadyClock::new(machine))
    }

    /// What the steady clock says, in seconds after the start, when so many have passed and the wall clock says this.
    fn said(clocks: &(Arc<SetClock>, SteadyClock), passed: i64, wall: i64) -> i64 {
        let (machine, steady) = clocks;
        machine.boottime.store(BOOTED_SECS + passed, Ordering::SeqCst);
        machine.wall.store(wall, Ordering::SeqCst);
        steady.wall().as_secs() - START
    }

    #[test]
    fn a_wall_clock_that_jumps_is_not_followed_and_time_goes_on() {
        let first_second_of_2106_that_32_bits_do_not_hold = 1 << 32;
        let jumps =
            [START + DAY, START - DAY, 0, first_second_of_2106_that_32_bits_do_not_hold, i64::MAX, i64::MIN];
        for jump in jumps {
            let clocks = clocks();
            assert_eq!(said(&clocks, 10, START + 10), 10);
            for passed in [11, 100, 50 * DAY] {
                assert_eq!(said(&clocks, passed, jump.saturating_add(passed)), passed, "{jump}");
            }
            let back = 50 * DAY + 5;
            assert_eq!(said(&clocks, back, START + back + 3), back + 3, "it is followed when it is back");
        }
    }

    #[test]
    fn a_difference_is_followed_up_to_the_edge_of_a_minute() {
        for (difference, followed) in
            [(59, true), (60, false), (61, false), (-59, true), (-60, false), (-61, false)]
        {
            let expected = if followed { 100 + difference } else { 100 };
            assert_eq!(said(&clocks(), 100, START + 100 + difference), expected, "{difference}");
        }
    }

    #[test]
    fn a_clock_that_is_slewed_is_followed_however_far_it_goes() {
        for slew in [1, 5, -5] {
            let clocks = clocks();
            for step in 1..=100 {
                let passed = 1_000 * step;
                let wall = passed + slew * step;
                assert_eq!(said(&clocks, passed, START + wall), wall);
            }
        }
    }

    #[test]
    fn it_never_goes_back_and_stands_still_until_the_machine_has_caught_up() {
        let clocks = clocks();
        assert_eq!(said(&clocks, 100, START + 100), 100);
        for (passed, expected) in [(110, 100), (150, 100), (159, 104), (200, 145)] {
            assert_eq!(said(&clocks, passed, START + passed - 55), expected, "55 s back, {passed}");
        }
        clocks.1.not_before(Timestamp::from_secs(START + 190));
        assert_eq!(said(&clocks, 201, START + 201 - 55), 190);
    }

    #[test]
    fn a_machine_that_slept_has_not_jumped() {
        let clocks = clocks();
        assert_eq!(said(&clocks, 3 * DAY, START + 3 * DAY), 3 * DAY);
    }

    #[test]
    fn a_jump_is_noted_once_until_the_clock_is_back() {
        let clocks = clocks();
        for (passed, wall, far_off) in [(1, 1, false), (2, DAY, true), (3, DAY + 1, true), (4, 4, false)] {
            said(&clocks, passed, START + wall);
            assert_eq!(clocks.1.far_off.load(Ordering::SeqCst), far_off, "{passed}");
        }
    }
}

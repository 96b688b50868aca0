//! The time of one process: it passes with the turns of the run, and its clocks make of it what they like.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obol_token::Timestamp;
use tokio::time::Instant;

use crate::dice::Dice;
use crate::faults::Faults;
use crate::world::{Ms, World};

/// When the run begins, by a wall clock that is right.
const WALL_START: i64 = 1_800_000_000;

/// The machine of a node, and since when a process runs on it.
pub(crate) struct Machine {
    slot: usize,
    /// How fast its clock runs, in parts of a million of the right rate.
    rate_ppm: u64,
    booted_before: Ms,
    faults: Arc<Faults>,
    started: Instant,
    started_at: Ms,
    /// When somebody last set its wall clock right.
    set_at: AtomicU64,
}

impl Machine {
    /// A process on the machine of this node, which starts at `at`. Call it in the runtime of that process.
    pub(crate) fn new(world: &World, faults: Arc<Faults>, slot: usize, at: Ms) -> Self {
        let mut dice = Dice::of(world.seed, &[2, slot as u64]);
        let error = match dice.once_in(2) {
            true => world.rate_error_ppm,
            false => dice.between(0..=world.rate_error_ppm),
        };
        let rate_ppm = if dice.once_in(2) { 1_000_000 + error } else { 1_000_000 - error };
        let booted_before = dice.scaled(1_000..=10_000_000_000);
        Self {
            slot,
            rate_ppm,
            booted_before,
            faults,
            started: Instant::now(),
            started_at: at,
            set_at: AtomicU64::new(at),
        }
    }

    /// The node that runs here.
    pub(crate) fn slot(&self) -> usize {
        self.slot
    }

    /// Sets its wall clock right. It jumps again when it was to jump after now.
    pub(crate) fn set_wall_clock(&self) {
        self.set_at.store(self.now(), Ordering::Relaxed);
    }

    /// The right time.
    pub(crate) fn now(&self) -> Ms {
        self.started_at + u64::try_from(self.started.elapsed().as_millis()).expect("a short run")
    }

    /// The moment of a timer of this process.
    pub(crate) fn instant(&self, at: Ms) -> Instant {
        self.started + Duration::from_millis(at.saturating_sub(self.started_at))
    }

    /// Time since boot `later` than now, as its clock says it.
    pub(crate) fn since_boot(&self, later: Ms) -> Duration {
        Duration::from_micros((self.booted_before + self.now() + later) * self.rate_ppm / 1_000)
    }

    /// The wall time, as its clock says it.
    pub(crate) fn wall(&self) -> Timestamp {
        let now = self.now();
        let right = WALL_START + i64::try_from(now / 1_000).expect("a short run");
        Timestamp::from_secs(
            right + self.faults.wall_off_secs(self.slot, self.set_at.load(Ordering::Relaxed), now),
        )
    }
}

/// How long after the start of the run a wall clock that is right says this, in milliseconds.
pub(crate) fn when(moment: Timestamp) -> Ms {
    u64::try_from(moment.as_secs() - WALL_START).expect("after the start") * 1_000
}

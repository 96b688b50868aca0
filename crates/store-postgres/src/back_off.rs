//! How long to wait after connections that failed.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::open::OpenError;

/// The failures since the last connection.
#[derive(Default)]
pub(crate) struct BackOff {
    failures: u32,
    not_before: Option<Instant>,
    cause: String,
}

impl BackOff {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_millis(800);

    /// When the next connection may be tried, if the last one failed.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// Why the last one failed.
    pub(crate) fn cause(&self) -> &str {
        &self.cause
    }

    /// Takes in how an attempt went.
    pub(crate) fn note(&mut self, outcome: Result<(), &OpenError>) {
        match outcome {
            Ok(()) => *self = Self::default(),
            Err(error) => {
                let pause = Self::FIRST.saturating_mul(1 << self.failures.min(8)).min(Self::LONGEST);
                self.failures = self.failures.saturating_add(1);
                self.not_before = Some(Instant::now() + jittered(pause, chance()));
                self.cause = error.to_string();
            }
        }
    }
}

/// Between half of the pause and the whole, so that nodes do not come back in step.
fn jittered(pause: Duration, chance: u64) -> Duration {
    let half = pause / 2;
    let steps = u32::try_from(chance % 1_000).unwrap_or_default();
    half + half * steps / 1_000
}

/// The standard library seeds each state anew; it needs to be different among nodes, not secret.
fn chance() -> u64 {
    RandomState::new().hash_one(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(attempts: usize) -> Vec<Duration> {
        let error = OpenError::NoSchema;
        let mut back_off = BackOff::default();
        (0..attempts)
            .map(|_| {
                let before = Instant::now();
                back_off.note(Err(&error));
                back_off.not_before().unwrap() - before
            })
            .collect()
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        let pauses = pauses(50);
        assert!(pauses[0] >= BackOff::FIRST / 2, "{pauses:?}");
        assert!(pauses[10] >= BackOff::LONGEST / 2, "{pauses:?}");
        // What the clock did between the two readings is not part of the pause.
        assert!(pauses.iter().all(|pause| *pause <= BackOff::LONGEST * 2), "{pauses:?}");
    }

    #[test]
    fn pauses_differ_by_chance_within_their_upper_half() {
        let pause = Duration::from_millis(800);
        assert_eq!(jittered(pause, 0), pause / 2);
        assert!(jittered(pause, 999) < pause && jittered(pause, 999) > pause / 2);
    }

    #[test]
    fn a_connection_ends_the_pauses() {
        let mut back_off = BackOff::default();
        back_off.note(Err(&OpenError::NoSchema));
        back_off.note(Ok(()));
        assert_eq!(back_off.not_before(), None);
    }
}

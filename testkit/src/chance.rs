//! Seeded chance, and the size of a run: what a test needs to be repeated as it was.

use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::time::Duration;

/// A reproducible source of choices (SplitMix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Choices by the seed in `OBOL_TEST_SEED`, else by a new one. Prints it, so that a failure can be repeated.
    pub fn seeded(test: &str) -> Self {
        let seed = from_environment("OBOL_TEST_SEED").unwrap_or_else(|| Self::new_seed(test));
        println!("{test}: OBOL_TEST_SEED={seed}");
        Self(seed)
    }

    /// Choices by this seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed that was not used before.
    pub fn new_seed(test: &str) -> u64 {
        RandomState::new().hash_one(test)
    }

    /// A source of its own for a thread.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Whether an event happens that happens once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these; there is at least one.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    /// An index into something of this length, which is not 0.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a usize")
    }

    /// Some milliseconds.
    pub fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        let (first, last) = range.into_inner();
        Duration::from_millis(first + self.below(last - first + 1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// How often a test does what it does: the number in this environment variable, else `usual`.
pub fn run_size(variable: &str, usual: u64) -> u64 {
    from_environment(variable).unwrap_or(usual)
}

#[allow(clippy::disallowed_methods, reason = "it is the test run that is configured, not the program")]
fn from_environment(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a whole number, not {text:?}")))
}

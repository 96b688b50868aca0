//! Chance that hangs on what is asked and not on the order of asking: which of two tasks runs first changes nothing.

use std::ops::RangeInclusive;

/// Choices for one question (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The choices of this seed for what these numbers name.
    pub(crate) fn of(seed: u64, question: &[u64]) -> Self {
        let mut dice = Self(seed);
        for part in question {
            dice = Self(dice.next() ^ part.wrapping_mul(0xd6e8_feb8_6659_fd93));
        }
        dice
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Whether an event happens that happens once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A number of these, all equally likely.
    pub(crate) fn between(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// A number of these, each order of magnitude equally likely.
    pub(crate) fn scaled(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (mut first, last) = range.into_inner();
        while first < last && !self.once_in(4) {
            first = (first * 2).min(last);
        }
        self.between(first..=(first * 2).min(last))
    }

    /// One of these; there is at least one.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    /// An index into something of this length, which is not 0.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a usize")
    }

    /// Bytes of an id or nonce.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[0])
    }
}

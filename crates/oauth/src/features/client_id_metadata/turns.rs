//! How often strangers make us ask others at once: a part of what the way out can do, so that it stays open.

use std::sync::atomic::{AtomicUsize, Ordering};

const MOST: usize = 16;

/// The turns of one node.
#[derive(Debug, Default)]
pub(crate) struct Turns(AtomicUsize);

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a Turns);

impl Turns {
    /// A turn, unless all are taken.
    pub(crate) fn take(&self) -> Option<Turn<'_>> {
        let one_more = |taken: usize| (taken < MOST).then_some(taken + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_free_again_when_it_is_over() {
        let turns = Turns::default();
        let mut taken: Vec<_> = (0..MOST).map(|_| turns.take().unwrap()).collect();
        assert!(turns.take().is_none());
        taken.pop();
        assert!(turns.take().is_some());
    }
}

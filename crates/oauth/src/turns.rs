//! How often strangers make us ask others at once: a part of what the way out can do, so that it stays open.

use std::sync::atomic::{AtomicUsize, Ordering};

use obol_store::Client;

use crate::OAuthError;

const MOST: usize = 16;

/// The turns of one node.
#[derive(Debug, Default)]
pub(crate) struct Turns(AtomicUsize);

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a Turns);

impl Turns {
    /// A turn.
    ///
    /// # Errors
    /// 503 while all are taken.
    pub(crate) fn take(&self) -> Result<Turn<'_>, OAuthError> {
        let one_more = |taken: usize| (taken < MOST).then_some(taken + 1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.map(|_| Turn(self)).map_err(|_| {
            let sentence = "Too much is being looked up at other servers at this moment; try again.";
            OAuthError::unavailable(sentence, 1)
        })
    }

    /// A turn where the client has registered itself, and so has said where we go; an operator's needs none, and one that brings
    /// a document of its own has taken one for that.
    ///
    /// # Errors
    /// 503 while all are taken.
    pub(crate) fn take_for(&self, client: &Client) -> Result<Option<Turn<'_>>, OAuthError> {
        client.settings.registration.as_ref().map(|_| self.take()).transpose()
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
        assert!(turns.take().is_err());
        taken.pop();
        assert!(turns.take().is_ok());
    }
}

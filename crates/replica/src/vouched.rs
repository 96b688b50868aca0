//! What a node may decide by, once it was asked whether it may: its memory, and whether that may be out of date.

use obol_token::{Asked, Claims, Position, Refusal, Scratch, Timestamp};

use crate::{Memory, Stale};

/// The memory of a node whose lease ran at a moment after the request arrived; or, by [`crate::OnStale::Serve`], of one
/// that may know less than others do.
#[derive(Clone, Copy)]
pub struct Vouched<'a> {
    memory: &'a Memory,
    position: Position,
    stale: bool,
}

/// Why a token is not told to stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// It does not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Only what this node could not read tells whether it does: answer 503.
    #[error(transparent)]
    Stale(#[from] Stale),
}

impl<'a> Vouched<'a> {
    pub(crate) fn by_lease(memory: &'a Memory) -> Self {
        Self { memory, position: memory.applied(), stale: false }
    }

    pub(crate) fn by_policy(memory: &'a Memory) -> Self {
        Self { stale: true, ..Self::by_lease(memory) }
    }

    /// The memory to decide by.
    pub fn memory(&self) -> &'a Memory {
        self.memory
    }

    /// The position that a token issued on this request carries: read before the request looked at anything else, so
    /// that whatever is denied meanwhile refuses the token.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Whether the lease was over: what is not known may have come to be meanwhile.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// As [`Memory::verify`]; but what is out of date refuses no token for a key that it has not heard of.
    ///
    /// # Errors
    /// [`NotVerified`]
    pub fn verify<'s>(
        &self,
        presented: &str,
        asked: Asked<'_>,
        now: Timestamp,
        scratch: &'s mut Scratch,
    ) -> Result<Claims<'s>, NotVerified> {
        self.memory.verify(presented, asked, now, scratch).map_err(|refusal| match refusal {
            Refusal::UnknownKey if self.stale && !self.memory.has_heard_of_keys(presented) => Stale.into(),
            refusal => refusal.into(),
        })
    }
}

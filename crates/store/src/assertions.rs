//! Assertions with which clients have authenticated (RFC 7523 §3): each is good once.

use async_trait::async_trait;
use obol_token::{SecretHash, Timestamp};

use crate::StoreError;

/// What became of using an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseOutcome {
    /// It was not used before.
    First,
    /// It was.
    Again,
}

/// Used assertions. One leaves the store by itself, when it would be refused for its age.
#[async_trait]
pub trait Assertions: Send + Sync {
    /// Notes that an assertion is used. Of any number of calls with one hash exactly one is `First`, until it leaves at
    /// `leaves_at`. The hash is that of the client and the id of the assertion.
    ///
    /// # Errors
    /// [`StoreError`]; it may have been noted or not.
    async fn use_assertion(
        &self,
        hash: SecretHash,
        leaves_at: Timestamp,
        now: Timestamp,
    ) -> Result<UseOutcome, StoreError>;
}

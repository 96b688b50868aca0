//! Authorization requests that clients have pushed (RFC 9126). Each is used once, and by the client that pushed it.

use async_trait::async_trait;
use obol_token::{ClientId, SecretHash, Timestamp};

use crate::StoreError;

/// An authorization request to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPushedRequest {
    /// Hash of the reference by which the client names it.
    pub hash: SecretHash,
    /// The client that has pushed it.
    pub client_id: ClientId,
    /// Its parameters, in a form of the protocol's own.
    pub params: String,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// Until when a browser has to have brought the reference. The request leaves the store then, unless one has.
    pub expires_at: Timestamp,
    /// So many requests of the client may be kept at once, this one among them.
    pub most: u32,
}

/// What became of pushing a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum PushOutcome {
    /// It is kept.
    Pushed,
    /// As many of the client are kept as may be. Nothing is kept.
    TooMany,
    /// The client is disabled or deleted. Nothing is kept.
    Gone,
}

/// A pushed request as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedRequest {
    /// Its parameters.
    pub params: String,
    /// Until when a browser has to have brought the reference.
    pub expires_at: Timestamp,
}

/// What became of holding a pushed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum HoldOutcome {
    /// It stays.
    Held,
    /// It was used before, has left, or was never this client's.
    Gone,
}

/// What became of consuming a pushed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum ConsumeOutcome {
    /// It was there, and is no more.
    Consumed,
    /// It was used before, has left, or was never this client's.
    Gone,
}

/// Stored pushed requests. Whatever denies all tokens of a client ends its requests as well.
#[async_trait]
pub trait PushedRequests: Send + Sync {
    /// Keeps a request, if the client is enabled and has room for it.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn push_request(&self, request: &NewPushedRequest) -> Result<PushOutcome, StoreError>;

    /// The request of this client that is kept under this hash at `now`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn find_pushed_request(
        &self,
        hash: SecretHash,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<PushedRequest>, StoreError>;

    /// Holds a request that [`Self::find_pushed_request`] finds until `leaves_at`: a browser is on the way with it.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn hold_pushed_request(
        &self,
        hash: SecretHash,
        client_id: &ClientId,
        now: Timestamp,
        leaves_at: Timestamp,
    ) -> Result<HoldOutcome, StoreError>;

    /// Consumes a request that [`Self::find_pushed_request`] finds. Of any number of parallel calls exactly one is `Consumed`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn consume_pushed_request(
        &self,
        hash: SecretHash,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<ConsumeOutcome, StoreError>;
}

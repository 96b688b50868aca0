//! Families: everything that one authorization gave.
//!
//! One row each, whatever its length: the hash of the current refresh token, the hash of the one before it, and the
//! sealed answer of the last rotation for the grace window. A refresh token names its family by a random lineage
//! part that all its generations share and that is stored hashed; so a token of any generation is recognised, and
//! its reuse costs the same after 3 rotations and after 30,000.

use async_trait::async_trait;
use obol_token::{ClientId, Expiry, FamilyId, Position, Scopes, SecretHash, SessionId, SubjectId, Timestamp};

use crate::{Appended, StoreError};

/// A family to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFamily {
    /// Its id: 16 fresh random bytes.
    pub id: FamilyId,
    /// The client to which it is given.
    pub client_id: ClientId,
    /// The person who gave it.
    pub subject: SubjectId,
    /// What was granted; a refresh may narrow an access token, never widen it.
    pub scopes: Scopes,
    /// Hash of the lineage part of its refresh tokens.
    pub lineage: SecretHash,
    /// Hash of its first refresh token.
    pub current: SecretHash,
    /// When it begins.
    pub issued_at: Timestamp,
    /// When the first refresh token expires.
    pub refresh_expires_at: Expiry,
    /// When the first access token expires.
    pub access_expires_at: Expiry,
    /// Whether to end the other families of this person at this client.
    pub single: bool,
    /// The session in which it was authorized; `None` if no browser was.
    pub session: Option<SessionId>,
    /// What else was authorized, in a form of the protocol's own.
    pub details: String,
    /// How far the node had read the log when the request arrived, before it looked at client, person or password.
    pub position: Position,
}

/// What became of beginning a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeginOutcome {
    /// It began. With `single`, the denial of the families that it replaced, if there were any.
    Begun(Option<Appended>),
    /// The client or the person is disabled or deleted, or was denied after the request arrived; nothing began.
    Gone,
}

/// A family as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Its id.
    pub id: FamilyId,
    /// Its client.
    pub client_id: ClientId,
    /// Its person.
    pub subject: SubjectId,
    /// What was granted.
    pub scopes: Scopes,
    /// The session in which it was authorized.
    pub session: Option<SessionId>,
    /// What else was authorized.
    pub details: String,
    /// Hash of its current refresh token.
    pub current: SecretHash,
    /// When it began.
    pub issued_at: Timestamp,
    /// When its refresh token expires.
    pub refresh_expires_at: Expiry,
    /// The append that ended it, if it has ended.
    pub ended: Option<Appended>,
}

/// A refresh token presented to be exchanged for the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Hash of the lineage part presented.
    pub lineage: SecretHash,
    /// Hash of the refresh token presented.
    pub presented: SecretHash,
    /// The client that presented it.
    pub client_id: ClientId,
    /// Hash of the next refresh token.
    pub next: SecretHash,
    /// The answer to store for the grace window, sealed so that only the presented token opens it.
    pub sealed_answer: Vec<u8>,
    /// When the request arrived.
    pub now: Timestamp,
    /// How far from its replacement the token just replaced may be presented again, in seconds.
    pub grace_secs: u32,
    /// When the next refresh token expires.
    pub refresh_expires_at: Expiry,
    /// When the access token of the new pair expires.
    pub access_expires_at: Expiry,
}

/// What became of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotateOutcome {
    /// The presented token was the current one and is now replaced.
    First,
    /// It was replaced less than `grace_secs` before or after `now` (the clock may have been set back): the sealed answer
    /// that was stored then. Nothing changed.
    Replay(Vec<u8>),
    /// It was replaced before: the family was ended by this call.
    Reused(Appended),
    /// The family had ended before.
    Ended,
    /// The refresh token has expired.
    Expired,
    /// There is no such family, or it belongs to another client. Nothing changed.
    Unknown,
}

/// Stored families. A family leaves the store by itself when both its refresh token and its last access token have expired.
#[async_trait]
pub trait Families: Send + Sync {
    /// Begins a family, if client and person are enabled and nothing that covers it (person, client, everything) was
    /// denied after its `position`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn begin_family(&self, family: &NewFamily) -> Result<BeginOutcome, StoreError>;

    /// The family whose refresh tokens have this lineage.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn find_family(&self, lineage: SecretHash) -> Result<Option<Family>, StoreError>;

    /// The family with this id.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn find_family_by_id(&self, id: FamilyId) -> Result<Option<Family>, StoreError>;

    /// The families of a person that have neither ended nor expired, the latest first.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn list_families(&self, subject: SubjectId, now: Timestamp) -> Result<Vec<Family>, StoreError>;

    /// Replaces the current refresh token by the next, if the presented one is the current one.
    ///
    /// The order of the tests: unknown or another client's, ended, expired, current, within grace, reused. Of any
    /// number of parallel calls with the same presented token exactly one is `First`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn rotate_refresh(&self, rotation: &Rotation) -> Result<RotateOutcome, StoreError>;
}

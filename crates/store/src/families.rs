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

impl NewFamily {
    /// When it leaves the store if it is not refreshed.
    pub fn leaves_at(&self) -> Expiry {
        self.refresh_expires_at.max(self.access_expires_at)
    }
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

impl Rotation {
    /// When both tokens of the new pair have expired.
    pub fn last_expires_at(&self) -> Expiry {
        self.refresh_expires_at.max(self.access_expires_at)
    }
}

/// A family whose current refresh token is not the presented one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Its id.
    pub id: FamilyId,
    /// The append that ended it, if it has ended.
    pub ended: Option<Appended>,
    /// When its refresh token expires.
    pub refresh_expires_at: Expiry,
    /// Hash of the refresh token before the current one.
    pub previous: Option<SecretHash>,
    /// When that was replaced.
    pub rotated_at: Option<Timestamp>,
    /// The answer that was stored then.
    pub sealed_answer: Option<Vec<u8>>,
}

impl Rotated {
    /// What becomes of the rotation, in the order of [`Families::rotate_refresh`]; `None` if the presented token is reused, so that
    /// the family has to be ended.
    pub fn decide_without_end(self, rotation: &Rotation) -> Option<RotateOutcome> {
        if self.ended.is_some() {
            return Some(RotateOutcome::Ended);
        }
        if self.refresh_expires_at.is_over(rotation.now) {
            return Some(RotateOutcome::Expired);
        }
        let just_replaced = self.previous == Some(rotation.presented);
        let within_grace = is_within_grace(self.rotated_at?, rotation.now, rotation.grace_secs);
        if just_replaced && within_grace { self.sealed_answer.map(RotateOutcome::Replay) } else { None }
    }
}

/// Whether something was used again so soon after its first use that it is taken for the same request sent twice.
pub(crate) fn is_within_grace(first: Timestamp, again: Timestamp, grace_secs: u32) -> bool {
    // One of the two is 0. A clock that was set back does not lengthen the window.
    let apart_secs = first.secs_until(again).max(again.secs_until(first));
    apart_secs < i64::from(grace_secs)
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

//! Authorization codes (RFC 6749 §4.1.2). A code is redeemed once, and its row stays beside the family that it began, so that
//! a later use is recognised.

use async_trait::async_trait;
use obol_token::{ClientId, FamilyId, Position, SecretHash, SessionId, SubjectId, Timestamp};

use crate::families::is_within_grace;
use crate::{Appended, NewFamily, StoreError};

/// A code to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCode {
    /// Hash of the code.
    pub hash: SecretHash,
    /// The client for which it is.
    pub client_id: ClientId,
    /// The person who gave it.
    pub subject: SubjectId,
    /// The session in which it was given.
    pub session: SessionId,
    /// What else was asked for, in a form of the protocol's own.
    pub details: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// How far the node had read the log when the request arrived.
    pub position: Position,
}

/// What became of keeping a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddCodeOutcome {
    /// It is kept.
    Added,
    /// Session, consent, client or person are gone, or one was denied after the request arrived. Nothing is kept.
    Gone,
}

/// A code as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The client for which it is.
    pub client_id: ClientId,
    /// The person who gave it.
    pub subject: SubjectId,
    /// The session in which it was given.
    pub session: SessionId,
    /// What else was asked for.
    pub details: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// How far the node had read the log when it was issued.
    pub position: Position,
    /// The family that it began, once it was redeemed.
    pub family: Option<FamilyId>,
}

/// A code to redeem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// Hash of the code.
    pub hash: SecretHash,
    /// The family that it begins, with the code's client, person, session and position.
    pub family: NewFamily,
    /// What the client's notice says beside when the session ends, in a form of the protocol's own; `None` if it is not to be told.
    pub told_of_end: Option<String>,
    /// How long after the first use another one is taken for the same request sent twice, in seconds.
    pub grace_secs: u32,
    /// When the request arrived.
    pub now: Timestamp,
}

impl Redemption {
    /// Whether a first use at this moment is so near that this one is taken for the same request sent twice.
    pub fn is_within_grace(&self, first: Timestamp) -> bool {
        is_within_grace(first, self.now, self.grace_secs)
    }
}

/// What became of redeeming a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedeemOutcome {
    /// It was good, is used now, and its family began. The denial of the families that this one replaced, if there were any.
    First(Option<Appended>),
    /// It was used less than `grace_secs` before: the same request sent twice. Nothing changed.
    Raced,
    /// It was used before: its family was ended by this call, or before.
    Reused(Appended),
    /// It has expired.
    Expired,
    /// Its session has ended, its client or person is disabled or deleted, or one was denied after it was issued.
    Gone,
    /// There is no such code of this client.
    Unknown,
}

/// Stored codes. One leaves the store by itself: when it expires, or if it was redeemed when the first tokens of its family have.
#[async_trait]
pub trait Codes: Send + Sync {
    /// Keeps a code, if its session stands, the person's consent to the client is stored, client and person are enabled, and
    /// nothing that covers it (person, client, everything) was denied after its `position`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn add_code(&self, code: &NewCode) -> Result<AddCodeOutcome, StoreError>;

    /// The code with this hash, used or not, expired or not.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn find_code(&self, hash: SecretHash) -> Result<Option<Code>, StoreError>;

    /// Redeems a code and begins its family in one transaction. Of any number of parallel calls exactly one is `First`. The
    /// family begins under the conditions of [`crate::Families::begin_family`], and only while the session stands.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn redeem_code(&self, redemption: &Redemption) -> Result<RedeemOutcome, StoreError>;
}

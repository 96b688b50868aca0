//! The keys that seal and sign tokens, wrapped by the installation's master key.
//!
//! A key goes one way: it is added and waits, so that everyone can open what it will seal, or verify what it will sign; it is
//! promoted, and seals or signs in place of the one of its kind before, which goes on opening or verifying; it is retired, and
//! does neither. Each step is an entry of the change log. Kinds do not touch each other.

use async_trait::async_trait;
use obol_token::{KeyId, KeyKind, Position, Timestamp};

use crate::{Appended, StoreError};

/// A key as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Which.
    pub id: KeyId,
    /// What it is for.
    pub kind: KeyKind,
    /// The key, encrypted under the master key; nothing once it is retired.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it seals or signs new tokens, if it does or did. Of those of a kind that are not retired the last promoted does.
    pub promoted: Option<Promoted>,
    /// When it was retired: from then on it does nothing.
    pub retired_at: Option<Timestamp>,
}

impl std::fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, kind, wrapped: _, created_at: _, promoted, retired_at } = self;
        write!(f, "WrappedKey({id}, {kind:?}, promoted: {promoted:?}, retired_at: {retired_at:?})")
    }
}

/// When a key began to seal or sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promoted {
    /// Where that stands in the change log: of two keys of a kind the later one is in use.
    pub position: Position,
    /// By the clock of whoever promoted it, for people.
    pub at: Timestamp,
}

/// A key that was just made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Which.
    pub id: KeyId,
    /// What it is for.
    pub kind: KeyKind,
    /// The key, encrypted under the master key.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewKey({}, {:?})", self.id, self.kind)
    }
}

/// What became of adding the first key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstKeyOutcome {
    /// It is the first of its kind, and in use.
    Added(Appended),
    /// There is a key of the kind already; nothing was added.
    Exists,
}

/// What became of adding a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddKeyOutcome {
    /// This key waits to be promoted: the new one, or one that was added before, and then the new one was not added.
    Waits {
        /// Which.
        id: KeyId,
        /// Its addition.
        appended: Appended,
    },
    /// As many keys of the kind as there may be are not retired; nothing was added.
    TooMany,
}

/// What became of a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromoteOutcome {
    /// It was promoted, now or before.
    Promoted(Appended),
    /// There is no such key, or it is retired.
    Unknown,
}

/// What became of a retirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetireOutcome {
    /// It is retired, since now or before.
    Retired(Appended),
    /// It is the key of its kind in use; nothing was changed.
    InUse,
    /// There is no such key.
    Unknown,
}

/// Stored keys.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Adds the installation's first key of a kind, if there is none or all are retired, as after a backup was put back; and
    /// appends it to the change log. It is in use at once:
    /// there is no node yet that has another.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn add_first_key(&self, key: &NewKey) -> Result<FirstKeyOutcome, StoreError>;

    /// Adds a key that only opens or verifies yet, unless one of its kind waits already, and appends it to the change log. At most
    /// [`MOST_KEYS`] of a kind are there without those that are retired.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn add_key(&self, key: &NewKey) -> Result<AddKeyOutcome, StoreError>;

    /// Lets a key seal or sign in place of the one of its kind before, once, and appends that to the change log. Comes after every node has
    /// applied its addition: else one would refuse what another has sealed or signed.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn promote_key(&self, id: KeyId, now: Timestamp) -> Result<PromoteOutcome, StoreError>;

    /// Ends a key for good, unless it is the one of its kind in use, and appends that to the change log. What stays is its id,
    /// which is never given out again.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn retire_key(&self, id: KeyId, now: Timestamp) -> Result<RetireOutcome, StoreError>;

    /// Appends again what a failover has lost of a key. Steps that the store knows of stay: who is retired or promoted
    /// on either side is so.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn put_back_key(&self, key: &WrappedKey) -> Result<Appended, StoreError>;

    /// All keys, the retired ones included, in the order in which they were made.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn list_keys(&self) -> Result<Vec<WrappedKey>, StoreError>;

    /// Whether there is, or was, a key: then there is a master key that wraps it.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn has_key(&self) -> Result<bool, StoreError>;
}

/// The most keys of a kind that are not retired: opening a token looks for its key among them.
pub const MOST_KEYS: u32 = 16;

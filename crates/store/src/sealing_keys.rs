//! The keys that seal access tokens, wrapped by the installation's master key.
//!
//! A key goes one way: it is added and waits, so that every node can open what it will seal; it is promoted, and seals in
//! place of the one before, which goes on opening; it is retired, and neither seals nor opens. Each step is an entry of the
//! change log.

use async_trait::async_trait;
use obol_token::{KeyId, Position, Timestamp};

use crate::{Appended, StoreError};

/// A sealing key as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Which.
    pub id: KeyId,
    /// The key, encrypted under the master key; nothing once it is retired.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it seals new tokens, if it does or did. Of those that are not retired the last promoted seals.
    pub promoted: Option<Promoted>,
    /// When it was retired: from then on it neither seals nor opens.
    pub retired_at: Option<Timestamp>,
}

impl std::fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, wrapped: _, created_at: _, promoted, retired_at } = self;
        write!(f, "WrappedKey({id}, promoted: {promoted:?}, retired_at: {retired_at:?})")
    }
}

/// When a key began to seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promoted {
    /// Where that stands in the change log: of two keys the later one seals.
    pub position: Position,
    /// By the clock of whoever promoted it, for people.
    pub at: Timestamp,
}

/// A key that was just made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSealingKey {
    /// Which.
    pub id: KeyId,
    /// The key, encrypted under the master key.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for NewSealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewSealingKey({})", self.id)
    }
}

/// What became of adding the first key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstKeyOutcome {
    /// It is the first, and seals.
    Added(Appended),
    /// There is a key already; nothing was added.
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
    /// As many keys as there may be are not retired; nothing was added.
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
    /// It is the key that seals; nothing was changed.
    Seals,
    /// There is no such key.
    Unknown,
}

/// Stored sealing keys.
#[async_trait]
pub trait SealingKeys: Send + Sync {
    /// Adds the installation's first sealing key, if there is none or all are retired, as after a backup was put back; and
    /// appends it to the change log. It seals at once: there is no node yet that has another.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn add_first_sealing_key(&self, key: &NewSealingKey) -> Result<FirstKeyOutcome, StoreError>;

    /// Adds a key that opens and does not seal yet, unless one waits already, and appends it to the change log. At most
    /// [`MOST_SEALING_KEYS`] are there without those that are retired.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn add_sealing_key(&self, key: &NewSealingKey) -> Result<AddKeyOutcome, StoreError>;

    /// Lets a key seal in place of the one before, once, and appends that to the change log. Comes after every node has
    /// applied its addition: else one would refuse what another has sealed.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn promote_sealing_key(&self, id: KeyId, now: Timestamp) -> Result<PromoteOutcome, StoreError>;

    /// Ends a key for good, unless it is the one that seals, and appends that to the change log. What stays is its id,
    /// which is never given out again.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn retire_sealing_key(&self, id: KeyId, now: Timestamp) -> Result<RetireOutcome, StoreError>;

    /// Appends again what a failover has lost of a key. Steps that the store knows of stay: who is retired or promoted
    /// on either side is so.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn put_back_sealing_key(&self, key: &WrappedKey) -> Result<Appended, StoreError>;

    /// All keys, the retired ones included, in the order in which they were made.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn list_sealing_keys(&self) -> Result<Vec<WrappedKey>, StoreError>;

    /// Whether there is, or was, a sealing key: then there is a master key that wraps it.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn has_sealing_key(&self) -> Result<bool, StoreError>;
}

/// The most sealing keys that are not retired: opening a token looks for its key among them.
pub const MOST_SEALING_KEYS: u32 = 16;

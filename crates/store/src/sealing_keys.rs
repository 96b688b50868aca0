//! The keys that seal access tokens, wrapped by the installation's master key.

use async_trait::async_trait;
use obol_token::{KeyId, Timestamp};

use crate::{Appended, StoreError};

/// A sealing key as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Which.
    pub id: KeyId,
    /// The key, encrypted under the master key.
    pub wrapped: Vec<u8>,
    /// When it was made; the newest that is not retired seals new tokens.
    pub created_at: Timestamp,
    /// When it was retired: from then on it neither seals nor opens.
    pub retired_at: Option<Timestamp>,
}

impl std::fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WrappedKey({})", self.id)
    }
}

/// What became of adding the first key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstKeyOutcome {
    /// It is the first.
    Added(Appended),
    /// There is a key already; nothing was added.
    Exists,
}

/// Stored sealing keys.
#[async_trait]
pub trait SealingKeys: Send + Sync {
    /// Adds the installation's first sealing key, if there is none, and appends it to the change log.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn add_first_sealing_key(&self, key: &WrappedKey) -> Result<FirstKeyOutcome, StoreError>;

    /// Whether there is, or was, a sealing key: then there is a master key that wraps it.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn has_sealing_key(&self) -> Result<bool, StoreError>;
}

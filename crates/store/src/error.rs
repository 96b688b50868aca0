//! How storage fails.

/// How storage fails. The texts are private causes: they go to the log, never to a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing is known to have happened: unreachable, full, read-only, or too slow. A write may have happened or not;
    /// it can be sent again.
    #[error("storage is not available: {0}")]
    Unavailable(String),
    /// It contradicts what is stored, and nothing was changed.
    #[error("storage refused a contradiction: {0}")]
    Conflict(String),
    /// What is stored cannot be read as what it should be.
    #[error("storage holds something that cannot be read: {0}")]
    Corrupt(String),
}

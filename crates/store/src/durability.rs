//! What an acknowledgement of the store is worth.

use async_trait::async_trait;

use crate::StoreError;

/// What an acknowledgement of the store is worth.
#[async_trait]
pub trait Durability: Send + Sync {
    /// Why something that was acknowledged could be lost, each as a sentence that says what to set right; empty when
    /// nothing could.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be asked.
    async fn weaknesses(&self) -> Result<Vec<String>, StoreError>;
}

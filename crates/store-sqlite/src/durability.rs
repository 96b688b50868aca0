//! What an acknowledgement is worth: every connection that writes has `synchronous=FULL`, and no copy follows.

use async_trait::async_trait;
use obol_store::{Durability, StoreError};

use crate::SqliteStore;

#[async_trait]
impl Durability for SqliteStore {
    async fn weaknesses(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

//! Used assertions.

use async_trait::async_trait;
use obol_store::{Assertions, StoreError, UseOutcome};
use obol_token::{SecretHash, Timestamp};

use crate::SqliteStore;

const USE: &str = "INSERT INTO assertions (hash, leaves_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[USE];

#[async_trait]
impl Assertions for SqliteStore {
    async fn use_assertion(
        &self,
        hash: SecretHash,
        leaves_at: Timestamp,
        now: Timestamp,
    ) -> Result<UseOutcome, StoreError> {
        let noted = self.writer.write(Some(now), move |db| {
            db.prepare_cached(USE)?.execute((hash.as_bytes(), leaves_at.as_secs()))
        });
        Ok(if noted.await? > 0 { UseOutcome::First } else { UseOutcome::Again })
    }
}

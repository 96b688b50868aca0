//! What the server promises of what it has acknowledged.

use async_trait::async_trait;
use obol_store::{Durability, StoreError};

use crate::PostgresStore;
use crate::columns::value;

/// The settings on which durability hangs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurabilitySettings {
    /// Whether the server flushes at all.
    pub fsync: bool,
    /// Whether it survives a page that was written in part.
    pub full_page_writes: bool,
    /// `synchronous_commit` as it is for sessions of this user by default. Ours set it to `on` unless it is `remote_apply`.
    pub synchronous_commit: String,
    /// The standbys for which commits wait; empty for none.
    pub synchronous_standby_names: String,
    /// How many standbys follow at the moment.
    pub standbys: u32,
}

impl DurabilitySettings {
    /// What breaks the promise, as an operator would set it right.
    pub fn failings(&self) -> Vec<&'static str> {
        let asynchronous = self.standbys > 0 && self.synchronous_standby_names.is_empty();
        let failings = [
            (!self.fsync, "fsync is off: set fsync = on"),
            (!self.full_page_writes, "full_page_writes is off: set full_page_writes = on"),
            (asynchronous, "standbys are asynchronous: set synchronous_standby_names"),
        ];
        failings.into_iter().filter_map(|(fails, why)| fails.then_some(why)).collect()
    }
}

const READ: &str = "SELECT current_setting('fsync'), current_setting('full_page_writes'), \
     (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'), \
     current_setting('synchronous_standby_names'), (SELECT COUNT(*) FROM pg_stat_replication)";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[READ];

impl PostgresStore {
    /// Asks the server what its acknowledgements are worth.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be asked.
    pub async fn durability(&self) -> Result<DurabilitySettings, StoreError> {
        let read = self.log_readers.read(async |db| {
            let row = db.load(READ, &[]).await?;
            Ok(DurabilitySettings {
                fsync: value::<&str>(&row, 0)? != "off",
                full_page_writes: value::<&str>(&row, 1)? != "off",
                synchronous_commit: value(&row, 2)?,
                synchronous_standby_names: value(&row, 3)?,
                standbys: u32::try_from(value::<i64>(&row, 4)?).unwrap_or(u32::MAX),
            })
        });
        read.await
    }
}

#[async_trait]
impl Durability for PostgresStore {
    async fn weaknesses(&self) -> Result<Vec<String>, StoreError> {
        let failings = self.durability().await?.failings();
        Ok(failings.into_iter().map(|failing| format!("in PostgreSQL, {failing}")).collect())
    }
}

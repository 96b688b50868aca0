//! Sealing keys.

use async_trait::async_trait;
use obol_store::{Change, FirstKeyOutcome, SealingKeys, StoreError, WrappedKey};
use obol_token::{Expiry, KeyId, Timestamp};
use tokio_postgres::Row;

use crate::change_log::{Thing, append};
use crate::connection::Connection;
use crate::error::Result;
use crate::{PostgresStore, columns};

const ADD_FIRST: &str = "INSERT INTO sealing_keys (id, wrapped, created_at, retired_at) \
     SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM sealing_keys)";
const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM sealing_keys)";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ADD_FIRST, EXISTS];

#[async_trait]
impl SealingKeys for PostgresStore {
    async fn add_first_sealing_key(&self, key: &WrappedKey) -> Result<FirstKeyOutcome, StoreError> {
        let key = key.clone();
        let now = key.created_at;
        self.writer.write(Some(now), move |db| Box::pin(async move { add_first(db, &key).await })).await
    }

    async fn has_sealing_key(&self) -> Result<bool, StoreError> {
        self.readers.read(async |db| columns::value(&db.load(EXISTS, &[]).await?, 0)).await
    }
}

/// What the entry about a key tells the nodes; its columns begin at `first`.
pub(crate) fn change(row: &Row, first: usize) -> Result<Change> {
    Ok(Change::SealingKey(WrappedKey {
        id: KeyId::from_bytes(columns::bytes(row, first)?),
        wrapped: columns::value(row, first + 1)?,
        created_at: columns::timestamp(row, first + 2)?,
        retired_at: columns::value::<Option<i64>>(row, first + 3)?.map(Timestamp::from_secs),
    }))
}

async fn add_first(db: &Connection, key: &WrappedKey) -> Result<FirstKeyOutcome> {
    let retired_at = key.retired_at.map(Timestamp::as_secs);
    let id = key.id.as_bytes().as_slice();
    let added = db.execute(ADD_FIRST, &[&id, &key.wrapped, &key.created_at.as_secs(), &retired_at]).await?;
    match added {
        0 => Ok(FirstKeyOutcome::Exists),
        _ => append(db, &Thing::SealingKey(key.id), Expiry::Never).await.map(FirstKeyOutcome::Added),
    }
}

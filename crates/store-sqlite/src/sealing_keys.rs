//! Sealing keys.

use async_trait::async_trait;
use obol_store::{Change, FirstKeyOutcome, SealingKeys, StoreError, WrappedKey};
use obol_token::{Expiry, KeyId, Timestamp};
use rusqlite::{Connection, Result, Row};

use crate::change_log::{Thing, append};
use crate::{SqliteStore, columns};

const ADD_FIRST: &str = "INSERT INTO sealing_keys (id, wrapped, created_at, retired_at) \
     SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM sealing_keys)";
const FIND: &str = "SELECT id, wrapped, created_at, retired_at FROM sealing_keys WHERE id = $1";
const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM sealing_keys)";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ADD_FIRST, FIND, EXISTS];

#[async_trait]
impl SealingKeys for SqliteStore {
    async fn add_first_sealing_key(&self, key: &WrappedKey) -> Result<FirstKeyOutcome, StoreError> {
        let key = key.clone();
        self.writer.write(Some(key.created_at), move |db| add_first(db, &key)).await
    }

    async fn has_sealing_key(&self) -> Result<bool, StoreError> {
        self.readers.read(|db| db.prepare_cached(EXISTS)?.query_row([], |row| row.get(0))).await
    }
}

/// What the entry about this key tells the nodes.
pub(crate) fn load_change(db: &Connection, id: KeyId) -> Result<Change> {
    db.prepare_cached(FIND)?.query_row([id.as_bytes()], wrapped_key).map(Change::SealingKey)
}

fn add_first(db: &Connection, key: &WrappedKey) -> Result<FirstKeyOutcome> {
    let retired_at = key.retired_at.map(Timestamp::as_secs);
    let added = db.prepare_cached(ADD_FIRST)?.execute((
        key.id.as_bytes(),
        &key.wrapped,
        key.created_at.as_secs(),
        retired_at,
    ))?;
    match added {
        0 => Ok(FirstKeyOutcome::Exists),
        _ => append(db, &Thing::SealingKey(key.id), Expiry::Never).map(FirstKeyOutcome::Added),
    }
}

fn wrapped_key(row: &Row<'_>) -> Result<WrappedKey> {
    Ok(WrappedKey {
        id: KeyId::from_bytes(row.get(0)?),
        wrapped: row.get(1)?,
        created_at: columns::timestamp(row, 2)?,
        retired_at: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_secs),
    })
}

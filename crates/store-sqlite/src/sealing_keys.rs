//! Sealing keys.

use async_trait::async_trait;
use obol_store::{
    AddKeyOutcome, Appended, Change, FirstKeyOutcome, MOST_SEALING_KEYS, NewSealingKey, PromoteOutcome,
    Promoted, RetireOutcome, SealingKeys, StoreError, WrappedKey,
};
use obol_token::{Expiry, KeyId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::change_log::{Thing, append, find};
use crate::{SqliteStore, columns};

macro_rules! columns {
    () => {
        "id, wrapped, created_at, sealing_from, sealing_since, retired_at"
    };
}

const ADD_FIRST: &str = "INSERT INTO sealing_keys (id, wrapped, created_at, sealing_since) \
     SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM sealing_keys WHERE retired_at IS NULL)";
const ADD: &str = "INSERT INTO sealing_keys (id, wrapped, created_at) SELECT $1, $2, $3 \
     WHERE NOT EXISTS (SELECT 1 FROM sealing_keys WHERE sealing_since IS NULL AND retired_at IS NULL) \
     AND (SELECT COUNT(*) FROM sealing_keys WHERE retired_at IS NULL) < $4";
const FIND_WAITING: &str = "SELECT id FROM sealing_keys WHERE sealing_since IS NULL AND retired_at IS NULL";
const PROMOTE: &str = "UPDATE sealing_keys SET sealing_since = $1 \
     WHERE id = $2 AND sealing_since IS NULL AND retired_at IS NULL";
const SEAL_FROM: &str = "UPDATE sealing_keys SET sealing_from = $1 WHERE id = $2";
const RETIRE: &str = "UPDATE sealing_keys SET retired_at = $1, wrapped = $2 \
     WHERE id = $3 AND retired_at IS NULL AND (sealing_from IS NULL \
     OR sealing_from < (SELECT MAX(sealing_from) FROM sealing_keys WHERE retired_at IS NULL))";
const RETIRE_ALL: &str =
    "UPDATE sealing_keys SET retired_at = $1, wrapped = $2 WHERE retired_at IS NULL RETURNING id";
const PUT_BACK: &str = concat!(
    "INSERT INTO sealing_keys (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET \
     wrapped = CASE WHEN excluded.retired_at IS NULL THEN sealing_keys.wrapped ELSE excluded.wrapped END, \
     sealing_from = COALESCE(sealing_keys.sealing_from, excluded.sealing_from), \
     sealing_since = COALESCE(sealing_keys.sealing_since, excluded.sealing_since), \
     retired_at = COALESCE(sealing_keys.retired_at, excluded.retired_at)"
);
const FIND: &str = concat!("SELECT ", columns!(), " FROM sealing_keys WHERE id = $1");
const LIST: &str = concat!("SELECT ", columns!(), " FROM sealing_keys ORDER BY created_at, id");
const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM sealing_keys)";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[ADD_FIRST, ADD, FIND_WAITING, PROMOTE, SEAL_FROM, RETIRE, RETIRE_ALL, PUT_BACK, FIND, LIST, EXISTS];

#[async_trait]
impl SealingKeys for SqliteStore {
    async fn add_first_sealing_key(&self, key: &NewSealingKey) -> Result<FirstKeyOutcome, StoreError> {
        let key = key.clone();
        self.writer.write(Some(key.created_at), move |db| add_first(db, &key)).await
    }

    async fn add_sealing_key(&self, key: &NewSealingKey) -> Result<AddKeyOutcome, StoreError> {
        let key = key.clone();
        self.writer.write(Some(key.created_at), move |db| add(db, &key)).await
    }

    async fn promote_sealing_key(&self, id: KeyId, now: Timestamp) -> Result<PromoteOutcome, StoreError> {
        self.writer.write(Some(now), move |db| promote(db, id, now)).await
    }

    async fn retire_sealing_key(&self, id: KeyId, now: Timestamp) -> Result<RetireOutcome, StoreError> {
        self.writer.write(Some(now), move |db| retire(db, id, now)).await
    }

    async fn put_back_sealing_key(&self, key: &WrappedKey) -> Result<Appended, StoreError> {
        let key = key.clone();
        self.writer.write(None, move |db| put_back(db, &key)).await
    }

    async fn list_sealing_keys(&self) -> Result<Vec<WrappedKey>, StoreError> {
        self.readers.read(|db| db.prepare_cached(LIST)?.query_and_then([], wrapped_key)?.collect()).await
    }

    async fn has_sealing_key(&self) -> Result<bool, StoreError> {
        self.readers.read(|db| db.prepare_cached(EXISTS)?.query_row([], |row| row.get(0))).await
    }
}

impl SqliteStore {
    /// Ends every key, also the one that seals: for a backup, which does not know which were retired after it was made. The
    /// next server makes another.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn retire_all_sealing_keys(&self, now: Timestamp) -> Result<(), StoreError> {
        self.writer.write(Some(now), move |db| retire_all(db, now)).await
    }
}

/// What the entry about this key tells the nodes.
pub(crate) fn load_change(db: &Connection, id: KeyId) -> Result<Change> {
    db.prepare_cached(FIND)?.query_row([id.as_bytes()], wrapped_key).map(Change::SealingKey)
}

fn add_first(db: &Connection, key: &NewSealingKey) -> Result<FirstKeyOutcome> {
    let made_at = key.created_at.as_secs();
    let row = (key.id.as_bytes(), &key.wrapped, made_at, made_at);
    match db.prepare_cached(ADD_FIRST)?.execute(row)? {
        0 => Ok(FirstKeyOutcome::Exists),
        _ => seal_from_here(db, key.id).map(FirstKeyOutcome::Added),
    }
}

fn add(db: &Connection, key: &NewSealingKey) -> Result<AddKeyOutcome> {
    let row = (key.id.as_bytes(), &key.wrapped, key.created_at.as_secs(), MOST_SEALING_KEYS);
    if db.prepare_cached(ADD)?.execute(row)? > 0 {
        let appended = append(db, &Thing::SealingKey(key.id), Expiry::Never)?;
        return Ok(AddKeyOutcome::Waits { id: key.id, appended });
    }
    let waiting = db.prepare_cached(FIND_WAITING)?.query_row([], |row| row.get(0)).optional()?;
    match waiting.map(KeyId::from_bytes) {
        Some(id) => Ok(AddKeyOutcome::Waits { id, appended: told(db, id)? }),
        None => Ok(AddKeyOutcome::TooMany),
    }
}

fn promote(db: &Connection, id: KeyId, now: Timestamp) -> Result<PromoteOutcome> {
    if db.prepare_cached(PROMOTE)?.execute((now.as_secs(), id.as_bytes()))? > 0 {
        return seal_from_here(db, id).map(PromoteOutcome::Promoted);
    }
    match load(db, id)? {
        Some(key) if key.retired_at.is_none() => Ok(PromoteOutcome::Promoted(told(db, id)?)),
        _ => Ok(PromoteOutcome::Unknown),
    }
}

fn retire(db: &Connection, id: KeyId, now: Timestamp) -> Result<RetireOutcome> {
    let nothing: &[u8] = &[];
    if db.prepare_cached(RETIRE)?.execute((now.as_secs(), nothing, id.as_bytes()))? > 0 {
        return append(db, &Thing::SealingKey(id), Expiry::Never).map(RetireOutcome::Retired);
    }
    match load(db, id)? {
        Some(key) if key.retired_at.is_some() => Ok(RetireOutcome::Retired(told(db, id)?)),
        Some(_) => Ok(RetireOutcome::Seals),
        None => Ok(RetireOutcome::Unknown),
    }
}

fn retire_all(db: &Connection, now: Timestamp) -> Result<()> {
    let nothing: &[u8] = &[];
    let mut retire = db.prepare_cached(RETIRE_ALL)?;
    let retired = retire.query_map((now.as_secs(), nothing), |row| row.get(0).map(KeyId::from_bytes))?;
    for id in retired.collect::<Result<Vec<_>>>()? {
        // Nobody waits for it: no server runs on a database that is being put back.
        let _: Appended = append(db, &Thing::SealingKey(id), Expiry::Never)?;
    }
    Ok(())
}

fn put_back(db: &Connection, key: &WrappedKey) -> Result<Appended> {
    db.prepare_cached(PUT_BACK)?.execute(params![
        key.id.as_bytes(),
        key.wrapped,
        key.created_at.as_secs(),
        key.promoted.map(|promoted| columns::from_position(promoted.position)),
        key.promoted.map(|promoted| promoted.at.as_secs()),
        key.retired_at.map(Timestamp::as_secs),
    ])?;
    append(db, &Thing::SealingKey(key.id), Expiry::Never)
}

/// Appends that this key seals, which it does from there on.
fn seal_from_here(db: &Connection, id: KeyId) -> Result<Appended> {
    let appended = append(db, &Thing::SealingKey(id), Expiry::Never)?;
    let row = (columns::from_position(appended.position()), id.as_bytes());
    db.prepare_cached(SEAL_FROM)?.execute(row)?;
    Ok(appended)
}

/// The entry that tells of this key.
fn told(db: &Connection, id: KeyId) -> Result<Appended> {
    match find(db, &Thing::SealingKey(id))? {
        Some(appended) => Ok(appended),
        None => append(db, &Thing::SealingKey(id), Expiry::Never),
    }
}

fn load(db: &Connection, id: KeyId) -> Result<Option<WrappedKey>> {
    db.prepare_cached(FIND)?.query_row([id.as_bytes()], wrapped_key).optional()
}

fn wrapped_key(row: &Row<'_>) -> Result<WrappedKey> {
    let promoted = match row.get::<_, Option<i64>>(3)? {
        Some(_) => Some(Promoted { position: columns::position(row, 3)?, at: columns::timestamp(row, 4)? }),
        None => None,
    };
    Ok(WrappedKey {
        id: KeyId::from_bytes(row.get(0)?),
        wrapped: row.get(1)?,
        created_at: columns::timestamp(row, 2)?,
        promoted,
        retired_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_secs),
    })
}

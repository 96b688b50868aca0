//! Sealing and signing keys.

use async_trait::async_trait;
use obol_store::{
    AddKeyOutcome, Appended, Change, FirstKeyOutcome, Keys, MOST_KEYS, NewKey, PromoteOutcome, Promoted,
    RetireOutcome, StoreError, WrappedKey,
};
use obol_token::{Expiry, KeyId, KeyKind, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::change_log::{Thing, append, find};
use crate::columns::unreadable;
use crate::{SqliteStore, columns};

macro_rules! columns {
    () => {
        "id, kind, wrapped, created_at, promoted_position, promoted_at, retired_at"
    };
}

const ADD_FIRST: &str = "INSERT INTO keys (id, kind, wrapped, created_at, promoted_at) \
     SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM keys WHERE kind = $2 AND retired_at IS NULL)";
const ADD: &str = "INSERT INTO keys (id, kind, wrapped, created_at) SELECT $1, $2, $3, $4 \
     WHERE NOT EXISTS (SELECT 1 FROM keys WHERE kind = $2 AND promoted_at IS NULL AND retired_at IS NULL) \
     AND (SELECT COUNT(*) FROM keys WHERE kind = $2 AND retired_at IS NULL) < $5";
const FIND_WAITING: &str =
    "SELECT id FROM keys WHERE kind = $1 AND promoted_at IS NULL AND retired_at IS NULL";
const PROMOTE: &str = "UPDATE keys SET promoted_at = $1 \
     WHERE id = $2 AND promoted_at IS NULL AND retired_at IS NULL";
const USE_FROM: &str = "UPDATE keys SET promoted_position = $1 WHERE id = $2";
const RETIRE: &str = "UPDATE keys SET retired_at = $1, wrapped = $2 \
     WHERE id = $3 AND retired_at IS NULL AND (promoted_position IS NULL \
     OR promoted_position < (SELECT MAX(other.promoted_position) FROM keys AS other \
     WHERE other.kind = keys.kind AND other.retired_at IS NULL))";
const RETIRE_ALL: &str =
    "UPDATE keys SET retired_at = $1, wrapped = $2 WHERE retired_at IS NULL RETURNING id";
const PUT_BACK: &str = concat!(
    "INSERT INTO keys (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET \
     wrapped = CASE WHEN excluded.retired_at IS NULL THEN keys.wrapped ELSE excluded.wrapped END, \
     promoted_position = COALESCE(keys.promoted_position, excluded.promoted_position), \
     promoted_at = COALESCE(keys.promoted_at, excluded.promoted_at), \
     retired_at = COALESCE(keys.retired_at, excluded.retired_at)"
);
const FIND: &str = concat!("SELECT ", columns!(), " FROM keys WHERE id = $1");
const LIST: &str = concat!("SELECT ", columns!(), " FROM keys ORDER BY created_at, id");
const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM keys)";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[ADD_FIRST, ADD, FIND_WAITING, PROMOTE, USE_FROM, RETIRE, RETIRE_ALL, PUT_BACK, FIND, LIST, EXISTS];

#[async_trait]
impl Keys for SqliteStore {
    async fn add_first_key(&self, key: &NewKey) -> Result<FirstKeyOutcome, StoreError> {
        let key = key.clone();
        self.writer.write(Some(key.created_at), move |db| add_first(db, &key)).await
    }

    async fn add_key(&self, key: &NewKey) -> Result<AddKeyOutcome, StoreError> {
        let key = key.clone();
        self.writer.write(Some(key.created_at), move |db| add(db, &key)).await
    }

    async fn promote_key(&self, id: KeyId, now: Timestamp) -> Result<PromoteOutcome, StoreError> {
        self.writer.write(Some(now), move |db| promote(db, id, now)).await
    }

    async fn retire_key(&self, id: KeyId, now: Timestamp) -> Result<RetireOutcome, StoreError> {
        self.writer.write(Some(now), move |db| retire(db, id, now)).await
    }

    async fn put_back_key(&self, key: &WrappedKey) -> Result<Appended, StoreError> {
        let key = key.clone();
        self.writer.write(None, move |db| put_back(db, &key)).await
    }

    async fn list_keys(&self) -> Result<Vec<WrappedKey>, StoreError> {
        self.readers.read(|db| db.prepare_cached(LIST)?.query_and_then([], wrapped_key)?.collect()).await
    }

    async fn has_key(&self) -> Result<bool, StoreError> {
        self.readers.read(|db| db.prepare_cached(EXISTS)?.query_row([], |row| row.get(0))).await
    }
}

impl SqliteStore {
    /// Ends every key, also those in use: for a backup, which does not know which were retired after it was made. The next
    /// server makes others.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn retire_all_keys(&self, now: Timestamp) -> Result<(), StoreError> {
        self.writer.write(Some(now), move |db| retire_all(db, now)).await
    }
}

/// What the entry about this key tells the nodes.
pub(crate) fn load_change(db: &Connection, id: KeyId) -> Result<Change> {
    db.prepare_cached(FIND)?.query_row([id.as_bytes()], wrapped_key).map(Change::Key)
}

fn add_first(db: &Connection, key: &NewKey) -> Result<FirstKeyOutcome> {
    let made_at = key.created_at.as_secs();
    let row = (key.id.as_bytes(), key.kind.number(), &key.wrapped, made_at, made_at);
    match db.prepare_cached(ADD_FIRST)?.execute(row)? {
        0 => Ok(FirstKeyOutcome::Exists),
        _ => use_from_here(db, key.id).map(FirstKeyOutcome::Added),
    }
}

fn add(db: &Connection, key: &NewKey) -> Result<AddKeyOutcome> {
    let (kind, made_at) = (key.kind.number(), key.created_at.as_secs());
    let row = (key.id.as_bytes(), kind, &key.wrapped, made_at, MOST_KEYS);
    if db.prepare_cached(ADD)?.execute(row)? > 0 {
        let appended = append(db, &Thing::Key(key.id), Expiry::Never)?;
        return Ok(AddKeyOutcome::Waits { id: key.id, appended });
    }
    let waiting = db.prepare_cached(FIND_WAITING)?.query_row([kind], |row| row.get(0)).optional()?;
    match waiting.map(KeyId::from_bytes) {
        Some(id) => Ok(AddKeyOutcome::Waits { id, appended: told(db, id)? }),
        None => Ok(AddKeyOutcome::TooMany),
    }
}

fn promote(db: &Connection, id: KeyId, now: Timestamp) -> Result<PromoteOutcome> {
    if db.prepare_cached(PROMOTE)?.execute((now.as_secs(), id.as_bytes()))? > 0 {
        return use_from_here(db, id).map(PromoteOutcome::Promoted);
    }
    match load(db, id)? {
        Some(key) if key.retired_at.is_none() => Ok(PromoteOutcome::Promoted(told(db, id)?)),
        _ => Ok(PromoteOutcome::Unknown),
    }
}

fn retire(db: &Connection, id: KeyId, now: Timestamp) -> Result<RetireOutcome> {
    let nothing: &[u8] = &[];
    if db.prepare_cached(RETIRE)?.execute((now.as_secs(), nothing, id.as_bytes()))? > 0 {
        return append(db, &Thing::Key(id), Expiry::Never).map(RetireOutcome::Retired);
    }
    match load(db, id)? {
        Some(key) if key.retired_at.is_some() => Ok(RetireOutcome::Retired(told(db, id)?)),
        Some(_) => Ok(RetireOutcome::InUse),
        None => Ok(RetireOutcome::Unknown),
    }
}

fn retire_all(db: &Connection, now: Timestamp) -> Result<()> {
    let nothing: &[u8] = &[];
    let mut retire = db.prepare_cached(RETIRE_ALL)?;
    let retired = retire.query_map((now.as_secs(), nothing), |row| row.get(0).map(KeyId::from_bytes))?;
    for id in retired.collect::<Result<Vec<_>>>()? {
        // Nobody waits for it: no server runs on a database that is being put back.
        let _: Appended = append(db, &Thing::Key(id), Expiry::Never)?;
    }
    Ok(())
}

fn put_back(db: &Connection, key: &WrappedKey) -> Result<Appended> {
    db.prepare_cached(PUT_BACK)?.execute(params![
        key.id.as_bytes(),
        key.kind.number(),
        key.wrapped,
        key.created_at.as_secs(),
        key.promoted.map(|promoted| columns::from_position(promoted.position)),
        key.promoted.map(|promoted| promoted.at.as_secs()),
        key.retired_at.map(Timestamp::as_secs),
    ])?;
    append(db, &Thing::Key(key.id), Expiry::Never)
}

/// Appends that this key is in use, which it is from there on.
fn use_from_here(db: &Connection, id: KeyId) -> Result<Appended> {
    let appended = append(db, &Thing::Key(id), Expiry::Never)?;
    let row = (columns::from_position(appended.position()), id.as_bytes());
    db.prepare_cached(USE_FROM)?.execute(row)?;
    Ok(appended)
}

/// The entry that tells of this key.
fn told(db: &Connection, id: KeyId) -> Result<Appended> {
    match find(db, &Thing::Key(id))? {
        Some(appended) => Ok(appended),
        None => append(db, &Thing::Key(id), Expiry::Never),
    }
}

fn load(db: &Connection, id: KeyId) -> Result<Option<WrappedKey>> {
    db.prepare_cached(FIND)?.query_row([id.as_bytes()], wrapped_key).optional()
}

fn wrapped_key(row: &Row<'_>) -> Result<WrappedKey> {
    let kind = KeyKind::from_number(row.get(1)?);
    let promoted = match row.get::<_, Option<i64>>(4)? {
        Some(_) => Some(Promoted { position: columns::position(row, 4)?, at: columns::timestamp(row, 5)? }),
        None => None,
    };
    Ok(WrappedKey {
        id: KeyId::from_bytes(row.get(0)?),
        kind: kind.ok_or_else(|| unreadable(1, Type::Integer, "no key is of this kind"))?,
        wrapped: row.get(2)?,
        created_at: columns::timestamp(row, 3)?,
        promoted,
        retired_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_secs),
    })
}

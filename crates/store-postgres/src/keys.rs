//! Sealing and signing keys.

use async_trait::async_trait;
use obol_store::{
    AddKeyOutcome, Appended, Change, FirstKeyOutcome, Keys, MOST_KEYS, NewKey, PromoteOutcome, Promoted,
    RetireOutcome, StoreError, WrappedKey,
};
use obol_token::{Expiry, KeyId, KeyKind, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::change_log::{Thing, append, find};
use crate::columns::unreadable;
use crate::connection::Connection;
use crate::error::Result;
use crate::{PostgresStore, columns};

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
    &[ADD_FIRST, ADD, FIND_WAITING, PROMOTE, USE_FROM, RETIRE, PUT_BACK, FIND, LIST, EXISTS];

#[async_trait]
impl Keys for PostgresStore {
    async fn add_first_key(&self, key: &NewKey) -> Result<FirstKeyOutcome, StoreError> {
        let key = key.clone();
        let now = key.created_at;
        self.writer.write(Some(now), move |db| Box::pin(async move { add_first(db, &key).await })).await
    }

    async fn add_key(&self, key: &NewKey) -> Result<AddKeyOutcome, StoreError> {
        let key = key.clone();
        let now = key.created_at;
        self.writer.write(Some(now), move |db| Box::pin(async move { add(db, &key).await })).await
    }

    async fn promote_key(&self, id: KeyId, now: Timestamp) -> Result<PromoteOutcome, StoreError> {
        self.writer.write(Some(now), move |db| Box::pin(promote(db, id, now))).await
    }

    async fn retire_key(&self, id: KeyId, now: Timestamp) -> Result<RetireOutcome, StoreError> {
        self.writer.write(Some(now), move |db| Box::pin(retire(db, id, now))).await
    }

    async fn put_back_key(&self, key: &WrappedKey) -> Result<Appended, StoreError> {
        let key = key.clone();
        self.writer.write(None, move |db| Box::pin(async move { put_back(db, &key).await })).await
    }

    async fn list_keys(&self) -> Result<Vec<WrappedKey>, StoreError> {
        let listed = async |db: &Connection| {
            db.query(LIST, &[]).await?.iter().map(|row| wrapped_key(row, 0)).collect::<Result<Vec<_>>>()
        };
        self.readers.read(listed).await
    }

    async fn has_key(&self) -> Result<bool, StoreError> {
        self.readers.read(async |db| columns::value(&db.load(EXISTS, &[]).await?, 0)).await
    }
}

/// What the entry about a key tells the nodes; its columns begin at `first`.
pub(crate) fn change(row: &Row, first: usize) -> Result<Change> {
    wrapped_key(row, first).map(Change::Key)
}

async fn add_first(db: &Connection, key: &NewKey) -> Result<FirstKeyOutcome> {
    let (id, made_at) = (key.id.as_bytes().as_slice(), key.created_at.as_secs());
    match db.execute(ADD_FIRST, &[&id, &key.kind.number(), &key.wrapped, &made_at, &made_at]).await? {
        0 => Ok(FirstKeyOutcome::Exists),
        _ => use_from_here(db, key.id).await.map(FirstKeyOutcome::Added),
    }
}

async fn add(db: &Connection, key: &NewKey) -> Result<AddKeyOutcome> {
    let (id, most) = (key.id.as_bytes().as_slice(), i64::from(MOST_KEYS));
    let (kind, made_at) = (key.kind.number(), key.created_at.as_secs());
    if db.execute(ADD, &[&id, &kind, &key.wrapped, &made_at, &most]).await? > 0 {
        let appended = append(db, &Thing::Key(key.id), Expiry::Never).await?;
        return Ok(AddKeyOutcome::Waits { id: key.id, appended });
    }
    match db.find(FIND_WAITING, &[&kind]).await? {
        Some(row) => {
            let id = KeyId::from_bytes(columns::bytes(&row, 0)?);
            Ok(AddKeyOutcome::Waits { id, appended: told(db, id).await? })
        }
        None => Ok(AddKeyOutcome::TooMany),
    }
}

async fn promote(db: &Connection, id: KeyId, now: Timestamp) -> Result<PromoteOutcome> {
    if db.execute(PROMOTE, &[&now.as_secs(), &id.as_bytes().as_slice()]).await? > 0 {
        return use_from_here(db, id).await.map(PromoteOutcome::Promoted);
    }
    match load(db, id).await? {
        Some(key) if key.retired_at.is_none() => Ok(PromoteOutcome::Promoted(told(db, id).await?)),
        _ => Ok(PromoteOutcome::Unknown),
    }
}

async fn retire(db: &Connection, id: KeyId, now: Timestamp) -> Result<RetireOutcome> {
    let nothing: &[u8] = &[];
    if db.execute(RETIRE, &[&now.as_secs(), &nothing, &id.as_bytes().as_slice()]).await? > 0 {
        return append(db, &Thing::Key(id), Expiry::Never).await.map(RetireOutcome::Retired);
    }
    match load(db, id).await? {
        Some(key) if key.retired_at.is_some() => Ok(RetireOutcome::Retired(told(db, id).await?)),
        Some(_) => Ok(RetireOutcome::InUse),
        None => Ok(RetireOutcome::Unknown),
    }
}

async fn put_back(db: &Connection, key: &WrappedKey) -> Result<Appended> {
    let id = key.id.as_bytes().as_slice();
    let promoted_position = key.promoted.map(|promoted| columns::from_position(promoted.position));
    let promoted_at = key.promoted.map(|promoted| promoted.at.as_secs());
    let (made_at, retired_at) = (key.created_at.as_secs(), key.retired_at.map(Timestamp::as_secs));
    let (kind, wrapped) = (key.kind.number(), &key.wrapped);
    let row: [&(dyn ToSql + Sync); 7] =
        [&id, &kind, wrapped, &made_at, &promoted_position, &promoted_at, &retired_at];
    db.execute(PUT_BACK, &row).await?;
    append(db, &Thing::Key(key.id), Expiry::Never).await
}

/// Appends that this key is in use, which it is from there on.
async fn use_from_here(db: &Connection, id: KeyId) -> Result<Appended> {
    let appended = append(db, &Thing::Key(id), Expiry::Never).await?;
    let position = columns::from_position(appended.position());
    db.execute(USE_FROM, &[&position, &id.as_bytes().as_slice()]).await?;
    Ok(appended)
}

/// The entry that tells of this key.
async fn told(db: &Connection, id: KeyId) -> Result<Appended> {
    match find(db, &Thing::Key(id)).await? {
        Some(appended) => Ok(appended),
        None => append(db, &Thing::Key(id), Expiry::Never).await,
    }
}

async fn load(db: &Connection, id: KeyId) -> Result<Option<WrappedKey>> {
    let found = db.find(FIND, &[&id.as_bytes().as_slice()]).await?;
    found.map(|row| wrapped_key(&row, 0)).transpose()
}

fn wrapped_key(row: &Row, first: usize) -> Result<WrappedKey> {
    let kind = KeyKind::from_number(columns::value(row, first + 1)?);
    let promoted = match columns::value::<Option<i64>>(row, first + 4)? {
        Some(_) => Some(Promoted {
            position: columns::position(row, first + 4)?,
            at: columns::timestamp(row, first + 5)?,
        }),
        None => None,
    };
    Ok(WrappedKey {
        id: KeyId::from_bytes(columns::bytes(row, first)?),
        kind: kind.ok_or_else(|| unreadable(first + 1, "no key is of this kind"))?,
        wrapped: columns::value(row, first + 2)?,
        created_at: columns::timestamp(row, first + 3)?,
        promoted,
        retired_at: columns::value::<Option<i64>>(row, first + 6)?.map(Timestamp::from_secs),
    })
}

//! Sealing keys.

use async_trait::async_trait;
use obol_store::{
    AddKeyOutcome, Appended, Change, FirstKeyOutcome, MOST_SEALING_KEYS, NewSealingKey, PromoteOutcome,
    Promoted, RetireOutcome, SealingKeys, StoreError, WrappedKey,
};
use obol_token::{Expiry, KeyId, Timestamp};
use tokio_postgres::Row;

use crate::change_log::{Thing, append, find};
use crate::connection::Connection;
use crate::error::Result;
use crate::{PostgresStore, columns};

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
    &[ADD_FIRST, ADD, FIND_WAITING, PROMOTE, SEAL_FROM, RETIRE, PUT_BACK, FIND, LIST, EXISTS];

#[async_trait]
impl SealingKeys for PostgresStore {
    async fn add_first_sealing_key(&self, key: &NewSealingKey) -> Result<FirstKeyOutcome, StoreError> {
        let key = key.clone();
        let now = key.created_at;
        self.writer.write(Some(now), move |db| Box::pin(async move { add_first(db, &key).await })).await
    }

    async fn add_sealing_key(&self, key: &NewSealingKey) -> Result<AddKeyOutcome, StoreError> {
        let key = key.clone();
        let now = key.created_at;
        self.writer.write(Some(now), move |db| Box::pin(async move { add(db, &key).await })).await
    }

    async fn promote_sealing_key(&self, id: KeyId, now: Timestamp) -> Result<PromoteOutcome, StoreError> {
        self.writer.write(Some(now), move |db| Box::pin(promote(db, id, now))).await
    }

    async fn retire_sealing_key(&self, id: KeyId, now: Timestamp) -> Result<RetireOutcome, StoreError> {
        self.writer.write(Some(now), move |db| Box::pin(retire(db, id, now))).await
    }

    async fn put_back_sealing_key(&self, key: &WrappedKey) -> Result<Appended, StoreError> {
        let key = key.clone();
        self.writer.write(None, move |db| Box::pin(async move { put_back(db, &key).await })).await
    }

    async fn list_sealing_keys(&self) -> Result<Vec<WrappedKey>, StoreError> {
        let listed = async |db: &Connection| {
            db.query(LIST, &[]).await?.iter().map(|row| wrapped_key(row, 0)).collect::<Result<Vec<_>>>()
        };
        self.readers.read(listed).await
    }

    async fn has_sealing_key(&self) -> Result<bool, StoreError> {
        self.readers.read(async |db| columns::value(&db.load(EXISTS, &[]).await?, 0)).await
    }
}

/// What the entry about a key tells the nodes; its columns begin at `first`.
pub(crate) fn change(row: &Row, first: usize) -> Result<Change> {
    wrapped_key(row, first).map(Change::SealingKey)
}

async fn add_first(db: &Connection, key: &NewSealingKey) -> Result<FirstKeyOutcome> {
    let (id, made_at) = (key.id.as_bytes().as_slice(), key.created_at.as_secs());
    match db.execute(ADD_FIRST, &[&id, &key.wrapped, &made_at, &made_at]).await? {
        0 => Ok(FirstKeyOutcome::Exists),
        _ => seal_from_here(db, key.id).await.map(FirstKeyOutcome::Added),
    }
}

async fn add(db: &Connection, key: &NewSealingKey) -> Result<AddKeyOutcome> {
    let (id, most) = (key.id.as_bytes().as_slice(), i64::from(MOST_SEALING_KEYS));
    if db.execute(ADD, &[&id, &key.wrapped, &key.created_at.as_secs(), &most]).await? > 0 {
        let appended = append(db, &Thing::SealingKey(key.id), Expiry::Never).await?;
        return Ok(AddKeyOutcome::Waits { id: key.id, appended });
    }
    match db.find(FIND_WAITING, &[]).await? {
        Some(row) => {
            let id = KeyId::from_bytes(columns::bytes(&row, 0)?);
            Ok(AddKeyOutcome::Waits { id, appended: told(db, id).await? })
        }
        None => Ok(AddKeyOutcome::TooMany),
    }
}

async fn promote(db: &Connection, id: KeyId, now: Timestamp) -> Result<PromoteOutcome> {
    if db.execute(PROMOTE, &[&now.as_secs(), &id.as_bytes().as_slice()]).await? > 0 {
        return seal_from_here(db, id).await.map(PromoteOutcome::Promoted);
    }
    match load(db, id).await? {
        Some(key) if key.retired_at.is_none() => Ok(PromoteOutcome::Promoted(told(db, id).await?)),
        _ => Ok(PromoteOutcome::Unknown),
    }
}

async fn retire(db: &Connection, id: KeyId, now: Timestamp) -> Result<RetireOutcome> {
    let nothing: &[u8] = &[];
    if db.execute(RETIRE, &[&now.as_secs(), &nothing, &id.as_bytes().as_slice()]).await? > 0 {
        return append(db, &Thing::SealingKey(id), Expiry::Never).await.map(RetireOutcome::Retired);
    }
    match load(db, id).await? {
        Some(key) if key.retired_at.is_some() => Ok(RetireOutcome::Retired(told(db, id).await?)),
        Some(_) => Ok(RetireOutcome::Seals),
        None => Ok(RetireOutcome::Unknown),
    }
}

async fn put_back(db: &Connection, key: &WrappedKey) -> Result<Appended> {
    let id = key.id.as_bytes().as_slice();
    let sealing_from = key.promoted.map(|promoted| columns::from_position(promoted.position));
    let sealing_since = key.promoted.map(|promoted| promoted.at.as_secs());
    let (made_at, retired_at) = (key.created_at.as_secs(), key.retired_at.map(Timestamp::as_secs));
    db.execute(PUT_BACK, &[&id, &key.wrapped, &made_at, &sealing_from, &sealing_since, &retired_at]).await?;
    append(db, &Thing::SealingKey(key.id), Expiry::Never).await
}

/// Appends that this key seals, which it does from there on.
async fn seal_from_here(db: &Connection, id: KeyId) -> Result<Appended> {
    let appended = append(db, &Thing::SealingKey(id), Expiry::Never).await?;
    let position = columns::from_position(appended.position());
    db.execute(SEAL_FROM, &[&position, &id.as_bytes().as_slice()]).await?;
    Ok(appended)
}

/// The entry that tells of this key.
async fn told(db: &Connection, id: KeyId) -> Result<Appended> {
    match find(db, &Thing::SealingKey(id)).await? {
        Some(appended) => Ok(appended),
        None => append(db, &Thing::SealingKey(id), Expiry::Never).await,
    }
}

async fn load(db: &Connection, id: KeyId) -> Result<Option<WrappedKey>> {
    let found = db.find(FIND, &[&id.as_bytes().as_slice()]).await?;
    found.map(|row| wrapped_key(&row, 0)).transpose()
}

fn wrapped_key(row: &Row, first: usize) -> Result<WrappedKey> {
    let promoted = match columns::value::<Option<i64>>(row, first + 3)? {
        Some(_) => Some(Promoted {
            position: columns::position(row, first + 3)?,
            at: columns::timestamp(row, first + 4)?,
        }),
        None => None,
    };
    Ok(WrappedKey {
        id: KeyId::from_bytes(columns::bytes(row, first)?),
        wrapped: columns::value(row, first + 1)?,
        created_at: columns::timestamp(row, first + 2)?,
        promoted,
        retired_at: columns::value::<Option<i64>>(row, first + 5)?.map(Timestamp::from_secs),
    })
}

//! The change log.

use async_trait::async_trait;
use obol_store::{Appended, Change, ChangeLog, Entry, Page, ReadFrom, StoreError, Timeline};
use obol_token::{
    ClientId, Denial, Denied, Expiry, FamilyId, KeyId, Position, SubjectId, Timestamp, TokenId,
};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, Row};

use crate::columns::{self, unreadable};
use crate::log_head::LogHead;
use crate::{SqliteStore, clients, keys, sweep};

const READ_AFTER: &str =
    "SELECT position, kind, id, leaves_at FROM change_log WHERE position > $1 ORDER BY position LIMIT $2";
const NEXT_POSITION: &str = "UPDATE log_head SET position = position + 1 RETURNING position";
const APPEND: &str = "INSERT INTO change_log (position, kind, id, leaves_at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (kind, id) DO UPDATE SET position = excluded.position, leaves_at = \
     CASE WHEN change_log.leaves_at < excluded.leaves_at OR excluded.leaves_at IS NULL \
     THEN excluded.leaves_at ELSE change_log.leaves_at END";
const FIND: &str = "SELECT position FROM change_log WHERE kind = $1 AND id = $2";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[READ_AFTER, NEXT_POSITION, APPEND, FIND];

/// The number of a kind in the table.
pub(crate) mod kind {
    pub(crate) const TOKEN: i64 = 1;
    pub(crate) const FAMILY: i64 = 2;
    pub(crate) const SUBJECT: i64 = 3;
    pub(crate) const CLIENT: i64 = 4;
    pub(crate) const EVERYTHING: i64 = 5;
    pub(crate) const CLIENT_STATE: i64 = 6;
    pub(crate) const KEY: i64 = 7;
}

#[async_trait]
impl ChangeLog for SqliteStore {
    /// One file has one line of descent: a copy that takes its place is another installation until it is restored.
    async fn read_page(&self, from: ReadFrom) -> Result<Page, StoreError> {
        let ReadFrom { after, limit, known: _ } = from;
        let entries = self.log_readers.read(move |db| read_after(db, after, limit)).await?;
        Ok(Page { entries, timeline: Timeline::new(1), kept_to: Position::END })
    }

    async fn swept_through(&self) -> Result<Timestamp, StoreError> {
        self.log_readers.read(sweep::swept_through).await
    }

    async fn wait_for_append(&self, after: Position) {
        self.head.wait_past(after).await;
    }
}

/// What an entry is about; of each there is one entry at most.
pub(crate) enum Thing<'a> {
    /// A denial of this.
    Denied(&'a Denied),
    /// The state of this client.
    Client(&'a ClientId),
    /// The state of this key.
    Key(KeyId),
}

impl Thing<'_> {
    fn kind_and_id(&self) -> (i64, &[u8]) {
        match self {
            Self::Denied(Denied::Token(id)) => (kind::TOKEN, id.as_bytes()),
            Self::Denied(Denied::Family(id)) => (kind::FAMILY, id.as_bytes()),
            Self::Denied(Denied::Subject(id)) => (kind::SUBJECT, id.as_bytes()),
            Self::Denied(Denied::Client(id)) => (kind::CLIENT, id.as_str().as_bytes()),
            Self::Denied(Denied::Everything) => (kind::EVERYTHING, b""),
            Self::Client(id) => (kind::CLIENT_STATE, id.as_str().as_bytes()),
            Self::Key(id) => (kind::KEY, id.as_bytes()),
        }
    }
}

/// Appends an entry in the place of the older one about the same thing; of their two ends the later counts.
///
/// The proof is made before the commit, but the writer hands out no answer that was not committed.
pub(crate) fn append(db: &Connection, thing: &Thing<'_>, leaves_at: Expiry) -> Result<Appended> {
    let position = db.prepare_cached(NEXT_POSITION)?.query_row([], |row| columns::position(row, 0))?;
    let (kind, id) = thing.kind_and_id();
    let row = (columns::from_position(position), kind, id, columns::from_expiry(leaves_at));
    db.prepare_cached(APPEND)?.execute(row)?;
    Ok(Appended::danger_committed(position))
}

/// The place of the entry about this thing, if there is one.
pub(crate) fn find(db: &Connection, thing: &Thing<'_>) -> Result<Option<Appended>> {
    let position = db
        .prepare_cached(FIND)?
        .query_row(thing.kind_and_id(), |row| columns::position(row, 0))
        .optional()?;
    Ok(position.map(Appended::danger_committed))
}

/// The proof for a change of which the nodes need not learn.
pub(crate) fn at_head(db: &Connection) -> Result<Appended> {
    LogHead::read(db).map(Appended::danger_committed)
}

fn read_after(db: &Connection, after: Position, limit: usize) -> Result<Vec<Entry>> {
    // One snapshot: an entry and the state that it stands for are of the same moment.
    let snapshot = db.unchecked_transaction()?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = snapshot.prepare_cached(READ_AFTER)?;
    statement
        .query_and_then((columns::from_position(after), limit), |row| {
            Ok(Entry { position: columns::position(row, 0)?, change: change(&snapshot, row)? })
        })?
        .collect()
}

fn change(db: &Connection, row: &Row<'_>) -> Result<Change> {
    let what = match row.get(1)? {
        kind::TOKEN => Denied::Token(TokenId::from_bytes(row.get(2)?)),
        kind::FAMILY => Denied::Family(FamilyId::from_bytes(row.get(2)?)),
        kind::SUBJECT => Denied::Subject(SubjectId::from_bytes(row.get(2)?)),
        kind::CLIENT => Denied::Client(client_id(row)?),
        kind::EVERYTHING => Denied::Everything,
        kind::CLIENT_STATE => return clients::load_change(db, client_id(row)?),
        kind::KEY => return keys::load_change(db, KeyId::from_bytes(row.get(2)?)),
        other => return Err(unreadable(1, Type::Integer, format!("no entry is of kind {other}"))),
    };
    let denial = Denial { what, position: columns::position(row, 0)?, leaves_at: columns::expiry(row, 3)? };
    Ok(Change::Denied(denial))
}

fn client_id(row: &Row<'_>) -> Result<ClientId> {
    let text =
        str::from_utf8(row.get_ref(2)?.as_blob()?).map_err(|error| unreadable(2, Type::Blob, error))?;
    ClientId::new(text).map_err(|error| unreadable(2, Type::Blob, error))
}

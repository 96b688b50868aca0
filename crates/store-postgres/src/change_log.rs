//! The change log.

use async_trait::async_trait;
use obol_store::{Appended, Change, ChangeLog, Entry, StoreError};
use obol_token::{
    ClientId, Denial, Denied, Expiry, FamilyId, KeyId, Position, SubjectId, Timestamp, TokenId,
};
use tokio_postgres::Row;

use crate::columns::{self, unreadable, value};
use crate::connection::Connection;
use crate::error::Result;
use crate::log_head::timeline;
use crate::{PostgresStore, clients, sealing_keys, sweep};

/// Always one row at least: the end of the log and the server's timeline, of the same moment as the entries and the states
/// that they stand for.
const READ_AFTER: &str = concat!(
    "SELECT at.*, entry.* FROM (SELECT COALESCE(MAX(position), 0) AS newest, ",
    timeline!(),
    " AS timeline FROM change_log) AS at LEFT JOIN \
     (SELECT change_log.position, change_log.kind, change_log.id AS thing, change_log.leaves_at, \
     clients.id, name, secret, enabled, grants, default_scopes, optional_scopes, redirect_uris, \
     access_lifetime_secs, refresh_lifetime_secs, may_introspect, single_family, clients.created_at, \
     CASE WHEN clients.id IS NOT NULL THEN clients.deleted_at IS NOT NULL END AS deleted, \
     sealing_keys.id AS key, wrapped, sealing_keys.created_at AS made_at, retired_at \
     FROM (SELECT position, kind, id, leaves_at FROM change_log WHERE position > $1 ORDER BY position LIMIT $2) \
     AS change_log \
     LEFT JOIN clients ON clients.id = CASE WHEN kind = 6 THEN convert_from(change_log.id, 'UTF8') END \
     LEFT JOIN sealing_keys ON kind = 7 AND sealing_keys.id = change_log.id) \
     AS entry ON TRUE ORDER BY entry.position"
);
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
    pub(crate) const SEALING_KEY: i64 = 7;
}

/// What a reading of the log has found, all of the same moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The entries asked for.
    pub entries: Vec<Entry>,
    /// The position of the newest entry of the log.
    pub newest: Position,
    /// The server's timeline.
    pub timeline: Timeline,
}

/// A server's line of descent: a standby that is promoted begins a new one. Entries that the old primary had acknowledged,
/// but not passed on, are not on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline(u32);

impl Timeline {
    /// Its number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl PostgresStore {
    /// As [`ChangeLog::read_after`], and says on which timeline and how far the log goes, at no further cost.
    ///
    /// When the timeline differs from that of the reading before, entries may be missing that were read: whoever has
    /// applied more than [`Page::newest`] has, and knows what to append again.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read.
    pub async fn read_page(&self, after: Position, limit: usize) -> Result<Page, StoreError> {
        let known = self.head.known();
        let page = self.log_readers.read(async |db| read_page(db, after, limit).await).await?;
        self.head.read_to(page.newest, known);
        Ok(page)
    }

    /// The timeline of the server, and the position of the newest entry, of the same moment.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read.
    pub async fn timeline(&self) -> Result<(Timeline, Position), StoreError> {
        let page = self.read_page(Position::START, 0).await?;
        Ok((page.timeline, page.newest))
    }
}

#[async_trait]
impl ChangeLog for PostgresStore {
    async fn read_after(&self, after: Position, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.read_page(after, limit).await.map(|page| page.entries)
    }

    async fn swept_through(&self) -> Result<Timestamp, StoreError> {
        self.log_readers.read(async |db| sweep::swept_through(db).await).await
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
    SealingKey(KeyId),
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
            Self::SealingKey(id) => (kind::SEALING_KEY, id.as_bytes()),
        }
    }
}

/// Appends an entry in the place of the older one about the same thing; of their two ends the later counts.
///
/// The proof is made before the commit, but the writer hands out no answer that was not committed.
pub(crate) async fn append(db: &Connection, thing: &Thing<'_>, leaves_at: Expiry) -> Result<Appended> {
    let position = columns::position(&db.load(NEXT_POSITION, &[]).await?, 0)?;
    let (kind, id) = thing.kind_and_id();
    let leaves_at = columns::from_expiry(leaves_at);
    db.execute(APPEND, &[&columns::from_position(position), &kind, &id, &leaves_at]).await?;
    Ok(Appended::danger_committed(position))
}

/// The place of the entry about this thing, if there is one.
pub(crate) async fn find(db: &Connection, thing: &Thing<'_>) -> Result<Option<Appended>> {
    let (kind, id) = thing.kind_and_id();
    let found = db.find(FIND, &[&kind, &id]).await?;
    found.map(|row| columns::position(&row, 0).map(Appended::danger_committed)).transpose()
}

/// Where the columns of an entry begin, of the client it may be about, and of the key.
const ENTRY: usize = 2;
const CLIENT: usize = ENTRY + 4;
const KEY: usize = CLIENT + clients::COLUMNS + 1;

async fn read_page(db: &Connection, after: Position, limit: usize) -> Result<Page> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = db.query(READ_AFTER, &[&columns::from_position(after), &limit]).await?;
    let at = rows.first().ok_or_else(|| unreadable(0, "the log has no end"))?;
    let timeline: i64 = value(at, 1)?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        if value::<Option<i64>>(row, ENTRY)?.is_some() {
            entries.push(Entry { position: columns::position(row, ENTRY)?, change: change(row)? });
        }
    }
    let timeline = u32::try_from(timeline).map(Timeline).map_err(|error| unreadable(1, error))?;
    Ok(Page { entries, newest: columns::position(at, 0)?, timeline })
}

fn change(row: &Row) -> Result<Change> {
    let id = || columns::bytes(row, ENTRY + 2);
    let what = match value(row, ENTRY + 1)? {
        kind::TOKEN => Denied::Token(TokenId::from_bytes(id()?)),
        kind::FAMILY => Denied::Family(FamilyId::from_bytes(id()?)),
        kind::SUBJECT => Denied::Subject(SubjectId::from_bytes(id()?)),
        kind::CLIENT => Denied::Client(client_id(row)?),
        kind::EVERYTHING => Denied::Everything,
        kind::CLIENT_STATE => return clients::change(row, CLIENT, client_id(row)?),
        kind::SEALING_KEY => return sealing_keys::change(row, KEY),
        other => return Err(unreadable(ENTRY + 1, format!("no entry is of kind {other}"))),
    };
    let (position, leaves_at) = (columns::position(row, ENTRY)?, columns::expiry(row, ENTRY + 3)?);
    Ok(Change::Denied(Denial { what, position, leaves_at }))
}

fn client_id(row: &Row) -> Result<ClientId> {
    let text = str::from_utf8(value(row, ENTRY + 2)?).map_err(|error| unreadable(ENTRY + 2, error))?;
    ClientId::new(text).map_err(|error| unreadable(ENTRY + 2, error))
}

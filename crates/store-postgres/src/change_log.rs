//! The change log.

use async_trait::async_trait;
use obol_store::{Appended, Change, ChangeLog, Entry, Page, ReadFrom, StoreError, Timeline};
use obol_token::{
    ClientId, Denial, Denied, Expiry, FamilyId, KeyId, Position, SubjectId, Timestamp, TokenId,
};
use tokio_postgres::Row;

use crate::columns::{self, unreadable, value};
use crate::connection::Connection;
use crate::error::Result;
use crate::log_head::{LogHead, timeline};
use crate::{PostgresStore, clients, keys, sweep};

/// Always one row at least: the end of the log, the server's timeline, on which timeline the log was last written, and how far
/// it was kept since a known one; of the same moment as the entries and the states that they stand for.
const READ_AFTER: &str = concat!(
    "SELECT at.*, entry.* FROM (SELECT COALESCE(MAX(position), 0) AS newest, ",
    timeline!(),
    " AS timeline, (SELECT timeline FROM log_head) AS written, \
     (SELECT MIN(kept_to) FROM timelines WHERE timeline > $1) AS kept_to FROM change_log) AS at LEFT JOIN \
     (SELECT change_log.position, change_log.kind, change_log.id AS thing, change_log.leaves_at, \
     clients.id, name, secret, enabled, grants, default_scopes, optional_scopes, redirect_uris, \
     access_lifetime_secs, refresh_lifetime_secs, may_introspect, single_family, clients.created_at, settings, \
     sealed_secret, \
     CASE WHEN clients.id IS NOT NULL THEN clients.deleted_at IS NOT NULL END AS deleted, \
     keys.id AS key, keys.kind AS key_kind, wrapped, keys.created_at AS made_at, \
     promoted_position, promoted_at, retired_at \
     FROM (SELECT position, kind, id, leaves_at FROM change_log WHERE position > $2 ORDER BY position LIMIT $3) \
     AS change_log \
     LEFT JOIN clients ON clients.id = CASE WHEN change_log.kind = 6 THEN convert_from(change_log.id, 'UTF8') END \
     LEFT JOIN keys ON change_log.kind = 7 AND keys.id = change_log.id) \
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
    pub(crate) const KEY: i64 = 7;
}

impl PostgresStore {
    /// The timeline of the server, and the position of the newest entry, of the same moment.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read.
    pub async fn timeline(&self) -> Result<(Timeline, Position), StoreError> {
        let from = ReadFrom { after: Position::START, limit: 0, known: Timeline::NONE };
        let (page, newest) = self.read(from).await?;
        Ok((page.timeline, newest))
    }

    /// A page, and the position of the newest entry.
    async fn read(&self, from: ReadFrom) -> Result<(Page, Position), StoreError> {
        let known_head = self.head.known();
        let (page, newest) = self.log_readers.read(async |db| read_page(db, from).await).await?;
        self.head.read_to(newest, known_head);
        Ok((page, newest))
    }
}

#[async_trait]
impl ChangeLog for PostgresStore {
    async fn read_page(&self, from: ReadFrom) -> Result<Page, StoreError> {
        self.read(from).await.map(|(page, _newest)| page)
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
const ENTRY: usize = 4;
const CLIENT: usize = ENTRY + 4;
const KEY: usize = CLIENT + clients::COLUMNS + 1;

/// Prepares the statement of [`read_page`], so that it can be sent together with others.
pub(crate) async fn prepare(db: &Connection) -> Result<()> {
    db.prepared(READ_AFTER).await.map(drop)
}

/// The proof for a change of which the nodes need not learn.
pub(crate) async fn at_head(db: &Connection) -> Result<Appended> {
    LogHead::read(db).await.map(Appended::danger_committed)
}

/// A page, and the position of the newest entry.
pub(crate) async fn read_page(db: &Connection, from: ReadFrom) -> Result<(Page, Position)> {
    let ReadFrom { after, limit, known } = from;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let known_number = i64::try_from(known.number()).unwrap_or(i64::MAX);
    let rows = db.query(READ_AFTER, &[&known_number, &columns::from_position(after), &limit]).await?;
    let at = rows.first().ok_or_else(|| unreadable(0, "the log has no end"))?;
    let newest = columns::position(at, 0)?;
    let timeline = self::timeline(at, 1)?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        if value::<Option<i64>>(row, ENTRY)?.is_some() {
            entries.push(Entry { position: columns::position(row, ENTRY)?, change: change(row)? });
        }
    }
    let kept_to = match (known, self::timeline(at, 2)?) {
        // Who has read nothing has lost nothing.
        (Timeline::NONE, _) => Position::END,
        (known, _) if known == timeline => Position::END,
        (_, written) => {
            let recorded = match value::<Option<i64>>(at, 3)? {
                Some(_) => columns::position(at, 3)?,
                None => Position::END,
            };
            // Nothing was written on this timeline yet: what there is, was kept.
            if written == timeline { recorded } else { recorded.min(newest) }
        }
    };
    Ok((Page { entries, timeline, kept_to }, newest))
}

fn timeline(row: &Row, index: usize) -> Result<Timeline> {
    let number: i64 = value(row, index)?;
    u64::try_from(number).map(Timeline::new).map_err(|error| unreadable(index, error))
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
        kind::KEY => return keys::change(row, KEY),
        other => return Err(unreadable(ENTRY + 1, format!("no entry is of kind {other}"))),
    };
    let (position, leaves_at) = (columns::position(row, ENTRY)?, columns::expiry(row, ENTRY + 3)?);
    Ok(Change::Denied(Denial { what, position, leaves_at }))
}

fn client_id(row: &Row) -> Result<ClientId> {
    let text = str::from_utf8(value(row, ENTRY + 2)?).map_err(|error| unreadable(ENTRY + 2, error))?;
    ClientId::new(text).map_err(|error| unreadable(ENTRY + 2, error))
}

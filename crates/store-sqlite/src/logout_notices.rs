//! Notices of logout.

use async_trait::async_trait;
use obol_store::{LogoutNotice, LogoutNotices, NOTICE_LIFETIME_SECS, StoreError, WaitingNotices};
use obol_token::{ClientId, SessionId, SubjectId, Timestamp};
use rusqlite::{Connection, Result, Row};

use crate::{SqliteStore, columns};

/// Writes the notices of sessions that end now, for clients that are there. What follows says which sessions.
macro_rules! note {
    () => {
        "INSERT INTO logout_notices (client_id, session, subject, details, ended_at, tries, due_at, leaves_at) \
         SELECT client_id, session, (SELECT subject FROM sessions WHERE sessions.id = session_clients.session), \
         details, $1, 0, $1, $2 FROM session_clients WHERE (SELECT enabled AND deleted_at IS NULL \
         FROM clients WHERE clients.id = session_clients.client_id)"
    };
}

const REMEMBER: &str = "INSERT INTO session_clients (session, client_id, details) VALUES ($1, $2, $3) \
     ON CONFLICT (session, client_id) DO UPDATE SET details = excluded.details";
const NOTE_OF_SESSION: &str = concat!(
    note!(),
    " AND session = $3 AND EXISTS (SELECT 1 FROM sessions WHERE sessions.id = $3 AND sessions.subject = $4)"
);
const NOTE_OF_SUBJECT: &str =
    concat!(note!(), " AND session IN (SELECT id FROM sessions WHERE sessions.subject = $3)");
const NOTE_ALL: &str = note!();
const FORGET_OF_SUBJECT: &str =
    "DELETE FROM session_clients WHERE session IN (SELECT id FROM sessions WHERE sessions.subject = $1)";
const FORGET_ALL: &str = "DELETE FROM session_clients";
const LIST_CLIENTS: &str = "WITH RECURSIVE waiting (client_id) AS (SELECT MIN(client_id) FROM logout_notices \
     UNION ALL SELECT (SELECT MIN(client_id) FROM logout_notices WHERE logout_notices.client_id > waiting.client_id) \
     FROM waiting WHERE waiting.client_id IS NOT NULL) \
     SELECT client_id, (SELECT MIN(due_at) FROM logout_notices WHERE logout_notices.client_id = waiting.client_id) \
     FROM waiting WHERE client_id IS NOT NULL";
const TAKE: &str = "UPDATE logout_notices SET due_at = $1, tries = tries + 1 WHERE client_id = $2 AND session IN \
     (SELECT session FROM logout_notices WHERE client_id = $2 AND due_at <= $3 ORDER BY due_at LIMIT $4) \
     RETURNING client_id, session, subject, details, ended_at, tries, due_at, leaves_at";
const REMOVE: &str = "DELETE FROM logout_notices WHERE client_id = $1 AND session = $2";
const PUT_OFF: &str = "UPDATE logout_notices SET due_at = $1, tries = $2, failure = $3 \
     WHERE client_id = $4 AND session = $5 AND due_at = $6";
const COUNT: &str = "SELECT client_id, COUNT(*), MIN(ended_at), MAX(tries), \
     (SELECT failure FROM logout_notices AS failed WHERE failed.client_id = logout_notices.client_id \
     AND failure IS NOT NULL ORDER BY due_at DESC LIMIT 1) FROM logout_notices GROUP BY client_id ORDER BY client_id";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    REMEMBER,
    NOTE_OF_SESSION,
    NOTE_OF_SUBJECT,
    NOTE_ALL,
    FORGET_OF_SUBJECT,
    FORGET_ALL,
    LIST_CLIENTS,
    TAKE,
    REMOVE,
    PUT_OFF,
    COUNT,
];

#[async_trait]
impl LogoutNotices for SqliteStore {
    async fn list_clients_to_tell(&self) -> Result<Vec<(ClientId, Timestamp)>, StoreError> {
        let client = |row: &Row<'_>| Ok((columns::parsed(row, 0)?, columns::timestamp(row, 1)?));
        self.readers
            .read(move |db| db.prepare_cached(LIST_CLIENTS)?.query_and_then([], client)?.collect())
            .await
    }

    async fn take_notices(
        &self,
        client_id: &ClientId,
        limit: usize,
        now: Timestamp,
        again_at: Timestamp,
    ) -> Result<Vec<LogoutNotice>, StoreError> {
        let client_id = client_id.clone();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.writer
            .write(Some(now), move |db| {
                let values = (again_at.as_secs(), client_id.as_str(), now.as_secs(), limit);
                db.prepare_cached(TAKE)?.query_and_then(values, notice)?.collect()
            })
            .await
    }

    async fn remove_notice(&self, notice: &LogoutNotice) -> Result<(), StoreError> {
        let (client_id, session) = (notice.client_id.clone(), notice.session);
        self.writer
            .write(None, move |db| {
                db.prepare_cached(REMOVE)?.execute((client_id.as_str(), session.as_bytes())).map(drop)
            })
            .await
    }

    async fn put_off_notice(
        &self,
        notice: &LogoutNotice,
        due_at: Timestamp,
        tries: u32,
        failure: &str,
    ) -> Result<(), StoreError> {
        let (client_id, session, taken) = (notice.client_id.clone(), notice.session, notice.due_at.as_secs());
        let failure = failure.to_owned();
        self.writer
            .write(None, move |db| {
                let values =
                    (due_at.as_secs(), tries, failure, client_id.as_str(), session.as_bytes(), taken);
                db.prepare_cached(PUT_OFF)?.execute(values).map(drop)
            })
            .await
    }

    async fn count_notices(&self) -> Result<Vec<WaitingNotices>, StoreError> {
        self.readers.read(|db| db.prepare_cached(COUNT)?.query_and_then([], waiting)?.collect()).await
    }

    async fn wait_for_notices(&self) {
        self.sessions_ended.notified().await;
    }
}

/// Remembers that a session has brought its person to a client, which is told when it ends.
pub(crate) fn remember(
    db: &Connection,
    session: SessionId,
    client_id: &ClientId,
    details: &str,
) -> Result<()> {
    db.prepare_cached(REMEMBER)?.execute((session.as_bytes(), client_id.as_str(), details)).map(drop)
}

/// Writes the notices of a session that is about to be removed, if it is this person's.
pub(crate) fn note_of_session(
    db: &Connection,
    session: SessionId,
    subject: SubjectId,
    now: Timestamp,
) -> Result<()> {
    let values = (now.as_secs(), leaves_at(now), session.as_bytes(), subject.as_bytes());
    db.prepare_cached(NOTE_OF_SESSION)?.execute(values).map(drop)
}

/// Writes the notices of all sessions of a person, which stand no more or are about to be removed.
pub(crate) fn note_of_subject(db: &Connection, subject: SubjectId, now: Timestamp) -> Result<()> {
    db.prepare_cached(NOTE_OF_SUBJECT)?.execute((now.as_secs(), leaves_at(now), subject.as_bytes()))?;
    db.prepare_cached(FORGET_OF_SUBJECT)?.execute([subject.as_bytes()]).map(drop)
}

/// Writes the notices of all sessions, of which none stands any more.
pub(crate) fn note_all(db: &Connection, now: Timestamp) -> Result<()> {
    db.prepare_cached(NOTE_ALL)?.execute((now.as_secs(), leaves_at(now)))?;
    db.prepare_cached(FORGET_ALL)?.execute([]).map(drop)
}

fn leaves_at(now: Timestamp) -> i64 {
    now.plus_secs(NOTICE_LIFETIME_SECS).as_secs()
}

fn notice(row: &Row<'_>) -> Result<LogoutNotice> {
    Ok(LogoutNotice {
        client_id: columns::parsed(row, 0)?,
        session: SessionId::from_bytes(row.get(1)?),
        subject: SubjectId::from_bytes(row.get(2)?),
        details: row.get(3)?,
        ended_at: columns::timestamp(row, 4)?,
        tries: row.get(5)?,
        due_at: columns::timestamp(row, 6)?,
        leaves_at: columns::timestamp(row, 7)?,
    })
}

fn waiting(row: &Row<'_>) -> Result<WaitingNotices> {
    Ok(WaitingNotices {
        client_id: columns::parsed(row, 0)?,
        count: row.get::<_, i64>(1)?.unsigned_abs(),
        oldest_ended_at: columns::timestamp(row, 2)?,
        most_tries: row.get(3)?,
        failure: row.get(4)?,
    })
}

//! Sessions.

use async_trait::async_trait;
use obol_store::{
    Appended, BeginSessionOutcome, NewSession, Session, SessionEndRevokes, Sessions, StoreError,
};
use obol_token::{SecretHash, SessionId, SubjectId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::change_log::at_head;
use crate::{SqliteStore, codes, columns, families, logout_notices};

macro_rules! columns {
    () => {
        "id, subject, (SELECT username FROM users WHERE users.id = sessions.subject), authenticated_at, \
         methods, began_at, idle_ends_at, ends_at, user_agent, source"
    };
}

/// What has to be true of a row of `sessions` that stands at the moment of this parameter.
macro_rules! stands {
    ($now:literal) => {
        concat!(
            "sessions.idle_ends_at > ",
            $now,
            " AND sessions.ends_at > ",
            $now,
            " AND (SELECT enabled AND deleted_at IS NULL FROM users WHERE users.id = sessions.subject) \
             AND COALESCE((SELECT position FROM change_log WHERE kind = 3 \
             AND change_log.id = sessions.subject), 0) <= sessions.position \
             AND COALESCE((SELECT position FROM change_log WHERE kind = 5), 0) <= sessions.position"
        )
    };
}
pub(crate) use stands;

const BEGIN: &str = "INSERT INTO sessions (id, secret, subject, authenticated_at, methods, began_at, \
     idle_ends_at, ends_at, user_agent, source, position) \
     SELECT $1, $2, $3, $4, $5, $4, $6, $7, $8, $9, $10 \
     WHERE EXISTS (SELECT 1 FROM users WHERE users.id = $3 AND enabled AND deleted_at IS NULL) \
     AND COALESCE((SELECT position FROM change_log WHERE kind = 3 AND change_log.id = $3), 0) <= $10 \
     AND COALESCE((SELECT position FROM change_log WHERE kind = 5), 0) <= $10";
const RENEW: &str = concat!(
    "UPDATE sessions SET secret = $1, authenticated_at = $2, methods = $3, idle_ends_at = $4, ends_at = $5, \
     user_agent = $6, source = $7, position = $8 WHERE secret = $9 AND subject = $10 AND ",
    stands!("$2"),
    " AND COALESCE((SELECT position FROM change_log WHERE kind = 3 AND change_log.id = $10), 0) <= $8 \
     AND COALESCE((SELECT position FROM change_log WHERE kind = 5), 0) <= $8 RETURNING id"
);
const FIND: &str = concat!("SELECT ", columns!(), " FROM sessions WHERE secret = $1 AND ", stands!("$2"));
const EXTEND: &str = "UPDATE sessions SET idle_ends_at = CASE WHEN ends_at < $1 THEN ends_at ELSE $1 END \
     WHERE id = $2 AND idle_ends_at < $1 AND idle_ends_at < ends_at";
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM sessions WHERE subject = $1 AND ",
    stands!("$2"),
    " ORDER BY authenticated_at DESC, id"
);
const END: &str = "DELETE FROM sessions WHERE id = $1 AND subject = $2";
const END_OF_SUBJECT: &str = "DELETE FROM sessions WHERE subject = $1";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[BEGIN, RENEW, FIND, EXTEND, LIST, END, END_OF_SUBJECT];

#[async_trait]
impl Sessions for SqliteStore {
    async fn begin_session(
        &self,
        session: &NewSession,
        renewed: Option<SecretHash>,
    ) -> Result<BeginSessionOutcome, StoreError> {
        let session = session.clone();
        let now = session.authenticated_at;
        self.writer.write(Some(now), move |db| begin(db, &session, renewed)).await
    }

    async fn find_session(&self, secret: SecretHash, now: Timestamp) -> Result<Option<Session>, StoreError> {
        self.readers
            .read(move |db| {
                let values = (secret.as_bytes(), now.as_secs());
                db.prepare_cached(FIND)?.query_row(values, session).optional()
            })
            .await
    }

    async fn extend_session(&self, id: SessionId, idle_ends_at: Timestamp) -> Result<(), StoreError> {
        self.writer
            .write(None, move |db| {
                db.prepare_cached(EXTEND)?.execute((idle_ends_at.as_secs(), id.as_bytes())).map(drop)
            })
            .await
    }

    async fn list_sessions(&self, subject: SubjectId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.readers
            .read(move |db| {
                let values = (subject.as_bytes(), now.as_secs());
                db.prepare_cached(LIST)?.query_and_then(values, session)?.collect()
            })
            .await
    }

    async fn end_session(
        &self,
        id: SessionId,
        subject: SubjectId,
        revokes: SessionEndRevokes,
        now: Timestamp,
    ) -> Result<Option<Appended>, StoreError> {
        let ended = self.writer.write(Some(now), move |db| end(db, id, subject, revokes, now)).await?;
        self.sessions_ended.notify_one();
        Ok(ended)
    }
}

/// Ends all sessions of a person who is deleted.
pub(crate) fn end_of_subject(db: &Connection, subject: SubjectId) -> Result<()> {
    db.prepare_cached(END_OF_SUBJECT)?.execute([subject.as_bytes()]).map(drop)
}

fn begin(db: &Connection, new: &NewSession, renewed: Option<SecretHash>) -> Result<BeginSessionOutcome> {
    if let Some(renewed) = renewed
        && let Some(id) = renew(db, new, renewed)?
    {
        return Ok(BeginSessionOutcome::Begun(id));
    }
    let begun = db.prepare_cached(BEGIN)?.execute(params![
        new.id.as_bytes(),
        new.secret.as_bytes(),
        new.subject.as_bytes(),
        new.authenticated_at.as_secs(),
        new.methods,
        new.idle_ends_at.as_secs(),
        new.ends_at.as_secs(),
        new.user_agent,
        new.source,
        columns::from_position(new.position),
    ])?;
    Ok(if begun > 0 { BeginSessionOutcome::Begun(new.id) } else { BeginSessionOutcome::Gone })
}

/// Lets a session of the same person go on, if there is one with this secret that stands.
fn renew(db: &Connection, new: &NewSession, renewed: SecretHash) -> Result<Option<SessionId>> {
    let values = params![
        new.secret.as_bytes(),
        new.authenticated_at.as_secs(),
        new.methods,
        new.idle_ends_at.as_secs(),
        new.ends_at.as_secs(),
        new.user_agent,
        new.source,
        columns::from_position(new.position),
        renewed.as_bytes(),
        new.subject.as_bytes(),
    ];
    db.prepare_cached(RENEW)?.query_row(values, |row| row.get(0).map(SessionId::from_bytes)).optional()
}

fn end(
    db: &Connection,
    id: SessionId,
    subject: SubjectId,
    revokes: SessionEndRevokes,
    now: Timestamp,
) -> Result<Option<Appended>> {
    logout_notices::note_of_session(db, id, subject, now)?;
    if db.prepare_cached(END)?.execute((id.as_bytes(), subject.as_bytes()))? == 0 {
        return Ok(None);
    }
    codes::end_of_session(db, id)?;
    match families::end_of_session(db, id, revokes, now)? {
        Some(last) => Ok(Some(last)),
        None => at_head(db).map(Some),
    }
}

fn session(row: &Row<'_>) -> Result<Session> {
    Ok(Session {
        id: SessionId::from_bytes(row.get(0)?),
        subject: SubjectId::from_bytes(row.get(1)?),
        username: columns::parsed(row, 2)?,
        authenticated_at: columns::timestamp(row, 3)?,
        methods: row.get(4)?,
        began_at: columns::timestamp(row, 5)?,
        idle_ends_at: columns::timestamp(row, 6)?,
        ends_at: columns::timestamp(row, 7)?,
        user_agent: row.get(8)?,
        source: row.get(9)?,
    })
}

//! Denials.

use async_trait::async_trait;
use obol_store::{Appended, Denials, Deny, StoreError};
use obol_token::{ClientId, Denied, Expiry, FamilyId, SubjectId, Timestamp};
use rusqlite::{Connection, Params, Result};

use crate::change_log::{Thing, append, find};
use crate::log_head::LogHead;
use crate::{SqliteStore, columns, consents, families, logout_notices, pushed_requests, sweep};

const END_OF_SUBJECT: &str = "UPDATE families SET ended = $1 WHERE subject = $2 AND ended IS NULL";
const END_OF_CLIENT: &str = "UPDATE families SET ended = $1 WHERE client_id = $2 AND ended IS NULL";
const END_ALL: &str = "UPDATE families SET ended = $1 WHERE ended IS NULL";

const COUNT: &str = "SELECT COUNT(*) FROM families \
     WHERE ended IS NULL AND (leaves_at > $1 OR leaves_at IS NULL)";
const COUNT_ONE: &str = "SELECT COUNT(*) FROM families \
     WHERE ended IS NULL AND (leaves_at > $1 OR leaves_at IS NULL) AND id = $2";
const COUNT_OF_SUBJECT: &str = "SELECT COUNT(*) FROM families \
     WHERE ended IS NULL AND (leaves_at > $1 OR leaves_at IS NULL) AND subject = $2";
const COUNT_OF_CLIENT: &str = "SELECT COUNT(*) FROM families \
     WHERE ended IS NULL AND (leaves_at > $1 OR leaves_at IS NULL) AND client_id = $2";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[END_OF_SUBJECT, END_OF_CLIENT, END_ALL, COUNT, COUNT_ONE, COUNT_OF_SUBJECT, COUNT_OF_CLIENT];

#[async_trait]
impl Denials for SqliteStore {
    async fn deny(&self, deny: &Deny, now: Timestamp) -> Result<Appended, StoreError> {
        let ends_sessions = deny.ends_sessions();
        let deny = deny.clone();
        let denied = self
            .writer
            .write(Some(now), move |db| match deny {
                Deny::Token { id, expires_at } => deny_once(db, &Denied::Token(id), expires_at),
                Deny::Family(id) => deny_family(db, id),
                Deny::Subject(id) => deny_subject(db, id, now),
                Deny::Client(id) => deny_client(db, &id),
                Deny::Everything => deny_everything(db, now),
            })
            .await?;
        if ends_sessions {
            self.sessions_ended.notify_one();
        }
        Ok(denied)
    }

    async fn end_family(&self, id: FamilyId, now: Timestamp) -> Result<Option<Appended>, StoreError> {
        self.writer.write(Some(now), move |db| families::end(db, id)).await
    }

    async fn count_families(&self, deny: &Deny, now: Timestamp) -> Result<u64, StoreError> {
        let (deny, now) = (deny.clone(), now.as_secs());
        self.readers
            .read(move |db| match deny {
                Deny::Token { .. } => Ok(0),
                Deny::Family(id) => count(db, COUNT_ONE, (now, id.as_bytes())),
                Deny::Subject(id) => count(db, COUNT_OF_SUBJECT, (now, id.as_bytes())),
                Deny::Client(id) => count(db, COUNT_OF_CLIENT, (now, id.as_str())),
                Deny::Everything => count(db, COUNT, [now]),
            })
            .await
    }
}

/// Denies all tokens of a person and ends the families, and the sessions: their clients are to be told.
pub(crate) fn deny_subject(db: &Connection, id: SubjectId, now: Timestamp) -> Result<Appended> {
    let denial = append(db, &Thing::Denied(&Denied::Subject(id)), Expiry::Never)?;
    let position = columns::from_position(denial.position());
    db.prepare_cached(END_OF_SUBJECT)?.execute((position, id.as_bytes()))?;
    logout_notices::note_of_subject(db, id, now)?;
    Ok(denial)
}

/// Denies all tokens of a client, ends the families and the requests that it has pushed.
pub(crate) fn deny_client(db: &Connection, id: &ClientId) -> Result<Appended> {
    let denial = append(db, &Thing::Denied(&Denied::Client(id.clone())), Expiry::Never)?;
    let position = columns::from_position(denial.position());
    db.prepare_cached(END_OF_CLIENT)?.execute((position, id.as_str()))?;
    pushed_requests::end_of_client(db, id)?;
    Ok(denial)
}

/// Whatever had left the log is refused by position from here on, so how far that went does not matter any more. The
/// positions leap, because a log that was replaced by a backup may have given some that this one knows nothing of.
fn deny_everything(db: &Connection, now: Timestamp) -> Result<Appended> {
    sweep::forget(db)?;
    consents::withdraw_all(db)?;
    pushed_requests::end_all(db)?;
    LogHead::leap(db)?;
    let denial = append(db, &Thing::Denied(&Denied::Everything), Expiry::Never)?;
    db.prepare_cached(END_ALL)?.execute([columns::from_position(denial.position())])?;
    logout_notices::note_all(db, now)?;
    Ok(denial)
}

fn deny_once(db: &Connection, what: &Denied, leaves_at: Expiry) -> Result<Appended> {
    match find(db, &Thing::Denied(what))? {
        Some(stored) => Ok(stored),
        None => append(db, &Thing::Denied(what), leaves_at),
    }
}

fn deny_family(db: &Connection, id: FamilyId) -> Result<Appended> {
    match families::end(db, id)? {
        Some(end) => Ok(end),
        None => deny_once(db, &Denied::Family(id), Expiry::Never),
    }
}

fn count(db: &Connection, statement: &str, values: impl Params) -> Result<u64> {
    let count: i64 = db.prepare_cached(statement)?.query_row(values, |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

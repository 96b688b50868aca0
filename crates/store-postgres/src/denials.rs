//! Denials.

use async_trait::async_trait;
use obol_store::{Appended, Denials, Deny, StoreError};
use obol_token::{ClientId, Denied, Expiry, FamilyId, SubjectId, Timestamp};

use crate::change_log::{Thing, append, find};
use crate::connection::{Connection, Values};
use crate::error::Result;
use crate::log_head::LogHead;
use crate::{PostgresStore, columns, consents, families, logout_notices, pushed_requests, sweep};

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
impl Denials for PostgresStore {
    async fn deny(&self, deny: &Deny, now: Timestamp) -> Result<Appended, StoreError> {
        let deny = match deny {
            Deny::Token { id, expires_at } => return self.writer.deny_token(now, *id, *expires_at).await,
            // One that is known can go together with others; nothing is stored for one that is not.
            Deny::Family(id) => match self.writer.end_family(now, *id).await? {
                Some(end) => return Ok(end),
                None => deny.clone(),
            },
            _ => deny.clone(),
        };
        let ends_sessions = deny.ends_sessions();
        let denied = self
            .writer
            .write(Some(now), move |db| {
                Box::pin(async move {
                    match deny {
                        Deny::Token { id, expires_at } => deny_once(db, &Denied::Token(id), expires_at).await,
                        Deny::Family(id) => deny_family(db, id).await,
                        Deny::Subject(id) => deny_subject(db, id, now).await,
                        Deny::Client(id) => deny_client(db, &id).await,
                        Deny::Everything => deny_everything(db, now).await,
                    }
                })
            })
            .await?;
        if ends_sessions {
            self.sessions_ended.notify_one();
        }
        Ok(denied)
    }

    async fn end_family(&self, id: FamilyId, now: Timestamp) -> Result<Option<Appended>, StoreError> {
        self.writer.end_family(now, id).await
    }

    async fn count_families(&self, deny: &Deny, now: Timestamp) -> Result<u64, StoreError> {
        let now = now.as_secs();
        self.readers
            .read_whole_table(async |db| match deny {
                Deny::Token { .. } => Ok(0),
                Deny::Family(id) => count(db, COUNT_ONE, &[&now, &id.as_bytes().as_slice()]).await,
                Deny::Subject(id) => count(db, COUNT_OF_SUBJECT, &[&now, &id.as_bytes().as_slice()]).await,
                Deny::Client(id) => count(db, COUNT_OF_CLIENT, &[&now, &id.as_str()]).await,
                Deny::Everything => count(db, COUNT, &[&now]).await,
            })
            .await
    }
}

/// Denies all tokens of a person and ends the families, and the sessions: their clients are to be told.
pub(crate) async fn deny_subject(db: &Connection, id: SubjectId, now: Timestamp) -> Result<Appended> {
    let denial = append(db, &Thing::Denied(&Denied::Subject(id)), Expiry::Never).await?;
    let position = columns::from_position(denial.position());
    db.execute(END_OF_SUBJECT, &[&position, &id.as_bytes().as_slice()]).await?;
    logout_notices::note_of_subject(db, id, now).await?;
    Ok(denial)
}

/// Denies all tokens of a client, ends the families and the requests that it has pushed.
pub(crate) async fn deny_client(db: &Connection, id: &ClientId) -> Result<Appended> {
    let denial = append(db, &Thing::Denied(&Denied::Client(id.clone())), Expiry::Never).await?;
    let position = columns::from_position(denial.position());
    db.execute(END_OF_CLIENT, &[&position, &id.as_str()]).await?;
    pushed_requests::end_of_client(db, id).await?;
    Ok(denial)
}

/// Whatever had left the log is refused by position from here on, so how far that went does not matter any more. The
/// positions leap, because a log that was replaced by a backup may have given some that this one knows nothing of.
async fn deny_everything(db: &Connection, now: Timestamp) -> Result<Appended> {
    sweep::forget(db).await?;
    consents::withdraw_all(db).await?;
    pushed_requests::end_all(db).await?;
    LogHead::leap(db).await?;
    let denial = append(db, &Thing::Denied(&Denied::Everything), Expiry::Never).await?;
    db.execute(END_ALL, &[&columns::from_position(denial.position())]).await?;
    logout_notices::note_all(db, now).await?;
    Ok(denial)
}

async fn deny_once(db: &Connection, what: &Denied, leaves_at: Expiry) -> Result<Appended> {
    match find(db, &Thing::Denied(what)).await? {
        Some(stored) => Ok(stored),
        None => append(db, &Thing::Denied(what), leaves_at).await,
    }
}

async fn deny_family(db: &Connection, id: FamilyId) -> Result<Appended> {
    match families::end(db, id).await? {
        Some(end) => Ok(end),
        None => deny_once(db, &Denied::Family(id), Expiry::Never).await,
    }
}

async fn count(db: &Connection, statement: &'static str, values: Values<'_>) -> Result<u64> {
    let count: i64 = columns::value(&db.load(statement, values).await?, 0)?;
    Ok(count.unsigned_abs())
}

//! Consents.

use async_trait::async_trait;
use obol_store::{Appended, Consent, Consents, StoreError};
use obol_token::{ClientId, SubjectId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result, Row};

use crate::change_log::at_head;
use crate::{SqliteStore, codes, columns, families};

const GIVE: &str = "INSERT INTO consents (subject, client_id, scopes, given_at) SELECT $1, $2, $3, $4 \
     WHERE EXISTS (SELECT 1 FROM users WHERE users.id = $1 AND deleted_at IS NULL) \
     AND EXISTS (SELECT 1 FROM clients WHERE clients.id = $2 AND deleted_at IS NULL) \
     ON CONFLICT (subject, client_id) DO UPDATE SET scopes = excluded.scopes, given_at = excluded.given_at";
const FIND: &str =
    "SELECT subject, client_id, scopes, given_at FROM consents WHERE subject = $1 AND client_id = $2";
const LIST: &str =
    "SELECT subject, client_id, scopes, given_at FROM consents WHERE subject = $1 ORDER BY client_id";
const WITHDRAW: &str = "DELETE FROM consents WHERE subject = $1 AND client_id = $2";
const WITHDRAW_OF_SUBJECT: &str = "DELETE FROM consents WHERE subject = $1";
const WITHDRAW_OF_CLIENT: &str = "DELETE FROM consents WHERE client_id = $1";
const WITHDRAW_ALL: &str = "DELETE FROM consents";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[GIVE, FIND, LIST, WITHDRAW, WITHDRAW_OF_SUBJECT, WITHDRAW_OF_CLIENT, WITHDRAW_ALL];

#[async_trait]
impl Consents for SqliteStore {
    async fn give_consent(&self, consent: &Consent) -> Result<(), StoreError> {
        let consent = consent.clone();
        self.writer.write(Some(consent.given_at), move |db| give(db, consent)).await
    }

    async fn find_consent(
        &self,
        subject: SubjectId,
        client_id: &ClientId,
    ) -> Result<Option<Consent>, StoreError> {
        let client_id = client_id.clone();
        self.readers
            .read(move |db| {
                let key = (subject.as_bytes(), client_id.as_str());
                db.prepare_cached(FIND)?.query_row(key, consent).optional()
            })
            .await
    }

    async fn list_consents(&self, subject: SubjectId) -> Result<Vec<Consent>, StoreError> {
        self.readers
            .read(move |db| db.prepare_cached(LIST)?.query_and_then([subject.as_bytes()], consent)?.collect())
            .await
    }

    async fn withdraw_consent(
        &self,
        subject: SubjectId,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<Appended>, StoreError> {
        let client_id = client_id.clone();
        self.writer.write(Some(now), move |db| withdraw(db, subject, &client_id, now)).await
    }
}

/// Forgets what a person who is deleted has allowed.
pub(crate) fn withdraw_of_subject(db: &Connection, subject: SubjectId) -> Result<()> {
    db.prepare_cached(WITHDRAW_OF_SUBJECT)?.execute([subject.as_bytes()]).map(drop)
}

/// Forgets what a client that is deleted was allowed.
pub(crate) fn withdraw_of_client(db: &Connection, client_id: &ClientId) -> Result<()> {
    db.prepare_cached(WITHDRAW_OF_CLIENT)?.execute([client_id.as_str()]).map(drop)
}

/// Forgets all: a backup that was put back does not know which were withdrawn since.
pub(crate) fn withdraw_all(db: &Connection) -> Result<()> {
    db.prepare_cached(WITHDRAW_ALL)?.execute([]).map(drop)
}

fn give(db: &Connection, consent: Consent) -> Result<()> {
    let consent = {
        let key = (consent.subject.as_bytes(), consent.client_id.as_str());
        let former = db.prepare_cached(FIND)?.query_row(key, self::consent).optional()?;
        consent.added_to(former)
    };
    let (subject, client_id) = (consent.subject.as_bytes(), consent.client_id.as_str());
    let row = (subject, client_id, consent.scopes.to_string(), consent.given_at.as_secs());
    db.prepare_cached(GIVE)?.execute(row).map(drop)
}

fn withdraw(
    db: &Connection,
    subject: SubjectId,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<Option<Appended>> {
    let withdrawn = db.prepare_cached(WITHDRAW)?.execute((subject.as_bytes(), client_id.as_str()))?;
    let codes = codes::end_of_consent(db, subject, client_id)?;
    match families::end_of_consent(db, subject, client_id, now)? {
        Some(last) => Ok(Some(last)),
        None if withdrawn + codes > 0 => at_head(db).map(Some),
        None => Ok(None),
    }
}

fn consent(row: &Row<'_>) -> Result<Consent> {
    Ok(Consent {
        subject: SubjectId::from_bytes(row.get(0)?),
        client_id: columns::parsed(row, 1)?,
        scopes: columns::parsed(row, 2)?,
        given_at: columns::timestamp(row, 3)?,
    })
}

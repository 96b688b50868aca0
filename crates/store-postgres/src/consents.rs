//! Consents.

use async_trait::async_trait;
use obol_store::{Appended, Consent, Consents, StoreError};
use obol_token::{ClientId, SubjectId, Timestamp};
use tokio_postgres::Row;

use crate::change_log::at_head;
use crate::connection::{Connection, Values};
use crate::error::Result;
use crate::{PostgresStore, codes, columns, families};

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
impl Consents for PostgresStore {
    async fn give_consent(&self, consent: &Consent) -> Result<(), StoreError> {
        let consent = consent.clone();
        let now = consent.given_at;
        self.writer.write(Some(now), move |db| Box::pin(async move { give(db, consent).await })).await
    }

    async fn find_consent(
        &self,
        subject: SubjectId,
        client_id: &ClientId,
    ) -> Result<Option<Consent>, StoreError> {
        let found = self.readers.read(async |db| {
            let found = db.find(FIND, &[&subject.as_bytes().as_slice(), &client_id.as_str()]).await?;
            found.as_ref().map(consent).transpose()
        });
        found.await
    }

    async fn list_consents(&self, subject: SubjectId) -> Result<Vec<Consent>, StoreError> {
        let listed = self.readers.read(async |db| {
            let rows = db.query(LIST, &[&subject.as_bytes().as_slice()]).await?;
            rows.iter().map(consent).collect()
        });
        listed.await
    }

    async fn withdraw_consent(
        &self,
        subject: SubjectId,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<Appended>, StoreError> {
        let client_id = client_id.clone();
        self.writer
            .write(Some(now), move |db| Box::pin(async move { withdraw(db, subject, &client_id, now).await }))
            .await
    }
}

/// Forgets what a person who is deleted has allowed.
pub(crate) async fn withdraw_of_subject(db: &Connection, subject: SubjectId) -> Result<()> {
    db.execute(WITHDRAW_OF_SUBJECT, &[&subject.as_bytes().as_slice()]).await.map(drop)
}

/// Forgets what a client that is deleted was allowed.
pub(crate) async fn withdraw_of_client(db: &Connection, client_id: &ClientId) -> Result<()> {
    db.execute(WITHDRAW_OF_CLIENT, &[&client_id.as_str()]).await.map(drop)
}

/// Forgets all: a backup that was put back does not know which were withdrawn since.
pub(crate) async fn withdraw_all(db: &Connection) -> Result<()> {
    db.execute(WITHDRAW_ALL, &[]).await.map(drop)
}

async fn give(db: &Connection, given: Consent) -> Result<()> {
    let key: Values<'_> = &[&given.subject.as_bytes().as_slice(), &given.client_id.as_str()];
    let former = db.find(FIND, key).await?.as_ref().map(consent).transpose()?;
    let consent = given.added_to(former);
    let values: Values<'_> = &[
        &consent.subject.as_bytes().as_slice(),
        &consent.client_id.as_str(),
        &consent.scopes.to_string(),
        &consent.given_at.as_secs(),
    ];
    db.execute(GIVE, values).await.map(drop)
}

async fn withdraw(
    db: &Connection,
    subject: SubjectId,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<Option<Appended>> {
    let key: Values<'_> = &[&subject.as_bytes().as_slice(), &client_id.as_str()];
    let withdrawn = db.execute(WITHDRAW, key).await?;
    let codes = codes::end_of_consent(db, subject, client_id).await?;
    match families::end_of_consent(db, subject, client_id, now).await? {
        Some(last) => Ok(Some(last)),
        None if withdrawn + codes > 0 => at_head(db).await.map(Some),
        None => Ok(None),
    }
}

fn consent(row: &Row) -> Result<Consent> {
    Ok(Consent {
        subject: SubjectId::from_bytes(columns::bytes(row, 0)?),
        client_id: columns::parsed(row, 1)?,
        scopes: columns::parsed(row, 2)?,
        given_at: columns::timestamp(row, 3)?,
    })
}

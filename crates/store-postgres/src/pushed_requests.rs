//! Pushed authorization requests.

use async_trait::async_trait;
use obol_store::{
    ConsumeOutcome, HoldOutcome, NewPushedRequest, PushOutcome, PushedRequest, PushedRequests, StoreError,
};
use obol_token::{ClientId, SecretHash, Timestamp};
use tokio_postgres::Row;

use crate::columns::value;
use crate::connection::{Connection, Values};
use crate::error::Result;
use crate::{PostgresStore, columns};

const PUSH: &str = "INSERT INTO pushed_requests (hash, client_id, params, expires_at, leaves_at) \
     SELECT $1, $2, $3, $4, $4 \
     WHERE EXISTS (SELECT 1 FROM clients WHERE clients.id = $2 AND enabled AND deleted_at IS NULL) \
     AND (SELECT COUNT(*) FROM (SELECT 1 FROM pushed_requests WHERE client_id = $2 LIMIT $5) AS kept) < $5";
const IS_ENABLED: &str =
    "SELECT EXISTS (SELECT 1 FROM clients WHERE clients.id = $1 AND enabled AND deleted_at IS NULL)";
const FIND: &str = "SELECT params, expires_at FROM pushed_requests \
     WHERE hash = $1 AND client_id = $2 AND leaves_at > $3";
const HOLD: &str = "UPDATE pushed_requests SET leaves_at = $1 \
     WHERE hash = $2 AND client_id = $3 AND leaves_at > $4";
const CONSUME: &str = "DELETE FROM pushed_requests WHERE hash = $1 AND client_id = $2 AND leaves_at > $3";
const END_OF_CLIENT: &str = "DELETE FROM pushed_requests WHERE client_id = $1";
const END_ALL: &str = "DELETE FROM pushed_requests";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[PUSH, IS_ENABLED, FIND, HOLD, CONSUME, END_OF_CLIENT, END_ALL];

#[async_trait]
impl PushedRequests for PostgresStore {
    async fn push_request(&self, request: &NewPushedRequest) -> Result<PushOutcome, StoreError> {
        let request = request.clone();
        let now = request.pushed_at;
        self.writer.write(Some(now), move |db| Box::pin(async move { push(db, &request).await })).await
    }

    async fn find_pushed_request(
        &self,
        hash: SecretHash,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<PushedRequest>, StoreError> {
        let found = self.readers.read(async |db| {
            let values: Values<'_> = &[&hash.as_bytes().as_slice(), &client_id.as_str(), &now.as_secs()];
            db.find(FIND, values).await?.as_ref().map(pushed_request).transpose()
        });
        found.await
    }

    async fn hold_pushed_request(
        &self,
        hash: SecretHash,
        client_id: &ClientId,
        now: Timestamp,
        leaves_at: Timestamp,
    ) -> Result<HoldOutcome, StoreError> {
        let client_id = client_id.clone();
        self.writer
            .write(Some(now), move |db| {
                Box::pin(async move {
                    let values: Values<'_> = &[
                        &leaves_at.as_secs(),
                        &hash.as_bytes().as_slice(),
                        &client_id.as_str(),
                        &now.as_secs(),
                    ];
                    Ok(match db.execute(HOLD, values).await? {
                        0 => HoldOutcome::Gone,
                        _ => HoldOutcome::Held,
                    })
                })
            })
            .await
    }

    async fn consume_pushed_request(
        &self,
        hash: SecretHash,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<ConsumeOutcome, StoreError> {
        let client_id = client_id.clone();
        self.writer
            .write(Some(now), move |db| {
                Box::pin(async move {
                    let values: Values<'_> =
                        &[&hash.as_bytes().as_slice(), &client_id.as_str(), &now.as_secs()];
                    Ok(match db.execute(CONSUME, values).await? {
                        0 => ConsumeOutcome::Gone,
                        _ => ConsumeOutcome::Consumed,
                    })
                })
            })
            .await
    }
}

/// Ends the requests of a client whose tokens are all denied.
pub(crate) async fn end_of_client(db: &Connection, client_id: &ClientId) -> Result<()> {
    db.execute(END_OF_CLIENT, &[&client_id.as_str()]).await.map(drop)
}

/// Ends the requests of all clients.
pub(crate) async fn end_all(db: &Connection) -> Result<()> {
    db.execute(END_ALL, &[]).await.map(drop)
}

async fn push(db: &Connection, request: &NewPushedRequest) -> Result<PushOutcome> {
    let values: Values<'_> = &[
        &request.hash.as_bytes().as_slice(),
        &request.client_id.as_str(),
        &request.params,
        &request.expires_at.as_secs(),
        &i64::from(request.most),
    ];
    match db.execute(PUSH, values).await? {
        0 if is_enabled(db, &request.client_id).await? => Ok(PushOutcome::TooMany),
        0 => Ok(PushOutcome::Gone),
        _ => Ok(PushOutcome::Pushed),
    }
}

async fn is_enabled(db: &Connection, client_id: &ClientId) -> Result<bool> {
    value(&db.load(IS_ENABLED, &[&client_id.as_str()]).await?, 0)
}

fn pushed_request(row: &Row) -> Result<PushedRequest> {
    Ok(PushedRequest { params: value(row, 0)?, expires_at: columns::timestamp(row, 1)? })
}

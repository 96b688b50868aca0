//! Pushed authorization requests.

use async_trait::async_trait;
use obol_store::{
    ConsumeOutcome, HoldOutcome, NewPushedRequest, PushOutcome, PushedRequest, PushedRequests, StoreError,
};
use obol_token::{ClientId, SecretHash, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::{SqliteStore, columns};

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
impl PushedRequests for SqliteStore {
    async fn push_request(&self, request: &NewPushedRequest) -> Result<PushOutcome, StoreError> {
        let request = request.clone();
        self.writer.write(Some(request.pushed_at), move |db| push(db, &request)).await
    }

    async fn find_pushed_request(
        &self,
        hash: SecretHash,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<PushedRequest>, StoreError> {
        let client_id = client_id.clone();
        self.readers
            .read(move |db| {
                let values = (hash.as_bytes(), client_id.as_str(), now.as_secs());
                db.prepare_cached(FIND)?.query_row(values, pushed_request).optional()
            })
            .await
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
                let values = (leaves_at.as_secs(), hash.as_bytes(), client_id.as_str(), now.as_secs());
                Ok(match db.prepare_cached(HOLD)?.execute(values)? {
                    0 => HoldOutcome::Gone,
                    _ => HoldOutcome::Held,
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
                let values = (hash.as_bytes(), client_id.as_str(), now.as_secs());
                Ok(match db.prepare_cached(CONSUME)?.execute(values)? {
                    0 => ConsumeOutcome::Gone,
                    _ => ConsumeOutcome::Consumed,
                })
            })
            .await
    }
}

/// Ends the requests of a client whose tokens are all denied.
pub(crate) fn end_of_client(db: &Connection, client_id: &ClientId) -> Result<()> {
    db.prepare_cached(END_OF_CLIENT)?.execute([client_id.as_str()]).map(drop)
}

/// Ends the requests of all clients.
pub(crate) fn end_all(db: &Connection) -> Result<()> {
    db.prepare_cached(END_ALL)?.execute([]).map(drop)
}

fn push(db: &Connection, request: &NewPushedRequest) -> Result<PushOutcome> {
    let pushed = db.prepare_cached(PUSH)?.execute(params![
        request.hash.as_bytes(),
        request.client_id.as_str(),
        request.params,
        request.expires_at.as_secs(),
        i64::from(request.most),
    ])?;
    match pushed {
        0 if is_enabled(db, &request.client_id)? => Ok(PushOutcome::TooMany),
        0 => Ok(PushOutcome::Gone),
        _ => Ok(PushOutcome::Pushed),
    }
}

fn is_enabled(db: &Connection, client_id: &ClientId) -> Result<bool> {
    db.prepare_cached(IS_ENABLED)?.query_row([client_id.as_str()], |row| row.get(0))
}

fn pushed_request(row: &Row<'_>) -> Result<PushedRequest> {
    Ok(PushedRequest { params: row.get(0)?, expires_at: columns::timestamp(row, 1)? })
}

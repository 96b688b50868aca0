//! Clients.

use async_trait::async_trait;
use obol_store::{
    AddOutcome, Appended, Change, ChangeOutcome, Client, ClientKind, ClientTexts, Clients, GrantType,
    RegisterOutcome, ReplaceOutcome, StoreError, StoredSecret,
};
use obol_token::{ClientId, Expiry, SecretHash, Timestamp};
use rusqlite::{Connection, Error, OptionalExtension, Result, Row, params};

use crate::change_log::{Thing, append};
use crate::{SqliteStore, codes, columns, consents, denials};

macro_rules! columns {
    () => {
        "id, name, secret, enabled, grants, default_scopes, optional_scopes, redirect_uris, \
         access_lifetime_secs, refresh_lifetime_secs, may_introspect, single_family, created_at, settings, sealed_secret"
    };
}

const ADD: &str = concat!(
    "INSERT INTO clients (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (id) DO NOTHING"
);
const COUNT_REGISTERED: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM clients \
     WHERE id >= 'reg_' AND id < 'reg`' LIMIT $1) AS registered";
const IS_DELETED: &str = "SELECT deleted_at IS NOT NULL FROM clients WHERE id = $1";
const FIND: &str = concat!("SELECT ", columns!(), " FROM clients WHERE id = $1 AND deleted_at IS NULL");
const LIST: &str = concat!("SELECT ", columns!(), " FROM clients WHERE deleted_at IS NULL ORDER BY id");
const SET_ENABLED: &str = "UPDATE clients SET enabled = $1 WHERE id = $2 AND deleted_at IS NULL";
const CHANGE: &str = "UPDATE clients SET name = $1, grants = $2, default_scopes = $3, optional_scopes = $4, \
     redirect_uris = $5, access_lifetime_secs = $6, refresh_lifetime_secs = $7, may_introspect = $8, \
     single_family = $9, settings = $10 WHERE id = $11 AND deleted_at IS NULL";
const SET_SECRET: &str = "UPDATE clients SET secret = $1, sealed_secret = $2 \
     WHERE id = $3 AND secret IS NOT NULL AND deleted_at IS NULL";
const DELETE: &str = "UPDATE clients SET secret = NULL, sealed_secret = NULL, enabled = FALSE, deleted_at = $1 \
     WHERE id = $2 AND deleted_at IS NULL";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[ADD, COUNT_REGISTERED, IS_DELETED, FIND, LIST, SET_ENABLED, CHANGE, SET_SECRET, DELETE];

#[async_trait]
impl Clients for SqliteStore {
    async fn add_client(&self, client: &Client) -> Result<AddOutcome, StoreError> {
        let client = client.clone();
        let texts = ClientTexts::of(&client)?;
        let now = client.created_at;
        self.writer.write(Some(now), move |db| add(db, &client, &texts)).await
    }

    async fn register_client(&self, client: &Client, most: u32) -> Result<RegisterOutcome, StoreError> {
        let client = client.clone();
        let texts = ClientTexts::of(&client)?;
        self.writer.write(Some(client.created_at), move |db| register(db, &client, &texts, most)).await
    }

    async fn find_client(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        let id = id.clone();
        self.readers.read(move |db| find(db, &id)).await
    }

    async fn list_clients(&self) -> Result<Vec<Client>, StoreError> {
        self.readers.read(|db| db.prepare_cached(LIST)?.query_and_then([], client)?.collect()).await
    }

    async fn set_client_enabled(
        &self,
        id: &ClientId,
        enabled: bool,
        now: Timestamp,
    ) -> Result<ChangeOutcome, StoreError> {
        let id = id.clone();
        self.writer
            .write(Some(now), move |db| {
                if db.prepare_cached(SET_ENABLED)?.execute((enabled, id.as_str()))? == 0 {
                    return Ok(ChangeOutcome::Unknown);
                }
                let told = changed(db, &id)?;
                if enabled { Ok(told) } else { denied(db, &id) }
            })
            .await
    }

    async fn change_client(&self, former: &Client, client: &Client) -> Result<ReplaceOutcome, StoreError> {
        let (former, client) = (former.clone(), client.clone());
        let texts = ClientTexts::of(&client)?;
        self.writer.write(None, move |db| replace(db, &former, &client, &texts)).await
    }

    async fn set_client_secret(
        &self,
        former: &Client,
        secret: &StoredSecret,
    ) -> Result<ReplaceOutcome, StoreError> {
        let (former, secret) = (former.clone(), secret.clone());
        self.writer.write(None, move |db| replace_secret(db, &former, &secret)).await
    }

    async fn delete_client(&self, id: &ClientId, now: Timestamp) -> Result<ChangeOutcome, StoreError> {
        let id = id.clone();
        self.writer
            .write(Some(now), move |db| {
                if db.prepare_cached(DELETE)?.execute((now.as_secs(), id.as_str()))? == 0 {
                    return Ok(ChangeOutcome::Unknown);
                }
                codes::end_of_client(db, &id)?;
                consents::withdraw_of_client(db, &id)?;
                changed(db, &id)?;
                denied(db, &id)
            })
            .await
    }
}

/// What the entry about this client tells the nodes.
pub(crate) fn load_change(db: &Connection, id: ClientId) -> Result<Change> {
    match find(db, &id)? {
        Some(client) => Ok(Change::Client(Box::new(client))),
        None if is_deleted(db, &id)? => Ok(Change::ClientDeleted(id)),
        None => Err(Error::QueryReturnedNoRows),
    }
}

fn add(db: &Connection, client: &Client, texts: &ClientTexts) -> Result<AddOutcome> {
    let secret = client.kind.secret();
    let added = db.prepare_cached(ADD)?.execute(params![
        client.id.as_str(),
        client.name,
        secret.map(|secret| secret.hash.as_bytes()),
        client.enabled,
        texts.grants,
        client.default_scopes.to_string(),
        client.optional_scopes.to_string(),
        texts.redirect_uris,
        client.access_token_lifetime.as_setting_secs(),
        client.refresh_token_lifetime.as_setting_secs(),
        client.may_introspect,
        client.single_family,
        client.created_at.as_secs(),
        texts.settings,
        secret.and_then(|secret| secret.sealed.as_ref()),
    ])?;
    match added {
        0 if is_deleted(db, &client.id)? => Ok(AddOutcome::NeverAgain),
        0 => Ok(AddOutcome::Taken),
        _ => told(db, &client.id).map(AddOutcome::Added),
    }
}

/// No other write comes between the two statements: writers take turns.
fn register(db: &Connection, client: &Client, texts: &ClientTexts, most: u32) -> Result<RegisterOutcome> {
    let most = i64::from(most);
    let known: i64 = db.prepare_cached(COUNT_REGISTERED)?.query_row([most], |row| row.get(0))?;
    if known >= most {
        return Ok(RegisterOutcome::TooMany);
    }
    Ok(match add(db, client, texts)? {
        AddOutcome::Added(appended) => RegisterOutcome::Registered(appended),
        AddOutcome::Taken | AddOutcome::NeverAgain => RegisterOutcome::Taken,
    })
}

/// No other write comes between the two statements: writers take turns.
fn replace(db: &Connection, former: &Client, client: &Client, texts: &ClientTexts) -> Result<ReplaceOutcome> {
    if let Err(outcome) = ReplaceOutcome::check(find(db, &client.id)?.as_ref(), former) {
        return Ok(outcome);
    }
    db.prepare_cached(CHANGE)?.execute(params![
        client.name,
        texts.grants,
        client.default_scopes.to_string(),
        client.optional_scopes.to_string(),
        texts.redirect_uris,
        client.access_token_lifetime.as_setting_secs(),
        client.refresh_token_lifetime.as_setting_secs(),
        client.may_introspect,
        client.single_family,
        texts.settings,
        client.id.as_str(),
    ])?;
    told(db, &client.id).map(ReplaceOutcome::Replaced)
}

/// No other write comes between the two statements: writers take turns.
fn replace_secret(db: &Connection, former: &Client, secret: &StoredSecret) -> Result<ReplaceOutcome> {
    if let Err(outcome) = ReplaceOutcome::check(find(db, &former.id)?.as_ref(), former) {
        return Ok(outcome);
    }
    let row = (secret.hash.as_bytes(), &secret.sealed, former.id.as_str());
    match db.prepare_cached(SET_SECRET)?.execute(row)? {
        0 => Ok(ReplaceOutcome::Unknown),
        _ => told(db, &former.id).map(ReplaceOutcome::Replaced),
    }
}

fn find(db: &Connection, id: &ClientId) -> Result<Option<Client>> {
    db.prepare_cached(FIND)?.query_row([id.as_str()], client).optional()
}

fn is_deleted(db: &Connection, id: &ClientId) -> Result<bool> {
    db.prepare_cached(IS_DELETED)?.query_row([id.as_str()], |row| row.get(0))
}

fn changed(db: &Connection, id: &ClientId) -> Result<ChangeOutcome> {
    told(db, id).map(ChangeOutcome::Changed)
}

/// Tells the nodes how the client is now.
fn told(db: &Connection, id: &ClientId) -> Result<Appended> {
    append(db, &Thing::Client(id), Expiry::Never)
}

/// After [`changed`]: who has read the log as far as the denial has to know that the client is gone.
fn denied(db: &Connection, id: &ClientId) -> Result<ChangeOutcome> {
    denials::deny_client(db, id).map(ChangeOutcome::Changed)
}

fn client(row: &Row<'_>) -> Result<Client> {
    let secret = match row.get(2)? {
        Some(hash) => Some(StoredSecret { hash: SecretHash::from_bytes(hash), sealed: row.get(14)? }),
        None => None,
    };
    let settings = columns::json(row, 13)?;
    Ok(Client {
        id: columns::parsed(row, 0)?,
        name: row.get(1)?,
        kind: ClientKind::of(secret, &settings),
        enabled: row.get(3)?,
        grants: ClientTexts::list(row.get_ref(4)?.as_str()?).map(GrantType::new).collect(),
        default_scopes: columns::parsed(row, 5)?,
        optional_scopes: columns::parsed(row, 6)?,
        redirect_uris: ClientTexts::list(row.get_ref(7)?.as_str()?).map(str::to_owned).collect(),
        access_token_lifetime: columns::lifetime(row, 8)?,
        refresh_token_lifetime: columns::lifetime(row, 9)?,
        may_introspect: row.get(10)?,
        single_family: row.get(11)?,
        created_at: columns::timestamp(row, 12)?,
        settings,
    })
}

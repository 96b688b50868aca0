//! Clients.

use async_trait::async_trait;
use obol_store::{
    AddOutcome, Appended, Change, ChangeOutcome, Client, ClientKind, ClientTexts, Clients, GrantType,
    RegisterOutcome, ReplaceOutcome, StoreError, StoredSecret,
};
use obol_token::{ClientId, Expiry, SecretHash, Timestamp};
use tokio_postgres::Row;

use crate::change_log::{Thing, append};
use crate::columns::{self, value};
use crate::connection::{Connection, Values};
use crate::error::{Error, Result};
use crate::{PostgresStore, codes, consents, denials};

macro_rules! columns {
    () => {
        "id, name, secret, enabled, grants, default_scopes, optional_scopes, redirect_uris, \
         access_lifetime_secs, refresh_lifetime_secs, may_introspect, single_family, created_at, settings, sealed_secret"
    };
}

/// How many columns that are.
pub(crate) const COLUMNS: usize = 15;

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
impl Clients for PostgresStore {
    async fn add_client(&self, client: &Client) -> Result<AddOutcome, StoreError> {
        let client = client.clone();
        let texts = ClientTexts::of(&client)?;
        let now = client.created_at;
        self.writer.write(Some(now), move |db| Box::pin(async move { add(db, &client, &texts).await })).await
    }

    async fn register_client(&self, client: &Client, most: u32) -> Result<RegisterOutcome, StoreError> {
        let client = client.clone();
        let texts = ClientTexts::of(&client)?;
        let now = client.created_at;
        self.writer
            .write(Some(now), move |db| Box::pin(async move { register(db, &client, &texts, most).await }))
            .await
    }

    async fn find_client(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        self.readers.read(async |db| find(db, id).await).await
    }

    async fn list_clients(&self) -> Result<Vec<Client>, StoreError> {
        let listed = self.readers.read_whole_table(async |db| {
            let rows = db.query(LIST, &[]).await?;
            rows.iter().map(|row| client(row, 0)).collect()
        });
        listed.await
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
                Box::pin(async move {
                    if db.execute(SET_ENABLED, &[&enabled, &id.as_str()]).await? == 0 {
                        return Ok(ChangeOutcome::Unknown);
                    }
                    let told = changed(db, &id).await?;
                    if enabled { Ok(told) } else { denied(db, &id).await }
                })
            })
            .await
    }

    async fn change_client(&self, former: &Client, client: &Client) -> Result<ReplaceOutcome, StoreError> {
        let (former, client) = (former.clone(), client.clone());
        let texts = ClientTexts::of(&client)?;
        self.writer
            .write(None, move |db| Box::pin(async move { replace(db, &former, &client, &texts).await }))
            .await
    }

    async fn set_client_secret(
        &self,
        former: &Client,
        secret: &StoredSecret,
    ) -> Result<ReplaceOutcome, StoreError> {
        let (former, secret) = (former.clone(), secret.clone());
        self.writer
            .write(None, move |db| Box::pin(async move { replace_secret(db, &former, &secret).await }))
            .await
    }

    async fn delete_client(&self, id: &ClientId, now: Timestamp) -> Result<ChangeOutcome, StoreError> {
        let id = id.clone();
        self.writer
            .write(Some(now), move |db| {
                Box::pin(async move {
                    if db.execute(DELETE, &[&now.as_secs(), &id.as_str()]).await? == 0 {
                        return Ok(ChangeOutcome::Unknown);
                    }
                    codes::end_of_client(db, &id).await?;
                    consents::withdraw_of_client(db, &id).await?;
                    changed(db, &id).await?;
                    denied(db, &id).await
                })
            })
            .await
    }
}

/// What the entry about this client tells the nodes; its columns begin at `first`, and `deleted` is the one after them.
pub(crate) fn change(row: &Row, first: usize, id: ClientId) -> Result<Change> {
    match value(row, first + COLUMNS)? {
        Some(false) => Ok(Change::Client(Box::new(client(row, first)?))),
        Some(true) => Ok(Change::ClientDeleted(id)),
        None => Err(Error::Unreadable(format!("the client {id} of an entry is missing"))),
    }
}

async fn add(db: &Connection, client: &Client, texts: &ClientTexts) -> Result<AddOutcome> {
    let secret = client.kind.secret();
    let values: Values<'_> = &[
        &client.id.as_str(),
        &client.name,
        &secret.map(|secret| secret.hash.as_bytes().as_slice()),
        &client.enabled,
        &texts.grants,
        &client.default_scopes.to_string(),
        &client.optional_scopes.to_string(),
        &texts.redirect_uris,
        &columns::from_lifetime(client.access_token_lifetime),
        &columns::from_lifetime(client.refresh_token_lifetime),
        &client.may_introspect,
        &client.single_family,
        &client.created_at.as_secs(),
        &texts.settings,
        &secret.and_then(|secret| secret.sealed.as_deref()),
    ];
    let added = db.execute(ADD, values).await?;
    match added {
        0 if is_deleted(db, &client.id).await? => Ok(AddOutcome::NeverAgain),
        0 => Ok(AddOutcome::Taken),
        _ => told(db, &client.id).await.map(AddOutcome::Added),
    }
}

/// No other write comes between the two statements: writers take turns.
async fn register(
    db: &Connection,
    client: &Client,
    texts: &ClientTexts,
    most: u32,
) -> Result<RegisterOutcome> {
    let most = i64::from(most);
    let known: i64 = value(&db.load(COUNT_REGISTERED, &[&most]).await?, 0)?;
    if known >= most {
        return Ok(RegisterOutcome::TooMany);
    }
    Ok(match add(db, client, texts).await? {
        AddOutcome::Added(appended) => RegisterOutcome::Registered(appended),
        AddOutcome::Taken | AddOutcome::NeverAgain => RegisterOutcome::Taken,
    })
}

/// No other write comes between the two statements: writers take turns.
async fn replace(
    db: &Connection,
    former: &Client,
    client: &Client,
    texts: &ClientTexts,
) -> Result<ReplaceOutcome> {
    if let Err(outcome) = ReplaceOutcome::check(find(db, &client.id).await?.as_ref(), former) {
        return Ok(outcome);
    }
    let values: Values<'_> = &[
        &client.name,
        &texts.grants,
        &client.default_scopes.to_string(),
        &client.optional_scopes.to_string(),
        &texts.redirect_uris,
        &columns::from_lifetime(client.access_token_lifetime),
        &columns::from_lifetime(client.refresh_token_lifetime),
        &client.may_introspect,
        &client.single_family,
        &texts.settings,
        &client.id.as_str(),
    ];
    db.execute(CHANGE, values).await?;
    told(db, &client.id).await.map(ReplaceOutcome::Replaced)
}

/// No other write comes between the two statements: writers take turns.
async fn replace_secret(db: &Connection, former: &Client, secret: &StoredSecret) -> Result<ReplaceOutcome> {
    if let Err(outcome) = ReplaceOutcome::check(find(db, &former.id).await?.as_ref(), former) {
        return Ok(outcome);
    }
    let values: Values<'_> = &[&secret.hash.as_bytes().as_slice(), &secret.sealed, &former.id.as_str()];
    match db.execute(SET_SECRET, values).await? {
        0 => Ok(ReplaceOutcome::Unknown),
        _ => told(db, &former.id).await.map(ReplaceOutcome::Replaced),
    }
}

async fn find(db: &Connection, id: &ClientId) -> Result<Option<Client>> {
    db.find(FIND, &[&id.as_str()]).await?.map(|row| client(&row, 0)).transpose()
}

async fn is_deleted(db: &Connection, id: &ClientId) -> Result<bool> {
    value(&db.load(IS_DELETED, &[&id.as_str()]).await?, 0)
}

async fn changed(db: &Connection, id: &ClientId) -> Result<ChangeOutcome> {
    told(db, id).await.map(ChangeOutcome::Changed)
}

/// Tells the nodes how the client is now.
async fn told(db: &Connection, id: &ClientId) -> Result<Appended> {
    append(db, &Thing::Client(id), Expiry::Never).await
}

/// After [`changed`]: who has read the log as far as the denial has to know that the client is gone.
async fn denied(db: &Connection, id: &ClientId) -> Result<ChangeOutcome> {
    denials::deny_client(db, id).await.map(ChangeOutcome::Changed)
}

fn client(row: &Row, first: usize) -> Result<Client> {
    let secret = match columns::optional_bytes(row, first + 2)? {
        Some(hash) => {
            Some(StoredSecret { hash: SecretHash::from_bytes(hash), sealed: value(row, first + 14)? })
        }
        None => None,
    };
    let settings = columns::json(row, first + 13)?;
    Ok(Client {
        id: columns::parsed(row, first)?,
        name: value(row, first + 1)?,
        kind: ClientKind::of(secret, &settings),
        enabled: value(row, first + 3)?,
        grants: ClientTexts::list(value(row, first + 4)?).map(GrantType::new).collect(),
        default_scopes: columns::parsed(row, first + 5)?,
        optional_scopes: columns::parsed(row, first + 6)?,
        redirect_uris: ClientTexts::list(value(row, first + 7)?).map(str::to_owned).collect(),
        access_token_lifetime: columns::lifetime(row, first + 8)?,
        refresh_token_lifetime: columns::lifetime(row, first + 9)?,
        may_introspect: value(row, first + 10)?,
        single_family: value(row, first + 11)?,
        created_at: columns::timestamp(row, first + 12)?,
        settings,
    })
}

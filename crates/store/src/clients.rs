//! Clients (RFC 6749 §2).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use obol_token::{ClientId, Lifetime, Scopes, SecretHash, Timestamp};

use crate::{Appended, ClientAuthMethod, ClientSettings, ReplaceOutcome, StoreError};

/// How a token may be asked for, by its wire name (RFC 6749 §4: `password`, `refresh_token`, …).
///
/// Which names exist is the list of features in `obol-oauth`; the store keeps what it is given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantType(Arc<str>);

impl GrantType {
    /// The grant type with this wire name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Its wire name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GrantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a client can keep a secret (RFC 6749 §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientKind {
    /// It has no secret.
    Public,
    /// It has this secret.
    Confidential(StoredSecret),
    /// It has no secret and authenticates with a key of its own (`private_key_jwt`).
    Keyed,
}

impl ClientKind {
    /// The kind of a client with this secret and these settings.
    pub fn of(secret: Option<StoredSecret>, settings: &ClientSettings) -> Self {
        match (secret, settings.token_endpoint_auth_method) {
            (Some(secret), _) => Self::Confidential(secret),
            (None, Some(ClientAuthMethod::PrivateKeyJwt)) => Self::Keyed,
            (None, _) => Self::Public,
        }
    }

    /// Its secret, if it has one.
    pub fn secret(&self) -> Option<&StoredSecret> {
        match self {
            Self::Confidential(secret) => Some(secret),
            Self::Public | Self::Keyed => None,
        }
    }
}

/// What is stored of a client secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// By which it is recognised.
    pub hash: SecretHash,
    /// The secret itself under the master key, for a client that signs with it (`client_secret_jwt`).
    pub sealed: Option<Vec<u8>>,
}

impl From<SecretHash> for StoredSecret {
    /// Of a secret that is only recognised.
    fn from(hash: SecretHash) -> Self {
        Self { hash, sealed: None }
    }
}

/// A client as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Client {
    /// Its `client_id`; never given out again.
    pub id: ClientId,
    /// For people.
    pub name: String,
    /// Public or confidential.
    pub kind: ClientKind,
    /// A disabled client is refused everywhere.
    pub enabled: bool,
    /// The grant types it may use.
    pub grants: Vec<GrantType>,
    /// Scopes that it always gets.
    pub default_scopes: Scopes,
    /// Scopes that it gets when it asks.
    pub optional_scopes: Scopes,
    /// Where an authorization answer may go (RFC 6749 §3.1.2).
    pub redirect_uris: Vec<String>,
    /// How long its access tokens live.
    pub access_token_lifetime: Lifetime,
    /// How long a refresh token lives unless it is used.
    pub refresh_token_lifetime: Lifetime,
    /// Whether it may introspect tokens of other clients (RFC 7662 §2.1).
    pub may_introspect: bool,
    /// Whether a new family ends the others of the same person at this client.
    pub single_family: bool,
    /// How people sign in at it, and how its tokens look.
    pub settings: ClientSettings,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Client {
    /// Whether no operator has added it: it has registered itself, or brings a document of its own.
    pub fn is_a_stranger(&self) -> bool {
        self.settings.registration.is_some() || self.settings.from_metadata_document
    }

    /// The longest that an access token may live which was issued until now: a shorter setting counts for those to come.
    pub fn longest_access_token_lifetime(&self) -> Lifetime {
        let before = self.settings.longest_access_token_ttl.map(Lifetime::from_setting_secs);
        before.map_or(self.access_token_lifetime, |before| before.longer(self.access_token_lifetime))
    }
}

impl Client {
    /// With this the ids of clients begin that have registered themselves (RFC 7591), so that they can be counted.
    pub const REGISTERED_PREFIX: &str = "reg_";
}

/// What became of registering a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterOutcome {
    /// Added.
    Registered(Appended),
    /// As many have been registered as may be. Nothing is added.
    TooMany,
    /// There is one with this id, or was. Nothing is added.
    Taken,
}

/// What became of adding something with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddOutcome {
    /// Added.
    Added(Appended),
    /// There is one with this name.
    Taken,
    /// There was one with this name; it was deleted, and names are never given out again.
    NeverAgain,
}

/// What became of changing something that is found by its name or id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// It is now as asked, also if it was so before.
    Changed(Appended),
    /// There is none.
    Unknown,
}

/// Stored clients. Every change appends the client's new state to the change log in the same transaction.
///
/// A denial that comes with a change stands after the state: at no place in the log is a client denied that still looks
/// enabled, or a node that has read so far would give it tokens which the denial does not refuse.
#[async_trait]
pub trait Clients: Send + Sync {
    /// Adds a client.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn add_client(&self, client: &Client) -> Result<AddOutcome, StoreError>;

    /// Adds a client whose id begins with [`Client::REGISTERED_PREFIX`], if fewer than `most` ids do: those of deleted clients count,
    /// because they stay taken.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn register_client(&self, client: &Client, most: u32) -> Result<RegisterOutcome, StoreError>;

    /// The client with this id, unless it was deleted.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn find_client(&self, id: &ClientId) -> Result<Option<Client>, StoreError>;

    /// All clients that were not deleted, by id.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn list_clients(&self) -> Result<Vec<Client>, StoreError>;

    /// Enables or disables a client. Disabling denies all its tokens and ends its families in the same transaction;
    /// enabling it again brings none back.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn set_client_enabled(
        &self,
        id: &ClientId,
        enabled: bool,
        now: Timestamp,
    ) -> Result<ChangeOutcome, StoreError>;

    /// Replaces what may change of a client: all but its id, secret, `enabled` and `created_at`; if it is still `former`. Ends no
    /// token. Whoever calls sees to it that the settings leave it of its kind.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn change_client(&self, former: &Client, client: &Client) -> Result<ReplaceOutcome, StoreError>;

    /// Replaces the secret of a client that has one, if it is still `former`. `Unknown` for another as well.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn set_client_secret(
        &self,
        former: &Client,
        secret: &StoredSecret,
    ) -> Result<ReplaceOutcome, StoreError>;

    /// Deletes a client: denies all its tokens and ends its families in the same transaction. Its id stays taken.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn delete_client(&self, id: &ClientId, now: Timestamp) -> Result<ChangeOutcome, StoreError>;
}

//! Adding and changing clients.

use obol_keys::PlainSecret;
use obol_store::{
    AddOutcome, Appended, ChangeOutcome, Client, ClientKind, ClientSettings, Clients, RegisterOutcome,
    SubjectType, replace,
};
use obol_token::{ClientId, Lifetime, Scopes, Timestamp};

use super::client_rules::{ClientSpecError, client_of, name_scopes};
use super::client_secrets::ChosenSecret;
use crate::features::authorization::unnamed_sector;

/// How long the access tokens of a client live where nothing else is said, in seconds.
pub const USUAL_ACCESS_TOKEN_TTL_SECS: u32 = 3_600;
/// How long its refresh tokens live unless they are used, in seconds.
pub const USUAL_REFRESH_TOKEN_TTL_SECS: u32 = 86_400;

/// A client as an operator describes it.
#[derive(Debug)]
pub struct ClientSpec {
    /// Its `client_id`.
    pub id: ClientId,
    /// For people; empty for the id itself.
    pub name: String,
    /// `None` for a public client, and for one that authenticates with its key.
    pub secret: Option<ChosenSecret>,
    /// The names of the grant types that it may use; empty for `client_credentials` of a confidential client.
    pub grants: Vec<String>,
    /// Scopes that it always gets. With no scope at all, `read` and `write`, or for a client in which people sign in those of
    /// OpenID Connect and these when it asks.
    pub default_scopes: Scopes,
    /// Scopes that it gets when it asks.
    pub optional_scopes: Scopes,
    /// Where an authorization answer may go.
    pub redirect_uris: Vec<String>,
    /// How long its access tokens live.
    pub access_token_lifetime: Lifetime,
    /// How long a refresh token lives unless it is used.
    pub refresh_token_lifetime: Lifetime,
    /// Whether it may introspect tokens of other clients.
    pub may_introspect: bool,
    /// Whether a new family ends the others of the same person.
    pub single_family: bool,
    /// How people sign in at it, and how its tokens look.
    pub settings: ClientSettings,
}

/// A client just added.
#[derive(Debug)]
#[must_use]
pub struct AddedClient {
    /// As stored.
    pub client: Client,
    /// Its secret, to be shown once; `None` for a public client and for a secret that the operator chose.
    pub generated_secret: Option<PlainSecret>,
    /// To be confirmed before success is told.
    pub appended: Appended,
}

/// Adds a client.
///
/// # Errors
/// [`ClientSpecError`]
pub async fn add_client(
    store: &dyn Clients,
    spec: ClientSpec,
    now: Timestamp,
) -> Result<AddedClient, ClientSpecError> {
    let (client, generated_secret) = made(spec, now)?;
    match store.add_client(&client).await? {
        AddOutcome::Added(appended) => Ok(AddedClient { client, generated_secret, appended }),
        AddOutcome::Taken => Err(ClientSpecError::Taken(client.id)),
        AddOutcome::NeverAgain => Err(ClientSpecError::NeverAgain(client.id)),
    }
}

/// Adds a client that registers itself (RFC 7591), if fewer than `most` have: deleted ones count.
///
/// # Errors
/// [`ClientSpecError`]
pub(crate) async fn register_client(
    store: &dyn Clients,
    spec: ClientSpec,
    now: Timestamp,
    most: u32,
) -> Result<AddedClient, ClientSpecError> {
    let (client, generated_secret) = made(spec, now)?;
    match store.register_client(&client, most).await? {
        RegisterOutcome::Registered(appended) => Ok(AddedClient { client, generated_secret, appended }),
        RegisterOutcome::TooMany => Err(ClientSpecError::TooMany),
        RegisterOutcome::Taken => Err(ClientSpecError::Taken(client.id)),
    }
}

/// The client that a description is of, and its secret if one was made.
fn made(mut spec: ClientSpec, now: Timestamp) -> Result<(Client, Option<PlainSecret>), ClientSpecError> {
    let (stored, generated_secret) = spec.secret.take().map(ChosenSecret::made).unzip();
    let kind = ClientKind::of(stored, &spec.settings);
    name_scopes(&mut spec);
    Ok((client_of(spec, kind, now)?, generated_secret.flatten()))
}

/// Why a client was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is none.
    #[error("there is no client `{0}`")]
    Unknown(ClientId),
    /// It would be none.
    #[error(transparent)]
    Spec(#[from] ClientSpecError),
}

/// Changes a client: `change` is given what it is now, and once more where another change was faster. Id, type and secret stay,
/// and so do its tokens; a refresh gives no scope that is not attached any more.
///
/// # Errors
/// [`ChangeError`]
pub async fn change_client(
    store: &dyn Clients,
    id: &ClientId,
    change: impl Fn(&mut ClientSpec),
) -> Result<Appended, ChangeError> {
    change_client_if(store, id, |_| Ok(()), change).await
}

/// The same for a client that `may` lets be changed, as it is stored.
///
/// # Errors
/// [`ChangeError`]
pub(crate) async fn change_client_if(
    store: &dyn Clients,
    id: &ClientId,
    may: impl Fn(&Client) -> Result<(), ClientSpecError>,
    change: impl Fn(&mut ClientSpec),
) -> Result<Appended, ChangeError> {
    let replaced = replace(
        || store.find_client(id),
        |former| may(former).and_then(|()| changed(former.clone(), &change)),
        |former, client| async move { store.change_client(&former, &client).await },
    );
    match replaced.await? {
        ChangeOutcome::Changed(appended) => Ok(appended),
        ChangeOutcome::Unknown => Err(ChangeError::Unknown(id.clone())),
    }
}

/// What a change makes of a client.
fn changed(client: Client, change: impl Fn(&mut ClientSpec)) -> Result<Client, ClientSpecError> {
    let longest = client.longest_access_token_lifetime();
    let mut spec = ClientSpec {
        id: client.id.clone(),
        name: client.name,
        secret: None,
        grants: client.grants.iter().map(|grant| grant.as_str().to_owned()).collect(),
        default_scopes: client.default_scopes,
        optional_scopes: client.optional_scopes,
        redirect_uris: client.redirect_uris,
        access_token_lifetime: client.access_token_lifetime,
        refresh_token_lifetime: client.refresh_token_lifetime,
        may_introspect: client.may_introspect,
        single_family: client.single_family,
        settings: client.settings,
    };
    // Where the redirect URIs go from now on does not change by what a person is known.
    if spec.settings.subject_type == SubjectType::Pairwise {
        let sector = &mut spec.settings.sector_identifier;
        sector.get_or_insert_with(|| unnamed_sector(&spec.redirect_uris).to_owned());
    }
    let subjects = subjects_of(&spec.settings);
    change(&mut spec);
    let kind = ClientKind::of(client.kind.secret().cloned(), &spec.settings);
    if kind != client.kind {
        let sentence =
            "a client stays public or confidential; add another one for the other way to authenticate";
        return Err(ClientSpecError::AuthMethod(sentence));
    }
    let shortened = spec.access_token_lifetime.longer(longest) != spec.access_token_lifetime;
    spec.settings.longest_access_token_ttl = shortened.then(|| longest.as_setting_secs());
    let client = client_of(spec, kind, client.created_at)?;
    // Its tokens stay: they must not tell it by what another sector knows people.
    if subjects_of(&client.settings) != subjects {
        return Err(ClientSpecError::OtherSubjects);
    }
    Ok(client)
}

/// The sector by which the client knows people, if subjects are pairwise.
fn subjects_of(settings: &ClientSettings) -> Option<Option<String>> {
    (settings.subject_type == SubjectType::Pairwise).then(|| settings.sector_identifier.clone())
}

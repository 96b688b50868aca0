//! Clients that nobody has registered: a `client_id` is the https URL of a document that describes the client. Home of
//! draft-ietf-oauth-client-id-metadata-document-02.
//!
//! 1. [`address`] reads the URL, and says whether the operator lets such clients in.
//! 2. The document comes through the guarded way out, which keeps it for a while; [`document`] reads it.
//! 3. The authorization goes on with the client as it is described, which so far is nowhere but in this request.
//! 4. When a person has allowed it, [`admission`] puts it among the clients, so that every node knows it in codes and tokens.
//!
//! So whatever strangers invent costs a place in a bounded cache, and only people who sign in here make clients.

mod address;
mod admission;
mod document;

use obol_store::{Client, ClientKind, ClientSettings};
use obol_token::{ClientId, Scopes, Timestamp};
use serde_json::{Map, Value, json};

pub(crate) use self::address::host_of;
pub(crate) use self::admission::admit;

use self::address::check_address;
use self::document::{DocumentError, read_document};
use super::Feature;
use crate::administration::{ClientSpec, client_of};
use crate::{Engine, ErrorCode, Freshness, NamedBy, OAuthError};

/// The draft.
pub(super) const FEATURE: Feature = Feature {
    name: "client id metadata documents",
    specification: "draft-ietf-oauth-client-id-metadata-document-02",
    endpoints: &[],
    grants: &[],
    describe,
};

/// Which clients may come with a document of their own, and what they may be given.
#[derive(Debug, Clone)]
pub struct DescribedClients {
    /// The hosts of their documents, each with its port if the URL names one; none for any host.
    pub hosts: Vec<String>,
    /// The scopes that they may ask for.
    pub scopes: Scopes,
    /// How many there may be.
    pub most: usize,
}

/// The client that the document at its `client_id` describes now; `None` if it is not of this kind, so that it must be
/// a registered one. What is known of the client here is no part of it: it may change while the document is waited for.
///
/// # Errors
/// For a page: such clients are not let in, or the document is not good. 503 while too much is asked of others for strangers.
pub(crate) async fn find_described(
    engine: &Engine,
    client_id: &str,
    now: Timestamp,
) -> Result<Option<Client>, OAuthError> {
    let Some(rules) = &engine.settings.described_clients else { return Ok(None) };
    let known = engine.replica.vouch()?.memory().client(client_id);
    // Of a disabled one nothing is asked: it is refused in any case.
    let concerned = |known: &Client| known.settings.from_metadata_document && known.enabled;
    if !client_id.starts_with("https://") || !known.as_deref().is_none_or(concerned) {
        return Ok(None);
    }
    check_address(client_id, &rules.hosts)?;
    // Deviation: §3 knows no limit to the length; ids of clients have one.
    let id = ClientId::new(client_id).map_err(|error| refused(format!("its id cannot be used: {error}")))?;
    let spec = find_description(engine, rules, &id).await?;
    let kind = ClientKind::of(None, &spec.settings);
    let described = client_of(spec, kind, now);
    described.map(Some).map_err(|error| unusable(DocumentError::Client(error)))
}

/// The client that is there, as it is described now. What no document says stays as the operator has it.
pub(crate) fn described_anew(known: &Client, described: Client) -> Client {
    let ClientSettings {
        application_type,
        token_endpoint_auth_method,
        jwks,
        jwks_uri,
        resources,
        require_pkce,
        ask_consent,
        ..
    } = described.settings;
    Client {
        name: described.name,
        kind: described.kind,
        grants: described.grants,
        default_scopes: described.default_scopes,
        optional_scopes: described.optional_scopes,
        redirect_uris: described.redirect_uris,
        settings: ClientSettings {
            application_type,
            token_endpoint_auth_method,
            jwks,
            jwks_uri,
            resources,
            require_pkce,
            ask_consent,
            ..known.settings.clone()
        },
        ..known.clone()
    }
}

/// What the document says.
///
/// # Errors
/// For a page: it cannot be fetched now, or is not good.
async fn find_description(
    engine: &Engine,
    rules: &DescribedClients,
    id: &ClientId,
) -> Result<ClientSpec, OAuthError> {
    match fetch(engine, rules, id, Freshness::Kept).await? {
        Ok(spec) => Ok(spec),
        // §5.2: a document that is not good must not be kept. Asked anew at once, or after the pause of the way out.
        Err(_) => fetch(engine, rules, id, Freshness::Renewed).await?.map_err(unusable),
    }
}

/// Deviation: §5.2 wants no failure kept. The way out asks a server that has failed again after 10 s, or it would be asked by
/// every request. §8.6 wants no private address asked; an operator may name hosts that have one.
async fn fetch(
    engine: &Engine,
    rules: &DescribedClients,
    id: &ClientId,
    freshness: Freshness,
) -> Result<Result<ClientSpec, DocumentError>, OAuthError> {
    let fetched = engine.outgoing.fetch(id.as_str(), NamedBy::Stranger, freshness).await;
    // What was wrong stays here: an answer would tell strangers what stands in our network.
    let text = fetched
        .map_err(|error| error.answered_as(refused("its description cannot be fetched".to_owned())))?;
    let resources = engine.settings.protected_resources.iter().map(ToString::to_string).collect();
    Ok(read_document(&text, id, rules.scopes.clone(), resources))
}

fn unusable(error: DocumentError) -> OAuthError {
    refused(error.to_string())
}

/// For a page: there is nobody to whom the browser could be sent.
fn refused(reason: String) -> OAuthError {
    let sentence =
        format!("The application that sent you here cannot be let in: {reason}. Tell those who run it.");
    OAuthError::new(ErrorCode::InvalidClient, sentence)
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    if engine.settings.described_clients.is_some() {
        document.insert("client_id_metadata_document_supported".into(), json!(true));
    }
}

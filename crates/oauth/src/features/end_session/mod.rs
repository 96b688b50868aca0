//! The end session endpoint (OpenID Connect RP-Initiated Logout §2): a client sends the browser here when its person signs out.
//! Home of OpenID Connect RP-Initiated Logout.
//!
//! Who brings an ID token of whoever is signed in is believed; everybody else could be any link, so the person is asked.

use std::sync::Arc;

use obol_store::Client;
use serde_json::{Map, Value, json};

use super::id_token::{self, Hint};
use super::{Endpoint, Feature, Method, PageKind, Steps};
use crate::{
    AuthorizationAnswer, Engine, ErrorCode, OAuthError, Params, ResponseMode, SignOutAsked, SignedIn, Surface,
};

/// OpenID Connect RP-Initiated Logout §2.
pub(super) const FEATURE: Feature = Feature {
    name: "end session endpoint",
    specification: "OpenID Connect RP-Initiated Logout §2",
    endpoints: &[Endpoint {
        surface: Surface::Rfc,
        methods: &[Method::Get, Method::Post],
        path: PATH,
        steps: Steps::Page(PageKind::SignOut),
    }],
    grants: &[],
    describe,
};

const PATH: &str = "/oauth2/logout";

/// What a request to sign out comes to, for who is signed in.
///
/// # Errors
/// For a page: the hint, the client or the address is not good. Nothing has ended then.
pub(crate) fn decide(
    engine: &Engine,
    params: &Params<'_>,
    person: Option<&SignedIn>,
) -> Result<SignOutAsked, OAuthError> {
    let hint = params.optional("id_token_hint")?.map(|hint| id_token::read_hint(engine, hint)).transpose()?;
    let client = find_client(engine, params, hint.as_ref())?;
    let believed = match (person, &hint, &client) {
        (None, ..) => true,
        (Some(person), Some(hint), Some(client)) => {
            id_token::subject_of(engine, client, person.subject)? == hint.subject
        }
        (Some(_), ..) => false,
    };
    Ok(SignOutAsked {
        ask: !believed,
        onward: onward(params, client.as_deref())?,
        client_name: client.map(|client| client.name.clone()),
    })
}

/// The client that is meant: the one of the hint, or the one that is named.
fn find_client(
    engine: &Engine,
    params: &Params<'_>,
    hint: Option<&Hint>,
) -> Result<Option<Arc<Client>>, OAuthError> {
    let named = params.optional("client_id")?;
    let of_hint = hint.map(|hint| hint.client_id.as_str());
    if named.is_some() && of_hint.is_some() && named != of_hint {
        let sentence = "`client_id` is not the client for which the ID token was made.";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, sentence));
    }
    let Some(id) = of_hint.or(named) else { return Ok(None) };
    let client = engine.replica.vouch()?.memory().client(id).filter(|client| client.enabled);
    client.map(Some).ok_or_else(|| {
        let sentence = "The application that sent you here is not known; tell those who run it.";
        OAuthError::new(ErrorCode::InvalidClient, sentence).caused_by("unknown or disabled client")
    })
}

/// Where the browser goes afterwards (§3): an address that is registered letter by letter (S-23).
fn onward(params: &Params<'_>, client: Option<&Client>) -> Result<Option<AuthorizationAnswer>, OAuthError> {
    let Some(uri) = params.optional("post_logout_redirect_uri")? else { return Ok(None) };
    let registered =
        client.map(|client| client.settings.post_logout_redirect_uris.as_slice()).unwrap_or_default();
    if !registered.iter().any(|known| known == uri) {
        let sentence =
            "The address to which the application wants to send you is not one that is registered for it.";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, sentence)
            .caused_by("post-logout redirect URI not registered, or no client named"));
    }
    let state = params.optional("state")?.map(|state| ("state", state.to_owned()));
    Ok(Some(AuthorizationAnswer {
        redirect_uri: uri.to_owned(),
        mode: ResponseMode::Query,
        params: state.into_iter().collect(),
    }))
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    document.insert("end_session_endpoint".into(), json!(engine.settings.issuer.url(PATH)));
}

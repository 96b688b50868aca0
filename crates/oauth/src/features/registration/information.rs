//! What a client is told of its registration (RFC 7591 §3.2.1, RFC 7592 §3): all that is registered, and not what it has asked for.

use obol_store::Client;
use serde_json::{Map, Value, json};

use super::PATH;
use crate::{ClientInformation, Engine};

/// What only the client knows, because hashes are kept of it.
pub(super) struct Shown<'a> {
    pub(super) token: &'a str,
    /// Its secret, where that was just made, or sent along.
    pub(super) secret: Option<&'a str>,
}

impl Shown<'_> {
    pub(super) fn information(&self, engine: &Engine, client: &Client) -> ClientInformation {
        let mut told = metadata(client);
        let mut say = |name: &str, value: Value| told.insert(name.to_owned(), value);
        let url = engine.settings.issuer.url(&format!("{PATH}/{}", client.id.as_str()));
        say("client_id", json!(client.id.as_str()));
        say("client_id_issued_at", json!(client.created_at.as_secs()));
        say("registration_access_token", json!(self.token));
        say("registration_client_uri", json!(url));
        if let Some(secret) = self.secret {
            say("client_secret", json!(secret));
        }
        if client.kind.secret().is_some() {
            say("client_secret_expires_at", json!(0));
        }
        ClientInformation(told)
    }
}

/// All metadata of the client (RFC 7591 §2).
fn metadata(client: &Client) -> Map<String, Value> {
    let settings = &client.settings;
    let mut told = Map::new();
    let mut say = |name: &str, value: Value| told.insert(name.to_owned(), value);
    let grants: Vec<_> = client.grants.iter().map(|grant| grant.as_str()).collect();
    let scopes: Vec<_> = client
        .default_scopes
        .iter()
        .chain(client.optional_scopes.iter())
        .map(|scope| scope.as_str())
        .collect();
    say("application_type", json!(settings.application_type));
    say("backchannel_logout_session_required", json!(settings.backchannel_logout_session_required));
    say("client_name", json!(client.name));
    say("grant_types", json!(grants));
    say("id_token_signed_response_alg", json!(settings.id_token_signed_response_alg));
    say("redirect_uris", json!(client.redirect_uris));
    // Every ID token says when the person signed in.
    say("require_auth_time", json!(true));
    say("require_pushed_authorization_requests", json!(settings.require_pushed_authorization_requests));
    say("require_signed_request_object", json!(settings.require_signed_request_object));
    say("response_types", json!(["code"]));
    say("scope", json!(scopes.join(" ")));
    say("subject_type", json!(settings.subject_type));
    let registration = settings.registration.as_ref();
    for (name, value) in [
        ("policy_uri", settings.policy_uri.as_ref().map(|uri| json!(uri))),
        ("tos_uri", settings.tos_uri.as_ref().map(|uri| json!(uri))),
        ("jwks", settings.jwks.clone()),
        ("jwks_uri", settings.jwks_uri.as_ref().map(|uri| json!(uri))),
        ("backchannel_logout_uri", settings.backchannel_logout_uri.as_ref().map(|uri| json!(uri))),
        ("default_max_age", settings.default_max_age_secs.map(|secs| json!(secs))),
        (
            "sector_identifier_uri",
            registration.and_then(|said| said.sector_identifier_uri.as_ref()).map(|uri| json!(uri)),
        ),
        ("request_object_signing_alg", settings.request_object_signing_alg.map(|alg| json!(alg))),
        ("token_endpoint_auth_method", settings.token_endpoint_auth_method.map(|method| json!(method))),
        ("userinfo_signed_response_alg", settings.userinfo_signed_response_alg.map(|alg| json!(alg))),
    ] {
        if let Some(value) = value {
            say(name, value);
        }
    }
    if !settings.request_uris.is_empty() {
        say("request_uris", json!(settings.request_uris));
    }
    if !settings.post_logout_redirect_uris.is_empty() {
        say("post_logout_redirect_uris", json!(settings.post_logout_redirect_uris));
    }
    told
}

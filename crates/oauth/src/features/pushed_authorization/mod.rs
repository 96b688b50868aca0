//! Pushed authorization requests: a client hands its request in itself, and the browser brings a reference. Home of RFC 9126.
//!
//! 1. The request is checked as far as that goes without a person, and kept (here).
//! 2. The browser brings the reference, and again after each page ([`brought`]). Only where there is a page the request outlasts
//!    its expiry.
//! 3. When the client gets its answer, the request is consumed: one answer for one reference.

mod brought;

use obol_keys::{GuessPolicy, RequestReference};
use obol_store::{Client, ClientKind, NewPushedRequest, PushOutcome};
use serde_json::{Map, Value, json};

pub(crate) use self::brought::Pushed;

use super::request_object::{self, Arriving};
use super::{ClientRule, Endpoint, Feature, Method, Part, Pending, Steps, authorization};
use crate::client_authentication::AuthenticatedClient;
use crate::engine::Call;
use crate::source_limit::SourceLimit;
use crate::{Answer, Engine, ErrorCode, OAuthError, Outcome, Params, PushedAnswer, Surface};

/// RFC 9126.
pub(super) const FEATURE: Feature = Feature {
    name: "pushed authorization requests",
    specification: "RFC 9126",
    endpoints: &[Endpoint {
        surface: Surface::Rfc,
        methods: &[Method::Post],
        path: PATH,
        steps: Steps::Authenticated {
            client: ClientRule::Authenticated,
            only_tells: false,
            part: |_| Part::Waiting(handle),
        },
    }],
    grants: &[],
    describe,
};

const PATH: &str = "/oauth2/par";

/// What stands before a reference in `request_uri` (§2.2).
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// The longest request that is kept, in bytes of its form.
const MOST_BYTES: usize = 16 * 1024;

/// So many requests of one client are kept at once.
const MOST_OF_A_CLIENT: u32 = 10_000;
/// And of one that no operator has added.
const MOST_OF_A_STRANGER: u32 = 200;

/// How a client authenticates is nobody's business later, and its credentials are not to be kept.
const NOT_KEPT: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// Anybody can push in the name of a public client: who brings none to its end is slowed down, before the client has no room
/// for others.
pub(crate) fn push_limit() -> SourceLimit {
    // Many people may share an address, and some of them give up.
    let policy =
        GuessPolicy { free_tries: 200, first_delay_secs: 1, longest_delay_secs: 60, forget_after_secs: 600 };
    let sentence = "Too many requests came from this address that no browser has brought to an end; wait.";
    SourceLimit::new(policy, sentence)
}

fn handle<'a>(call: &'a Call<'a>, client: AuthenticatedClient) -> Pending<'a> {
    Box::pin(async move { push(call, &client).await.map(Answer::Pushed).map(Outcome::Done) })
}

async fn push(call: &Call<'_>, client: &AuthenticatedClient) -> Result<PushedAnswer, OAuthError> {
    let (engine, arrival, params) = (call.engine, &call.request.arrival, &call.request.body);
    if params.optional("request_uri")?.is_some() {
        let sentence = "A pushed request holds the parameters themselves; leave `request_uri` out.";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, sentence));
    }
    let surface = call.request.endpoint.surface;
    let arriving = Arriving { client, params, surface, first_at: Some(arrival.now) };
    let object = request_object::read(engine, arriving).await?;
    // Its keys were waited for: what was changed meanwhile counts.
    let now = engine.replica.vouch()?.memory().client(client.id.as_str()).filter(|client| client.enabled);
    let now = now.ok_or_else(gone)?;
    request_object::refuse_if_changed(client, &now)?;
    let client = &*now;
    let params = object.as_ref().unwrap_or(params);
    authorization::check(engine, client, params, surface)?;
    let form = form_of(params)?;
    if anybody_may_push(client) {
        engine.pushes.count(arrival)?;
    }
    let (reference, lifetime_secs) =
        (RequestReference::generate(), engine.settings.pushed_request_lifetime_secs);
    let expires_at = arrival.now.plus_secs(i64::from(lifetime_secs));
    let request = NewPushedRequest {
        hash: reference.hash(),
        client_id: client.id.clone(),
        params: form,
        pushed_at: arrival.now,
        expires_at,
        most: if client.is_a_stranger() { MOST_OF_A_STRANGER } else { MOST_OF_A_CLIENT },
    };
    match engine.store.push_request(&request).await? {
        PushOutcome::Pushed => {
            let request_uri = format!("{PREFIX}{}", reference.text());
            Ok(PushedAnswer { request_uri, expires_in: lifetime_secs })
        }
        PushOutcome::TooMany => {
            let sentence = "Too many requests of this client wait for their browsers; push again later.";
            Err(OAuthError::new(ErrorCode::TooManyRequests, sentence).retry_after(lifetime_secs))
        }
        PushOutcome::Gone => Err(gone()),
    }
}

fn gone() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, "The client was disabled or deleted meanwhile.")
}

/// Whether pushing needs no leave of the operator: such pushes are counted by their source.
pub(crate) fn anybody_may_push(client: &Client) -> bool {
    client.kind == ClientKind::Public || client.is_a_stranger()
}

/// The parameters as they are kept.
///
/// # Errors
/// 413
fn form_of(params: &Params<'_>) -> Result<String, OAuthError> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for name in params.names().filter(|name| !NOT_KEPT.contains(name)) {
        form.extend_pairs(params.optional(name)?.map(|value| (name, value)));
    }
    let form = form.finish();
    if form.len() > MOST_BYTES {
        let sentence =
            format!("An authorization request has at most {MOST_BYTES} bytes; send a shorter one.");
        return Err(OAuthError::new(ErrorCode::ContentTooLarge, sentence));
    }
    Ok(form)
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    let settings = &engine.settings;
    document.insert("pushed_authorization_request_endpoint".into(), json!(settings.issuer.url(PATH)));
    let required = settings.require_pushed_authorization_requests;
    document.insert("require_pushed_authorization_requests".into(), json!(required));
}

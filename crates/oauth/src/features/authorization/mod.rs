//! The authorization endpoint (RFC 6749 §3.1, §4.1.1; OpenID Connect Core §3.1.2). Home of RFC 9207.
//!
//! 1. The client is known, and its request is found: as it is, signed (RFC 9101), or pushed (RFC 9126). Then the client is looked
//!    up again: what was changed while others were waited for counts.
//! 2. The redirect URI is checked; if it is not good, a page says so and nobody is redirected.
//! 3. The rest of the request is read: whatever is wrong goes back to the client from here on.
//! 4. [`deciding`] asks [`rules`] what comes next: somebody signs in, is asked, or the client gets its answer, for a pushed
//!    request once; and [`giving`] gives a code.
//!
//! Nothing is kept between two of these: the pages hand the whole request in each time, or the reference to one that was pushed.

mod claims_request;
mod deciding;
mod details;
mod giving;
mod pkce;
mod redirect_uri;
mod request;
mod rules;

use std::sync::Arc;

use obol_store::{AuditEvent, AuditRecord, Client};
use obol_token::Position;
use serde_json::{Map, Value, json};

pub(crate) use self::claims_request::ClaimsRequest;
pub(crate) use self::details::{CodeDetails, Granted};
pub(crate) use self::pkce::fits;
pub use self::redirect_uri::RedirectUriError;
pub(crate) use self::redirect_uri::{
    check_redirect_uri, destination_of, is_claimed, is_dot_segment, sector_of, unnamed_sector,
};
pub(crate) use self::request::{is_resource, parse_resource};

use self::deciding::Decided;
use self::request::{AuthorizationRequest, Return};
use super::{Endpoint, Feature, Method, PageKind, Steps};
use crate::features::client_id_metadata::{described_anew, find_described};
use crate::features::pushed_authorization::Pushed;
use crate::features::request_object::{self, Arriving};
use crate::{Authorized, Authorizing, Engine, ErrorCode, OAuthError, Params, ResponseMode, Surface};

/// RFC 6749 §3.1.
pub(super) const FEATURE: Feature = Feature {
    name: "authorization endpoint",
    specification: "RFC 6749 §3.1, RFC 7636, RFC 8707, RFC 9207, OpenID Connect Core §3.1.2, FortiAuthenticator authorize/",
    endpoints: &[
        Endpoint {
            surface: Surface::Rfc,
            methods: &[Method::Get, Method::Post],
            path: PATH,
            steps: Steps::Page(PageKind::Authorize),
        },
        Endpoint {
            surface: Surface::FortiAuthenticator,
            methods: &[Method::Get],
            path: FORTI_PATH,
            steps: Steps::Page(PageKind::Authorize),
        },
    ],
    grants: &[],
    describe,
};

const PATH: &str = "/oauth2/authorize";
pub(super) const FORTI_PATH: &str = "/api/v1/oauth/authorize";

/// What comes next for this request.
///
/// # Errors
/// What must be shown on a page: the client or its redirect URI is not good, or this node cannot vouch.
pub(crate) async fn authorize(engine: &Engine, asked: &Authorizing<'_>) -> Result<Authorized, OAuthError> {
    let client_id = asked.params.required("client_id")?;
    // Read before anything is looked up: whatever is denied from then on refuses what is given here.
    let position = engine.replica.vouch()?.position();
    let described = find_described(engine, client_id, asked.arrival.now).await?;
    let client = find_client(engine, client_id, described.as_ref())?;
    let pushed = Pushed::find(engine, asked, &client).await?;
    let signed = match &pushed {
        Some(_) => Ok(None),
        None => signed_params(engine, asked, &client).await,
    };
    // Step 1 ends: it may have been changed while its object or its keys were fetched.
    let before = client;
    let client = find_client(engine, client_id, described.as_ref())?;
    let held = match &pushed {
        Some(pushed) => Some(pushed.params()?),
        None => match request_object::refuse_if_changed(&before, &client).and(signed) {
            Ok(object) => object,
            Err(error) => return refuse_object(engine, asked, &client, position, error),
        },
    };
    let params = held.as_ref().unwrap_or(asked.params);
    let way_back = Return::parse(engine, &client, params, asked.surface)?;
    let going = Going { engine, asked, params, pushed: pushed.is_some(), client: &client, position };
    let decided = match going.decide(&way_back).await {
        Ok(Decided::Show(page)) => {
            if let Some(pushed) = &pushed {
                pushed.hold(engine, &client, asked).await?;
            }
            return Ok(*page);
        }
        Ok(Decided::Give(giving)) => Ok(giving),
        Err(error) => Err(error),
    };
    // What follows is an answer for the client.
    if let Some(pushed) = &pushed {
        pushed.consume(engine, &client, &asked.arrival).await?;
    }
    let given = match decided {
        Ok(giving) => going.give(*giving, &way_back).await,
        Err(error) => Err(error),
    };
    Ok(given.unwrap_or_else(|error| going.refused(&error, &way_back)))
}

async fn signed_params(
    engine: &Engine,
    asked: &Authorizing<'_>,
    client: &Client,
) -> Result<Option<Params<'static>>, OAuthError> {
    let first_at = asked.arrives_first.then_some(asked.arrival.now);
    let arriving = Arriving { client, params: asked.params, surface: asked.surface, first_at };
    request_object::read(engine, arriving).await
}

/// What the object says is not to be trusted, so it is refused where the parameters beside it say, if they name a good redirect
/// URI, and else on a page.
fn refuse_object(
    engine: &Engine,
    asked: &Authorizing<'_>,
    client: &Client,
    position: Position,
    error: OAuthError,
) -> Result<Authorized, OAuthError> {
    let Ok(way_back) = Return::parse(engine, client, asked.params, asked.surface) else {
        return Err(error);
    };
    let going = Going { engine, asked, params: asked.params, pushed: false, client, position };
    Ok(going.refused(&error, &way_back))
}

/// Checks what can be checked of a request without a person, and without a browser.
///
/// # Errors
/// As the authorization endpoint has them, for a page or for the client.
pub(crate) fn check(
    engine: &Engine,
    client: &Client,
    params: &Params<'_>,
    surface: Surface,
) -> Result<(), OAuthError> {
    Return::parse(engine, client, params, surface)?;
    AuthorizationRequest::parse(engine, client, params, surface).map(drop)
}

/// The client as it is known at this moment, and as the document describes it that has come for it.
///
/// # Errors
/// For a page: it is not known, or disabled; 503 when this node cannot vouch.
fn find_client(
    engine: &Engine,
    client_id: &str,
    described: Option<&Client>,
) -> Result<Arc<Client>, OAuthError> {
    let client = match (engine.replica.vouch()?.memory().client(client_id), described) {
        (Some(known), _) if !known.enabled => None,
        (Some(known), described) if known.settings.from_metadata_document => {
            described.map(|described| Arc::new(described_anew(&known, described.clone())))
        }
        (Some(registered), _) => Some(registered),
        (None, described) => described.cloned().map(Arc::new),
    };
    client.ok_or_else(|| {
        let sentence = "The application that sent you here is not known; tell those who run it.";
        OAuthError::new(ErrorCode::InvalidClient, sentence).caused_by("unknown or disabled client")
    })
}

/// A request whose client and redirect URI are good.
struct Going<'a> {
    engine: &'a Engine,
    asked: &'a Authorizing<'a>,
    /// What the client asks for: the browser's parameters, or those that were pushed.
    params: &'a Params<'a>,
    pushed: bool,
    client: &'a Client,
    position: Position,
}

impl Going<'_> {
    /// Sends the client an error.
    fn refused(&self, error: &OAuthError, way_back: &Return) -> Authorized {
        self.audit(AuditEvent::CodeRefused, Err(error));
        Authorized::Answer(way_back.refusal(error))
    }

    fn audit(&self, event: AuditEvent, outcome: Result<(), &OAuthError>) {
        let arrival = &self.asked.arrival;
        self.engine.audit(
            arrival,
            AuditRecord {
                done: outcome.is_ok(),
                reason: outcome.err().map(|error| error.reason().to_owned().into()),
                client_id: Some(self.client.id.as_str().to_owned()),
                username: self.asked.person.map(|person| person.username.clone()),
                ..AuditRecord::new(event, arrival.now)
            },
        );
    }
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    document.insert("authorization_endpoint".into(), json!(engine.settings.issuer.url(PATH)));
    document.insert("response_types_supported".into(), json!(["code"]));
    document.insert("response_modes_supported".into(), json!(ResponseMode::ALL.map(ResponseMode::name)));
    document.insert("code_challenge_methods_supported".into(), json!(["S256"]));
    document.insert("authorization_response_iss_parameter_supported".into(), json!(true));
}

//! The token endpoint (RFC 6749 §3.2) and `token/` of FortiAuthenticator. Home of RFC 6749.
//!
//! It finds the grant and leaves the rest to it. Whatever a grant refuses is audited here, once.

use obol_store::{AuditEvent, AuditRecord};
use obol_token::{ClientId, Scratch};
use serde_json::{Map, Value, json};

use super::{ClientRule, Endpoint, Feature, Grant, Method, Part, Pending, Steps, grant_types};
use crate::client_authentication::{AuthenticatedClient, describe_methods};
use crate::engine::Call;
use crate::{Answer, Engine, ErrorCode, Issuer, OAuthError, Request, Surface};

/// RFC 6749 §3.2 and §5.
pub(super) const FEATURE: Feature = Feature {
    name: "token endpoint",
    specification: "RFC 6749 §3.2, FortiAuthenticator token/",
    endpoints: &[
        Endpoint {
            surface: Surface::FortiAuthenticator,
            methods: &[Method::Post],
            path: FORTI_PATH,
            steps: Steps::Authenticated { client: ClientRule::Named, only_tells: false, part },
        },
        Endpoint {
            surface: Surface::Rfc,
            methods: &[Method::Post],
            path: PATH,
            steps: Steps::Authenticated { client: ClientRule::Authenticated, only_tells: false, part },
        },
    ],
    grants: &[],
    describe,
};

const PATH: &str = "/oauth2/token";
const FORTI_PATH: &str = "/api/v1/oauth/token";

fn part(request: &Request<'_>) -> Part {
    match named_grant(request) {
        Ok(Grant { part: Part::Waiting(_), .. }) => Part::Waiting(handle_waiting),
        Ok(Grant { part: Part::AtOnce(_), .. }) | Err(_) => Part::AtOnce(handle_at_once),
    }
}

fn handle_at_once<'a>(
    call: &Call<'a>,
    client: &AuthenticatedClient,
    scratch: &'a mut Scratch,
) -> Result<Answer<'a>, OAuthError> {
    let answered = allowed_grant(call, client).and_then(|grant| match grant.part {
        Part::AtOnce(issue) => issue(call, client, scratch),
        Part::Waiting(_) => Err(OAuthError::new(ErrorCode::ServerError, "This grant waits.")),
    });
    answered.inspect_err(|error| audit_refused(call, &client.id, error))
}

fn handle_waiting<'a>(call: &'a Call<'a>, client: AuthenticatedClient) -> Pending<'a> {
    Box::pin(async move {
        let id = client.id.clone();
        let outcome = match allowed_grant(call, &client).map(|grant| grant.part) {
            Ok(Part::Waiting(issue)) => issue(call, client).await,
            Ok(Part::AtOnce(_)) => Err(OAuthError::new(ErrorCode::ServerError, "This grant does not wait.")),
            Err(error) => Err(error),
        };
        outcome.inspect_err(|error| audit_refused(call, &id, error))
    })
}

fn audit_refused(call: &Call<'_>, client: &ClientId, error: &OAuthError) {
    let arrival = &call.request.arrival;
    call.engine.audit(
        arrival,
        AuditRecord {
            done: false,
            reason: Some(error.reason().to_owned().into()),
            client_id: Some(client.as_str().to_owned()),
            ..AuditRecord::new(AuditEvent::TokenRefused, arrival.now)
        },
    );
}

/// The grant that a request names.
fn named_grant(request: &Request<'_>) -> Result<&'static Grant, OAuthError> {
    let name = request.body.required("grant_type")?;
    let surface = request.endpoint.surface;
    let grant = grant_types().find(|grant| grant.name == name && grant.surfaces.contains(&surface));
    grant.ok_or_else(|| {
        let sentence = "The value of `grant_type` is not one that this endpoint knows.";
        OAuthError::new(ErrorCode::UnsupportedGrantType, sentence)
    })
}

fn allowed_grant(call: &Call<'_>, client: &AuthenticatedClient) -> Result<&'static Grant, OAuthError> {
    let grant = named_grant(call.request)?;
    match client.grants.iter().any(|allowed| allowed.as_str() == grant.name) {
        true => Ok(grant),
        false => {
            let name = grant.name;
            let sentence = format!("This client may not use the grant type `{name}`; have it allowed.");
            Err(OAuthError::new(ErrorCode::UnauthorizedClient, sentence))
        }
    }
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    let grants: Vec<_> = grant_types()
        .filter(|grant| grant.surfaces.contains(&Surface::Rfc))
        .map(|grant| grant.name)
        .collect();
    document.insert("token_endpoint".into(), json!(url(engine.issuer(), Surface::Rfc)));
    document.insert("grant_types_supported".into(), json!(grants));
    describe_methods(document, "token_endpoint", true);
}

/// Where it is, as the discovery document of this surface says.
pub(crate) fn url(issuer: &Issuer, surface: Surface) -> String {
    match surface {
        Surface::Rfc => issuer.url(PATH),
        // Its own URLs end in a slash.
        Surface::FortiAuthenticator => issuer.url(FORTI_PATH) + "/",
    }
}

//! The token endpoint (RFC 6749 §3.2) and `token/` of FortiAuthenticator. Home of RFC 6749.
//!
//! It finds the grant and leaves the rest to it. Whatever a grant refuses is audited here, once.

use obol_store::{AuditEvent, AuditRecord};
use serde_json::{Map, Value, json};

use super::{ClientRule, Endpoint, Feature, Grant, Method, Pending, Steps, grant_types};
use crate::client_authentication::AuthenticatedClient;
use crate::engine::Call;
use crate::{Engine, ErrorCode, OAuthError, Surface};

/// RFC 6749 §3.2 and §5.
pub(super) const FEATURE: Feature = Feature {
    name: "token endpoint",
    specification: "RFC 6749 §3.2, FortiAuthenticator token/",
    endpoints: &[
        Endpoint {
            surface: Surface::FortiAuthenticator,
            method: Method::Post,
            path: "/api/v1/oauth/token",
            steps: Steps::Authenticated { client: ClientRule::Named, handle },
        },
        Endpoint {
            surface: Surface::Rfc,
            method: Method::Post,
            path: PATH,
            steps: Steps::Authenticated { client: ClientRule::Authenticated, handle },
        },
    ],
    grants: &[],
    describe,
};

const PATH: &str = "/oauth2/token";

fn handle<'a>(call: &'a Call<'a>, client: AuthenticatedClient) -> Pending<'a> {
    Box::pin(async move {
        let id = client.id.clone();
        let outcome = match find_grant(call, &client) {
            Ok(grant) => (grant.handle)(call, client).await,
            Err(error) => Err(error),
        };
        outcome.inspect_err(|error| {
            let now = call.request.arrival.now;
            let reason = error.reason().to_owned();
            call.engine.audit(
                &call.request.arrival,
                AuditRecord {
                    done: false,
                    reason: Some(reason.into()),
                    client_id: Some(id.as_str().to_owned()),
                    ..AuditRecord::new(AuditEvent::TokenRefused, now)
                },
            );
        })
    })
}

fn find_grant(call: &Call<'_>, client: &AuthenticatedClient) -> Result<&'static Grant, OAuthError> {
    let name = call.request.body.required("grant_type")?;
    let surface = call.request.endpoint.surface;
    let grant = grant_types().find(|grant| grant.name == name && grant.surfaces.contains(&surface));
    let Some(grant) = grant else {
        let sentence = "The value of `grant_type` is not one that this endpoint knows.";
        return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, sentence));
    };
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
    document.insert("token_endpoint".into(), json!(engine.settings.issuer.url(PATH)));
    document.insert("grant_types_supported".into(), json!(grants));
    let methods = ["none", "client_secret_basic", "client_secret_post"];
    document.insert("token_endpoint_auth_methods_supported".into(), json!(methods));
}

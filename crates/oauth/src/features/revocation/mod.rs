//! Token revocation (RFC 7009) and `revoke_token/` of FortiAuthenticator. Home of RFC 7009.
//!
//! 1. The client authenticates (engine).
//! 2. The token is found by what it is; `token_type_hint` is a hint and is not needed (§2.1).
//! 3. [`obol_token::decide_revocation`] says what must be denied.
//! 4. The denial is appended.
//! 5. Every node confirms it. Only then is there a [`Revoked`](obol_replica::Revoked), and only with it a 200.

pub(crate) mod rules;

use obol_store::{AuditEvent, AuditRecord};
use obol_token::Authority;
use serde_json::{Map, Value, json};

use self::rules::{Target, Verdict, carry_out, find_target};
use super::{ClientRule, Endpoint, Feature, Method, Part, Pending, Steps};
use crate::client_authentication::{AuthenticatedClient, describe_methods};
use crate::engine::Call;
use crate::{Answer, Engine, OAuthError, Outcome, RevocationDone, Surface};

/// RFC 7009.
pub(super) const FEATURE: Feature = Feature {
    name: "token revocation",
    specification: "RFC 7009, FortiAuthenticator revoke_token/",
    endpoints: &[
        Endpoint {
            surface: Surface::FortiAuthenticator,
            methods: &[Method::Post],
            path: "/api/v1/oauth/revoke_token",
            steps: Steps::Authenticated {
                client: ClientRule::Authenticated,
                only_tells: false,
                part: |_| Part::Waiting(handle),
            },
        },
        Endpoint {
            surface: Surface::Rfc,
            methods: &[Method::Post],
            path: PATH,
            steps: Steps::Authenticated {
                client: ClientRule::Authenticated,
                only_tells: false,
                part: |_| Part::Waiting(handle),
            },
        },
    ],
    grants: &[],
    describe,
};

const PATH: &str = "/oauth2/revoke";

fn handle<'a>(call: &'a Call<'a>, client: AuthenticatedClient) -> Pending<'a> {
    Box::pin(async move {
        let token = call.request.body.required("token")?;
        let (store, now) = (&*call.engine.store, call.request.arrival.now);
        let authority = Authority::Client(&client.id);
        let target = find_target(call.vouched.memory(), store, token, authority, now).await?;
        let done = revoke(call, &target.verdict).await;
        audit(call, &client, &target, &done);
        Ok(Outcome::Done(Answer::Revocation(done?)))
    })
}

async fn revoke(call: &Call<'_>, verdict: &Verdict) -> Result<RevocationDone, OAuthError> {
    match carry_out(verdict, &*call.engine.store, call.request.arrival.now).await? {
        Some(appended) => Ok(RevocationDone::Revoked(call.engine.replica.confirm(appended).await?)),
        None => Ok(RevocationDone::NothingToRevoke),
    }
}

fn audit(
    call: &Call<'_>,
    client: &AuthenticatedClient,
    target: &Target,
    done: &Result<RevocationDone, OAuthError>,
) {
    let (event, reason) = match (done, &target.verdict) {
        (Err(error), _) => (AuditEvent::RevocationRefused, Some(error.reason().to_owned().into())),
        (Ok(RevocationDone::Revoked(_)), Verdict::AlreadyDenied(_)) => {
            (AuditEvent::TokenRevoked, Some("was revoked before".into()))
        }
        (Ok(RevocationDone::Revoked(_)), _) => (AuditEvent::TokenRevoked, None),
        (Ok(RevocationDone::NothingToRevoke), Verdict::NotYours) => {
            (AuditEvent::RevocationRefused, Some("the token belongs to another client".into()))
        }
        (Ok(RevocationDone::NothingToRevoke), Verdict::Unknown) => {
            (AuditEvent::RevocationEmpty, Some("the token is not known".into()))
        }
        (Ok(RevocationDone::NothingToRevoke), _) => {
            (AuditEvent::RevocationEmpty, Some("the token has expired".into()))
        }
    };
    let position = match done {
        Ok(RevocationDone::Revoked(revoked)) => Some(revoked.position()),
        Ok(RevocationDone::NothingToRevoke) | Err(_) => None,
    };
    call.engine.audit(
        &call.request.arrival,
        AuditRecord {
            done: position.is_some(),
            reason,
            client_id: Some(client.id.as_str().to_owned()),
            username: target.username.clone(),
            token_id: target.token_id,
            family: target.family,
            position,
            ..AuditRecord::new(event, call.request.arrival.now)
        },
    );
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    document.insert("revocation_endpoint".into(), json!(engine.settings.issuer.url(PATH)));
    describe_methods(document, "revocation_endpoint", true);
}

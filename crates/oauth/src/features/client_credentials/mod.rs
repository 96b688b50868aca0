//! The client credentials grant (RFC 6749 §4.4): a confidential client acts for itself. Issues without a write.

use obol_store::{AuditEvent, AuditRecord, ClientKind};
use obol_token::Scratch;

use super::{Feature, Grant, Part, nothing};
use crate::client_authentication::AuthenticatedClient;
use crate::engine::Call;
use crate::issue::{Issue, decide_resource};
use crate::scopes::{decide_granted, parse_requested};
use crate::{Answer, ErrorCode, OAuthError, Surface, TokenAnswer};

/// RFC 6749 §4.4.
pub(super) const FEATURE: Feature = Feature {
    name: "client credentials grant",
    specification: "RFC 6749 §4.4",
    endpoints: &[],
    grants: &[Grant {
        name: "client_credentials",
        surfaces: &[Surface::Rfc],
        confidential_only: true,
        part: Part::AtOnce(issue),
    }],
    describe: nothing,
};

fn issue<'a>(
    call: &Call<'a>,
    client: &AuthenticatedClient,
    _scratch: &'a mut Scratch,
) -> Result<Answer<'a>, OAuthError> {
    if client.kind == ClientKind::Public {
        let sentence = "A public client cannot act for itself; use a confidential one.";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, sentence));
    }
    let scopes = decide_granted(client, parse_requested(&call.request.body)?.as_ref())?;
    let now = call.request.arrival.now;
    let position = call.vouched.position();
    let issue = Issue {
        client,
        person: None,
        scopes: &scopes,
        family: None,
        resource: decide_resource(&call.request.body, client, None)?,
        surface: call.request.endpoint.surface,
        granted: None,
        position,
        now,
    };
    let token = issue.seal(call.engine)?;
    call.engine.audit(
        &call.request.arrival,
        AuditRecord {
            client_id: Some(client.id.as_str().to_owned()),
            token_id: Some(token.id),
            reason: Some("client_credentials".into()),
            ..AuditRecord::new(AuditEvent::TokenIssued, now)
        },
    );
    Ok(Answer::Token(TokenAnswer {
        access_token: token.text,
        expires_in: token.expires_in,
        id_token: None,
        refresh_token: None,
        scope: scopes.to_string(),
    }))
}

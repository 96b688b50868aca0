//! Giving the client its code.

use obol_keys::AuthorizationCode;
use obol_store::{AddCodeOutcome, AuditEvent, Consent, NewCode};
use obol_token::Scopes;

use super::deciding::sentence_of;
use super::request::{AuthorizationRequest, Return};
use super::{CodeDetails, Going};
use crate::features::client_id_metadata::admit;
use crate::{Authorized, ErrorCode, OAuthError, SignedIn, Surface};

/// A code that is about to be given.
pub(super) struct Giving<'a> {
    pub(super) request: AuthorizationRequest,
    pub(super) person: &'a SignedIn,
    /// What the person has allowed the client before.
    pub(super) consent: Option<Consent>,
}

impl Going<'_> {
    pub(super) async fn give(
        &self,
        Giving { request, person, consent }: Giving<'_>,
        way_back: &Return,
    ) -> Result<Authorized, OAuthError> {
        let now = self.asked.arrival.now;
        if let Some(event) = admit(self.engine, self.client).await? {
            self.audit(event, Ok(()));
        }
        // A code needs the row. What it says was allowed is what somebody was asked for.
        let allowed = if self.must_ask() { request.told.clone() } else { Scopes::default() };
        if consent.as_ref().is_none_or(|consent| !allowed.is_subset(&consent.scopes)) {
            let (subject, client_id) = (person.subject, self.client.id.clone());
            let consent = Consent { subject, client_id, scopes: allowed, given_at: now };
            self.engine.store.give_consent(&consent).await?;
        }
        let code = AuthorizationCode::generate();
        let details = CodeDetails::new(&request, way_back, person, self.asked.surface);
        let stored = NewCode {
            hash: code.hash(),
            client_id: self.client.id.clone(),
            subject: person.subject,
            session: person.session,
            details: details.to_text()?,
            issued_at: now,
            expires_at: now.plus_secs(i64::from(self.engine.settings.code_lifetime_secs)),
            position: self.position,
        };
        match self.engine.store.add_code(&stored).await? {
            AddCodeOutcome::Added => {
                self.audit(AuditEvent::CodeIssued, Ok(()));
                let mut params = vec![("code", code.text())];
                // FortiAuthenticator says it on the way back; RFC 6749 §4.1.2 has no such parameter.
                if self.asked.surface == Surface::FortiAuthenticator && !request.scopes.is_empty() {
                    params.push(("scope", request.scopes.to_string()));
                }
                Ok(Authorized::Answer(way_back.answer(params)))
            }
            // Session or person are gone since the browser showed its cookie. What was pushed is consumed, and no page goes on.
            AddCodeOutcome::Gone if request.prompt.none || self.pushed => {
                Err(OAuthError::new(ErrorCode::LoginRequired, sentence_of(ErrorCode::LoginRequired)))
            }
            AddCodeOutcome::Gone => Ok(Authorized::SignIn(self.sign_in_asked(&request, None, way_back))),
        }
    }
}

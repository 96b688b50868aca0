//! The authorization code grant at the token endpoint (RFC 6749 §4.1.3).
//!
//! Everything that the presenter has to show is checked before the code is used: so a replay with a wrong verifier, or by another
//! client, ends nothing (S-25). The use itself is one guarded write, which begins the family.

use obol_keys::{AuthorizationCode, RefreshToken};
use obol_store::{AuditEvent, AuditRecord, Code, NewFamily, RedeemOutcome, Redemption, User};
use obol_token::{Expiry, FamilyId, Scopes, TokenId};

use super::authorization::{CodeDetails, fits};
use super::backchannel_logout::told_of_end;
use super::id_token::{IdToken, name_of};
use super::{Feature, Grant, Part, Pending, nothing};
use crate::client_authentication::AuthenticatedClient;
use crate::engine::Call;
use crate::issue::{Issue, decide_refreshable, decide_resource};
use crate::scopes::still_attached;
use crate::{Answer, ErrorCode, OAuthError, Outcome, Person, Surface, TokenAnswer};

/// RFC 6749 §4.1.
pub(super) const FEATURE: Feature = Feature {
    name: "authorization code grant",
    specification: "RFC 6749 §4.1, RFC 7636, FortiAuthenticator token/",
    endpoints: &[],
    grants: &[Grant {
        name: "authorization_code",
        surfaces: &[Surface::FortiAuthenticator, Surface::Rfc],
        confidential_only: false,
        part: Part::Waiting(handle),
    }],
    describe: nothing,
};

/// A use so soon after the first is the same request sent twice, by a page that was loaded again: it is refused and ends nothing.
const RACE_SECS: u32 = 2;

fn handle<'a>(call: &'a Call<'a>, client: AuthenticatedClient) -> Pending<'a> {
    Box::pin(async move {
        let presented = call.request.body.required("code")?;
        let code = AuthorizationCode::parse(presented).ok_or_else(|| not_good("malformed"))?;
        let redeeming = Redeeming::shown(call, &client, &code).await?;
        redeeming.redeem(&code).await.map(Answer::Token).map(Outcome::Done)
    })
}

/// A code whose presenter has shown all that it must.
struct Redeeming<'a> {
    call: &'a Call<'a>,
    client: &'a AuthenticatedClient,
    stored: Code,
    details: CodeDetails,
    scopes: Scopes,
    user: User,
}

impl<'a> Redeeming<'a> {
    async fn shown(
        call: &'a Call<'a>,
        client: &'a AuthenticatedClient,
        code: &AuthorizationCode,
    ) -> Result<Self, OAuthError> {
        let (store, body) = (&call.engine.store, &call.request.body);
        let stored = store.find_code(code.hash()).await?.ok_or_else(|| not_good("unknown"))?;
        if stored.client_id != client.id {
            return Err(not_good("of another client"));
        }
        let mut details = CodeDetails::read(&stored.details)?;
        let lifetime_secs = client.settings.family_lifetime_secs.map(|secs| i64::from(secs.get()));
        details.granted.ends_at =
            lifetime_secs.map(|secs| call.request.arrival.now.plus_secs(secs).as_secs());
        match body.optional("redirect_uri")? {
            Some(repeated) if repeated == details.redirect_uri => {}
            None if !details.redirect_uri_sent => {}
            Some(_) | None => return Err(not_good("another redirect_uri, or none")),
        }
        if !fits(details.challenge.as_deref(), body.optional("code_verifier")?) {
            return Err(not_good("the code_verifier does not fit"));
        }
        let user = store.find_user_by_id(stored.subject).await?.filter(|user| user.enabled);
        let user = user.ok_or_else(|| not_good("the person is disabled or deleted"))?;
        let scopes = still_attached(client, &details.scopes()?);
        Ok(Self { call, client, stored, details, scopes, user })
    }

    async fn redeem(self, code: &AuthorizationCode) -> Result<TokenAnswer, OAuthError> {
        let (call, now) = (self.call, self.call.request.arrival.now);
        let refresh_token = RefreshToken::generate();
        let family = self.family(&refresh_token)?;
        let id = family.id;
        let (answer, token_id) = self.answer(id, &refresh_token)?;
        let told_of_end = told_of_end(self.client, self.details.granted.surface);
        let redemption = Redemption { hash: code.hash(), family, told_of_end, grace_secs: RACE_SECS, now };
        let record = AuditRecord {
            client_id: Some(self.client.id.as_str().to_owned()),
            username: Some(self.user.username.as_str().to_owned()),
            family: Some(id),
            ..AuditRecord::new(AuditEvent::TokenIssued, now)
        };
        match call.engine.store.redeem_code(&redemption).await? {
            RedeemOutcome::First(replaced) => {
                if let Some(replaced) = replaced {
                    let _revoked = call.engine.replica.confirm(replaced).await?;
                }
                let (token_id, reason) = (Some(token_id), Some("authorization_code".into()));
                call.engine.audit(&call.request.arrival, AuditRecord { token_id, reason, ..record });
                Ok(answer)
            }
            RedeemOutcome::Reused(appended) => {
                let revoked = call.engine.replica.confirm(appended).await;
                let record = AuditRecord {
                    event: AuditEvent::CodeReused,
                    family: self.stored.family,
                    position: Some(appended.position()),
                    reason: Some("a code was used again; what it gave has ended".into()),
                    ..record
                };
                call.engine.audit(&call.request.arrival, record);
                let _revoked = revoked?;
                Err(not_good("used before"))
            }
            RedeemOutcome::Raced => Err(not_good("used at the same time")),
            RedeemOutcome::Expired => Err(not_good("expired")),
            RedeemOutcome::Gone => Err(not_good("session, consent, person or client are gone")),
            RedeemOutcome::Unknown => Err(not_good("unknown")),
        }
    }

    fn family(&self, refresh_token: &RefreshToken) -> Result<NewFamily, OAuthError> {
        let (client, now) = (self.client, self.call.request.arrival.now);
        let granted = &self.details.granted;
        Ok(NewFamily {
            id: FamilyId::from_bytes(obol_keys::random_bytes()),
            client_id: client.id.clone(),
            subject: self.stored.subject,
            scopes: self.scopes.clone(),
            lineage: refresh_token.lineage_hash(),
            current: refresh_token.hash(),
            issued_at: now,
            refresh_expires_at: match decide_refreshable(client) {
                true => granted.capped(client.refresh_token_lifetime.from(now)),
                false => Expiry::At(now),
            },
            access_expires_at: client.access_token_lifetime.from(now),
            single: client.single_family,
            session: Some(self.stored.session),
            details: granted.to_text()?,
            // What was denied since the person gave the code ends what it gives.
            position: self.stored.position,
        })
    }

    fn answer(
        &self,
        family: FamilyId,
        refresh_token: &RefreshToken,
    ) -> Result<(TokenAnswer, TokenId), OAuthError> {
        let (call, client, granted) = (self.call, self.client, &self.details.granted);
        let now = call.request.arrival.now;
        let username = name_of(call.engine, client, self.user.id, self.user.username.as_str())?;
        let person = Person { subject: self.user.id, username };
        let issue = Issue {
            client,
            person: Some(&person),
            scopes: &self.scopes,
            family: Some(family),
            resource: decide_resource(&call.request.body, client, Some(granted))?,
            surface: granted.surface,
            granted: Some(granted),
            position: self.stored.position,
            now,
        };
        let token = issue.seal(call.engine)?;
        let id_token = IdToken {
            client,
            user: &self.user,
            granted,
            nonce: self.details.nonce.as_deref(),
            session: Some(self.stored.session),
            access_token: &token.text,
            now,
        };
        let answer = TokenAnswer {
            id_token: id_token.sign_if_asked(call.engine, &self.scopes)?,
            access_token: token.text,
            expires_in: token.expires_in,
            refresh_token: decide_refreshable(client).then(|| refresh_token.text()),
            scope: self.scopes.to_string(),
        };
        Ok((answer, token.id))
    }
}

fn not_good(cause: &'static str) -> OAuthError {
    let sentence = "The code is not good here: unknown, expired, used, or shown without what belongs to it; \
                    let the person sign in again.";
    OAuthError::new(ErrorCode::InvalidGrant, sentence).caused_by(cause)
}

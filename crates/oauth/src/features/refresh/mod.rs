//! The refresh grant (RFC 6749 §6) with rotation (RFC 9700 §4.14).
//!
//! Each use gives a new pair. The token just replaced gets the same answer again for a short window, so that a lost answer
//! does no harm; presented later it is a reuse, and ends the family. The window never covers a family that has ended.

use obol_keys::RefreshToken;
use obol_store::{AuditEvent, AuditRecord, Family, RotateOutcome, Rotation, User};
use obol_token::TokenId;
use zeroize::Zeroizing;

use super::authorization::Granted;
use super::id_token::{IdToken, name_of};
use super::{Feature, Grant, Part, Pending, nothing};
use crate::client_authentication::AuthenticatedClient;
use crate::engine::Call;
use crate::issue::{Issue, decide_resource};
use crate::scopes::{decide_narrowed, parse_requested, still_attached};
use crate::{Answer, ErrorCode, OAuthError, Outcome, Person, Surface, TokenAnswer};

/// RFC 6749 §6.
pub(super) const FEATURE: Feature = Feature {
    name: "refresh grant",
    specification: "RFC 6749 §6, FortiAuthenticator token/",
    endpoints: &[],
    grants: &[Grant {
        name: "refresh_token",
        surfaces: &[Surface::FortiAuthenticator, Surface::Rfc],
        confidential_only: false,
        part: Part::Waiting(handle),
    }],
    describe: nothing,
};

fn handle<'a>(call: &'a Call<'a>, client: AuthenticatedClient) -> Pending<'a> {
    Box::pin(async move {
        let presented = call.request.body.required("refresh_token")?;
        let presented = RefreshToken::parse(presented).ok_or_else(|| not_good("malformed"))?;
        refresh(call, &client, &presented).await.map(Answer::Token).map(Outcome::Done)
    })
}

async fn refresh(
    call: &Call<'_>,
    client: &AuthenticatedClient,
    presented: &RefreshToken,
) -> Result<TokenAnswer, OAuthError> {
    let store = &call.engine.store;
    let family = store.find_family(presented.lineage_hash()).await?.ok_or_else(|| not_good("unknown"))?;
    if family.client_id != client.id {
        return Err(not_good("of another client"));
    }
    let user = store.find_user_by_id(family.subject).await?.filter(|user| user.enabled);
    let user = user.ok_or_else(|| not_good("the person is disabled or deleted"))?;
    let granted = Granted::read(&family.details)?;
    if granted.as_ref().is_some_and(|granted| granted.is_over(call.request.arrival.now)) {
        return Err(not_good("its family has reached its end"));
    }
    let next = presented.next();
    let refreshed = Refreshed { call, client, user: &user, family: &family, granted: granted.as_ref() };
    let (answer, token_id) = refreshed.answer(&next)?;
    let rotation = refreshed.rotation(presented, &next, &answer)?;
    let record = AuditRecord {
        client_id: Some(client.id.as_str().to_owned()),
        username: Some(user.username.as_str().to_owned()),
        family: Some(family.id),
        ..AuditRecord::new(AuditEvent::TokenIssued, call.request.arrival.now)
    };
    match store.rotate_refresh(&rotation).await? {
        RotateOutcome::First => {
            let (token_id, reason) = (Some(token_id), Some("refresh_token".into()));
            call.engine.audit(&call.request.arrival, AuditRecord { token_id, reason, ..record });
            Ok(answer)
        }
        RotateOutcome::Replay(sealed) => {
            let (event, reason) =
                (AuditEvent::TokenRepeated, Some("presented again within the window".into()));
            call.engine.audit(&call.request.arrival, AuditRecord { event, reason, ..record });
            let opened = presented.open_answer(sealed).ok_or_else(|| not_good("stored answer unreadable"))?;
            serde_json::from_slice(&opened).map_err(|_| not_good("stored answer unreadable"))
        }
        RotateOutcome::Reused(appended) => {
            let revoked = call.engine.replica.confirm(appended).await;
            let (event, position) = (AuditEvent::FamilyReused, Some(appended.position()));
            let reason = Some("a replaced refresh token was presented; the family has ended".into());
            call.engine.audit(&call.request.arrival, AuditRecord { event, position, reason, ..record });
            let _revoked = revoked?;
            Err(not_good("reused"))
        }
        #[cfg(feature = "planted-bugs")]
        RotateOutcome::Ended if obol_planted::Bug::RefreshSkipsCheck.is_on() => Ok(answer),
        RotateOutcome::Ended => Err(not_good("revoked")),
        RotateOutcome::Expired => Err(not_good("expired")),
        RotateOutcome::Unknown => Err(not_good("unknown")),
    }
}

/// A family whose refresh token is exchanged.
struct Refreshed<'a> {
    call: &'a Call<'a>,
    client: &'a AuthenticatedClient,
    user: &'a User,
    family: &'a Family,
    granted: Option<&'a Granted>,
}

impl Refreshed<'_> {
    fn answer(&self, next: &RefreshToken) -> Result<(TokenAnswer, TokenId), OAuthError> {
        let (call, client, granted) = (self.call, self.client, self.granted);
        let (body, now) = (&call.request.body, call.request.arrival.now);
        let attached = still_attached(client, &self.family.scopes);
        let scopes = decide_narrowed(&attached, parse_requested(body)?.as_ref())?;
        let username = name_of(call.engine, client, self.user.id, self.user.username.as_str())?;
        let person = Person { subject: self.user.id, username };
        let issue = Issue {
            client,
            person: Some(&person),
            scopes: &scopes,
            family: Some(self.family.id),
            resource: decide_resource(body, client, granted)?,
            surface: granted.map_or(call.request.endpoint.surface, |granted| granted.surface),
            granted,
            position: call.vouched.position(),
            now,
        };
        let token = issue.seal(call.engine)?;
        let id_token = match granted {
            Some(granted) => {
                let id_token = IdToken {
                    client,
                    user: self.user,
                    granted,
                    nonce: None,
                    session: self.family.session,
                    access_token: &token.text,
                    now,
                };
                id_token.sign_if_asked(call.engine, &scopes)?
            }
            None => None,
        };
        let answer = TokenAnswer {
            access_token: token.text,
            expires_in: token.expires_in,
            id_token,
            refresh_token: Some(next.text()),
            scope: scopes.to_string(),
        };
        Ok((answer, token.id))
    }

    fn rotation(
        &self,
        presented: &RefreshToken,
        next: &RefreshToken,
        answer: &TokenAnswer,
    ) -> Result<Rotation, OAuthError> {
        let (client, now) = (self.client, self.call.request.arrival.now);
        let sealed_answer = serde_json::to_vec(answer)
            .ok()
            .and_then(|plain| presented.seal_answer(&Zeroizing::new(plain)))
            .ok_or_else(|| {
                OAuthError::new(ErrorCode::ServerError, "The server could not keep its answer.")
            })?;
        let refresh_expires_at = client.refresh_token_lifetime.from(now);
        Ok(Rotation {
            lineage: presented.lineage_hash(),
            presented: presented.hash(),
            client_id: client.id.clone(),
            next: next.hash(),
            sealed_answer,
            now,
            grace_secs: self.call.engine.settings.refresh_grace_secs,
            refresh_expires_at: self
                .granted
                .map_or(refresh_expires_at, |granted| granted.capped(refresh_expires_at)),
            access_expires_at: client.access_token_lifetime.from(now),
        })
    }
}

fn not_good(cause: &'static str) -> OAuthError {
    let sentence = "The refresh token is not good here: unknown, expired, used or revoked; sign in again.";
    OAuthError::new(ErrorCode::InvalidGrant, sentence).caused_by(cause)
}

//! The step issue: sealing an access token, without a write.

use obol_store::{AccessTokenFormat, Client};
use obol_token::{Claims, Expiry, FamilyId, Lifetime, Position, Scopes, Subject, Timestamp, TokenId};

use crate::features::authorization::{Granted, parse_resource};
use crate::features::id_token::{ACR, subject_of};
use crate::jwt_access_token::{Authentication, payload};
use crate::{Engine, ErrorCode, OAuthError, Params, Person, Surface, username};

/// What an integer `expires_in` says of a token that does not expire: ten years, because readers calculate with it.
pub(crate) const NEVER_EXPIRES_IN_SECS: u64 = 315_360_000;

/// What to issue, to whom.
pub(crate) struct Issue<'a> {
    pub(crate) client: &'a Client,
    pub(crate) person: Option<&'a Person>,
    pub(crate) scopes: &'a Scopes,
    pub(crate) family: Option<FamilyId>,
    /// The resource for which it is meant, if it is restricted (RFC 8707).
    pub(crate) resource: Option<String>,
    /// Whose issuer it names.
    pub(crate) surface: Surface,
    /// How the person signed in, if a browser was there.
    pub(crate) granted: Option<&'a Granted>,
    /// Read when the request arrived, before anything was looked up: whatever is denied from then on refuses it.
    pub(crate) position: Position,
    pub(crate) now: Timestamp,
}

/// A sealed access token.
pub(crate) struct AccessToken {
    pub(crate) id: TokenId,
    pub(crate) text: String,
    pub(crate) expires_in: u64,
}

impl Issue<'_> {
    /// Seals the token in the form of the client's setting, if this node may still vouch.
    ///
    /// # Errors
    /// 503 without a lease, `invalid_scope` when the token would be too long, 500 when it cannot be sealed.
    pub(crate) fn seal(&self, engine: &Engine) -> Result<AccessToken, OAuthError> {
        let (id, nonce) = obol_keys::random_id_and_nonce();
        let id = TokenId::from_bytes(id);
        let scopes = self.scopes.to_string();
        let lifetime_ends = self.client.access_token_lifetime.from(self.now);
        let expires_at = self.granted.map_or(lifetime_ends, |granted| granted.capped(lifetime_ends));
        let claims = Claims {
            token_id: id,
            family: self.family,
            client_id: self.client.id.as_str(),
            subject: self.person.map(|person| Subject { id: person.subject, username: &person.username }),
            scopes: &scopes,
            audience: self.resource.as_deref(),
            confirmation: None,
            issued_at: self.now,
            expires_at,
            position: self.position,
        };
        let vouched = engine.replica.vouch()?;
        let settings = &self.client.settings;
        let text = match settings.access_token_format {
            AccessTokenFormat::Opaque => vouched.memory().seal(&claims, nonce)?,
            AccessTokenFormat::Jwt => {
                let said = self.said(engine, &claims)?;
                let algorithm = settings.id_token_signed_response_alg;
                vouched.memory().seal_and_sign(&claims, &said, algorithm, nonce)?
            }
        };
        Ok(AccessToken { id, text, expires_in: secs_left(expires_at, self.now) })
    }

    /// What a JWT says to others.
    fn said(&self, engine: &Engine, claims: &Claims<'_>) -> Result<String, OAuthError> {
        let subject = match self.person {
            Some(person) => subject_of(engine, self.client, person.subject)?,
            None => username(claims).into_owned(),
        };
        let authentication = self.granted.map(|granted| Authentication {
            auth_time: Timestamp::from_secs(granted.authenticated_at),
            acr: Some(ACR),
            amr: &granted.methods,
        });
        let issuer = engine.settings.issuer.of(self.surface);
        payload(claims, &subject, &issuer, authentication.as_ref()).map_err(unsayable)
    }
}

fn unsayable(error: serde_json::Error) -> OAuthError {
    OAuthError::new(ErrorCode::ServerError, "The server could not make a token.").caused_by(error.to_string())
}

/// Whether a client gets refresh tokens: it may use them, and its access tokens expire.
pub(crate) fn decide_refreshable(client: &Client) -> bool {
    client.access_token_lifetime != Lifetime::Never
        && client.grants.iter().any(|grant| grant.as_str() == "refresh_token")
}

/// For which resource a token is meant: the one that the request names, if it is what a person has `granted`, or that, while the
/// client may ask for it. Where no page of ours has named one (`granted` is `None`), any of the client's.
///
/// # Errors
/// `invalid_target` (RFC 8707 §2.2).
pub(crate) fn decide_resource(
    params: &Params<'_>,
    client: &Client,
    granted: Option<&Granted>,
) -> Result<Option<String>, OAuthError> {
    let page = granted.is_some();
    let granted = granted.and_then(|granted| granted.resource.as_deref());
    match (parse_resource(params, client)?, granted) {
        (Some(asked), granted) if page && granted != Some(&*asked) => {
            let sentence = "The person was asked for another resource; ask again.";
            Err(OAuthError::new(ErrorCode::InvalidTarget, sentence))
        }
        (Some(asked), _) => Ok(Some(asked)),
        (None, Some(granted)) if !client.settings.resources.iter().any(|allowed| allowed == granted) => {
            let sentence = "This client may not ask for tokens of that resource any more; have it allowed.";
            Err(OAuthError::new(ErrorCode::InvalidTarget, sentence))
        }
        (None, granted) => Ok(granted.map(str::to_owned)),
    }
}

/// Whole seconds left of something that expires at `expires_at`, as an integer in every case.
pub(crate) fn secs_left(expires_at: Expiry, now: Timestamp) -> u64 {
    expires_at.secs_left(now).and_then(|secs| u64::try_from(secs).ok()).unwrap_or(NEVER_EXPIRES_IN_SECS)
}

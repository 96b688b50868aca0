//! The step issue: sealing an access token, without a write.

use obol_store::{AccessTokenFormat, Client};
use obol_token::{Claims, Expiry, FamilyId, Lifetime, Position, Scopes, Subject, Timestamp, TokenId};

use crate::jwt_access_token::{Authentication, payload};
use crate::{Engine, ErrorCode, OAuthError, Person};

/// What an integer `expires_in` says of a token that does not expire: ten years, because readers calculate with it.
pub(crate) const NEVER_EXPIRES_IN_SECS: u64 = 315_360_000;

/// What to issue, to whom.
pub(crate) struct Issue<'a> {
    pub(crate) client: &'a Client,
    pub(crate) person: Option<&'a Person>,
    pub(crate) scopes: &'a Scopes,
    pub(crate) family: Option<FamilyId>,
    /// The one of the surface that was spoken to.
    pub(crate) issuer: &'a str,
    /// The resource for which it was asked, if any (RFC 8707).
    pub(crate) audience: Option<&'a str>,
    /// How the person signed in, where it is known.
    pub(crate) authentication: Option<Authentication<'a>>,
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
        let claims = Claims {
            token_id: id,
            family: self.family,
            client_id: self.client.id.as_str(),
            subject: self.person.map(|person| Subject { id: person.subject, username: &person.username }),
            scopes: &scopes,
            audience: self.audience,
            confirmation: None,
            issued_at: self.now,
            expires_at: self.client.access_token_lifetime.from(self.now),
            position: self.position,
        };
        let vouched = engine.replica.vouch()?;
        let settings = &self.client.settings;
        let text = match settings.access_token_format {
            AccessTokenFormat::Opaque => vouched.memory().seal(&claims, nonce)?,
            AccessTokenFormat::Jwt => {
                let said = payload(&claims, self.issuer, self.authentication.as_ref()).map_err(unsayable)?;
                let algorithm = settings.id_token_signed_response_alg;
                vouched.memory().seal_and_sign(&claims, &said, algorithm, nonce)?
            }
        };
        Ok(AccessToken { id, text, expires_in: expires_in(self.client.access_token_lifetime) })
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

/// Whole seconds left of something that expires at `expires_at`, as an integer in every case.
pub(crate) fn secs_left(expires_at: Expiry, now: Timestamp) -> u64 {
    expires_at.secs_left(now).and_then(|secs| u64::try_from(secs).ok()).unwrap_or(NEVER_EXPIRES_IN_SECS)
}

fn expires_in(lifetime: Lifetime) -> u64 {
    match lifetime {
        Lifetime::Never => NEVER_EXPIRES_IN_SECS,
        Lifetime::Secs(secs) => u64::from(secs.get()),
    }
}

//! ID tokens (OpenID Connect Core §2): who signed in, when and how, for one client. Home of OpenID Connect Core.

use obol_store::{Client, SubjectType, User};
use obol_token::{Algorithm, Scopes, SessionId, SubjectId, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::authorization::{Granted, unnamed_sector};
use super::{Feature, userinfo};
use crate::{Engine, ErrorCode, OAuthError};

/// OpenID Connect Core §2.
pub(super) const FEATURE: Feature = Feature {
    name: "ID tokens",
    specification: "OpenID Connect Core §2, §3.1.3",
    endpoints: &[],
    grants: &[],
    describe,
};

/// `acr` of every sign-in: somebody knew a password.
pub(crate) const ACR: &str = "1";

/// How long an ID token may be taken for fresh, in seconds.
const LIFETIME_SECS: i64 = 3_600;

/// How long after it was made an ID token may still come back as a hint, in seconds: longer than a session usually lasts.
pub(crate) const HINT_SECS: i64 = 86_400;

/// `typ` of what is said of people: no access token and no logout token has it.
pub(super) const TYP: &str = "JWT";

/// An ID token to be.
pub(crate) struct IdToken<'a> {
    pub(crate) client: &'a Client,
    pub(crate) user: &'a User,
    pub(crate) granted: &'a Granted,
    /// Of the authorization request; a refresh says none (§12.2).
    pub(crate) nonce: Option<&'a str>,
    pub(crate) session: Option<SessionId>,
    /// The access token that goes with it.
    pub(crate) access_token: &'a str,
    pub(crate) now: Timestamp,
}

impl IdToken<'_> {
    /// The signed token, if the scopes hold `openid`.
    ///
    /// # Errors
    /// 503 without a lease or without a key, 500 when the library refuses.
    pub(crate) fn sign_if_asked(
        &self,
        engine: &Engine,
        scopes: &Scopes,
    ) -> Result<Option<String>, OAuthError> {
        if !scopes.iter().any(|scope| scope.as_str() == "openid") {
            return Ok(None);
        }
        let algorithm = self.client.settings.id_token_signed_response_alg;
        sign(engine, algorithm, TYP, &self.claims(engine, algorithm)?).map(Some)
    }

    fn claims(&self, engine: &Engine, algorithm: Algorithm) -> Result<Map<String, Value>, OAuthError> {
        let named = self.granted.claims.within(self.client).id_token;
        let mut claims = userinfo::claims_named(self.user, &named);
        let mut say = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        say("iss", json!(engine.settings.issuer.of(self.granted.surface)));
        say("sub", json!(subject_of(engine, self.client, self.user.id)?));
        say("aud", json!(self.client.id.as_str()));
        say("azp", json!(self.client.id.as_str()));
        say("iat", json!(self.now.as_secs()));
        say("exp", json!(self.now.plus_secs(LIFETIME_SECS).as_secs()));
        say("auth_time", json!(self.granted.authenticated_at));
        say("acr", json!(ACR));
        say("amr", json!(self.granted.methods.split(' ').collect::<Vec<_>>()));
        say("at_hash", json!(obol_keys::half_hash(algorithm, self.access_token)));
        if let Some(nonce) = self.nonce {
            say("nonce", json!(nonce));
        }
        if let Some(session) = self.session {
            say("sid", json!(session_of(engine, self.client, session)?));
        }
        Ok(claims)
    }
}

/// `claims` as a signed JWT of this `typ`.
///
/// # Errors
/// 503 without a lease or without a key, 500 when the library refuses.
pub(super) fn sign(
    engine: &Engine,
    algorithm: Algorithm,
    typ: &'static str,
    claims: &Map<String, Value>,
) -> Result<String, OAuthError> {
    let payload = serde_json::to_vec(claims).map_err(|error| {
        OAuthError::new(ErrorCode::ServerError, "The claims cannot be written.").caused_by(error.to_string())
    })?;
    let keys = engine.replica.vouch()?.memory().signing_keys();
    let key = keys.current(algorithm).ok_or_else(|| {
        let name = algorithm.name();
        let cause = format!("no {name} key signs; run `obol keys rotate --kind signing --algorithm {name}`");
        OAuthError::new(ErrorCode::ServerError, "The server has no key to sign with.").caused_by(cause)
    })?;
    key.sign_compact(algorithm, typ, &payload).map_err(|error| {
        OAuthError::new(ErrorCode::ServerError, "The server could not sign.").caused_by(error.to_string())
    })
}

/// `sub` by which this client knows a person (§8).
///
/// # Errors
/// 503 without a lease.
pub(crate) fn subject_of(engine: &Engine, client: &Client, subject: SubjectId) -> Result<String, OAuthError> {
    Ok(match client.settings.subject_type {
        SubjectType::Public => subject.to_string(),
        SubjectType::Pairwise => {
            engine.replica.vouch()?.memory().pairwise_subject(sector_by(client), subject)
        }
    })
}

/// `sid` by which this client knows a session: where subjects are pairwise, no other sector may know people by it (§8).
pub(super) fn session_of(engine: &Engine, client: &Client, session: SessionId) -> Result<String, OAuthError> {
    Ok(match client.settings.subject_type {
        SubjectType::Public => session.to_string(),
        SubjectType::Pairwise => {
            engine.replica.vouch()?.memory().pairwise_session(sector_by(client), session)
        }
    })
}

/// The sector by which the client knows people. It is stored with the client, so what it was once it stays.
fn sector_by(client: &Client) -> &str {
    client.settings.sector_identifier.as_deref().unwrap_or_else(|| unnamed_sector(&client.redirect_uris))
}

/// Whether this client knows people by subjects that no other sector has.
pub(crate) fn is_pairwise(client: &Client) -> bool {
    client.settings.subject_type == SubjectType::Pairwise
}

/// The name under which a person appears in what this client is given: nothing more than `sub` where that is pairwise.
///
/// # Errors
/// 503 without a lease.
pub(crate) fn name_of(
    engine: &Engine,
    client: &Client,
    subject: SubjectId,
    username: &str,
) -> Result<String, OAuthError> {
    match is_pairwise(client) {
        true => subject_of(engine, client, subject),
        false => Ok(username.to_owned()),
    }
}

/// What an ID token says of whom it is about, and for whom it was made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Hint {
    /// By what that client knows the person.
    #[serde(rename = "sub")]
    pub(crate) subject: String,
    /// The client.
    #[serde(rename = "azp")]
    pub(crate) client_id: String,
}

/// An ID token that this installation has signed, expired or not (`id_token_hint`, §3.1.2.1).
///
/// # Errors
/// `invalid_request` for any other text.
pub(crate) fn read_hint(engine: &Engine, hint: &str) -> Result<Hint, OAuthError> {
    let payload = engine.replica.vouch()?.memory().signing_keys().open_compact(TYP, hint);
    payload.and_then(|payload| serde_json::from_slice(&payload).ok()).ok_or_else(|| {
        let sentence = "`id_token_hint` is not an ID token of this server, or of a key that is retired.";
        OAuthError::new(ErrorCode::InvalidRequest, sentence)
    })
}

fn describe(_: &Engine, document: &mut Map<String, Value>) {
    document.insert("subject_types_supported".into(), json!(["public", "pairwise"]));
    let algorithms = Algorithm::ALL.map(Algorithm::name);
    document.insert("id_token_signing_alg_values_supported".into(), json!(algorithms));
    document.insert("acr_values_supported".into(), json!([ACR]));
    document.insert("prompt_values_supported".into(), json!(["none", "login", "consent", "select_account"]));
    document.insert("claims_parameter_supported".into(), json!(true));
}

//! The logout token (§2.4).

use obol_store::{Client, LogoutNotice};
use obol_token::Timestamp;
use serde_json::{Map, Value, json};

use crate::features::id_token::{session_of, sign, subject_of};
use crate::{Engine, ErrorCode, OAuthError, Surface};

/// `typ`: nothing else that is signed here has it, so it is taken for nothing else, and nothing else for it (RFC 8725 §3.11).
const TYP: &str = "logout+jwt";

/// The member of `events` that makes it a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How long it is good, in seconds: time for one try, and for clocks that differ.
const LIFETIME_SECS: i64 = 120;

/// The token that tells `client` of the end of a session: by the names that its ID tokens have given to person and session.
///
/// # Errors
/// 503 without a lease, 500 without a key and when the library refuses.
pub(super) fn logout_token(
    engine: &Engine,
    client: &Client,
    notice: &LogoutNotice,
    now: Timestamp,
) -> Result<String, OAuthError> {
    let mut claims = Map::new();
    let mut say = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    say("iss", json!(engine.settings.issuer.of(surface_of(notice)?)));
    say("sub", json!(subject_of(engine, client, notice.subject)?));
    say("aud", json!(client.id.as_str()));
    say("iat", json!(now.as_secs()));
    say("exp", json!(now.plus_secs(LIFETIME_SECS).as_secs()));
    say("jti", json!(hex::encode(obol_keys::random_bytes::<16>())));
    say("sid", json!(session_of(engine, client, notice.session)?));
    say("events", json!({ EVENT: {} }));
    sign(engine, client.settings.id_token_signed_response_alg, TYP, &claims)
}

fn surface_of(notice: &LogoutNotice) -> Result<Surface, OAuthError> {
    serde_json::from_str(&notice.details).map_err(|error| {
        OAuthError::new(ErrorCode::ServerError, "The notice cannot be read.").caused_by(error.to_string())
    })
}

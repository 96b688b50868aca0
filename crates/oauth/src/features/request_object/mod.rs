//! Authorization requests that the client has signed: request objects (OpenID Connect Core §6). Home of RFC 9101.
//!
//! 1. The object comes with the request, or is fetched from where the client has registered that it is ([`by_reference`]).
//! 2. Its signature is verified: with a key that is registered for the client.
//! 3. What it says of itself is looked at: from whom, for whom, until when.
//! 4. From here on its parameters are the request. Those beside it count for nothing (§6.3).
//!
//! One that was pushed (RFC 9126 §3) is read when it is pushed.

mod by_reference;

use std::borrow::Cow;

use obol_keys::{ForeignJwt, ForeignJwtError, JwtAlgorithm, JwtClaims};
use obol_store::Client;
use obol_token::{Algorithm, Timestamp};
use serde_json::{Map, Value, json};

use super::Feature;
use crate::client_authentication::client_keys::{KeysTrouble, verify_signed_by};
use crate::{Engine, ErrorCode, OAuthError, Params, Surface};

/// RFC 9101.
pub(super) const FEATURE: Feature = Feature {
    name: "request objects",
    specification: "RFC 9101, OpenID Connect Core §6",
    endpoints: &[],
    grants: &[],
    describe,
};

/// `typ` of a request object; the empty text is none (§10.8).
const JWT_TYPES: [&str; 3] = ["", "JWT", "oauth-authz-req+jwt"];

/// How far a client's clock may be ahead of ours, in seconds.
const CLOCK_SKEW_SECS: i64 = 10;

/// The claims that are about the object itself (RFC 7519 §4.1), and no parameters.
const ABOUT_ITSELF: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// A request as it arrives, of a client that is known.
#[derive(Clone, Copy)]
pub(crate) struct Arriving<'a> {
    pub(crate) client: &'a Client,
    pub(crate) params: &'a Params<'a>,
    pub(crate) surface: Surface,
    /// When it arrived, if it does for the first time: a person may sign in for longer than an object lasts.
    pub(crate) first_at: Option<Timestamp>,
}

/// The parameters in the request object, if there is one.
///
/// # Errors
/// `invalid_request_object`, `request_not_supported` for one that is not signed, `invalid_request_uri` for one that is not to be had;
/// `invalid_request` where there must be one, or where two requests are sent at once; 503 when the keys of the client cannot be reached.
pub(crate) async fn read(
    engine: &Engine,
    arriving: Arriving<'_>,
) -> Result<Option<Params<'static>>, OAuthError> {
    let Arriving { client, params, surface, .. } = arriving;
    let Some(object) = brought(engine, &arriving).await? else {
        return refuse_if_required(client).map(|()| None);
    };
    let jwt = ForeignJwt::read(&object).map_err(|error| match error {
        ForeignJwtError::Algorithm => not_supported("it is not signed with ES256, RS256, PS256 or EdDSA"),
        error => not_good(error.to_string()),
    })?;
    check_algorithm(client, jwt.algorithm())?;
    if !jwt.is_of_type(&JWT_TYPES) {
        return Err(not_good("its `typ` is not `oauth-authz-req+jwt`"));
    }
    let claims = verify_signed_by(engine, client, &jwt).await.map_err(not_verified)?;
    check_claims(claims, client.id.as_str(), &engine.issuer().of(surface), arriving.first_at)?;
    let object = params_of(claims)?;
    check_beside(params, &object)?;
    Ok(Some(object))
}

/// Refuses what was read while the client had other keys, or signed otherwise, than it does now.
///
/// # Errors
/// 503
pub(crate) fn refuse_if_changed(before: &Client, now: &Client) -> Result<(), OAuthError> {
    if signs_by(now) == signs_by(before) {
        return Ok(());
    }
    let sentence = "This client was changed while what it has signed was looked at; ask again.";
    Err(OAuthError::unavailable(sentence, 1))
}

/// All that decides whether an object is the client's.
fn signs_by(client: &Client) -> impl PartialEq + '_ {
    let settings = &client.settings;
    (&settings.jwks, &settings.jwks_uri, &settings.request_uris, settings.request_object_signing_alg)
}

/// The object as it came; none of a client that names no addresses for it, or on the surface of FortiAuthenticator, which has none.
async fn brought<'a>(engine: &Engine, arriving: &Arriving<'a>) -> Result<Option<Cow<'a, str>>, OAuthError> {
    let Arriving { client, params, surface, .. } = *arriving;
    if surface == Surface::FortiAuthenticator {
        return Ok(None);
    }
    match (params.optional("request")?, params.optional("request_uri")?) {
        (Some(_), Some(_)) => {
            let sentence = "Send `request` or `request_uri`, not both.";
            Err(OAuthError::new(ErrorCode::InvalidRequest, sentence))
        }
        (Some(object), None) => Ok(Some(Cow::Borrowed(object))),
        (None, Some(uri)) if !client.settings.request_uris.is_empty() => {
            by_reference::fetch(engine, client, uri).await.map(|object| Some(Cow::Owned(object)))
        }
        (None, _) => Ok(None),
    }
}

/// §10.5.
fn refuse_if_required(client: &Client) -> Result<(), OAuthError> {
    if !client.settings.require_signed_request_object {
        return Ok(());
    }
    let sentence = "This client must sign its authorization requests (RFC 9101), and send them as `request` or `request_uri`.";
    Err(OAuthError::new(ErrorCode::InvalidRequest, sentence))
}

fn check_algorithm(client: &Client, algorithm: JwtAlgorithm) -> Result<(), OAuthError> {
    match (algorithm, client.settings.request_object_signing_alg) {
        (JwtAlgorithm::Hs256, _) => {
            Err(not_supported("it is authenticated with a secret; sign it with a key"))
        }
        (JwtAlgorithm::Signed(algorithm), Some(registered)) if algorithm != registered => {
            Err(not_good(format!("this client signs with {}", registered.name())))
        }
        (JwtAlgorithm::Signed(_), _) => Ok(()),
    }
}

/// From whom it is, for whom, and until when.
fn check_claims(
    claims: &JwtClaims,
    client_id: &str,
    issuer: &str,
    first_at: Option<Timestamp>,
) -> Result<(), OAuthError> {
    if claims.text("iss") != Some(client_id) {
        return Err(not_good("its `iss` is not the client_id"));
    }
    // §5: also where the key is nobody else's.
    if claims.text("client_id") != Some(client_id) {
        return Err(not_good("its `client_id` is not that of the request"));
    }
    let names_us = match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().any(|audience| audience == issuer),
        Some(audience) => audience == issuer,
        None => false,
    };
    if !names_us {
        return Err(not_good(format!("its `aud` does not name `{issuer}`")));
    }
    let time = |name| claims.time(name).map_err(|error| not_good(format!("{error}: `{name}`")));
    let (expires_at, begins_at) = (time("exp")?, time("nbf")?);
    let Some(now) = first_at else { return Ok(()) };
    if expires_at.is_some_and(|expires_at| now.has_reached(expires_at)) {
        return Err(not_good("it has expired; begin again at the application"));
    }
    match begins_at.is_some_and(|begins_at| now.secs_until(begins_at) > CLOCK_SKEW_SECS) {
        true => Err(not_good("its `nbf` is in the future")),
        false => Ok(()),
    }
}

/// The parameters (§4): texts, numbers and booleans as their text, `claims` as JSON.
fn params_of(claims: &JwtClaims) -> Result<Params<'static>, OAuthError> {
    if claims.get("request").is_some() || claims.get("request_uri").is_some() {
        return Err(not_good("it holds `request` or `request_uri`"));
    }
    let params = claims.iter().filter(|(name, _)| !ABOUT_ITSELF.contains(name));
    let pairs = params.map(|(name, value)| {
        let text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Null => Some(String::new()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            Value::Object(_) if name == "claims" => Some(value.to_string()),
            Value::Object(_) | Value::Array(_) => None,
        };
        (name.to_owned(), text)
    });
    Params::from_pairs(pairs).map_err(|error| not_good(error.to_string()))
}

/// OpenID Connect Core §6.1: what has to stand beside the object for those who know OAuth alone says the same.
fn check_beside(params: &Params<'_>, object: &Params<'_>) -> Result<(), OAuthError> {
    for name in ["response_type", "scope"] {
        let beside = params.optional(name)?;
        if beside.is_some() && beside != object.optional(name)? {
            return Err(not_good(format!("its `{name}` is not that of the request")));
        }
    }
    Ok(())
}

fn not_verified(trouble: KeysTrouble) -> OAuthError {
    match trouble {
        KeysTrouble::NotSigned(error) => not_good(error.to_string()),
        KeysTrouble::Unusable(cause) => {
            not_supported("there are no keys with which this client may sign").caused_by(cause)
        }
        KeysTrouble::Unreachable(error) => KeysTrouble::unreachable(error),
    }
}

/// `why` is for those who run the application.
fn not_good(why: impl AsRef<str>) -> OAuthError {
    let sentence = format!("The request object is not good: {}.", why.as_ref());
    OAuthError::new(ErrorCode::InvalidRequestObject, sentence)
}

fn not_supported(why: &str) -> OAuthError {
    OAuthError::new(ErrorCode::RequestNotSupported, format!("The request object is not read: {why}."))
}

fn describe(_: &Engine, document: &mut Map<String, Value>) {
    document.insert("request_parameter_supported".into(), json!(true));
    document.insert("request_uri_parameter_supported".into(), json!(true));
    document.insert("require_request_uri_registration".into(), json!(true));
    let algorithms = Algorithm::ALL.map(Algorithm::name);
    document.insert("request_object_signing_alg_values_supported".into(), json!(algorithms));
    // Of some clients it is, see the settings of each.
    document.insert("require_signed_request_object".into(), json!(false));
}

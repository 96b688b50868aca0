//! Answers to gateways. Each has all fields that tell who it is, empty where nobody is told of: a gateway that copies them
//! overwrites what its client has sent under their names.

use http::header::{LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use obol_oauth::{About, Admitted, Engine, ErrorCode, Needed, OAuthError, Surface};
use obol_store::Session;

use super::address::Address;
use crate::dialect;
use crate::pages::Way;
use crate::server::{Answer, UsualFields};

static SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
static USERNAME: HeaderName = HeaderName::from_static("x-auth-username");
static CLIENT: HeaderName = HeaderName::from_static("x-auth-client");
static SCOPE: HeaderName = HeaderName::from_static("x-auth-scope");
static EXPIRES: HeaderName = HeaderName::from_static("x-auth-expires");
static REDIRECT: HeaderName = HeaderName::from_static("x-auth-redirect");

/// What all answers say.
macro_rules! not_kept {
    () => {
        "\r\ncache-control: no-store\r\npragma: no-cache\r\nx-content-type-options: nosniff"
    };
}

/// What an answer says that tells of nobody.
macro_rules! nobody {
    () => {
        concat!(
            not_kept!(),
            "\r\nx-auth-subject: \r\nx-auth-username: \r\nx-auth-client: \r\nx-auth-scope: \r\nx-auth-expires: "
        )
    };
}

const SOMEBODY: UsualFields = UsualFields::written(concat!(not_kept!(), "\r\nx-auth-redirect: "));
const SOMEBODY_WITHOUT_TOKEN: UsualFields =
    UsualFields::written(concat!(not_kept!(), "\r\nx-auth-redirect: \r\nx-auth-client: \r\nx-auth-scope: "));
const ELSEWHERE: UsualFields = UsualFields::written(nobody!());
const REFUSED: UsualFields =
    UsualFields::written(concat!(nobody!(), "\r\nx-auth-redirect: \r\ncontent-type: application/json"));

/// 200 for a token.
pub(super) fn admitted(admitted: &Admitted<'_>) -> Answer {
    let Admitted { subject, username, client_id, scope, expires_at } = admitted;
    let written = || {
        let subject = match subject {
            About::Person(id) => HeaderValue::try_from(id.to_string()),
            About::Named(name) => HeaderValue::from_str(name),
        };
        let expires = expires_at.map_or(HeaderValue::from_static(""), |at| at.as_secs().into());
        Some(
            Answer::new(StatusCode::OK, SOMEBODY, Vec::new())
                .with(SUBJECT.clone(), subject.ok()?)
                .with(USERNAME.clone(), HeaderValue::from_str(username).ok()?)
                .with(CLIENT.clone(), HeaderValue::from_str(client_id).ok()?)
                .with(SCOPE.clone(), HeaderValue::from_str(scope).ok()?)
                .with(EXPIRES.clone(), expires),
        )
    };
    written().unwrap_or_else(cannot_be_told)
}

/// 200 for a person with a browser.
pub(super) fn signed_in(session: &Session) -> Answer {
    let ends_at = session.idle_ends_at.min(session.ends_at);
    let written = || {
        Some(
            Answer::new(StatusCode::OK, SOMEBODY_WITHOUT_TOKEN, Vec::new())
                .with(SUBJECT.clone(), HeaderValue::try_from(session.subject.to_string()).ok()?)
                .with(USERNAME.clone(), HeaderValue::from_str(session.username.as_str()).ok()?)
                .with(EXPIRES.clone(), ends_at.as_secs().into()),
        )
    };
    written().unwrap_or_else(cannot_be_told)
}

/// The browser has to go there first: 302, or 401 with `X-Auth-Redirect` for a gateway that passes on no redirect.
pub(super) fn elsewhere(address: &Address, way: Way) -> Option<Answer> {
    let Way { location, cookie } = way;
    let location = HeaderValue::try_from(location).ok()?;
    let answer = match address.is_for_status_only() {
        true => Answer::new(StatusCode::UNAUTHORIZED, ELSEWHERE, Vec::new())
            .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            .with(REDIRECT.clone(), location),
        false => Answer::new(StatusCode::FOUND, ELSEWHERE, Vec::new())
            .with(LOCATION, location.clone())
            .with(REDIRECT.clone(), location),
    };
    Some(match cookie {
        Some(cookie) => answer.with(SET_COOKIE, cookie),
        None => answer,
    })
}

/// A refusal, with what would be needed (RFC 6750 §3) and where to learn more (RFC 9728 §5.1).
pub(super) fn refused(engine: &Engine, error: &OAuthError, needed: &Needed) -> Answer {
    let (status, body) = dialect::refusal_body(Surface::Rfc, error);
    let mut answer = Answer::new(status, REFUSED, body);
    let challenged = status == StatusCode::UNAUTHORIZED || error.code() == ErrorCode::InsufficientScope;
    if let Some(challenge) = challenged.then(|| challenge(engine, error, needed)).flatten() {
        answer = answer.with(WWW_AUTHENTICATE, challenge);
    }
    match error.retry_after_secs() {
        Some(secs) => answer.with(RETRY_AFTER, secs.into()),
        None => answer,
    }
}

fn challenge(engine: &Engine, error: &OAuthError, needed: &Needed) -> Option<HeaderValue> {
    let metadata = needed.audience.as_deref().and_then(|audience| engine.metadata_url_of(audience));
    let params = [
        ("error", (error.code() != ErrorCode::NoToken).then(|| error.code().wire().name.to_owned())),
        ("scope", (!needed.scopes.is_empty()).then(|| needed.scopes.to_string())),
        ("resource_metadata", metadata),
    ];
    let params: Vec<_> =
        params.into_iter().filter_map(|(name, value)| Some(format!(" {name}=\"{}\"", value?))).collect();
    HeaderValue::try_from(format!("Bearer{}", params.join(","))).ok()
}

/// A name that no header field can hold: nobody is let through whom the gateway could not be told of.
fn cannot_be_told() -> Answer {
    Answer::new(StatusCode::INTERNAL_SERVER_ERROR, REFUSED, Vec::new())
}

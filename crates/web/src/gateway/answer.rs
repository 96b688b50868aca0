//! Answers to gateways. Each has all fields that tell who it is, empty where nobody is told of: a gateway that copies them
//! overwrites what its client has sent under their names.

use http::header::{LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use obol_oauth::{Admitted, Engine, ErrorCode, Needed, OAuthError, Surface};
use obol_store::Session;

use super::address::Address;
use crate::dialect;
use crate::pages::Way;
use crate::server::{Answer, NoFieldValue, OwnFields, UsualFields};

const SUBJECT: &str = "x-auth-subject";
const USERNAME: &str = "x-auth-username";
const CLIENT: &str = "x-auth-client";
const SCOPE: &str = "x-auth-scope";
const EXPIRES: &str = "x-auth-expires";
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

/// Room for the fields that tell who it is: more than most take.
const ROOM_BYTES: usize = 256;

/// 200 for a token.
pub(super) fn admitted(admitted: &Admitted<'_>) -> Answer {
    let written = OwnFields::with_room(ROOM_BYTES)
        .and(SUBJECT, &admitted.subject)
        .and_then(|own| own.and(USERNAME, &admitted.username))
        .and_then(|own| own.and(CLIENT, admitted.client_id))
        .and_then(|own| own.and(SCOPE, admitted.scope))
        .and_then(|own| match admitted.expires_at {
            Some(at) => own.and(EXPIRES, at.as_secs()),
            None => own.and(EXPIRES, ""),
        });
    told(SOMEBODY, written)
}

/// 200 for a person with a browser.
pub(super) fn signed_in(session: &Session) -> Answer {
    let ends_at = session.idle_ends_at.min(session.ends_at);
    let written = OwnFields::with_room(ROOM_BYTES)
        .and(SUBJECT, session.subject)
        .and_then(|own| own.and(USERNAME, session.username.as_str()))
        .and_then(|own| own.and(EXPIRES, ends_at.as_secs()));
    told(SOMEBODY_WITHOUT_TOKEN, written)
}

/// A name that no header field can hold: nobody is let through whom the gateway could not be told of.
fn told(usual: UsualFields, written: Result<OwnFields, NoFieldValue>) -> Answer {
    match written {
        Ok(own) => Answer::new(StatusCode::OK, usual, Vec::new()).with_own(own),
        Err(NoFieldValue) => Answer::new(StatusCode::INTERNAL_SERVER_ERROR, REFUSED, Vec::new()),
    }
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
pub(super) fn refused(engine: &Engine, error: &OAuthError, needed: &Needed<'_>) -> Answer {
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

fn challenge(engine: &Engine, error: &OAuthError, needed: &Needed<'_>) -> Option<HeaderValue> {
    let metadata = needed.audience.and_then(|audience| engine.metadata_url_of(audience));
    let params = [
        ("error", (error.code() != ErrorCode::NoToken).then(|| error.code().wire().name.to_owned())),
        ("scope", (!needed.scopes.is_empty()).then(|| needed.scopes.to_string())),
        ("resource_metadata", metadata),
    ];
    let params: Vec<_> =
        params.into_iter().filter_map(|(name, value)| Some(format!(" {name}=\"{}\"", value?))).collect();
    HeaderValue::try_from(format!("Bearer{}", params.join(","))).ok()
}

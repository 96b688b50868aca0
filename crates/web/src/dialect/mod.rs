//! How answers look: one folder per dialect. The two never leak into each other.

mod forti;
mod rfc;

pub(crate) use forti::verified;

use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use obol_oauth::{Answer as Answered, ErrorCode, OAuthError, RevocationDone, Surface};
use serde::Serialize;

use crate::server::{Answer, UsualFields};

/// The header with the place of a revocation in the change log.
static POSITION: HeaderName = HeaderName::from_static("obol-position");

/// The answer to a request that was granted.
pub(crate) fn success(surface: Surface, answered: Answered<'_>) -> Answer {
    let position = match &answered {
        Answered::Revocation(RevocationDone::Revoked(revoked)) => Some(revoked.position()),
        _ => None,
    };
    let answer = match surface {
        Surface::FortiAuthenticator => forti::success(answered),
        Surface::Rfc => rfc::success(answered),
    };
    match position {
        Some(position) => answer.with(POSITION.clone(), HeaderValue::from(position.number())),
        None => answer,
    }
}

/// The answer to a request that was refused.
pub(crate) fn refusal(surface: Surface, error: &OAuthError) -> Answer {
    let wire = error.code().wire();
    let status = match surface {
        Surface::FortiAuthenticator => wire.forti_status,
        Surface::Rfc => wire.rfc_status,
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (mut answer, challenge) = match surface {
        Surface::FortiAuthenticator => (forti::refusal(status, error), forti::challenge(error)),
        Surface::Rfc => (rfc::refusal(status, error), rfc::challenge(error)),
    };
    // RFC 6750 §3.1: a token that does not reach so far is told so like one that is not good.
    let challenged = status == StatusCode::UNAUTHORIZED || error.code() == ErrorCode::InsufficientScope;
    if let Some(value) = challenge.filter(|_| challenged) {
        answer = answer.with(WWW_AUTHENTICATE, value);
    }
    if let Some(secs) = error.retry_after_secs() {
        answer = answer.with(RETRY_AFTER, HeaderValue::from(secs));
    }
    answer
}

/// Status and body of a refusal, for an answer with header fields of its own.
pub(crate) fn refusal_body(surface: Surface, error: &OAuthError) -> (StatusCode, Vec<u8>) {
    let answer = refusal(surface, error);
    (answer.status(), answer.into_body())
}

/// A JSON answer that nobody may keep (RFC 6749 §5.1).
pub(crate) fn json_answer(status: StatusCode, body: &impl Serialize) -> Answer {
    let mut bytes = Vec::with_capacity(512);
    match serde_json::to_writer(&mut bytes, body) {
        Ok(()) => Answer::new(status, JSON, bytes),
        Err(_) => bare_answer(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The same with a body that is JSON already.
fn written_json_answer(body: Vec<u8>) -> Answer {
    Answer::new(StatusCode::OK, JSON, body)
}

/// A JSON answer that anybody may keep for so many seconds.
fn kept_json_answer(body: &impl Serialize, max_age_secs: u32) -> Answer {
    let value = match max_age_secs {
        0 => HeaderValue::from_static("no-cache"),
        secs => HeaderValue::try_from(format!("public, max-age={secs}"))
            .unwrap_or(HeaderValue::from_static("no-cache")),
    };
    match serde_json::to_vec(body) {
        Ok(bytes) => Answer::new(StatusCode::OK, KEPT_JSON, bytes).with(CACHE_CONTROL, value),
        Err(_) => bare_answer(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// A JWT that nobody may keep (OpenID Connect Core §5.3.2).
fn signed_answer(jwt: &str) -> Answer {
    Answer::new(StatusCode::OK, JWT, jwt)
}

fn bare_answer(status: StatusCode) -> Answer {
    Answer::new(status, NOT_STORED, Vec::new())
}

/// What says that nobody may keep an answer.
macro_rules! not_stored {
    () => {
        "\r\ncache-control: no-store\r\npragma: no-cache\r\nx-content-type-options: nosniff"
    };
}

/// Whether a page may read it depends on the page.
const KEPT_JSON: UsualFields = UsualFields::written(
    "\r\nx-content-type-options: nosniff\r\nvary: origin\r\ncontent-type: application/json",
);
const NOT_STORED: UsualFields = UsualFields::written(not_stored!());
const JWT: UsualFields = UsualFields::written(concat!(not_stored!(), "\r\ncontent-type: application/jwt"));
const JSON: UsualFields = UsualFields::written(concat!(not_stored!(), "\r\ncontent-type: application/json"));

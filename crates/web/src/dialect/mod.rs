//! How answers look: one folder per dialect. The two never leak into each other.

mod forti;
mod rfc;

pub(crate) use forti::verified;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use obol_oauth::{Answer as Answered, OAuthError, RevocationDone, Surface};
use serde::Serialize;

use crate::server::Answer;

/// The header with the place of a revocation in the change log.
static POSITION: HeaderName = HeaderName::from_static("obol-position");

/// The answer to a request that was granted.
pub(crate) fn success(surface: Surface, answered: Answered) -> Answer {
    let position = match &answered {
        Answered::Revocation(RevocationDone::Revoked(revoked)) => Some(revoked.position()),
        _ => None,
    };
    let mut answer = match surface {
        Surface::FortiAuthenticator => forti::success(&answered),
        Surface::Rfc => rfc::success(&answered),
    };
    if let Some(position) = position {
        answer.headers_mut().insert(POSITION.clone(), HeaderValue::from(position.number()));
    }
    answer
}

/// The answer to a request that was refused.
pub(crate) fn refusal(surface: Surface, error: &OAuthError) -> Answer {
    let wire = error.code().wire();
    let (status, body, challenge) = match surface {
        Surface::FortiAuthenticator => (wire.forti_status, forti::refusal(error), forti::challenge(error)),
        Surface::Rfc => (wire.rfc_status, rfc::refusal(error), rfc::challenge(error)),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = json_answer(status, &body);
    let headers = answer.headers_mut();
    if let Some(value) = challenge.filter(|_| status == StatusCode::UNAUTHORIZED) {
        headers.insert(WWW_AUTHENTICATE, value);
    }
    if let Some(secs) = error.retry_after_secs() {
        headers.insert(RETRY_AFTER, HeaderValue::from(secs));
    }
    answer
}

/// A JSON answer that nobody may keep (RFC 6749 §5.1).
pub(crate) fn json_answer(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut answer = bare_answer(status, bytes.into());
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answer
        }
        Err(_) => bare_answer(StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
    }
}

fn bare_answer(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

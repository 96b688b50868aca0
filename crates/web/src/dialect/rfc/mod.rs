//! The dialect of the RFCs: their bodies and codes, and nothing else.

use http::{HeaderValue, StatusCode};
use obol_oauth::{Answer as Answered, Challenge, ErrorCode, OAuthError, TokenAnswer};
use serde::Serialize;

use super::{bare_answer, json_answer, kept_json_answer, signed_answer, written_json_answer};
use crate::server::Answer;

/// The answer to a request that was granted.
pub(super) fn success(answered: Answered<'_>) -> Answer {
    match answered {
        Answered::Token(token) => json_answer(StatusCode::OK, &TokenBody::of(&token)),
        Answered::Registered { client, new } => {
            json_answer(if new { StatusCode::CREATED } else { StatusCode::OK }, &client)
        }
        Answered::Unregistered => bare_answer(StatusCode::NO_CONTENT),
        Answered::Pushed(pushed) => json_answer(StatusCode::CREATED, &pushed),
        // RFC 7009 §2.2: the content of the body is ignored by the client, so there is none.
        Answered::Revocation(_done) => bare_answer(StatusCode::OK),
        Answered::Introspection(introspection) => json_answer(StatusCode::OK, &introspection),
        Answered::Introspections(written) => written_json_answer(written),
        Answered::Verification(verification) => json_answer(StatusCode::OK, &verification),
        Answered::Userinfo(userinfo) => match &userinfo.signed {
            Some(signed) => signed_answer(signed),
            None => json_answer(StatusCode::OK, &userinfo.claims),
        },
        Answered::KeySet(keys) => kept_json_answer(&keys, keys.max_age_secs),
        Answered::Document(document) => json_answer(StatusCode::OK, &document),
    }
}

/// RFC 6749 §5.1.
#[derive(Serialize)]
struct TokenBody<'a> {
    access_token: &'a str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    // RFC 6749 §3.3: a scope is never an empty text.
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    token_type: &'static str,
}

impl<'a> TokenBody<'a> {
    fn of(token: &'a TokenAnswer) -> Self {
        Self {
            access_token: &token.access_token,
            expires_in: token.expires_in,
            id_token: token.id_token.as_deref(),
            refresh_token: token.refresh_token.as_deref(),
            scope: &token.scope,
            token_type: "Bearer",
        }
    }
}

/// The body of a refusal (RFC 6749 §5.2).
#[derive(Serialize)]
struct RefusalBody<'a> {
    error: &'a str,
    error_description: &'a str,
}

/// The answer to a request that was refused.
pub(super) fn refusal(status: StatusCode, error: &OAuthError) -> Answer {
    let body = RefusalBody { error: error.code().wire().name, error_description: error.sentence() };
    json_answer(status, &body)
}

/// `WWW-Authenticate` of a 401 (RFC 6749 §5.2, RFC 6750 §3).
pub(super) fn challenge(error: &OAuthError) -> Option<HeaderValue> {
    let value = match (error.challenge(), error.code()) {
        (Challenge::Basic, _) | (_, ErrorCode::InvalidClient) => "Basic realm=\"obol\"".to_owned(),
        (Challenge::Bearer, ErrorCode::NoToken) => "Bearer".to_owned(),
        (Challenge::Bearer, code) => format!("Bearer error=\"{}\"", code.wire().name),
    };
    HeaderValue::try_from(value).ok()
}

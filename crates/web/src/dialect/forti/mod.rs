//! The dialect of FortiAuthenticator: JSON with keys in alphabetical order, `status` in every answer, `message` for the
//! clients that read it.

use http::{HeaderValue, StatusCode};
use obol_oauth::{
    Answer as Answered, Challenge, ErrorCode, KeySet, OAuthError, TokenAnswer, Userinfo, Verification,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{bare_answer, json_answer, written_json_answer};
use crate::server::Answer;

/// The answer to a request that was granted.
pub(super) fn success(answered: Answered<'_>) -> Answer {
    match answered {
        Answered::Verification(verification) => verified(&verification),
        Answered::Token(token) => json_answer(StatusCode::OK, &TokenBody::of(&token)),
        Answered::Registered { client, new } => {
            json_answer(if new { StatusCode::CREATED } else { StatusCode::OK }, &client)
        }
        Answered::Unregistered => bare_answer(StatusCode::NO_CONTENT),
        Answered::Pushed(pushed) => json_answer(StatusCode::CREATED, &pushed),
        Answered::Revocation(_done) => json_answer(StatusCode::OK, &json!({ "status": "success" })),
        Answered::Introspection(introspection) => json_answer(StatusCode::OK, &introspection),
        Answered::Introspections(written) => written_json_answer(written),
        Answered::Userinfo(userinfo) => json_answer(StatusCode::OK, &UserinfoBody::of(&userinfo)),
        Answered::KeySet(keys) => published(&keys),
        Answered::Document(document) => json_answer(StatusCode::OK, &document),
    }
}

/// The answer to `verify_token/`: the one that must be fast, so it is written from its fields.
pub(crate) fn verified(verification: &Verification<'_>) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        client_id: &'a str,
        expires_in: u64,
        scope: &'a str,
        status: &'static str,
        username: &'a str,
    }
    let Verification { client_id, expires_in, scope, username } = verification;
    let body = Body { client_id, expires_in: *expires_in, scope, status: "success", username };
    json_answer(StatusCode::OK, &body)
}

/// Its own keys say `alg`, and they are RSA keys for RS256.
fn published(keys: &KeySet) -> Answer {
    let mut body = json!(keys);
    let members = body["keys"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut);
    for key in members.filter(|key| key.get("kty").is_some_and(|kty| kty == "RSA")) {
        key.insert("alg".to_owned(), json!("RS256"));
    }
    json_answer(StatusCode::OK, &body)
}

#[derive(Serialize)]
struct TokenBody<'a> {
    access_token: &'a str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    scope: &'a str,
    status: &'static str,
    token_type: &'static str,
}

impl<'a> TokenBody<'a> {
    fn of(token: &'a TokenAnswer) -> Self {
        Self {
            access_token: &token.access_token,
            expires_in: token.expires_in,
            id_token: token.id_token.as_deref(),
            message: "successfully authenticated",
            refresh_token: token.refresh_token.as_deref(),
            scope: &token.scope,
            status: "success",
            token_type: "Bearer",
        }
    }
}

/// Its userinfo: four keys, groups as one text.
#[derive(Serialize)]
struct UserinfoBody<'a> {
    email: &'a str,
    groups: String,
    sub: &'a str,
    username: &'a str,
}

impl<'a> UserinfoBody<'a> {
    fn of(userinfo: &'a Userinfo) -> Self {
        Self {
            email: userinfo.email.as_deref().unwrap_or_default(),
            groups: userinfo.groups.join(","),
            sub: &userinfo.sub,
            username: &userinfo.username,
        }
    }
}

/// The body of a refusal: the sentence twice, for clients that read `message`, and a status that is never `success`.
#[derive(Serialize)]
struct RefusalBody<'a> {
    error: &'a str,
    error_description: &'a str,
    message: &'a str,
    status: &'static str,
}

/// The answer to a request that was refused.
pub(super) fn refusal(status: StatusCode, error: &OAuthError) -> Answer {
    let (name, sentence) = (error.code().wire().name, error.sentence());
    let body = RefusalBody { error: name, error_description: sentence, message: sentence, status: "error" };
    json_answer(status, &body)
}

/// `WWW-Authenticate` of a 401.
pub(super) fn challenge(error: &OAuthError) -> Option<HeaderValue> {
    let value = match (error.challenge(), error.code()) {
        (Challenge::Basic, _) => "Basic realm=\"obol\"".to_owned(),
        (Challenge::Bearer, ErrorCode::NoToken) => "Bearer".to_owned(),
        (Challenge::Bearer, code) => format!("Bearer error=\"{}\"", code.wire().name),
    };
    HeaderValue::try_from(value).ok()
}

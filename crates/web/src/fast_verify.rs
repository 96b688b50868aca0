//! The short way of `verify_token/`: its plain form is recognised before the routes and answered without allocation
//! where possible. Anything unusual goes the long way; the decision is the same, in `obol_oauth`.

use http::header::AUTHORIZATION;
use http::{Method, Request};
use obol_oauth::{Engine, OAuthError};
use obol_token::Scratch;

use crate::dialect;
use crate::intake::MIN_POSITION;
use crate::server::Answer;

const PATH: &str = "/api/v1/oauth/verify_token";

/// What a plain request asks.
#[derive(Debug, PartialEq, Eq)]
struct Plain<'a> {
    client_id: &'a str,
    token: &'a str,
}

/// The answer to a plain request; `None` sends everything else the long way.
pub(crate) fn answer<B>(engine: &Engine, request: &Request<B>) -> Option<Result<Answer, OAuthError>> {
    let Plain { client_id, token } = recognise(request)?;
    let mut scratch = Scratch::default();
    let verification = engine.verify(token, client_id, &mut scratch);
    Some(verification.map(|verification| dialect::verified(&verification)))
}

/// One `client_id` of letters that need no decoding, one Bearer header, no wish for a position.
fn recognise<B>(request: &Request<B>) -> Option<Plain<'_>> {
    let uri = request.uri();
    if request.method() != Method::GET || uri.path().strip_suffix('/').unwrap_or(uri.path()) != PATH {
        return None;
    }
    let client_id = uri.query()?.strip_prefix("client_id=")?;
    let literal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if client_id.is_empty() || !client_id.bytes().all(literal) {
        return None;
    }
    let mut authorizations = request.headers().get_all(AUTHORIZATION).iter();
    let (Some(authorization), None) = (authorizations.next(), authorizations.next()) else { return None };
    let token = authorization.to_str().ok()?.strip_prefix("Bearer ")?;
    let wants_position = request.headers().contains_key(&MIN_POSITION);
    (!wants_position && !token.is_empty() && !token.contains(' ')).then_some(Plain { client_id, token })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn request(method: Method, uri: &str, headers: &[(&str, &str)]) -> Request<Bytes> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Bytes::new()).unwrap()
    }

    #[test]
    fn the_plain_form_is_recognised_with_and_without_the_final_slash() {
        for uri in [
            "/api/v1/oauth/verify_token/?client_id=f-c.a_r~e",
            "/api/v1/oauth/verify_token?client_id=f-c.a_r~e",
        ] {
            let request = request(Method::GET, uri, &[("authorization", "Bearer oba_x"), ("accept", "*/*")]);
            assert_eq!(recognise(&request), Some(Plain { client_id: "f-c.a_r~e", token: "oba_x" }), "{uri}");
        }
    }

    #[test]
    fn anything_unusual_goes_the_long_way() {
        let plain = "/api/v1/oauth/verify_token/?client_id=fcare";
        let bearer = ("authorization", "Bearer oba_x");
        for (method, uri, headers) in [
            (Method::POST, plain, &[bearer][..]),
            (Method::GET, "/api/v1/oauth/verify_token//?client_id=fcare", &[bearer]),
            (Method::GET, "/api/v1/oauth/verify_tokens?client_id=fcare", &[bearer]),
            (Method::GET, "/api/v1/oauth/verify_token/", &[bearer]),
            (Method::GET, "/api/v1/oauth/verify_token/?client_id=", &[bearer]),
            (Method::GET, "/api/v1/oauth/verify_token/?client_id=a&client_id=a", &[bearer]),
            (Method::GET, "/api/v1/oauth/verify_token/?x=1&client_id=fcare", &[bearer]),
            (Method::GET, "/api/v1/oauth/verify_token/?client_id=f%63are", &[bearer]),
            (Method::GET, "/api/v1/oauth/verify_token/?client_id=f+care", &[bearer]),
            (Method::GET, plain, &[]),
            (Method::GET, plain, &[bearer, bearer]),
            (Method::GET, plain, &[("authorization", "bearer oba_x")]),
            (Method::GET, plain, &[("authorization", "Bearer  oba_x")]),
            (Method::GET, plain, &[("authorization", "Bearer ")]),
            (Method::GET, plain, &[("authorization", "Basic abc")]),
            (Method::GET, plain, &[bearer, ("obol-min-position", "1")]),
        ] {
            let request = request(method, uri, headers);
            assert_eq!(recognise(&request), None, "{uri} {headers:?}");
        }
    }

    #[test]
    fn the_path_is_the_endpoints_own() {
        let mut endpoints = obol_oauth::FEATURES.iter().flat_map(|feature| feature.endpoints);
        assert!(endpoints.any(|endpoint| endpoint.path == PATH));
    }
}

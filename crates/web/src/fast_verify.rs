//! The short way of `verify_token/`: its plain form is recognised before the routes and read without allocation.
//! Anything unusual goes the long way; the decision is the same, in `obol_oauth`.

use http::Method;
use http::header::AUTHORIZATION;
use obol_oauth::{Engine, OAuthError};
use obol_token::Scratch;

use crate::dialect;
use crate::intake::{MIN_POSITION, visible};
use crate::server::{Answer, Fields, Whole};
use crate::sharing::is_from_page;

const PATH: &str = "/api/v1/oauth/verify_token";

/// What a plain request asks.
#[derive(Debug, PartialEq, Eq)]
struct Plain<'a> {
    client_id: &'a str,
    token: &'a str,
}

/// The answer to a plain request; `None` sends everything else the long way.
pub(crate) fn answer<F: Fields + ?Sized>(
    engine: &Engine,
    request: &Whole<'_, F>,
) -> Option<Result<Answer, OAuthError>> {
    let Plain { client_id, token } = recognise(request)?;
    let mut scratch = Scratch::default();
    let verification = engine.verify(token, client_id, &mut scratch);
    Some(verification.map(|verification| dialect::verified(&verification)))
}

/// One `client_id` of letters that need no decoding, one Bearer header, no wish for a position, no page that asks.
fn recognise<'a, F: Fields + ?Sized>(request: &Whole<'a, F>) -> Option<Plain<'a>> {
    let path = request.path;
    if request.method != Method::GET || path.strip_suffix('/').unwrap_or(path) != PATH {
        return None;
    }
    let client_id = request.query?.strip_prefix("client_id=")?;
    let literal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if client_id.is_empty() || !client_id.bytes().all(literal) {
        return None;
    }
    let mut authorizations = request.fields.values(&AUTHORIZATION);
    let (Some(authorization), None) = (authorizations.next(), authorizations.next()) else { return None };
    let token = visible(authorization)?.strip_prefix("Bearer ")?;
    let wants_position = request.fields.values(&MIN_POSITION).next().is_some();
    (!wants_position
        && !is_from_page(request.fields)
        && !token.is_empty()
        && memchr::memchr(b' ', token.as_bytes()).is_none())
    .then_some(Plain { client_id, token })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http::{HeaderMap, HeaderName, HeaderValue};

    use crate::server::Source;

    use super::*;

    /// The client and the token of what is recognised.
    fn recognised(method: Method, target: &str, headers: &[(&str, &str)]) -> Option<(String, String)> {
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let field = |(name, value): &(&str, &str)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
        };
        let mut fields = HeaderMap::new();
        for (name, value) in headers.iter().map(field) {
            fields.append(name, value);
        }
        let peer: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let source = Source { peer, client: peer.ip(), tls: false, proxied: false };
        let whole = Whole { method: &method, path, query, fields: &fields, body: b"", source };
        recognise(&whole).map(|plain| (plain.client_id.to_owned(), plain.token.to_owned()))
    }

    #[test]
    fn the_plain_form_is_recognised_with_and_without_the_final_slash() {
        for uri in [
            "/api/v1/oauth/verify_token/?client_id=f-c.a_r~e",
            "/api/v1/oauth/verify_token?client_id=f-c.a_r~e",
        ] {
            let headers = [("authorization", "Bearer oba_x"), ("accept", "*/*")];
            let expected = Some(("f-c.a_r~e".to_owned(), "oba_x".to_owned()));
            assert_eq!(recognised(Method::GET, uri, &headers), expected, "{uri}");
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
            (Method::GET, plain, &[bearer, ("origin", "https://app.example")]),
        ] {
            assert_eq!(recognised(method, uri, headers), None, "{uri} {headers:?}");
        }
    }

    #[test]
    fn the_path_is_the_endpoints_own() {
        let mut endpoints = obol_oauth::FEATURES.iter().flat_map(|feature| feature.endpoints);
        assert!(endpoints.any(|endpoint| endpoint.path == PATH));
    }
}

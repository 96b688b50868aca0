//! From an HTTP request to the engine's [`obol_oauth::Request`].

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Request};
use obol_oauth::{
    Arrival, Authorization, Endpoint, ErrorCode, MalformedParams, Method, OAuthError, Params, Surface,
};
use obol_token::Position;

/// The header that asks for an answer at least that new.
pub(crate) static MIN_POSITION: HeaderName = HeaderName::from_static("obol-min-position");

/// Reads a request to `endpoint`.
///
/// # Errors
/// 415 for a body of another type, `invalid_request` for anything malformed or given twice.
pub(crate) fn read(
    endpoint: &'static Endpoint,
    request: &Request<Bytes>,
    arrival: Arrival,
) -> Result<obol_oauth::Request, OAuthError> {
    let query = request.uri().query().unwrap_or_default();
    let body = match endpoint.method {
        // Every real client of verify sends a content type with no body.
        Method::Get => Params::default(),
        Method::Post => read_body(endpoint.surface, request.headers(), request.body())?,
    };
    Ok(obol_oauth::Request {
        endpoint,
        query: Params::from_form(query.as_bytes()).map_err(malformed)?,
        body,
        authorization: read_authorization(request.headers())?,
        min_position: read_min_position(request.headers())?,
        arrival,
    })
}

fn read_body(surface: Surface, headers: &HeaderMap, body: &[u8]) -> Result<Params, OAuthError> {
    if body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
        return Ok(Params::default());
    }
    let content_type = single(headers, &CONTENT_TYPE)?.unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let form = media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let json = media_type.eq_ignore_ascii_case("application/json");
    match surface {
        _ if form => Params::from_form(body).map_err(malformed),
        Surface::FortiAuthenticator if json => Params::from_json(body).map_err(malformed),
        Surface::FortiAuthenticator => Err(OAuthError::new(
            ErrorCode::UnsupportedMediaType,
            "Send the body as `application/json` or `application/x-www-form-urlencoded`.",
        )),
        Surface::Rfc => Err(OAuthError::new(
            ErrorCode::InvalidRequest,
            "Send the parameters as `application/x-www-form-urlencoded`.",
        )),
    }
}

fn read_authorization(headers: &HeaderMap) -> Result<Authorization, OAuthError> {
    Ok(single(headers, &AUTHORIZATION)?.map_or(Authorization::None, Authorization::parse))
}

fn read_min_position(headers: &HeaderMap) -> Result<Option<Position>, OAuthError> {
    let Some(text) = single(headers, &MIN_POSITION)? else { return Ok(None) };
    match text.parse() {
        Ok(number) => Ok(Some(Position::new(number))),
        Err(_) => Err(invalid_request(format!("The header `{MIN_POSITION}` must be a whole number."))),
    }
}

/// The one value of a header; bytes outside visible ASCII make it one that means nothing to us.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, OAuthError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Ok(Some(value.to_str().unwrap_or("?"))),
        (Some(_), Some(_)) => {
            Err(invalid_request(format!("The header `{name}` is given twice; send it once.")))
        }
    }
}

fn malformed(error: MalformedParams) -> OAuthError {
    let sentence = error.to_string();
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    invalid_request(first.into_iter().chain(letters).chain(['.']).collect())
}

fn invalid_request(sentence: String) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, sentence)
}

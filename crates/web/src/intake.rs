//! From an HTTP request to the engine's [`obol_oauth::Request`].

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, Method};
use obol_oauth::{Arrival, Authorization, Endpoint, ErrorCode, MalformedParams, OAuthError, Params, Surface};
use obol_token::Position;

use crate::server::{Fields, Whole};

/// The header that asks for an answer at least that new.
pub(crate) static MIN_POSITION: HeaderName = HeaderName::from_static("obol-min-position");

/// For which host a proxy was asked.
pub(crate) static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Reads a request to `endpoint`.
///
/// # Errors
/// 415 for a body of another type, `invalid_request` for anything malformed or given twice.
pub(crate) fn read<'a, F: Fields + ?Sized>(
    endpoint: &'static Endpoint,
    request: &Whole<'a, F>,
    arrival: Arrival,
) -> Result<obol_oauth::Request<'a>, OAuthError> {
    let query = request.query.unwrap_or_default();
    let body = match *request.method {
        // Every real client of verify sends a content type with no body.
        Method::GET => Params::default(),
        _ if endpoint.takes_lists() => read_lists(request.fields, request.body)?,
        _ => read_body(endpoint.surface, request.fields, request.body)?,
    };
    Ok(obol_oauth::Request {
        endpoint,
        query: Params::from_form(query.as_bytes()).map_err(malformed)?,
        body,
        authorization: read_authorization(request.fields)?,
        min_position: read_min_position(request.fields)?,
        arrival,
    })
}

pub(crate) fn read_body<'a, F: Fields + ?Sized>(
    surface: Surface,
    fields: &F,
    body: &'a [u8],
) -> Result<Params<'a>, OAuthError> {
    let media_type = media_type(fields)?;
    if body.is_empty() && media_type.is_none() {
        return Ok(Params::default());
    }
    let is = |name| media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case(name));
    let (form, json) = (is("application/x-www-form-urlencoded"), is(JSON));
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

/// The body of an endpoint that takes lists, which no form can hold.
fn read_lists<'a, F: Fields + ?Sized>(fields: &F, body: &'a [u8]) -> Result<Params<'a>, OAuthError> {
    check_json(fields, "Send the parameters as a JSON object, as `application/json`.")?;
    Params::from_json(body).map_err(malformed)
}

/// Whether the body says that it is JSON; `sentence` is for who sends something else.
///
/// # Errors
/// 415, `invalid_request` for a type that is given twice.
pub(crate) fn check_json<F: Fields + ?Sized>(fields: &F, sentence: &'static str) -> Result<(), OAuthError> {
    match media_type(fields)?.is_some_and(|media_type| media_type.eq_ignore_ascii_case(JSON)) {
        true => Ok(()),
        false => Err(OAuthError::new(ErrorCode::UnsupportedMediaType, sentence)),
    }
}

const JSON: &str = "application/json";

/// The type of the body, without what follows it.
fn media_type<F: Fields + ?Sized>(fields: &F) -> Result<Option<&str>, OAuthError> {
    let content_type = single(fields, &CONTENT_TYPE)?;
    Ok(content_type.map(|value| value.split(';').next().unwrap_or_default().trim()))
}

pub(crate) fn read_authorization<F: Fields + ?Sized>(fields: &F) -> Result<Authorization<'_>, OAuthError> {
    Ok(single(fields, &AUTHORIZATION)?.map_or(Authorization::None, Authorization::parse))
}

fn read_min_position<F: Fields + ?Sized>(fields: &F) -> Result<Option<Position>, OAuthError> {
    let Some(text) = single(fields, &MIN_POSITION)? else { return Ok(None) };
    match text.parse() {
        Ok(number) => Ok(Some(Position::new(number))),
        Err(_) => Err(invalid_request(format!("The header `{MIN_POSITION}` must be a whole number."))),
    }
}

/// The one value of a header; bytes outside visible ASCII make it one that means nothing to us.
fn single<'a, F: Fields + ?Sized>(
    fields: &'a F,
    name: &'a HeaderName,
) -> Result<Option<&'a str>, OAuthError> {
    let mut values = fields.values(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Ok(Some(visible(value).unwrap_or("?"))),
        (Some(_), Some(_)) => {
            Err(invalid_request(format!("The header `{name}` is given twice; send it once.")))
        }
    }
}

/// The text of a header's value, if it is ASCII; no parser lets control characters through.
pub(crate) fn visible(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok().filter(|text| text.is_ascii())
}

pub(crate) fn malformed(error: MalformedParams) -> OAuthError {
    let sentence = error.to_string();
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    invalid_request(first.into_iter().chain(letters).chain(['.']).collect())
}

fn invalid_request(sentence: String) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, sentence)
}

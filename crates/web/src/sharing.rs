//! Answers that pages of other origins may read (CORS, in the Fetch standard): a public client's own pages, at endpoints and never
//! at pages. No cookie counts at an endpoint, so none is asked for.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use obol_oauth::Engine;

use crate::routes::Route;
use crate::server::{Answer, Fields, UsualFields};

const ASKED_HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, obol-min-position");
const READ_HEADERS: HeaderValue =
    HeaderValue::from_static("www-authenticate, retry-after, x-request-id, obol-position");
/// For how long a browser need not ask again, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const PREFLIGHT: UsualFields = UsualFields::written("\r\nvary: origin");

/// The origin with which an answer is shared.
pub(crate) struct Sharing(HeaderValue);

impl Sharing {
    /// With the page that asks, if its origin is a public client's.
    pub(crate) fn decide(engine: &Engine, route: &Route, fields: &HeaderMap) -> Option<Self> {
        let origin =
            only(fields, &ORIGIN).filter(|_| matches!(route, Route::Endpoint(_) | Route::Resource))?;
        engine.is_client_origin(origin.to_str().ok()?).then(|| Self(origin.clone()))
    }

    /// The answer to the question whether a page may ask by this method.
    pub(crate) fn allow(self, method: &Method) -> Option<Answer> {
        let method = HeaderValue::from_str(method.as_str()).ok()?;
        let answer = Answer::new(StatusCode::NO_CONTENT, PREFLIGHT, Vec::new())
            .with(ACCESS_CONTROL_ALLOW_METHODS, method)
            .with(ACCESS_CONTROL_ALLOW_HEADERS, ASKED_HEADERS)
            .with(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        Some(answer.with(ACCESS_CONTROL_ALLOW_ORIGIN, self.0))
    }

    /// This answer, shared.
    pub(crate) fn share(self, answer: Answer) -> Answer {
        answer.with(ACCESS_CONTROL_ALLOW_ORIGIN, self.0).with(ACCESS_CONTROL_EXPOSE_HEADERS, READ_HEADERS)
    }
}

/// Whether a page asks, or a program that says it is one.
pub(crate) fn is_from_page<F: Fields + ?Sized>(fields: &F) -> bool {
    fields.values(&ORIGIN).next().is_some()
}

/// The method by which a page wants to ask, where a browser looks first whether it may.
pub(crate) fn wanted_method<B>(request: &Request<B>) -> Option<Method> {
    let asked = (request.method() == Method::OPTIONS).then_some(request.headers())?;
    Method::from_bytes(only(asked, &ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

fn only<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = fields.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

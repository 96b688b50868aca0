//! A gateway's question, read.
//!
//! | who sends it          | what is needed                  | the request that it is about                            |
//! |-----------------------|---------------------------------|---------------------------------------------------------|
//! | nginx                 | the query                       | `X-Original-URL`, `X-Original-Method`                   |
//! | Traefik, Caddy        | the query                       | `X-Forwarded-Proto`, `-Host`, `-Uri`, `-Method`         |
//! | Envoy                 | `/forward-auth/for/<needed>/…`  | the rest of the path, the query, `Host`, the method     |
//!
//! Envoy puts a prefix before the path of its client and leaves the query as it is: there the client would say what is
//! needed.

use http::header::{ACCEPT, AUTHORIZATION, HOST};
use http::{HeaderName, Method};
use obol_oauth::{Authorization, OAuthError, Params};

use super::address::Address;
use crate::intake::{self, FORWARDED_HOST};
use crate::server::{Fields, Whole};

const PATH: &str = "/forward-auth";
const PREFIX: &str = "/forward-auth/for/";
/// Needed where nothing is: a prefix without a segment would be no prefix.
const NOTHING: &str = "any";

static ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
static ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
static FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");

/// A question.
pub(super) struct Asked<'r, 'a, F: ?Sized> {
    request: &'r Whole<'a, F>,
    needed: &'a str,
    /// What follows the prefix, where there is one.
    rest: Option<&'a str>,
}

/// Whether a path is one before which a gateway has put the prefix.
pub(crate) fn is_prefixed(path: &str) -> bool {
    path.starts_with(PREFIX) && split(path).is_some()
}

/// What is needed by the path, and what follows; `None` and `None` for the plain path.
fn split(path: &str) -> Option<(Option<&str>, Option<&str>)> {
    if path.strip_suffix('/').unwrap_or(path) == PATH {
        return Some((None, None));
    }
    let rest = path.strip_prefix(PREFIX)?;
    let (needed, rest) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    (!needed.is_empty()).then_some((Some(needed), Some(rest)))
}

impl<'r, 'a, F: Fields + ?Sized> Asked<'r, 'a, F> {
    /// Reads a request to this endpoint; `None` for one to another.
    pub(super) fn find(request: &'r Whole<'a, F>) -> Option<Self> {
        let (needed, rest) = split(request.path)?;
        let needed = needed.unwrap_or_else(|| request.query.unwrap_or_default());
        Some(Self { request, needed: if rest.is_some() && needed == NOTHING { "" } else { needed }, rest })
    }

    /// What is needed, for [`obol_oauth::Needed::read`].
    ///
    /// # Errors
    /// `invalid_request` for what is no form.
    pub(super) fn params(&self) -> Result<Params<'a>, OAuthError> {
        Params::from_form(self.needed.as_bytes()).map_err(intake::malformed)
    }

    /// The `Authorization` field.
    ///
    /// # Errors
    /// `invalid_request` if there are two.
    pub(super) fn authorization(&self) -> Result<Authorization<'_>, OAuthError> {
        intake::read_authorization(self.request.fields)
    }

    /// Whether there is one, of whatever scheme.
    pub(super) fn has_authorization(&self) -> bool {
        self.request.fields.values(&AUTHORIZATION).next().is_some()
    }

    /// Whether a person looks at the answer: a browser that goes somewhere, and could be sent elsewhere.
    pub(super) fn is_browser(&self) -> bool {
        let method = self.field(&ORIGINAL_METHOD).or_else(|| self.field(&FORWARDED_METHOD));
        let goes = [None, Some("GET"), Some("HEAD")].contains(&method)
            && (method.is_some() || [Method::GET, Method::HEAD].contains(self.request.method));
        let types = self.request.fields.values(&ACCEPT).filter_map(intake::visible);
        goes && !self.has_authorization() && types.flat_map(|field| field.split(',')).any(is_html)
    }

    /// The address that the client has asked for, if a trusted proxy says it. Where two fields name the host they have to
    /// agree: one of them may be the client's own.
    pub(super) fn address(&self) -> Option<Address> {
        if !self.request.source.proxied {
            return None;
        }
        let fields = &[&ORIGINAL_URL, &FORWARDED_HOST, &FORWARDED_PROTO, &FORWARDED_URI];
        if fields.iter().any(|name| self.request.fields.values(name).nth(1).is_some()) {
            return None;
        }
        let forwarded_host = self.field(&FORWARDED_HOST);
        if let Some(rest) = self.rest {
            let uri = match self.request.query {
                Some(query) => format!("{rest}?{query}"),
                None => rest.to_owned(),
            };
            return Address::of(self.field(&FORWARDED_PROTO).unwrap_or("https"), self.field(&HOST)?, &uri);
        }
        match self.field(&ORIGINAL_URL) {
            Some(url) => {
                let address = Address::of_url(url)?;
                forwarded_host.is_none_or(|host| address.is_at(host)).then_some(address.for_status_only())
            }
            None => Address::of(self.field(&FORWARDED_PROTO)?, forwarded_host?, self.field(&FORWARDED_URI)?),
        }
    }

    fn field(&self, name: &'a HeaderName) -> Option<&str> {
        let value = self.request.fields.values(name).next().and_then(intake::visible);
        value.filter(|value| !value.is_empty())
    }
}

fn is_html(range: &str) -> bool {
    let mut parts = range.split(';');
    let html = parts.next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"));
    html && !parts.any(|part| ["q=0", "q=0.0", "q=0.00", "q=0.000"].contains(&part.trim()))
}

//! What the handler gets: a whole request, or the reason why there is none.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};

use super::Answer;

/// Who answers.
pub trait Handler: Send + Sync + 'static {
    /// Answers what arrived. The future is dropped when its peer resets the stream.
    fn answer(&self, received: Received) -> impl Future<Output = Answer> + Send + 'static;

    /// Answers a request where it lies, if that needs no wait; else `None`, having done nothing, and [`Self::answer`]
    /// is asked.
    fn answer_at_once<F: Fields + ?Sized>(&self, _request: &Whole<'_, F>) -> Option<Answer> {
        None
    }

    /// The most bytes that the body of this request may have, where that is not `max_body_bytes`. The body is not
    /// there yet: who has shown nothing in the head can fill memory up to this.
    fn body_limit(&self, _head: &Parts) -> Option<usize> {
        None
    }
}

/// A whole request within all limits, read where it lies.
#[derive(Debug)]
pub struct Whole<'a, F: ?Sized> {
    /// Its method.
    pub method: &'a Method,
    /// The path of its target.
    pub path: &'a str,
    /// The query of its target, without the question mark.
    pub query: Option<&'a str>,
    /// Its header fields.
    pub fields: &'a F,
    /// Its body.
    pub body: &'a [u8],
    /// Where it comes from.
    pub source: Source,
}

/// Header fields, in whatever form they lie.
pub trait Fields {
    /// The values of the fields of this name, in their order.
    fn values<'a>(&'a self, name: &'a HeaderName) -> impl DoubleEndedIterator<Item = &'a [u8]>;
}

impl Fields for HeaderMap {
    fn values<'a>(&'a self, name: &'a HeaderName) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        self.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

impl Fields for [httparse::Header<'_>] {
    fn values<'a>(&'a self, name: &'a HeaderName) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        let same = move |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name.as_str());
        self.iter().filter(same).map(|field| field.value)
    }
}

impl<H, F> Handler for H
where
    H: Fn(Received) -> F + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    fn answer(&self, received: Received) -> impl Future<Output = Answer> + Send + 'static {
        self(received)
    }
}

/// What arrived. A refused request is a case of its own, so that no handler can act on it by mistake.
#[derive(Debug)]
pub enum Received {
    /// A whole request within all limits, with its [`Source`] as an extension.
    Request(Request<Bytes>),
    /// Only the answer is left to be made, with the status of the [`Refusal`]. The head (with its [`Source`]) is for
    /// choosing a dialect. On HTTP/1.1 the connection is closed after the answer.
    Refused(Parts, Refusal),
}

/// Where a request comes from: an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// Whose request it is: the peer, or what a trusted proxy says in `X-Forwarded-For`.
    pub client: IpAddr,
    /// Whether this connection is TLS.
    pub tls: bool,
    /// Whether the peer is a trusted proxy, whose word about the request that it passes on counts.
    pub proxied: bool,
}

/// Why the listener did not let a request through. The text is fit for the public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Over `max_body_bytes`.
    #[error("the request body is too large")]
    BodyTooLarge,
    /// Over `body_timeout`.
    #[error("the request body did not arrive in time")]
    BodyTimedOut,
    /// The body ended early, or its chunks are malformed (RFC 9112 §7.1).
    #[error("the request body is malformed or incomplete")]
    BodyBroken,
    /// Over `max_header_bytes`.
    #[error("the request header is too large")]
    HeadersTooLarge,
    /// Over `max_uri_bytes`.
    #[error("the request target is too long")]
    UriTooLong,
    /// Two readers could disagree where the request ends or whom it is for (RFC 9112 §2.2, §3.2, §6.3).
    #[error("the request framing is ambiguous or malformed")]
    BadFraming,
    /// Came in clear from a peer that is neither on this machine nor a trusted proxy.
    #[error("this server takes requests over TLS only")]
    InClear,
}

impl Refusal {
    /// The status to answer with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::BodyBroken | Self::BadFraming => StatusCode::BAD_REQUEST,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::InClear => StatusCode::FORBIDDEN,
        }
    }
}

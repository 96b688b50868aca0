//! One request and its answer over one connection (HTTP/1.1). Nothing of it stays: no cookie, no connection, no task.

use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName,
    USER_AGENT,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use obol_oauth::DocumentKind;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::address::Address;
use crate::metered::{Metered, TooMuch};
use crate::trouble::Trouble;

/// The most that a document may have, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_FIELDS: usize = 64;
/// What is read of a connection in all: informational answers and the sizes of chunks count, too.
const MAX_READ_BYTES: usize = 128 * 1024;

const USER_AGENT_NAME: &str = concat!("obol/", env!("CARGO_PKG_VERSION"));

/// A document as it came.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) text: String,
    /// How long it may be kept, if the server has said so.
    pub(crate) max_age: Option<Duration>,
}

/// Asks for a document of this kind.
pub(crate) async fn get<S>(stream: S, address: &Address, kind: DocumentKind) -> Result<Document, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(address, Method::GET, &[(ACCEPT, accept(kind))], Bytes::new())?;
    exchange(stream, request, async |response| {
        check_status(response.status(), &[StatusCode::OK])?;
        check_fields(response.headers(), kind)?;
        let max_age = max_age(response.headers());
        let body = read(response.into_body()).await?;
        Ok(Document { text: String::from_utf8(body).map_err(|_| Trouble::NotText)?, max_age })
    })
    .await
}

/// Posts a form. The body of the answer is not read.
pub(crate) async fn post<S>(stream: S, address: &Address, form: String) -> Result<(), Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let fields = [(CONTENT_TYPE, "application/x-www-form-urlencoded")];
    let request = request(address, Method::POST, &fields, form.into())?;
    exchange(stream, request, async |response| {
        check_status(response.status(), &[StatusCode::OK, StatusCode::NO_CONTENT])
    })
    .await
}

fn request(
    address: &Address,
    method: Method,
    fields: &[(HeaderName, &'static str)],
    body: Bytes,
) -> Result<Request<Full<Bytes>>, Trouble> {
    let mut request = Request::builder()
        .method(method)
        .uri(&address.target)
        .header(HOST, address.authority())
        .header(USER_AGENT, USER_AGENT_NAME)
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close");
    for (name, value) in fields {
        request = request.header(name, *value);
    }
    request.body(Full::new(body)).map_err(|_| Trouble::NotAnAddress)
}

/// The connection is driven here and not by a task of its own, so that it ends with this future.
async fn exchange<S, T>(
    stream: S,
    request: Request<Full<Bytes>>,
    take: impl AsyncFnOnce(Response<Incoming>) -> Result<T, Trouble>,
) -> Result<T, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = TokioIo::new(Metered::new(stream, MAX_READ_BYTES));
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(MAX_FIELDS)
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(stream)
        .await
        .map_err(|error| trouble(&error))?;
    let mut answer = pin!(async {
        let response = sender.send_request(request).await.map_err(|error| trouble(&error))?;
        take(response).await
    });
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // What was read before the end is still to be taken.
        _ = connection => answer.await,
    }
}

fn check_status(status: StatusCode, good: &[StatusCode]) -> Result<(), Trouble> {
    match status {
        status if good.contains(&status) => Ok(()),
        status if status.is_redirection() => Err(Trouble::Redirect(status.as_u16())),
        status => Err(Trouble::Status(status.as_u16())),
    }
}

fn accept(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Json => "application/json",
        DocumentKind::RequestObject => "application/oauth-authz-req+jwt, application/jwt",
    }
}

fn check_fields(fields: &HeaderMap, kind: DocumentKind) -> Result<(), Trouble> {
    let mut encodings = fields.get_all(CONTENT_ENCODING).iter();
    if !encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Trouble::Encoded);
    }
    let mut types = fields.get_all(CONTENT_TYPE).iter();
    let only = types.next().filter(|_| types.next().is_none());
    let text = only.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (is_it, trouble) = match kind {
        DocumentKind::Json => {
            let built_on_it = media_type.starts_with("application/") && media_type.ends_with("+json");
            (media_type == "application/json" || built_on_it, Trouble::NotJson)
        }
        DocumentKind::RequestObject => {
            let known = ["application/oauth-authz-req+jwt", "application/jwt"];
            (known.contains(&media_type.as_str()), Trouble::NotRequestObject)
        }
    };
    if is_it { Ok(()) } else { Err(trouble) }
}

/// The shortest that is named (RFC 9111 §5.2.2.1); what must not be kept at all is 0.
fn max_age(fields: &HeaderMap) -> Option<Duration> {
    let values = fields.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives = values.flat_map(|value| value.split(',')).map(|one| one.trim().to_ascii_lowercase());
    let secs = directives.filter_map(|directive| match directive.split_once('=') {
        Some(("max-age", secs)) => Some(secs.trim_matches('"').parse().unwrap_or(0)),
        None if directive == "no-store" || directive == "no-cache" => Some(0),
        _ => None,
    });
    secs.min().map(Duration::from_secs)
}

/// Counted while it is read: what an answer says of its length is not what it has.
async fn read(mut body: Incoming) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| trouble(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > MAX_BODY_BYTES {
            return Err(Trouble::Large);
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

fn trouble(error: &hyper::Error) -> Trouble {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match io {
        Some(io) if io.get_ref().is_some_and(|inner| inner.is::<TooMuch>()) => Trouble::Large,
        Some(io) if io.kind() == io::ErrorKind::InvalidData => Trouble::NotHttp,
        _ if error.is_parse_too_large() => Trouble::LargeHead,
        _ if error.is_parse() => Trouble::NotHttp,
        _ => Trouble::Cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9111_5_2_2_1_the_shortest_age_that_is_named_counts() {
        for (values, secs) in [
            (&[][..], None),
            (&["public"], None),
            (&["max-age=60"], Some(60)),
            (&["Public, Max-Age=\"120\", must-revalidate"], Some(120)),
            (&["max-age=600, max-age=60"], Some(60)),
            (&["max-age=600", "max-age=30"], Some(30)),
            (&["max-age=600, no-cache"], Some(0)),
            (&["no-store"], Some(0)),
            (&["max-age=-1"], Some(0)),
            (&["max-age=99999999999999999999999"], Some(0)),
            (&["s-maxage=5"], None),
        ] {
            let values = values.iter().map(|value| (CACHE_CONTROL, value.parse().unwrap()));
            assert_eq!(max_age(&values.collect()), secs.map(Duration::from_secs), "{secs:?}");
        }
    }
}

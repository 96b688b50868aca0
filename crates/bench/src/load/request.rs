//! Requests as they are written down, and as they go over the wire: made once, sent many times.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{HeaderName, HeaderValue, Method};
use http_body_util::Full;

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// HTTP/1.1, kept alive.
    #[default]
    Http1,
    /// HTTP/2, over TLS. One request at a time on each connection.
    Http2,
}

/// What a request must know of where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    /// What is spoken.
    pub(crate) protocol: Protocol,
    /// Host and port.
    pub(crate) authority: String,
}

/// A request as it is written down.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: Method,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// A request that needs no more work.
#[derive(Debug, Clone)]
pub(crate) enum Prepared {
    /// The bytes of HTTP/1.1.
    Bytes(Box<[u8]>),
    /// For HTTP/2, which has state of its own in each connection.
    Parts(Box<http::Request<Full<Bytes>>>),
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer<'a> {
    /// Its status.
    pub(crate) status: u16,
    /// Its header fields, read only when somebody asks for them.
    pub(crate) fields: Fields<'a>,
    /// Its content.
    pub(crate) body: &'a [u8],
}

/// The header fields of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Fields<'a> {
    /// The head as it came over HTTP/1.1.
    Head(&'a [u8]),
    /// As HTTP/2 gave them.
    Map(&'a http::HeaderMap),
}

impl Fields<'_> {
    /// Names, in lower case, and values.
    pub(crate) fn to_pairs(&self) -> Vec<(String, String)> {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        match self {
            Self::Head(head) => {
                let lines = head.split(|byte| *byte == b'\n').skip(1).map(text);
                let pair = |line: String| {
                    let (name, value) = line.trim_end().split_once(':')?;
                    Some((name.to_ascii_lowercase(), value.trim_start().to_owned()))
                };
                lines.filter_map(pair).collect()
            }
            Self::Map(map) => {
                map.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
            }
        }
    }
}

impl Request {
    /// A GET of a path with its query.
    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self { method: Method::GET, target: target.into(), headers: Vec::new(), body: String::new() }
    }

    /// A POST of form fields.
    pub(crate) fn post(target: &str, fields: &[(&str, &str)]) -> Self {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = ("content-type", "application/x-www-form-urlencoded".to_owned());
        Self { method: Method::POST, target: target.to_owned(), headers: vec![form], body }
    }

    /// A POST of a JSON body.
    pub(crate) fn post_json(target: &str, body: String) -> Self {
        let json = ("content-type", "application/json".to_owned());
        Self { method: Method::POST, target: target.to_owned(), headers: vec![json], body }
    }

    /// With this access token.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// With these client credentials (RFC 6749 §2.3.1).
    pub(crate) fn basic(self, id: &str, secret: &str) -> Self {
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
        self.header("authorization", format!("Basic {pair}"))
    }

    /// As it goes over this wire.
    pub(crate) fn prepare(&self, wire: &Wire) -> Prepared {
        match wire.protocol {
            Protocol::Http1 => Prepared::Bytes(self.bytes(&wire.authority).into_bytes().into()),
            Protocol::Http2 => Prepared::Parts(Box::new(self.parts(&wire.authority))),
        }
    }

    fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    fn bytes(&self, authority: &str) -> String {
        let Self { method, target, headers, body } = self;
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {authority}\r\n");
        headers.iter().for_each(|(name, value)| head.extend([name, ": ", value, "\r\n"]));
        if *method == Method::POST {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head + "\r\n" + body
    }

    fn parts(&self, authority: &str) -> http::Request<Full<Bytes>> {
        let mut request = http::Request::new(Full::new(Bytes::from(self.body.clone())));
        *request.method_mut() = self.method.clone();
        // What is not a URI or a header shows as a wrong answer.
        *request.uri_mut() = format!("https://{authority}{}", self.target).parse().unwrap_or_default();
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                request.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(protocol: Protocol) -> Wire {
        Wire { protocol, authority: "localhost:1".to_owned() }
    }

    #[test]
    fn a_request_goes_over_the_wire_whole() {
        let asked = Request::post("/oauth2/token", &[("token", "a b&c")]).basic("id", "p:w");
        let Prepared::Bytes(bytes) = asked.prepare(&wire(Protocol::Http1)) else { panic!("not bytes") };
        let expected = "POST /oauth2/token HTTP/1.1\r\nhost: localhost:1\r\ncontent-type: \
                        application/x-www-form-urlencoded\r\nauthorization: Basic aWQ6cCUzQXc=\r\n\
                        content-length: 13\r\n\r\ntoken=a+b%26c";
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    }

    #[test]
    fn a_request_for_http2_has_the_same_parts() {
        let Prepared::Parts(parts) =
            Request::get("/v?client_id=x").bearer("t").prepare(&wire(Protocol::Http2))
        else {
            panic!("not parts")
        };
        assert_eq!(parts.uri(), "https://localhost:1/v?client_id=x");
        assert_eq!(parts.headers()["authorization"], "Bearer t");
    }
}

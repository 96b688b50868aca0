//! A blocking HTTP client: one connection per request, closed afterwards.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

use crate::tls::SERVER_NAME;
use crate::{Answer, raw};

const DEADLINE: Duration = Duration::from_secs(60);

/// Talks to one server.
#[derive(Clone)]
pub struct Http {
    address: SocketAddr,
    from: Option<IpAddr>,
    host: Option<String>,
    tls: Option<Arc<ClientConfig>>,
}

impl Http {
    pub(crate) fn new(address: SocketAddr, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { address, from: None, host: None, tls }
    }

    /// Talks to whatever answers there, e.g. an application that uses the server.
    pub fn at(address: SocketAddr) -> Self {
        Self::new(address, None)
    }

    /// A GET of `path`, query included.
    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    /// A POST to `path`.
    pub fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    /// Any method on `path`.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.host.clone().unwrap_or_else(|| self.address.to_string()))
            .body(Bytes::new())
            .expect("a test sends a well-formed request target");
        Request { http: self.clone(), request }
    }

    /// Sends these bytes over a plain connection, closes the sending half, and gives what came back until the server
    /// closed or 20 s passed.
    pub fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        raw::exchange(self.address, bytes)
    }

    /// The same, but coming from another address of this machine (127.0.0.0/8 are all its own).
    pub fn from(&self, address: impl Into<IpAddr>) -> Self {
        Self { from: Some(address.into()), ..self.clone() }
    }

    /// The same, but asking for another host.
    pub fn at_host(&self, host: &str) -> Self {
        Self { host: Some(host.to_owned()), ..self.clone() }
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn exchange(&self, request: http::Request<Bytes>) -> io::Result<Answer> {
        thread_local! {
            static RUNTIME: RefCell<Runtime> = RefCell::new(
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts"),
            );
        }
        RUNTIME.with_borrow_mut(|runtime| {
            runtime.block_on(async {
                tokio::time::timeout(DEADLINE, self.exchange_on_a_new_connection(request))
                    .await
                    .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer within 60 s"))?
            })
        })
    }

    async fn exchange_on_a_new_connection(&self, request: http::Request<Bytes>) -> io::Result<Answer> {
        let socket = match self.address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(from) = self.from {
            socket.bind((from, 0).into())?;
        }
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => exchange_over(stream, request).await,
            Some(tls) => {
                let name = SERVER_NAME.try_into().map_err(io::Error::other)?;
                exchange_over(TlsConnector::from(tls.clone()).connect(name, stream).await?, request).await
            }
        }
    }
}

async fn exchange_over<S>(stream: S, request: http::Request<Bytes>) -> io::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let exchange = async {
        let began = Instant::now();
        let answer = sender.send_request(request.map(Full::new)).await.map_err(io::Error::other)?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let took = began.elapsed();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, took })
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // The server may close right after its answer: what it sent is still to be read.
        _ = &mut connection => exchange.await,
    }
}

/// How fields are written in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyType {
    /// `application/json`
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
}

/// A request that can still change.
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    http: Http,
    request: http::Request<Bytes>,
}

impl Request {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a test sends a well-formed header name");
        let value =
            HeaderValue::from_bytes(value.as_bytes()).expect("a test sends a well-formed header value");
        self.request.headers_mut().append(name, value);
        self
    }

    /// `Authorization: Bearer <token>`
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// HTTP Basic, id and secret form-encoded first (RFC 6749 §2.3.1).
    pub fn basic(self, id: &str, secret: &str) -> Self {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(id), encode(secret));
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        self.header("authorization", &format!("Basic {encoded}"))
    }

    /// A body of this type.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = body.into();
        self.header("content-type", content_type)
    }

    /// A form.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// A JSON object of texts.
    pub fn json(self, fields: &[(&str, &str)]) -> Self {
        let object: serde_json::Map<_, _> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        self.body("application/json", serde_json::Value::Object(object).to_string())
    }

    /// Fields in one of the two body types.
    pub fn fields(self, body_type: BodyType, fields: &[(&str, &str)]) -> Self {
        match body_type {
            BodyType::Json => self.json(fields),
            BodyType::Form => self.form(fields),
        }
    }

    /// Sends it; a test fails if no answer comes.
    #[track_caller]
    pub fn send(self) -> Answer {
        let what = format!("{} {}", self.request.method(), self.request.uri());
        self.try_send().unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Sends it.
    ///
    /// # Errors
    /// When the connection fails or no answer comes within 60 s.
    pub fn try_send(self) -> io::Result<Answer> {
        self.http.exchange(self.request)
    }
}

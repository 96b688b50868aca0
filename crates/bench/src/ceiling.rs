//! The ceiling: a bare hyper server that parses the same request and returns the same bytes without doing anything.
//!
//! It is a process of its own, as the server is, started by the same program and on the same runtime.

use std::io::{self, BufRead, Read};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::load::{Endpoint, Protocol, Wire};
use crate::process::{Child, Running};
use crate::target::Target;
use crate::tls::{Trust, acceptor};
use crate::{BenchError, Cores};

/// The name of the ceiling in tables.
pub(crate) const CEILING: &str = "ceiling";

/// What the ceiling is told on its standard input, as one line of JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    /// The folder with the certificate, for TLS.
    tls_folder: Option<PathBuf>,
    http2: bool,
}

impl Orders {
    /// To answer as a server did; what hyper writes by itself is left to it.
    pub(crate) fn to_answer_as(status: u16, headers: &[(String, String)], body: &[u8]) -> Self {
        let own = |name: &str| !["date", "content-length", "connection"].contains(&name);
        Self {
            status,
            headers: headers.iter().filter(|(name, _)| own(name)).cloned().collect(),
            body: String::from_utf8_lossy(body).into_owned(),
            tls_folder: None,
            http2: false,
        }
    }

    /// Starts the ceiling with `program`. With TLS it shows the certificate in `tls_folder`.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(crate) fn start(
        mut self,
        program: &Path,
        protocol: Protocol,
        tls_folder: Option<PathBuf>,
        cores: &Cores,
    ) -> Result<Target, BenchError> {
        let trust = tls_folder.as_deref().map(Trust::in_folder).transpose();
        let trust = trust.map_err(BenchError::system("read the certificate of the server"))?;
        (self.tls_folder, self.http2) = (tls_folder, protocol == Protocol::Http2);
        let line = serde_json::to_string(&self).unwrap_or_default() + "\n";
        let mut command = Command::new(program);
        command.env_clear().args(["bench", "ceiling"]);
        let Running { child, url, .. } = Child::start(CEILING, &mut command, &line, cores)?;
        let wire = Wire { protocol, authority: "localhost".to_owned() };
        let endpoint = Endpoint { address: crate::installation::address_of(&url)?, wire, tls: trust };
        Ok(Target::ceiling(endpoint, child))
    }
}

/// Runs the ceiling on the runtime of the calling task, until standard input ends. Says where it listens as the server
/// does.
///
/// # Errors
/// When it is not told what to answer, or cannot listen.
pub async fn run_ceiling() -> io::Result<()> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let orders: Orders = serde_json::from_str(&line)?;
    // Whoever started it holds the other end for as long as it lives.
    thread::spawn(|| {
        let _ = io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let protocol = if orders.http2 { Protocol::Http2 } else { Protocol::Http1 };
    let tls = orders.tls_folder.as_deref().map(|folder| acceptor(folder, protocol)).transpose()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    eprintln!("{}", serde_json::json!({ "message": "listening", "url": url }));
    serve(listener, tls, protocol, prepare(&orders)?).await
}

async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    protocol: Protocol,
    prepared: Prepared,
) -> io::Result<()> {
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let (prepared, tls) = (prepared.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => answer_all(tcp, protocol, prepared).await,
                Some(tls) => match tls.accept(tcp).await {
                    Ok(stream) => answer_all(stream, protocol, prepared).await,
                    Err(_no_handshake) => {}
                },
            }
        });
    }
}

async fn answer_all<S>(stream: S, protocol: Protocol, prepared: Prepared)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| answer(request, prepared.clone()));
    let stream = TokioIo::new(stream);
    // The generator sees how a connection ends.
    let _ = match protocol {
        Protocol::Http1 => http1::Builder::new().serve_connection(stream, service).await,
        Protocol::Http2 => http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await,
    };
}

async fn answer(
    request: Request<Incoming>,
    prepared: Prepared,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    if !request.body().is_end_stream() {
        request.into_body().collect().await?;
    }
    let mut response = Response::new(Full::new(prepared.body));
    *response.status_mut() = prepared.status;
    *response.headers_mut() = prepared.headers;
    Ok(response)
}

/// An answer whose parts are cheap to copy.
#[derive(Clone)]
struct Prepared {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

fn prepare(orders: &Orders) -> io::Result<Prepared> {
    let mut headers = HeaderMap::new();
    for (name, value) in &orders.headers {
        // Texts that live as long as the process are copied without counting.
        let (name, value) = (name.clone().leak(), value.clone().leak());
        let name = HeaderName::try_from(&*name).map_err(io::Error::other)?;
        headers.insert(name, HeaderValue::from_static(value));
    }
    let status = StatusCode::from_u16(orders.status).map_err(io::Error::other)?;
    Ok(Prepared { status, headers, body: Bytes::from_static(orders.body.clone().leak().as_bytes()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_leaves_to_hyper_what_hyper_writes() {
        let headers = ["cache-control", "date", "content-length", "x-request-id"]
            .map(|name| (name.to_owned(), "x".to_owned()));
        let orders = Orders::to_answer_as(200, &headers, b"{}");
        let prepared = prepare(&orders).unwrap();
        assert_eq!(
            prepared.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["cache-control", "x-request-id"]
        );
        assert_eq!(prepared.body, "{}");
    }
}

//! A connection to a target, whatever is spoken on it.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::http1::Http1;
use super::http2::Http2;
use super::request::{Answer, Prepared, Protocol, Wire};
use crate::Wrong;
use crate::tls::Trust;

/// Where a target is reached, and how it is spoken to.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// Its address.
    pub(crate) address: SocketAddr,
    /// What requests must know.
    pub(crate) wire: Wire,
    /// With TLS: whom to trust.
    pub(crate) tls: Option<Trust>,
}

/// An open connection.
pub(crate) enum Connection {
    Clear(Http1<TcpStream>),
    Tls(Box<Http1<TlsStream<TcpStream>>>),
    Http2(Http2),
}

impl Connection {
    /// Opens one.
    ///
    /// # Errors
    /// [`Wrong`]
    pub(crate) async fn open(endpoint: &Endpoint) -> Result<Self, Wrong> {
        let tcp = TcpStream::connect(endpoint.address).await?;
        tcp.set_nodelay(true)?;
        let Some(trust) = &endpoint.tls else { return Ok(Self::Clear(Http1::new(tcp))) };
        let tls = trust.connect(tcp, endpoint.wire.protocol).await?;
        match endpoint.wire.protocol {
            Protocol::Http1 => Ok(Self::Tls(Box::new(Http1::new(tls)))),
            Protocol::Http2 => Ok(Self::Http2(Http2::open(tls).await?)),
        }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// [`Wrong`]
    pub(crate) async fn ask(&mut self, request: &Prepared) -> Result<Answer<'_>, Wrong> {
        match (self, request) {
            (Self::Clear(http1), Prepared::Bytes(bytes)) => http1.ask(bytes).await,
            (Self::Tls(http1), Prepared::Bytes(bytes)) => http1.ask(bytes).await,
            (Self::Http2(http2), Prepared::Parts(parts)) => http2.ask(parts).await,
            _ => Err(Wrong::Malformed("the request was prepared for another protocol".to_owned())),
        }
    }
}

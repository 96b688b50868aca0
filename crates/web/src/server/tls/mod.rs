//! TLS 1.2 with AEAD suites and TLS 1.3 (RFC 9325). Every rustls type of this crate lives in this folder.

mod pem;
mod self_signed;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use obol_token::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

pub use pem::TlsError;

/// What the client and this server agreed to speak (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// A connection after its handshake.
pub(super) type TlsStream = tokio_rustls::server::TlsStream<TcpStream>;

/// A certificate with its key, as files that may be replaced while the server runs.
pub struct TlsIdentity {
    cert_file: PathBuf,
    key_file: PathBuf,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
}

impl TlsIdentity {
    /// Reads a certificate chain and its key, both PEM.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn from_files(cert_file: PathBuf, key_file: PathBuf) -> Result<Self, TlsError> {
        let certified = pem::load(&cert_file, &key_file, &provider())?;
        let current = Arc::new(Current(ArcSwap::from_pointee(certified)));
        let config = server_config(Arc::clone(&current))?;
        Ok(Self { cert_file, key_file, current, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Takes the self-signed certificate of `folder`, or makes one there. It is made anew when its files are damaged,
    /// when it does not name `listen`, or when it ends within 30 days.
    ///
    /// # Errors
    /// [`TlsError`] when the files cannot be written or read back.
    pub fn self_signed(folder: &Path, listen: IpAddr, now: Timestamp) -> Result<Self, TlsError> {
        let (cert_file, key_file) = self_signed::ensure(folder, listen, now, &provider())?;
        Self::from_files(cert_file, key_file)
    }

    /// Reads the files again; new connections get what they hold now. Tells whether that is another certificate.
    ///
    /// # Errors
    /// [`TlsError`]; the certificate in use stays.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let certified = pem::load(&self.cert_file, &self.key_file, &provider())?;
        let changed = certified.cert != self.current.0.load().cert;
        if changed {
            self.current.0.store(Arc::new(certified));
        }
        Ok(changed)
    }

    /// The file with the certificate, for messages and for clients that pin it.
    pub fn cert_file(&self) -> &Path {
        &self.cert_file
    }

    /// Makes the handshake. The caller sets the deadline.
    pub(super) async fn accept(&self, tcp: TcpStream) -> io::Result<(TlsStream, Protocol)> {
        let stream = self.acceptor.accept(tcp).await?;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok((stream, protocol))
    }
}

impl std::fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsIdentity").field("cert_file", &self.cert_file).finish_non_exhaustive()
    }
}

/// The certificate in use.
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Current")
    }
}

/// Given explicitly everywhere, so that no process default can change it.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// No 0-RTT (rustls's default): a replayed early request would be a second request.
fn server_config(current: Arc<Current>) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Settings)?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

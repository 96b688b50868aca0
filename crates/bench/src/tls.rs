//! TLS of both ends of a benchmark. Every rustls type of this crate lives here.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::load::Protocol;

const CERT_FILE: &str = "tls-self-signed.crt";
const KEY_FILE: &str = "tls-self-signed.key";

/// Whom a client trusts.
#[derive(Debug, Clone)]
pub struct Trust {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Trust {
    /// Trusts the certificates in a PEM file, for a server of this name.
    ///
    /// # Errors
    /// When the file holds no certificate that can be trusted.
    pub fn in_file(file: &Path, name: &str) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&fs::read(file)?) {
            roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
        let config = |protocol: &[u8]| -> io::Result<Arc<ClientConfig>> {
            let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
            let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
            let mut config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
            config.alpn_protocols = vec![protocol.to_vec()];
            Ok(Arc::new(config))
        };
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        Ok(Self { http1: config(b"http/1.1")?, http2: config(b"h2")?, name })
    }

    /// Trusts the certificate that a server made for itself in its data folder.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn in_folder(folder: &Path) -> io::Result<Self> {
        Self::in_file(&folder.join(CERT_FILE), "localhost")
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// When the server is not trusted.
    pub(crate) async fn connect(
        &self,
        tcp: TcpStream,
        protocol: Protocol,
    ) -> io::Result<TlsStream<TcpStream>> {
        let config = match protocol {
            Protocol::Http1 => &self.http1,
            Protocol::Http2 => &self.http2,
        };
        TlsConnector::from(Arc::clone(config)).connect(self.name.clone(), tcp).await
    }
}

/// The other end: an acceptor with the certificate that a server made for itself in its data folder.
///
/// # Errors
/// When there is none.
pub(crate) fn acceptor(folder: &Path, protocol: Protocol) -> io::Result<TlsAcceptor> {
    let certificate = CertificateDer::from_pem_file(folder.join(CERT_FILE)).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(folder.join(KEY_FILE)).map_err(io::Error::other)?;
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let mut config =
        builder.with_no_client_auth().with_single_cert(vec![certificate], key).map_err(io::Error::other)?;
    config.alpn_protocols = vec![match protocol {
        Protocol::Http1 => b"http/1.1".to_vec(),
        Protocol::Http2 => b"h2".to_vec(),
    }];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

//! TLS to other servers. Every rustls type of this crate lives here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use crate::address::Host;
use crate::trouble::Trouble;

/// A connection after its handshake.
pub(crate) type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Whose certificates are trusted: the authorities of this machine, and those that the operator has named.
pub struct Authorities {
    named: Vec<CertificateDer<'static>>,
    /// Made with the first connection: most installations ask nobody.
    connector: OnceCell<TlsConnector>,
}

/// Why the named authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// The file is missing or may not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not PEM or holds no certificate that can be read.
    #[error("no usable certificate in {}: it needs PEM blocks \"BEGIN CERTIFICATE\"", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
}

impl Authorities {
    /// Those of this machine alone.
    pub fn of_the_machine() -> Self {
        Self { named: Vec::new(), connector: OnceCell::new() }
    }

    /// Those of this machine, and those in a PEM file.
    ///
    /// # Errors
    /// [`AuthoritiesError`], naming the file.
    pub fn with_file(path: &Path) -> Result<Self, AuthoritiesError> {
        let unreadable = |source| AuthoritiesError::Unreadable { path: path.into(), source };
        let pem = std::fs::read(path).map_err(unreadable)?;
        let named = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().unwrap_or_default();
        let mut roots = RootCertStore::empty();
        if named.is_empty() || named.iter().any(|authority| roots.add(authority.clone()).is_err()) {
            return Err(AuthoritiesError::NoCertificate { path: path.into() });
        }
        Ok(Self { named, connector: OnceCell::new() })
    }

    /// Makes the handshake as a client of `host`. The caller sets the deadline.
    ///
    /// # Errors
    /// What is wrong with the server's certificate, or that there is no TLS.
    pub(crate) async fn handshake(&self, host: &Host, tcp: TcpStream) -> Result<TlsStream, Trouble> {
        let name = match host {
            Host::Ip(ip) => ServerName::from(*ip),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Trouble::NotAHost)?,
        };
        let connector = self.connector.get_or_try_init(|| connector(self.named.clone())).await?;
        connector.connect(name, tcp).await.map_err(|error| trouble(&error))
    }
}

async fn connector(named: Vec<CertificateDer<'static>>) -> Result<TlsConnector, Trouble> {
    let config = tokio::task::spawn_blocking(move || client_config(named)).await;
    match config {
        Ok(Ok(config)) => Ok(TlsConnector::from(Arc::new(config))),
        Ok(Err(error)) => {
            tracing::error!(%error, "the TLS settings are refused");
            Err(Trouble::NoTls)
        }
        Err(_) => Err(Trouble::GivenUp),
    }
}

/// No resumption: there is nothing to be remembered of servers that strangers have named.
fn client_config(named: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Error> {
    let of_the_machine = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(of_the_machine.certs.into_iter().chain(named));
    if roots.is_empty() {
        tracing::warn!("no certificate authority is known: install ca-certificates, or set outgoing_ca");
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn trouble(error: &io::Error) -> Trouble {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let Some(Error::InvalidCertificate(error)) = of_tls else { return Trouble::NoTls };
    use CertificateError as Bad;
    match error {
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => Trouble::OtherHost,
        Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            Trouble::NotNow
        }
        Bad::UnknownIssuer => Trouble::Untrusted,
        _ => Trouble::BadCertificate,
    }
}

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorities").field("named", &self.named.len()).finish_non_exhaustive()
    }
}

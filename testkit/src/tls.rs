//! A TLS client that trusts exactly the certificate that the server made for itself.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

pub(crate) const SERVER_NAME: &str = "localhost";

/// Trusts the certificates that lie in the data folder.
pub(crate) fn trusting_the_folder(data: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let files = fs::read_dir(data).expect("the data folder can be read").flatten();
    for path in files.map(|file| file.path()).filter(|path| path.is_file()) {
        let pem = fs::read(&path).unwrap_or_default();
        for certificate in CertificateDer::pem_slice_iter(&pem).flatten() {
            roots.add(certificate).expect("the server's certificate is one");
        }
    }
    assert!(!roots.is_empty(), "no certificate in {}", data.display());
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

//! R-42, S-02: protocol versions, ALPN, certificate files and their errors, the handshake deadline.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use obol_token::Timestamp;
use obol_web::server::{Entrance, ListenerOptions, TlsError, TlsIdentity};
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::running::{Running, read_answer, read_to_end, start_with, status, until};

const QUICK: &[u8] = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n";
const LISTEN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// The time at the test, for certificates that must be valid now.
pub(crate) fn now() -> Timestamp {
    let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_secs(i64::try_from(since_epoch.as_secs()).unwrap())
}

/// A TLS listener with a self-signed certificate, and its file.
pub(crate) fn start_tls(folder: &Path, options: ListenerOptions) -> (Running, PathBuf) {
    let identity = TlsIdentity::self_signed(folder, LISTEN, now()).unwrap();
    let cert_file = identity.cert_file().to_owned();
    (start_with(options, Entrance { tls: Some(Arc::new(identity)), proxies: Vec::new() }), cert_file)
}

/// A client that trusts the certificate of this file and nothing else.
pub(crate) fn client(
    cert_file: &Path,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cert_file).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

pub(crate) async fn connect(
    server: &Running,
    connector: &TlsConnector,
    name: &'static str,
) -> std::io::Result<TlsStream<TcpStream>> {
    connector.connect(ServerName::try_from(name).unwrap(), server.connect().await).await
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_served() {
    let folder = TempDir::new().unwrap();
    let (server, cert_file) = start_tls(folder.path(), ListenerOptions::default());
    for version in [&TLS12, &TLS13] {
        let mut stream = connect(&server, &client(&cert_file, &[version], &[]), "localhost").await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        stream.write_all(QUICK).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(answer.contains("tls=true"), "{answer}");
    }
}

/// A ClientHello of TLS 1.`minor - 1` that offers one suite, P-256 and ECDSA.
fn client_hello(minor: u8, suite: [u8; 2]) -> Vec<u8> {
    let mut extensions = vec![0, 13, 0, 4, 0, 2, 4, 3];
    extensions.extend([0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0]);
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, suite[0], suite[1], 1, 0, 0, extensions.len() as u8]);
    hello.extend(extensions);
    let length = hello.len() as u8;
    [vec![0x16, 3, 1, 0, length + 4, 1, 0, 0, length], hello].concat()
}

#[tokio::test]
async fn rfc9325_old_versions_and_suites_without_authenticated_encryption_are_refused() {
    const GCM: [u8; 2] = [0xc0, 0x2b];
    const CBC: [u8; 2] = [0xc0, 0x09];
    const HANDSHAKE: u8 = 0x16;
    const ALERT: u8 = 0x15;
    let folder = TempDir::new().unwrap();
    let (server, _) = start_tls(folder.path(), ListenerOptions::default());
    for (minor, suite, record) in [(3, GCM, HANDSHAKE), (3, CBC, ALERT), (2, GCM, ALERT), (1, GCM, ALERT)] {
        let mut stream = server.connect().await;
        stream.write_all(&client_hello(minor, suite)).await.unwrap();
        let mut first = [0];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(first, [record], "TLS 1.{} with {suite:x?}", minor - 1);
    }
    until(|| server.counts.handshake_failures.load(Ordering::Relaxed) >= 3).await;
}

#[tokio::test]
async fn alpn_chooses_the_protocol_and_nothing_is_sniffed() {
    let folder = TempDir::new().unwrap();
    let (server, cert_file) = start_tls(folder.path(), ListenerOptions::default());
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let stream = connect(&server, &client(&cert_file, &[&TLS13], offered), "localhost").await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen.map(str::as_bytes), "{offered:?}");
    }
    let strange = connect(&server, &client(&cert_file, &[&TLS13], &["spdy/3"]), "localhost").await;
    assert!(strange.unwrap_err().to_string().contains("NoApplicationProtocol"));
    // HTTP/2 without ALPN is no HTTP/1.1.
    let mut stream = connect(&server, &client(&cert_file, &[&TLS13], &[]), "localhost").await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn a_slow_handshake_is_closed_at_its_deadline() {
    let folder = TempDir::new().unwrap();
    let handshake_timeout = Duration::from_millis(300);
    let (server, _) =
        start_tls(folder.path(), ListenerOptions { handshake_timeout, ..ListenerOptions::default() });
    for (begun, failures) in
        [(&b""[..], 1), (b"\x16", 2), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 3)]
    {
        let start = Instant::now();
        assert_eq!(server.exchange(begun).await, "");
        assert!(start.elapsed() >= handshake_timeout && start.elapsed() < 4 * handshake_timeout);
        assert_eq!(server.counts.handshake_failures.load(Ordering::Relaxed), failures);
    }
}

#[tokio::test]
async fn a_finished_handshake_without_a_request_is_closed_at_the_header_deadline() {
    let folder = TempDir::new().unwrap();
    let header_timeout = Duration::from_millis(300);
    let (server, cert_file) =
        start_tls(folder.path(), ListenerOptions { header_timeout, ..ListenerOptions::default() });
    for alpn in ["http/1.1", "h2"] {
        let mut stream =
            connect(&server, &client(&cert_file, &[&TLS13], &[alpn]), "localhost").await.unwrap();
        read_to_end(&mut stream).await;
    }
    until(|| server.counts.cut_by_deadline.load(Ordering::Relaxed) == 2).await;
}

#[tokio::test]
async fn plain_http_to_a_tls_listener_gets_no_http() {
    let folder = TempDir::new().unwrap();
    let (server, _) = start_tls(folder.path(), ListenerOptions::default());
    let answer = server.exchange(QUICK).await;
    assert!(!answer.contains("HTTP"), "{answer}");
}

#[tokio::test]
async fn an_oversized_body_is_413_over_tls_too() {
    let folder = TempDir::new().unwrap();
    let (server, cert_file) = start_tls(folder.path(), ListenerOptions::default());
    let mut stream = connect(&server, &client(&cert_file, &[&TLS13], &[]), "localhost").await.unwrap();
    stream.write_all(b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 4000000\r\n\r\n").await.unwrap();
    stream.write_all(&vec![b'a'; 4_000_000]).await.unwrap();
    assert_eq!(status(&read_to_end(&mut stream).await), 413);
}

#[tokio::test]
async fn the_self_signed_certificate_names_this_machine_and_the_listen_address() {
    let folder = TempDir::new().unwrap();
    let listen: IpAddr = "192.0.2.10".parse().unwrap();
    let identity = TlsIdentity::self_signed(folder.path(), listen, now()).unwrap();
    let cert_file = identity.cert_file().to_owned();
    let server = start_with(
        ListenerOptions::default(),
        Entrance { tls: Some(Arc::new(identity)), proxies: Vec::new() },
    );
    for name in ["localhost", "127.0.0.1", "::1", "192.0.2.10"] {
        connect(&server, &client(&cert_file, &[&TLS13], &[]), name).await.unwrap();
    }
    assert!(connect(&server, &client(&cert_file, &[&TLS13], &[]), "192.0.2.11").await.is_err());
}

#[test]
fn the_self_signed_certificate_stays_over_restarts_while_it_is_usable() {
    let folder = TempDir::new().unwrap();
    let read = |listen: &str, now: Timestamp| {
        let identity = TlsIdentity::self_signed(folder.path(), listen.parse().unwrap(), now).unwrap();
        std::fs::read(identity.cert_file()).unwrap()
    };
    let day = 24 * 60 * 60;
    let first = read("192.0.2.1", now());
    assert_eq!(read("192.0.2.1", now()), first);
    assert_eq!(read("0.0.0.0", now()), first, "no name is missing");
    assert_eq!(read("192.0.2.1", now().plus_secs(3600 * day)), first);
    let moved = read("192.0.2.2", now());
    assert_ne!(moved, first, "the new listen address is not in the old certificate");
    let renewed = read("192.0.2.2", now().plus_secs(3640 * day));
    assert_ne!(renewed, moved, "the old certificate is about to end");
}

#[test]
fn a_damaged_self_signed_certificate_is_made_anew() {
    let folder = TempDir::new().unwrap();
    let identity = TlsIdentity::self_signed(folder.path(), LISTEN, now()).unwrap();
    let key_file = identity.cert_file().with_extension("key");
    let key = std::fs::read(&key_file).unwrap();
    std::fs::write(&key_file, &key[..key.len() / 2]).unwrap();
    TlsIdentity::self_signed(folder.path(), LISTEN, now()).unwrap();
    assert_ne!(std::fs::read(&key_file).unwrap(), key);
    // A pair of different makings, as a crash between the two files would leave.
    std::fs::write(&key_file, &key).unwrap();
    TlsIdentity::self_signed(folder.path(), LISTEN, now()).unwrap();
    assert_ne!(std::fs::read(&key_file).unwrap(), key);
}

#[test]
fn only_the_owner_can_read_the_self_signed_key() {
    let folder = TempDir::new().unwrap();
    let identity = TlsIdentity::self_signed(folder.path(), LISTEN, now()).unwrap();
    let key_file = identity.cert_file().with_extension("key");
    let mode = std::fs::metadata(key_file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let left_over: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left_over.len(), 2, "{left_over:?}");
}

#[test]
fn what_is_wrong_with_certificate_files_is_said_with_their_names() {
    let folder = TempDir::new().unwrap();
    let make = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap();
        let (cert_file, key_file) = (folder.path().join(name), folder.path().join(format!("{name}.key")));
        std::fs::write(&cert_file, cert.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        (cert_file, key_file)
    };
    let (cert, key) = make("one.pem");
    let (other_cert, _) = make("two.pem");
    let missing = folder.path().join("missing.pem");
    let garbage = folder.path().join("garbage.pem");
    std::fs::write(&garbage, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert!(TlsIdentity::from_files(cert.clone(), key.clone()).is_ok());
    let error = |cert: &Path, key: &Path| TlsIdentity::from_files(cert.into(), key.into()).unwrap_err();
    assert!(matches!(error(&missing, &key), TlsError::Unreadable { path, .. } if path == missing));
    assert!(matches!(error(&cert, &missing), TlsError::Unreadable { path, .. } if path == missing));
    assert!(matches!(error(&key, &key), TlsError::NoCertificate { path } if path == key));
    assert!(matches!(error(&cert, &cert), TlsError::NoKey { path } if path == cert));
    assert!(matches!(error(&other_cert, &key), TlsError::Mismatch { cert, .. } if cert == other_cert));
    assert!(matches!(error(&garbage, &key), TlsError::Unusable { cert, .. } if cert == garbage));
    for told in [error(&missing, &key), error(&cert, &cert), error(&other_cert, &key), error(&garbage, &key)]
    {
        assert!(told.to_string().contains(".pem"), "{told}");
    }
}

#[tokio::test]
async fn a_reload_serves_the_new_certificate_and_a_broken_one_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let identity = Arc::new(TlsIdentity::self_signed(folder.path(), LISTEN, now()).unwrap());
    let cert_file = identity.cert_file().to_owned();
    let server = start_with(
        ListenerOptions::default(),
        Entrance { tls: Some(Arc::clone(&identity)), proxies: Vec::new() },
    );
    assert!(!identity.reload().unwrap(), "the files are the same");
    let old = client(&cert_file, &[&TLS13], &[]);
    let before = std::fs::read(&cert_file).unwrap();
    std::fs::write(&cert_file, "no certificate").unwrap();
    assert!(matches!(identity.reload(), Err(TlsError::NoCertificate { .. })));
    connect(&server, &old, "localhost").await.expect("the certificate in use stays");
    std::fs::remove_file(&cert_file).unwrap();
    TlsIdentity::self_signed(folder.path(), LISTEN, now()).unwrap();
    assert_ne!(std::fs::read(&cert_file).unwrap(), before);
    assert!(identity.reload().unwrap());
    connect(&server, &client(&cert_file, &[&TLS13], &[]), "localhost")
        .await
        .expect("the new certificate is served");
    assert!(connect(&server, &old, "localhost").await.is_err(), "the old one is not");
}

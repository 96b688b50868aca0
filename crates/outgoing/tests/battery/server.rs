//! A TLS server that does what a test tells it, on a runtime of its own, so that the tasks of the door can be counted.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The host of most tests.
pub(crate) const HOST: &str = "app.example";

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    runtime: Option<Runtime>,
}

/// A connection as the server gets it.
pub(crate) struct Visit {
    pub(crate) tcp: TcpStream,
    pub(crate) acceptor: TlsAcceptor,
}

impl TestServer {
    /// Does this with every connection, as `app.example`.
    pub(crate) fn start<F>(work: impl Fn(Visit) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::with_certificate(certificate(HOST), work)
    }

    /// The same with another certificate.
    pub(crate) fn with_certificate<F>(
        (chain, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
        work: impl Fn(Visit) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let work = move |tcp| -> Work { Box::pin(work(Visit { tcp, acceptor: acceptor.clone() })) };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let std_listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        std_listener.set_nonblocking(true).unwrap();
        let address = std_listener.local_addr().unwrap();
        let (accepted, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counting, opening) = (accepted.clone(), open.clone());
        runtime.spawn(async move {
            let listener = TcpListener::from_std(std_listener).unwrap();
            while let Ok((tcp, _)) = listener.accept().await {
                counting.fetch_add(1, Ordering::SeqCst);
                opening.fetch_add(1, Ordering::SeqCst);
                let (work, opening) = (work(tcp), opening.clone());
                tokio::spawn(async move {
                    work.await;
                    opening.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, accepted, open, runtime: Some(runtime) }
    }

    /// Reads a request and answers it with these bytes, then closes.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::start(move |visit| {
            let answer = answer.clone();
            async move {
                let mut tls = visit.asked().await;
                let _ = tls.write_all(&answer).await;
                let _ = tls.shutdown().await;
            }
        })
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Waits until no connection is left: every work of these tests ends when the other side is gone.
    pub(crate) async fn until_nobody_is_left(&self) {
        let begun = Instant::now();
        while self.open.load(Ordering::SeqCst) > 0 {
            assert!(begun.elapsed() < Duration::from_secs(5), "the door holds a connection");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Visit {
    /// After the handshake.
    pub(crate) async fn shaken(self) -> TlsStream<TcpStream> {
        self.acceptor.accept(self.tcp).await.unwrap()
    }

    /// After the handshake and the head of the request.
    pub(crate) async fn asked(self) -> TlsStream<TcpStream> {
        self.heard().await.0
    }

    /// The same, with what was asked: head and, if it has a length, body.
    pub(crate) async fn heard(self) -> (TlsStream<TcpStream>, String) {
        let mut tls = self.shaken().await;
        let mut request = Vec::new();
        while !is_whole(&request) {
            let mut piece = [0; 4096];
            match tls.read(&mut piece).await.unwrap() {
                0 => break,
                read => request.extend_from_slice(&piece[..read]),
            }
        }
        (tls, String::from_utf8(request).unwrap())
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split_once("content-length: ").map_or("0", |(_, rest)| rest.lines().next().unwrap());
    body.len() >= length.parse().unwrap()
}

/// Reads until the other side is gone.
pub(crate) async fn until_gone(mut stream: impl tokio::io::AsyncRead + Unpin) {
    let mut piece = [0; 4096];
    while !matches!(stream.read(&mut piece).await, Ok(0) | Err(_)) {}
}

/// A good answer.
pub(crate) fn json(body: &str) -> String {
    json_with("", body)
}

/// A good answer with further header fields, each with its line end.
pub(crate) fn json_with(fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    )
}

/// The authority that the doors of these tests trust.
pub(crate) fn authority_pem() -> String {
    authority().pem()
}

/// A certificate from it.
pub(crate) fn certificate(host: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    signed(CertificateParams::new([host.to_owned()]).unwrap(), authority())
}

pub(crate) fn signed(
    params: CertificateParams,
    authority: &CertifiedIssuer<'static, KeyPair>,
) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
}

pub(crate) fn authority() -> &'static CertifiedIssuer<'static, KeyPair> {
    static AUTHORITY: OnceLock<CertifiedIssuer<'static, KeyPair>> = OnceLock::new();
    AUTHORITY.get_or_init(|| new_authority("the authority of the tests"))
}

pub(crate) fn new_authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

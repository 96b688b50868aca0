//! Another server, over TLS, with an authority of its own: what obol asks others for, and tells them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::response::Builder;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::PrivateKeyDer;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::ServerBuilder;

/// Answers at `https://localhost:<port>`. What nothing was said about is 404.
pub struct Elsewhere {
    port: u16,
    answers: Answers,
    asked: Arc<Mutex<Vec<Asked>>>,
    folder: TempDir,
    _runtime: Runtime,
}

/// What the server was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The content type, or nothing.
    pub content_type: String,
    /// The body.
    pub body: String,
}

type Answers = Arc<Mutex<HashMap<String, Response<Full<Bytes>>>>>;

impl ServerBuilder {
    /// May ask this server, and trusts its authority.
    pub fn may_ask(self, elsewhere: &Elsewhere) -> Self {
        self.option("--outgoing-allow", &elsewhere.host()).trusts(elsewhere)
    }

    /// Trusts the authority of this server.
    pub fn trusts(self, elsewhere: &Elsewhere) -> Self {
        self.option("--outgoing-ca", elsewhere.authority_file().to_str().expect("a path in UTF-8"))
    }
}

impl Elsewhere {
    /// Starts it.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
        let authority = authority.expect("an authority");
        std::fs::write(folder.path().join("authority.pem"), authority.pem()).expect("it is written");

        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("it does not block");
        let port = listener.local_addr().expect("it has a port").port();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a thread");
        let (answers, asked) = (Answers::default(), Arc::default());
        let acceptor = acceptor(&authority);
        runtime.spawn(serve(listener, acceptor, Arc::clone(&answers), Arc::clone(&asked)));
        Self { port, answers, asked, folder, _runtime: runtime }
    }

    /// Host and port.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.host())
    }

    /// The certificate of its authority, PEM.
    pub fn authority_file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Answers there with this document, not to be kept longer than must be.
    pub fn publishes(&self, path: &str, document: &Value) {
        let answer = Response::builder().header("content-type", "application/json");
        self.says(path, answer.header("cache-control", "no-store"), document.to_string());
    }

    /// Answers there with this text, of this media type.
    pub fn publishes_as(&self, path: &str, media_type: &str, text: &str) {
        self.says(path, Response::builder().header("content-type", media_type), text.to_owned());
    }

    /// Answers there with this, without a body.
    pub fn answers_with(&self, path: &str, answer: Builder) {
        self.says(path, answer, String::new());
    }

    fn says(&self, path: &str, answer: Builder, body: String) {
        let answer = answer.body(Full::new(body.into())).expect("an answer");
        self.answers.lock().expect("no test has failed").insert(path.to_owned(), answer);
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test has failed").clone()
    }
}

fn acceptor(authority: &CertifiedIssuer<'static, KeyPair>) -> TlsAcceptor {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, authority).expect("a certificate").der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a private key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the key is that of the certificate");
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(
    listener: std::net::TcpListener,
    acceptor: TlsAcceptor,
    answers: Answers,
    asked: Arc<Mutex<Vec<Asked>>>,
) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    while let Ok((tcp, _)) = listener.accept().await {
        tokio::spawn(converse(tcp, acceptor.clone(), Arc::clone(&answers), Arc::clone(&asked)));
    }
}

async fn converse(tcp: TcpStream, acceptor: TlsAcceptor, answers: Answers, asked: Arc<Mutex<Vec<Asked>>>) {
    // Who does not trust the certificate leaves here.
    let Ok(tls) = acceptor.accept(tcp).await else { return };
    let answer = service_fn(move |request: Request<Incoming>| {
        let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let content_type = head.headers.get("content-type").and_then(|value| value.to_str().ok());
            asked.lock().expect("no test has failed").push(Asked {
                method: head.method.to_string(),
                target: head.uri.to_string(),
                content_type: content_type.unwrap_or_default().to_owned(),
                body: String::from_utf8_lossy(&body).into_owned(),
            });
            let answers = answers.lock().expect("no test has failed");
            let answer = answers.get(&head.uri.to_string()).cloned();
            let nothing = || Response::builder().status(404).body(Full::default()).expect("an answer");
            Ok::<_, Infallible>(answer.unwrap_or_else(nothing))
        }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), answer).await;
}

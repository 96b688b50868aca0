//! the limits and deadlines hold on HTTP/2 too.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::{Method, Request, Response, StatusCode};
use obol_web::server::ListenerOptions;
use rustls::version::TLS13;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::running::{PATIENCE, Running, until};
use crate::tls::{client, connect, start_tls};

/// A server, one client connection to it, and when that has ended.
struct Pair {
    server: Running,
    connector: TlsConnector,
    send: SendRequest<Bytes>,
    ended: Ended,
    _folder: TempDir,
}

type Ended = JoinHandle<Result<(), h2::Error>>;

async fn pair(options: ListenerOptions, builder: &Builder) -> Pair {
    let folder = TempDir::new().unwrap();
    let (server, cert_file) = start_tls(folder.path(), options);
    let connector = client(&cert_file, &[&TLS13], &["h2"]);
    let (send, ended) = open(&server, &connector, builder).await;
    Pair { server, connector, send, ended, _folder: folder }
}

async fn open(server: &Running, connector: &TlsConnector, builder: &Builder) -> (SendRequest<Bytes>, Ended) {
    let stream = connect(server, connector, "localhost").await.unwrap();
    let (send, connection) = builder.handshake(stream).await.unwrap();
    (send, tokio::spawn(connection))
}

impl Pair {
    /// Sends a request with this body.
    async fn send(
        &mut self,
        request: http::request::Builder,
        body: Option<usize>,
    ) -> h2::client::ResponseFuture {
        let mut send = self.send.clone().ready().await.unwrap();
        let request = request.body(()).unwrap();
        let (response, mut stream) = send.send_request(request, body.is_none()).unwrap();
        if let Some(length) = body {
            stream.send_data(Bytes::from(vec![b'a'; length]), true).unwrap();
        }
        response
    }

    /// Sends a request and reads its answer.
    async fn ask(&mut self, request: http::request::Builder, body: Option<usize>) -> (StatusCode, String) {
        let response = timeout(PATIENCE, self.send(request, body).await).await.expect("no answer").unwrap();
        (response.status(), read(response).await)
    }
}

async fn read(response: Response<h2::RecvStream>) -> String {
    let mut body = response.into_body();
    let mut all = Vec::new();
    while let Some(data) = timeout(PATIENCE, body.data()).await.expect("no data") {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        all.extend_from_slice(&data);
    }
    String::from_utf8(all).unwrap()
}

fn get(path: &str) -> http::request::Builder {
    Request::builder().uri(format!("https://localhost{path}"))
}

fn post(path: &str) -> http::request::Builder {
    get(path).method(Method::POST)
}

#[tokio::test]
async fn requests_with_and_without_bodies_are_answered() {
    let mut pair = pair(ListenerOptions::default(), &Builder::new()).await;
    let (status, text) = pair.ask(get("/x"), None).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "GET /x body=0 client=127.0.0.1 tls=true"));
    let (status, text) = pair.ask(post("/x"), Some(64 * 1024)).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "POST /x body=65536 client=127.0.0.1 tls=true"));
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let mut pair = pair(ListenerOptions::default(), &Builder::new()).await;
    let response = pair.send(get("/x").method(Method::HEAD), None).await.await.unwrap();
    assert_eq!(
        response.headers()["content-length"],
        "HEAD /x body=0 client=127.0.0.1 tls=true".len().to_string()
    );
    assert_eq!(read(response).await, "");
}

#[tokio::test]
async fn each_limit_has_its_own_answer() {
    let mut pair = pair(ListenerOptions::default(), &Builder::new()).await;
    let long = |length: usize| "a".repeat(length);
    let cases = [
        (post("/x").header("content-length", 64 * 1024 + 1), Some(64 * 1024 + 1), 413),
        (post("/x"), Some(64 * 1024 + 1), 413),
        (get(&format!("/{}", long(9 * 1024))), None, 414),
        (get("/x").header("x", long(17 * 1024)), None, 431),
        // Past twice the limit h2 answers by itself.
        (get("/x").header("x", long(40 * 1024)), None, 431),
        (get("/panic"), None, 500),
    ];
    for (request, body, expected) in cases {
        let shown = format!("{:?} {body:?}", request.uri_ref().map(|uri| uri.path().len()));
        let response = timeout(PATIENCE, pair.send(request, body).await).await.expect("no answer").unwrap();
        assert_eq!(response.status().as_u16(), expected, "{shown}");
        assert_eq!(pair.ask(get("/x"), None).await.0, StatusCode::OK, "the connection goes on after {shown}");
    }
}

#[tokio::test]
async fn a_stalled_body_is_answered_408() {
    let options = ListenerOptions { body_timeout: Duration::from_millis(300), ..ListenerOptions::default() };
    let mut pair = pair(options, &Builder::new()).await;
    let mut send = pair.send.clone().ready().await.unwrap();
    let (response, _stream) = send.send_request(post("/x").body(()).unwrap(), false).unwrap();
    let response = timeout(PATIENCE, response).await.expect("no answer").unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(pair.ask(get("/x"), None).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_peer_that_makes_no_room_for_its_answer_is_cut() {
    for window_bytes in [0, 1, 10] {
        let options =
            ListenerOptions { answer_timeout: Duration::from_millis(300), ..ListenerOptions::default() };
        let mut pair = pair(options, Builder::new().initial_window_size(window_bytes)).await;
        let response = pair.send(get("/x"), None).await.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        until(|| pair.server.counts.cut_by_deadline.load(Ordering::Relaxed) == 1).await;
        let _ = timeout(PATIENCE, pair.ended).await.expect("the connection is still open").unwrap();
    }
}

#[tokio::test]
async fn an_idle_connection_is_told_goodbye() {
    let options = ListenerOptions { idle_timeout: Duration::from_millis(300), ..ListenerOptions::default() };
    let mut pair = pair(options, &Builder::new()).await;
    assert_eq!(pair.ask(get("/x"), None).await.0, StatusCode::OK);
    timeout(PATIENCE, pair.ended).await.expect("still open").unwrap().expect("a goodbye is no error");
}

#[tokio::test]
async fn no_more_than_the_limit_of_streams_at_a_time() {
    let options = ListenerOptions { max_streams: 2, ..ListenerOptions::default() };
    let mut pair = pair(options, &Builder::new()).await;
    let mut responses = Vec::new();
    for _ in 0..2 {
        responses.push(pair.send(get("/slow"), None).await);
        pair.server.slow_has_arrived().await;
    }
    let third = pair.send(get("/slow"), None).await;
    let arrived = timeout(Duration::from_millis(200), pair.server.slow_has_arrived()).await;
    assert!(arrived.is_err(), "a third request got in");
    pair.server.slow_may_end.add_permits(3);
    responses.push(third);
    for response in responses {
        assert_eq!(timeout(PATIENCE, response).await.unwrap().unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_stop_answers_what_is_in_work_and_says_goodbye() {
    let mut pair = pair(ListenerOptions::default(), &Builder::new()).await;
    let response = pair.send(get("/slow"), None).await;
    pair.server.slow_has_arrived().await;
    pair.server.say_stop();
    tokio::time::sleep(Duration::from_millis(300)).await;
    pair.server.slow_may_end.add_permits(1);
    let response = timeout(PATIENCE, response).await.expect("no answer").unwrap();
    assert_eq!(read(response).await, "slow");
    assert_eq!(pair.server.end().await.cut_connections, 0);
    timeout(PATIENCE, pair.ended).await.expect("still open").unwrap().expect("a goodbye is no error");
}

#[tokio::test]
async fn rapid_resets_end_their_connection_and_no_other() {
    let mut pair = pair(ListenerOptions::default(), &Builder::new()).await;
    let (flood, ended) = open(&pair.server, &pair.connector, &Builder::new()).await;
    for _ in 0..5000 {
        let Ok(mut send) = flood.clone().ready().await else { break };
        let Ok((_response, mut stream)) = send.send_request(get("/slow").body(()).unwrap(), true) else {
            break;
        };
        stream.send_reset(h2::Reason::CANCEL);
    }
    let ended = timeout(PATIENCE, ended).await.expect("the flood is still listened to").unwrap();
    ended.expect_err("the server broke it off");
    assert_eq!(pair.ask(get("/x"), None).await.0, StatusCode::OK);
}

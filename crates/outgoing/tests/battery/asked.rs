//! What is sent, and what is taken for an answer.

use std::sync::{Arc, Mutex};

use obol_oauth::{Freshness, NamedBy, Outgoing, OutgoingError};
use obol_outgoing::Limits;
use tokio::io::AsyncWriteExt;

use crate::network::{PUBLIC, TestNetwork, door_to};
use crate::server::{HOST, TestServer, json};

/// A server that remembers what it was asked.
fn listening(answer: &'static str) -> (TestServer, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = heard.clone();
    let server = TestServer::start(move |visit| {
        let hearing = hearing.clone();
        async move {
            let (mut tls, request) = visit.heard().await;
            hearing.lock().unwrap().push(request);
            let _ = tls.write_all(answer.as_bytes()).await;
            let _ = tls.shutdown().await;
        }
    });
    (server, heard)
}

fn network_to(server: &TestServer) -> Arc<TestNetwork> {
    Arc::new(TestNetwork::leading_to(server).naming(HOST, &[&[PUBLIC]]))
}

#[tokio::test]
async fn a_document_is_asked_for_without_anything_of_ours() {
    let (server, heard) = listening(
        "HTTP/1.1 200 OK\r\nContent-Type: application/jwk-set+json; charset=utf-8\r\n\r\n{\"keys\":[]}",
    );
    let door = door_to(&network_to(&server), Limits::default());
    let document =
        door.fetch("https://App.Example:8443/keys?of=app", NamedBy::Operator, Freshness::Kept).await.unwrap();
    assert_eq!(&*document, "{\"keys\":[]}");
    let version = env!("CARGO_PKG_VERSION");
    let wanted = format!(
        "GET /keys?of=app HTTP/1.1\r\nhost: app.example:8443\r\nuser-agent: obol/{version}\r\naccept-encoding: identity\r\n\
         connection: close\r\naccept: application/json\r\n\r\n"
    );
    assert_eq!(*heard.lock().unwrap(), [wanted]);
}

#[tokio::test]
async fn a_form_is_posted_and_200_or_204_is_success() {
    for (answer, good) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 204 No Content\r\n\r\n", true),
        ("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", false),
    ] {
        let (server, heard) = listening(answer);
        let door = door_to(&network_to(&server), Limits::default());
        let posted = door
            .post_form("https://app.example/logout", NamedBy::Operator, "logout_token=a.b.c".to_owned())
            .await;
        assert_eq!(posted.is_ok(), good, "{answer}");
        let heard = heard.lock().unwrap();
        assert!(heard[0].starts_with("POST /logout HTTP/1.1\r\nhost: app.example\r\n"), "{}", heard[0]);
        assert!(heard[0].contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{}", heard[0]);
        assert!(heard[0].ends_with("\r\n\r\nlogout_token=a.b.c"), "{}", heard[0]);
    }
}

#[tokio::test]
async fn no_cookie_comes_back() {
    let (server, heard) = listening(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}",
    );
    let door = door_to(&network_to(&server), Limits::default());
    for path in ["a", "b"] {
        door.fetch(&format!("https://app.example/{path}"), NamedBy::Operator, Freshness::Kept).await.unwrap();
    }
    let heard = heard.lock().unwrap();
    assert!(heard.len() == 2 && heard.iter().all(|request| !request.contains("cookie")), "{heard:?}");
}

/// RFC 7591 §5, and the CVEs of others: an address that may be asked must not choose another one.
#[tokio::test]
async fn redirects_are_not_followed() {
    for status in [300, 301, 302, 303, 305, 307, 308] {
        let inner = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        inner.set_nonblocking(true).unwrap();
        let location = format!("https://{}/", inner.local_addr().unwrap());
        let server = TestServer::answering(format!(
            "HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
        ));
        let network = network_to(&server);
        let door = door_to(&network, Limits::default());
        let failed = door.fetch("https://app.example/", NamedBy::Operator, Freshness::Kept).await;
        let sentence = format!("app.example: it answered {status}, and redirects are not followed.");
        assert_eq!(failed, Err(OutgoingError::Failed(sentence)));
        assert_eq!(network.connected().len(), 1);
        assert!(inner.accept().is_err());
    }
}

#[tokio::test]
async fn only_200_with_plain_json_is_taken() {
    let with = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\n{{}}");
    for (answer, reason) in [
        (json("{}").replace("200 OK", "201 Created"), "it answered 201"),
        (json("{}").replace("200 OK", "404 Not Found"), "it answered 404"),
        (json("{}").replace("200 OK", "500 Oh"), "it answered 500"),
        (with(""), "JSON"),
        (with("Content-Type: text/html\r\n"), "JSON"),
        (with("Content-Type: text/json\r\n"), "JSON"),
        (with("Content-Type: image/svg+xml\r\n"), "JSON"),
        (with("Content-Type: application/jsonp\r\n"), "JSON"),
        (with("Content-Type: application/json\r\nContent-Type: text/html\r\n"), "JSON"),
        (with("Content-Type: application/json\r\nContent-Encoding: gzip\r\n"), "Content-Encoding"),
        (with("Content-Type: application/json\r\nContent-Encoding: identity, br\r\n"), "Content-Encoding"),
    ] {
        let server = TestServer::answering(answer.clone());
        let fetched = door_to(&network_to(&server), Limits::default())
            .fetch("https://app.example/", NamedBy::Operator, Freshness::Kept)
            .await;
        assert!(fetched.unwrap_err().to_string().contains(reason), "{answer}");
    }
}

#[tokio::test]
async fn a_document_is_utf_8() {
    let mut answer = json("[..]").into_bytes();
    let end = answer.len();
    answer[end - 3..end - 1].copy_from_slice(&[0xff, 0xfe]);
    let server = TestServer::answering(answer);
    let fetched = door_to(&network_to(&server), Limits::default())
        .fetch("https://app.example/", NamedBy::Operator, Freshness::Kept)
        .await;
    assert_eq!(fetched.unwrap_err().to_string(), "app.example: its answer is not UTF-8.");
}

//! Servers that are not who they should be, and answers that are not what they should be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use obol_oauth::{Freshness, NamedBy, Outgoing, OutgoingError};
use obol_outgoing::Limits;
use rcgen::{CertificateParams, date_time_ymd};
use tokio::io::AsyncWriteExt;

use crate::network::{PUBLIC, TestNetwork, door_to};
use crate::server::{
    HOST, TestServer, Visit, authority, certificate, json, json_with, new_authority, signed, until_gone,
};

/// It fails for this reason before the deadline, and nothing is held.
async fn fails(server: &TestServer, reason: &str) {
    let network = Arc::new(TestNetwork::leading_to(server).naming(HOST, &[&[PUBLIC]]));
    let door = door_to(&network, Limits::default());
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let begun = Instant::now();
    let failed = door.fetch("https://app.example/", NamedBy::Operator, Freshness::Kept).await;
    let took = begun.elapsed();
    assert_eq!(failed, Err(OutgoingError::Failed(format!("app.example: {reason}."))));
    assert!(took < Duration::from_secs(5), "{took:?}");
    server.until_nobody_is_left().await;
    assert_eq!((door.under_way(), tasks()), (0, before));
}

async fn answer_fails(answer: impl Into<Vec<u8>>, reason: &str) {
    fails(&TestServer::answering(answer), reason).await;
}

/// Writes this again and again, as fast as it is taken.
fn endless(begin: &'static str, piece: &'static str) -> TestServer {
    let much = piece.repeat(1 + 10_000 / piece.len());
    TestServer::start(move |visit| {
        let much = much.clone();
        async move {
            let mut tls = visit.asked().await;
            let _ = tls.write_all(begin.as_bytes()).await;
            while tls.write_all(much.as_bytes()).await.is_ok() {}
        }
    })
}

async fn shakes_hands(visit: Visit) {
    if let Ok(tls) = visit.acceptor.accept(visit.tcp).await {
        until_gone(tls).await;
    }
}

#[tokio::test]
async fn the_certificate_is_for_the_host() {
    for other in ["other.example", "example", "sub.app.example", "*.app.example", "*.*.example", PUBLIC] {
        let server = TestServer::with_certificate(certificate(other), shakes_hands);
        fails(&server, "its certificate is for another host").await;
    }
}

#[tokio::test]
async fn the_certificate_is_of_an_authority_that_is_trusted() {
    let untrusted = "its certificate is not from an authority that this server trusts";
    let named = || CertificateParams::new([HOST.to_owned()]).unwrap();
    let of_another = signed(named(), &new_authority("another authority"));
    fails(&TestServer::with_certificate(of_another, shakes_hands), untrusted).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let self_signed = named().self_signed(&key).unwrap().der().clone();
    let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    fails(&TestServer::with_certificate((self_signed, key), shakes_hands), untrusted).await;
}

#[tokio::test]
async fn the_certificate_is_good_today() {
    for (from, until) in [(1990, 2020), (2090, 2099)] {
        let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let server = TestServer::with_certificate(signed(params, authority()), shakes_hands);
        fails(&server, "its certificate is over, or not good yet").await;
    }
}

#[tokio::test]
async fn an_address_has_a_certificate_for_itself() {
    let server = TestServer::with_certificate(certificate(PUBLIC), |visit| async {
        let mut tls = visit.asked().await;
        let _ = tls.write_all(json("{}").as_bytes()).await;
        let _ = tls.shutdown().await;
    });
    let network = Arc::new(TestNetwork::leading_to(&server));
    let door = door_to(&network, Limits::default());
    assert_eq!(
        &*door.fetch(&format!("https://{PUBLIC}/"), NamedBy::Operator, Freshness::Kept).await.unwrap(),
        "{}"
    );
}

#[tokio::test]
async fn there_is_tls() {
    let no_tls = "no TLS connection came about";
    let clear = TestServer::start(|mut visit| async move {
        let _ = visit.tcp.write_all(json("{}").as_bytes()).await;
        until_gone(visit.tcp).await;
    });
    fails(&clear, no_tls).await;
    fails(&TestServer::start(|_| async {}), no_tls).await;
}

#[tokio::test]
async fn bodies_are_bounded_while_they_are_read() {
    let large = "its answer is too large";
    fails(&endless("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", "{"), large).await;
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    fails(&endless(chunked, "5\r\n{{{{{\r\n"), large).await;
    let most = "x".repeat(64 * 1024);
    answer_fails(json(&format!("{most}x")), large).await;
    let server = TestServer::answering(json(&most));
    let network = Arc::new(TestNetwork::leading_to(&server).naming(HOST, &[&[PUBLIC]]));
    let door = door_to(&network, Limits::default());
    assert_eq!(*door.fetch("https://app.example/", NamedBy::Operator, Freshness::Kept).await.unwrap(), *most);
}

/// However the bytes are named: extensions of chunks, trailers, informational answers.
#[tokio::test]
async fn what_is_read_is_bounded() {
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let reasons =
        ["its answer is too large", "its answer is not good HTTP/1.1", "the head of its answer is too large"];
    for server in [
        endless("", "HTTP/1.1 103 Early Hints\r\n\r\n"),
        endless("", "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"),
        endless(chunked, "1;extension=of-this-chunk\r\n{\r\n"),
        endless("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        endless("HTTP/1.1 200 OK\r\nX: ", "y"),
        endless("HTTP/1.1 200 ", "O"),
        endless("", "\r\n"),
    ] {
        let network = Arc::new(TestNetwork::leading_to(&server).naming(HOST, &[&[PUBLIC]]));
        let door = door_to(&network, Limits::default());
        let begun = Instant::now();
        let failed = door
            .fetch("https://app.example/", NamedBy::Operator, Freshness::Kept)
            .await
            .unwrap_err()
            .to_string();
        assert!(reasons.iter().any(|reason| failed == format!("app.example: {reason}.")), "{failed}");
        assert!(begun.elapsed() < Duration::from_secs(4));
        server.until_nobody_is_left().await;
        assert_eq!(door.under_way(), 0);
    }
}

#[tokio::test]
async fn heads_are_bounded() {
    let large = "the head of its answer is too large";
    answer_fails(json_with(&format!("X: {}\r\n", "y".repeat(16 * 1024)), "{}"), large).await;
    answer_fails(json_with(&"X: y\r\n".repeat(65), "{}"), large).await;
}

#[tokio::test]
async fn a_compressed_answer_is_not_opened() {
    let reason = "its answer is encoded (`Content-Encoding`), which was not asked for";
    // 1 MiB of zeros takes a thousandth.
    let bomb = vec![0x1f; 1_000];
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n";
    answer_fails([head.as_bytes(), &bomb].concat(), reason).await;
}

/// A part of a document is none.
#[tokio::test]
async fn an_answer_is_whole() {
    let cut = "the connection ended within the answer";
    let whole = json("{\"keys\":[]}");
    for end in [10, 40, whole.len() - 5] {
        answer_fails(&whole.as_bytes()[..end], cut).await;
    }
    let chunked =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":";
    answer_fails(chunked, cut).await;
    // Without a length the end of TLS is the end of the answer: one that is only cut off is none.
    let unsaid = TestServer::start(|visit| async {
        let mut tls = visit.asked().await;
        let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}").await;
        let _ = tls.flush().await;
        drop(tls.into_inner());
    });
    fails(&unsaid, cut).await;
}

#[tokio::test]
async fn an_answer_is_http() {
    let other = "its answer is not good HTTP/1.1";
    for answer in [
        "\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64",
        "220 mail.example ESMTP\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "{}",
    ] {
        answer_fails(answer, other).await;
    }
    let lengths = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}";
    answer_fails(lengths, other).await;
    answer_fails(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        "it answered 101",
    )
    .await;
}

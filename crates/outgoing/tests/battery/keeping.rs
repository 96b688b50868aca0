//! Documents that are kept, and one request at a time for each.

use std::sync::Arc;

use obol_oauth::{Freshness, NamedBy, Outgoing, OutgoingError};
use obol_outgoing::Limits;

use crate::network::{PUBLIC, TestNetwork, door_to};
use crate::server::{HOST, TestServer, json};

fn network_to(server: &TestServer) -> Arc<TestNetwork> {
    Arc::new(TestNetwork::leading_to(server).naming(HOST, &[&[PUBLIC]]))
}

#[tokio::test]
async fn many_who_want_the_same_ask_once() {
    let server = TestServer::answering(json("{}"));
    let door = Arc::new(door_to(&network_to(&server), Limits::default()));
    let asking: Vec<_> = (0..200)
        .map(|_| {
            let door = door.clone();
            tokio::spawn(async move {
                door.fetch("https://app.example/", NamedBy::Operator, Freshness::Kept).await
            })
        })
        .collect();
    for one in asking {
        assert_eq!(&*one.await.unwrap().unwrap(), "{}");
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_dead_server_is_not_asked_by_every_request() {
    let server = TestServer::answering("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let door = door_to(&network_to(&server), Limits::default());
    for freshness in [Freshness::Kept, Freshness::Renewed, Freshness::Kept] {
        let failed = door.fetch("https://app.example/", NamedBy::Operator, freshness).await;
        assert_eq!(failed, Err(OutgoingError::Failed("app.example: it answered 503.".to_owned())));
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_document_that_was_fetched_a_moment_ago_is_not_renewed() {
    let server = TestServer::answering(json("{}"));
    let door = door_to(&network_to(&server), Limits::default());
    for freshness in [Freshness::Kept, Freshness::Renewed, Freshness::Kept, Freshness::Renewed] {
        door.fetch("https://app.example/", NamedBy::Operator, freshness).await.unwrap();
    }
    assert_eq!(server.accepted(), 1);
}

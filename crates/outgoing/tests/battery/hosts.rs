//! Names whose addresses change between one look and the next.

use std::sync::Arc;

use obol_oauth::{Freshness, NamedBy, Outgoing, OutgoingError};
use obol_outgoing::Limits;

use crate::network::{PUBLIC, TestNetwork, door_to};
use crate::server::{HOST, TestServer, json};

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_judged() {
    let server = TestServer::answering(json("{}"));
    let network = TestNetwork::leading_to(&server).naming(HOST, &[&[PUBLIC], &["127.0.0.1"]]);
    let network = Arc::new(network);
    let door = door_to(&network, Limits::default());

    assert_eq!(
        &*door.fetch("https://app.example/a", NamedBy::Operator, Freshness::Kept).await.unwrap(),
        "{}"
    );
    assert_eq!(network.resolved(), [HOST]);
    assert_eq!(network.connected(), [format!("{PUBLIC}:443")]);

    // Its addresses are now others.
    let refused = door.fetch("https://app.example/b", NamedBy::Operator, Freshness::Kept).await;
    assert!(matches!(refused, Err(OutgoingError::Refused(_))), "{refused:?}");
    assert_eq!((network.resolved().len(), network.connected().len(), server.accepted()), (2, 1, 1));
}

#[tokio::test]
async fn a_name_that_was_private_is_judged_anew() {
    let server = TestServer::answering(json("{}"));
    let network = TestNetwork::leading_to(&server).naming(HOST, &[&["127.0.0.1"], &[PUBLIC]]);
    let network = Arc::new(network);
    let door = door_to(&network, Limits::default());
    assert!(matches!(
        door.fetch("https://app.example/a", NamedBy::Operator, Freshness::Kept).await,
        Err(OutgoingError::Refused(_))
    ));
    assert_eq!(network.connected(), [""; 0]);
    door.fetch("https://app.example/b", NamedBy::Operator, Freshness::Kept).await.unwrap();
    assert_eq!(network.connected(), [format!("{PUBLIC}:443")]);
}

#[tokio::test]
async fn a_name_without_addresses_fails() {
    for network in [TestNetwork::unreachable(), TestNetwork::unreachable().naming(HOST, &[&[]])] {
        let network = Arc::new(network);
        let failed = door_to(&network, Limits::default())
            .fetch("https://app.example/", NamedBy::Operator, Freshness::Kept)
            .await;
        assert_eq!(failed.unwrap_err().to_string(), "app.example: the host name has no address.");
    }
}

#[tokio::test]
async fn only_a_few_addresses_of_a_name_are_tried() {
    let many: Vec<String> = (1..=50).map(|last| format!("93.184.216.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let network = Arc::new(TestNetwork::unreachable().naming(HOST, &[&many]));
    let failed = door_to(&network, Limits::default())
        .fetch("https://app.example/", NamedBy::Operator, Freshness::Kept)
        .await;
    assert_eq!(failed.unwrap_err().to_string(), "app.example: it cannot be connected to.");
    assert_eq!(network.connected().len(), 3);
}

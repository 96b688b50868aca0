//! Rules of [`crate::Nodes`]. What a backend does beyond them, `docs/design/lease.md` says and its own tests try.
#![allow(missing_docs, reason = "each rule is said by its name")]

use std::time::{Duration, Instant};

use obol_token::Position;

use super::samples::{Fresh, at, deny};
use crate::{Deny, NodeId, ReadFrom, StoreError, Timeline};

const LEASE: Duration = Duration::from_secs(60);

pub async fn at_first_there_are_no_nodes(store: Fresh) {
    assert_eq!(store.live_peers(None).await, Ok(Vec::new()));
}

pub async fn a_renewed_node_is_a_peer_of_others_and_not_of_itself(store: Fresh) {
    store.register_node(node(1)).await.unwrap();
    renew(&store, node(1), Position::START, LEASE).await.unwrap();
    for other in [None, Some(node(2))] {
        let peers = store.live_peers(other).await.unwrap();
        assert_eq!(peers.iter().map(|peer| peer.node).collect::<Vec<_>>(), [node(1)]);
    }
    assert_eq!(store.live_peers(Some(node(1))).await, Ok(Vec::new()));
}

pub async fn a_peer_is_never_said_to_have_applied_more_than_it_said(store: Fresh) {
    store.register_node(node(1)).await.unwrap();
    let mut said = Position::START;
    for secs in 1..=10 {
        for peer in store.live_peers(None).await.unwrap() {
            assert!(peer.applied <= said);
        }
        renew(&store, node(1), said, LEASE).await.unwrap();
        for peer in store.live_peers(None).await.unwrap() {
            assert!(peer.applied <= said);
        }
        said = deny(&*store, &Deny::Everything, at(secs)).await;
    }
}

pub async fn a_peer_vouches_at_least_as_long_as_it_said(store: Fresh) {
    store.register_node(node(1)).await.unwrap();
    for lease in [LEASE, 2 * LEASE, 3 * LEASE] {
        let sent = Instant::now();
        renew(&store, node(1), Position::START, lease).await.unwrap();
        let peers = store.live_peers(None).await.unwrap();
        let [peer] = &peers[..] else { panic!("{peers:?}") };
        assert!(sent.elapsed() + peer.lease_left >= lease, "{peer:?}");
    }
}

pub async fn a_node_that_left_is_no_peer_and_may_not_renew(store: Fresh) {
    store.register_node(node(1)).await.unwrap();
    renew(&store, node(1), Position::START, LEASE).await.unwrap();
    store.leave(node(1)).await.unwrap();
    assert_eq!(store.live_peers(None).await, Ok(Vec::new()));
    assert!(renew(&store, node(1), Position::START, LEASE).await.is_err());
    assert_eq!(store.live_peers(None).await, Ok(Vec::new()));
}

pub async fn a_node_may_follow_one_that_left(store: Fresh) {
    for number in 1..=3 {
        store.register_node(node(number)).await.unwrap();
        renew(&store, node(number), Position::START, LEASE).await.unwrap();
        let peers = store.live_peers(None).await.unwrap();
        assert_eq!(peers.iter().map(|peer| peer.node).collect::<Vec<_>>(), [node(number)]);
        store.leave(node(number)).await.unwrap();
    }
}

/// Reads to the end, renews, and says how far this node has applied the log.
async fn renew(store: &Fresh, node: NodeId, applied: Position, lease: Duration) -> Result<(), StoreError> {
    let from = ReadFrom { after: applied, limit: 10, known: Timeline::NONE };
    store.read_and_renew(node, lease, from).await?;
    store.report_applied(node, applied).await
}

pub async fn a_renewal_reads_the_log(store: Fresh) {
    store.register_node(node(1)).await.unwrap();
    let denied = deny(&*store, &Deny::Everything, at(1)).await;
    let from = ReadFrom { after: Position::START, limit: 10, known: Timeline::NONE };
    let page = store.read_and_renew(node(1), LEASE, from).await.unwrap();
    assert_eq!(page, store.read_page(from).await.unwrap());
    assert_eq!(page.entries.last().map(|entry| entry.position), Some(denied));
    assert_eq!(page.kept_to, Position::END);
}

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

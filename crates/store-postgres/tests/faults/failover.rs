//! A primary and a synchronous standby: nothing acknowledged is lost, and no position is given twice.

use std::time::{Duration, Instant};

use obol_store::{ChangeLog, NodeId, Nodes, ReadFrom, StoreError, Timeline};
use obol_store_postgres::{OpenError, PostgresOptions, PostgresStore};
use obol_testkit::Postgres;
use obol_token::Position;

use crate::{WRITE_WITHIN, assert_unavailable, deny_token, opened, until_done};

/// The URL of both servers, as an operator writes it.
fn both(primary: &Postgres, standby: &Postgres, url: &str) -> String {
    let database = url.rsplit('/').next().unwrap();
    format!("postgres://obol@127.0.0.1:{},127.0.0.1:{}/{database}", primary.port(), standby.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_all_that_was_acknowledged_is_there_and_positions_go_on_beyond() {
    let primary = Postgres::start();
    let url = primary.database();
    let standby = primary.standby("one");
    primary.wait_for_standby("one");
    let store = opened(&both(&primary, &standby, &url)).await;
    store.register_node(NodeId::from_bytes([1; 16])).await.unwrap();
    let mut acknowledged = Vec::new();
    for number in 0..50 {
        acknowledged.push(deny_token(&store, number).await.unwrap());
    }
    let before = store.timeline().await.unwrap();
    primary.kill();
    standby.promote();
    let appended = until_done("a write", async || deny_token(&store, 60).await.ok()).await;
    let after = store.timeline().await.unwrap();
    assert_eq!((before.0.number(), after.0.number()), (1, 2));
    // What the old primary may have given and not passed on is never given again.
    assert!(appended.number() > before.1.number() + 1_000, "{appended} after {}", before.1);
    assert_eq!(after.1, appended);
    // Who knew the log before the failover learns that all of it was kept, and who has read it since, that nothing is new.
    for (known, kept_to) in [(before.0, before.1), (after.0, Position::END), (Timeline::NONE, Position::END)]
    {
        let page = store.read_page(ReadFrom { after: appended, limit: 10, known }).await.unwrap();
        assert_eq!((page.timeline, page.kept_to), (after.0, kept_to));
    }
    let entries = store.read_after(Position::START, 1_000).await.unwrap();
    acknowledged.push(appended);
    assert_eq!(entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), acknowledged);
    let next = deny_token(&store, 61).await.unwrap();
    assert_eq!(next.number(), appended.number() + 1, "only once per failover");
    until_done("a renewal", async || {
        store
            .read_and_renew(
                NodeId::from_bytes([1; 16]),
                Duration::from_secs(2),
                ReadFrom { after: next, limit: 1, known: Timeline::NONE },
            )
            .await
            .ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_paused_does_not_keep_nodes_from_its_successor() {
    let primary = Postgres::start();
    let url = primary.database();
    let standby = primary.standby("one");
    primary.wait_for_standby("one");
    let store = opened(&both(&primary, &standby, &url)).await;
    deny_token(&store, 1).await.unwrap();
    // It accepts connections and says nothing.
    primary.pause();
    standby.promote();
    let began = Instant::now();
    until_done("a write", async || deny_token(&store, 2).await.ok()).await;
    assert!(began.elapsed() < 3 * WRITE_WITHIN, "{:?}", began.elapsed());
    assert_eq!(store.timeline().await.unwrap().0.number(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_alone_is_refused() {
    let primary = Postgres::start();
    let url = primary.database();
    deny_token(&opened(&url).await, 1).await.unwrap();
    let standby = primary.standby("one");
    let standby_url = standby.url(url.rsplit('/').next().unwrap());
    let refused = PostgresStore::open(&PostgresOptions::new(&standby_url)).await.err().unwrap();
    assert!(matches!(refused, OpenError::ReadOnly { .. }), "{refused}");
    // Beside a primary that is down, it says more than that one.
    primary.stop();
    let refused =
        PostgresStore::open(&PostgresOptions::new(&both(&primary, &standby, &url))).await.err().unwrap();
    assert!(matches!(refused, OpenError::ReadOnly { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_standby_does_not_answer_no_write_is_acknowledged() {
    let primary = Postgres::start();
    let url = primary.database();
    let standby = primary.standby("one");
    primary.wait_for_standby("one");
    let store = opened(&url).await;
    deny_token(&store, 1).await.unwrap();
    standby.pause();
    assert_unavailable(WRITE_WITHIN, deny_token(&store, 2)).await;
    standby.resume();
    until_done("a write", async || deny_token(&store, 2).await.ok()).await;
}

/// The server answers a cancelled wait as if all were well, with a warning.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_the_standby_that_somebody_cancels_is_no_success() {
    let primary = Postgres::start();
    let url = primary.database();
    let standby = primary.standby("one");
    primary.wait_for_standby("one");
    let store = opened(&url).await;
    deny_token(&store, 1).await.unwrap();
    standby.pause();
    let cancel = async {
        until_done("a cancelled wait", async || {
            let cancel =
                "SELECT COUNT(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            (primary.sql("postgres", cancel) != "0").then_some(())
        })
        .await;
    };
    let began = Instant::now();
    let (denied, ()) = tokio::join!(deny_token(&store, 2), cancel);
    match denied {
        Err(StoreError::Unavailable(why)) => assert!(why.contains("standby"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(began.elapsed() < WRITE_WITHIN, "it was not the deadline that ended it");
    standby.resume();
    until_done("a write", async || deny_token(&store, 3).await.ok()).await;
}

/// It goes on answering reads: who has met its successor must not believe it any more, on whatever connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_former_primary_that_comes_back_is_not_believed() {
    let primary = Postgres::start();
    let url = primary.database();
    let standby = primary.standby("one");
    primary.wait_for_standby("one");
    let store = opened(&both(&primary, &standby, &url)).await;
    deny_token(&store, 1).await.unwrap();
    // Connections that are idle while it is paused, and so survive that.
    let (one, other) = tokio::join!(store.timeline(), store.timeline());
    assert_eq!(one.unwrap().0.number() + other.unwrap().0.number(), 2);
    assert_eq!(store.live_peers(None).await, Ok(Vec::new()));
    primary.pause();
    standby.promote();
    let denied = until_done("a write", async || deny_token(&store, 2).await.ok()).await;
    primary.resume();
    let node = NodeId::from_bytes([2; 16]);
    until_done("a node", async || store.register_node(node).await.ok()).await;
    for number in 3..40 {
        let (timeline, newest) = store.timeline().await.unwrap();
        assert!(timeline.number() == 2 && newest >= denied, "{timeline:?} {newest}");
        let peers = store.live_peers(None).await.unwrap();
        assert_eq!(peers.iter().map(|peer| peer.node).collect::<Vec<_>>(), [node]);
        deny_token(&store, number).await.unwrap();
    }
}

/// The node knows of no other primary, and its readings are answered.
#[tokio::test(flavor = "multi_thread")]
async fn who_reaches_only_a_former_primary_cannot_renew_there() {
    let primary = Postgres::start();
    let url = primary.database();
    let standby = primary.standby("one");
    primary.wait_for_standby("one");
    let (node, lease) = (NodeId::from_bytes([1; 16]), Duration::from_secs(2));
    let alone = opened(&url).await;
    alone.register_node(node).await.unwrap();
    let from = ReadFrom { after: Position::START, limit: 10, known: Timeline::NONE };
    alone.read_and_renew(node, lease, from).await.unwrap();

    standby.promote();
    let successor = opened(&standby.url(url.rsplit('/').next().unwrap())).await;
    until_done("a write", async || deny_token(&successor, 1).await.ok()).await;
    let page = alone.read_page(from).await.unwrap();
    assert!(page.entries.is_empty() && page.timeline == Timeline::new(1), "{page:?}");
    assert_unavailable(WRITE_WITHIN, alone.read_and_renew(node, lease, from)).await;
}

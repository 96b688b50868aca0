//! How nodes see each other: `docs/design/postgres.md` says why it is safe.

use std::time::{Duration, Instant};

use obol_store::{NodeId, Nodes, Peer, ReadFrom, StoreError, Timeline};
use obol_store_postgres::{PostgresOptions, PostgresStore};
use obol_testkit::Postgres;
use obol_token::Position;
use tokio::time::{sleep, timeout};

const LEASE: Duration = Duration::from_secs(2);
const MARGIN: Duration = Duration::from_millis(40);
const PATIENCE: Duration = Duration::from_secs(30);
const HERE: NodeId = NodeId::from_bytes([1; 16]);
const THERE: NodeId = NodeId::from_bytes([2; 16]);

async fn nodes<const N: usize>(url: &str) -> [PostgresStore; N] {
    let options = PostgresOptions::new(url);
    PostgresStore::migrate(&options).await.unwrap();
    let mut stores = Vec::new();
    for _ in 0..N {
        stores.push(PostgresStore::open(&options).await.unwrap());
    }
    stores.try_into().unwrap_or_else(|_| panic!("as many as were made"))
}

/// What `store` sees of the other node.
async fn seen(store: &PostgresStore) -> Option<Peer> {
    let peers = store.live_peers(Some(HERE)).await.unwrap();
    assert!(peers.len() <= 1, "{peers:?}");
    peers.first().copied()
}

/// Reads to the end, renews, and says how far this node has applied the log.
async fn renew(
    store: &PostgresStore,
    node: NodeId,
    applied: Position,
    lease: Duration,
) -> Result<(), StoreError> {
    let from = ReadFrom { after: Position::START, limit: 10, known: Timeline::NONE };
    store.read_and_renew(node, lease, from).await?;
    store.report_applied(node, applied).await
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn what_a_node_has_applied_is_seen_by_the_others_at_once() {
    let server = Postgres::shared();
    let [here, there] = nodes(&server.database()).await;
    here.register_node(HERE).await.unwrap();
    there.register_node(THERE).await.unwrap();
    assert_eq!(seen(&here).await.map(|peer| peer.applied), Some(Position::START));
    for number in [7, 8, 9] {
        let applied = Position::new(number);
        renew(&there, THERE, applied, LEASE).await.unwrap();
        assert_eq!(seen(&here).await.map(|peer| (peer.node, peer.applied)), Some((THERE, applied)));
    }
    there.leave(THERE).await.unwrap();
    assert_eq!(seen(&here).await, None);
}

#[tokio::test]
async fn who_has_not_watched_a_silent_node_waits_in_full() {
    let server = Postgres::shared();
    let url = server.database();
    let [here, there] = nodes(&url).await;
    there.register_node(THERE).await.unwrap();
    until("half of the lease has passed", async || {
        seen(&here).await.is_some_and(|peer| peer.lease_left < LEASE / 2)
    })
    .await;
    let [fresh] = nodes(&url).await;
    let full = seen(&fresh).await.unwrap().lease_left;
    assert!(full >= LEASE - MARGIN, "{full:?}");
}

#[tokio::test]
async fn a_silent_node_counts_until_its_lease_has_passed_since_it_was_first_seen_so_and_then_costs_nothing() {
    let server = Postgres::shared();
    let url = server.database();
    let [here, there] = nodes(&url).await;
    here.register_node(HERE).await.unwrap();
    there.register_node(THERE).await.unwrap();
    renew(&there, THERE, Position::new(7), LEASE).await.unwrap();
    let asked = Instant::now();
    let full = seen(&here).await.unwrap().lease_left;
    assert!(full >= LEASE && full <= LEASE + MARGIN, "{full:?}");
    drop(there);
    until("it is over", async || seen(&here).await.is_none()).await;
    assert!(asked.elapsed() >= LEASE, "too early");
}

/// It has read the log before its lease ended, and renews after others have passed it over.
#[tokio::test]
async fn a_renewal_after_others_have_passed_over_the_node_does_not_count() {
    let server = Postgres::shared();
    let [here, there] = nodes(&server.database()).await;
    there.register_node(THERE).await.unwrap();
    renew(&there, THERE, Position::new(7), LEASE).await.unwrap();
    until("it is over", async || seen(&here).await.is_none()).await;
    let late = renew(&there, THERE, Position::new(7), LEASE).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    // From now on somebody would wait for it: what it reads from here on counts.
    renew(&there, THERE, Position::new(7), LEASE).await.unwrap();
    assert!(seen(&here).await.unwrap().lease_left >= LEASE - MARGIN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_row_cannot_be_taken_out_counts_in_full() {
    let primary = Postgres::start();
    let url = primary.database();
    let standby = primary.standby("one");
    primary.wait_for_standby("one");
    let [here, there] = nodes(&url).await;
    there.register_node(THERE).await.unwrap();
    let first = seen(&here).await.unwrap();
    standby.pause();
    let began = Instant::now();
    // Its lease is over by now, but without the standby nobody can be sure that its row stays out.
    while began.elapsed() < first.lease_left + MARGIN {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(seen(&here).await.unwrap().lease_left > LEASE);
    standby.resume();
    until("it is taken out", async || seen(&here).await.is_none()).await;
}

#[tokio::test]
async fn each_renewal_counts_anew() {
    let server = Postgres::shared();
    let [here, there] = nodes(&server.database()).await;
    there.register_node(THERE).await.unwrap();
    let began = Instant::now();
    while began.elapsed() < LEASE + LEASE / 2 {
        renew(&there, THERE, Position::new(7), LEASE).await.unwrap();
        let left = seen(&here).await.unwrap().lease_left;
        assert!(left >= LEASE - MARGIN, "{left:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_of_the_server_each_row_counts_in_full_again() {
    let server = Postgres::start();
    let url = server.database();
    let [here, there] = nodes(&url).await;
    there.register_node(THERE).await.unwrap();
    renew(&there, THERE, Position::new(7), LEASE).await.unwrap();
    until("half of the lease has passed", async || {
        seen(&here).await.is_some_and(|peer| peer.lease_left < LEASE / 2)
    })
    .await;
    let backend = "SELECT pid FROM pg_stat_activity WHERE application_name = 'obol' LIMIT 1";
    let crashes = || server.log_text().matches("terminating any other active server processes").count();
    let before = crashes();
    server.kill_backend(server.sql("postgres", backend).parse().unwrap());
    until("the server has crashed", async || crashes() > before).await;
    // The renewal of a moment ago may be lost; so what was seen of it does not count either.
    let mut left = None;
    until("it answers", async || {
        left = here.live_peers(None).await.ok();
        left.is_some()
    })
    .await;
    let left = left.unwrap()[0].lease_left;
    assert!(left >= LEASE - MARGIN, "{left:?}");
}

#[tokio::test]
async fn a_renewal_that_finds_its_row_gone_enters_it_again_and_fails_once() {
    let server = Postgres::shared();
    let url = server.database();
    let [here, there] = nodes(&url).await;
    there.register_node(THERE).await.unwrap();
    renew(&there, THERE, Position::new(7), LEASE).await.unwrap();
    server.sql(url.rsplit('/').next().unwrap(), "DELETE FROM obol.nodes");
    let refused = renew(&there, THERE, Position::new(8), LEASE).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    // Entered as a node that has said nothing yet.
    assert_eq!(seen(&here).await.map(|peer| peer.applied), Some(Position::START));
    renew(&there, THERE, Position::new(8), LEASE).await.unwrap();
    assert_eq!(seen(&here).await.map(|peer| peer.applied), Some(Position::new(8)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_waits_for_the_standby_and_a_lease_never_gets_shorter() {
    let primary = Postgres::start();
    let url = primary.database();
    let standby = primary.standby("one");
    primary.wait_for_standby("one");
    let [here, there] = nodes(&url).await;
    there.register_node(THERE).await.unwrap();
    standby.pause();
    let refused = renew(&there, THERE, Position::new(8), LEASE).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    standby.resume();
    until("a longer lease", async || renew(&there, THERE, Position::new(9), 2 * LEASE).await.is_ok()).await;
    assert!(seen(&here).await.unwrap().lease_left > 2 * LEASE - MARGIN);
    // An earlier renewal runs on, so the row does not say less.
    renew(&there, THERE, Position::new(10), LEASE).await.unwrap();
    assert!(seen(&here).await.unwrap().lease_left > 2 * LEASE - MARGIN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_row_is_taken_out_by_another_node_and_one_that_is_renewed_stays() {
    let server = Postgres::shared();
    let url = server.database();
    let database = url.rsplit('/').next().unwrap();
    let [here, there] = nodes(&url).await;
    here.register_node(HERE).await.unwrap();
    there.register_node(THERE).await.unwrap();
    let silent = "INSERT INTO obol.nodes VALUES (decode(repeat('03', 16), 'hex'), 0, 50, 1)";
    server.sql(database, silent);
    let rows = || server.sql(database, "SELECT encode(id, 'hex') FROM obol.nodes ORDER BY id");
    let [first, second, third] = [1, 2, 3].map(|number| NodeId::from_bytes([number; 16]).to_string());
    assert_eq!(rows(), format!("{first}\n{second}\n{third}"));
    until("it is removed", async || {
        renew(&there, THERE, Position::START, LEASE).await.ok();
        // As a node that answers does once a second.
        here.live_peers(Some(HERE)).await.unwrap();
        rows() == format!("{first}\n{second}")
    })
    .await;
}

#[tokio::test]
async fn a_node_that_left_or_never_came_may_not_renew() {
    let server = Postgres::shared();
    let [here] = nodes(&server.database()).await;
    for _ in 0..2 {
        let refused = renew(&here, HERE, Position::START, LEASE).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
        here.register_node(HERE).await.unwrap();
        here.leave(HERE).await.unwrap();
    }
    assert_eq!(here.live_peers(None).await, Ok(Vec::new()));
}

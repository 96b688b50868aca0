//! What happens to the database, and what callers are told: nothing that is not so, within the deadlines.

mod failover;
mod proxy;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use obol_store::{Appended, ChangeLog, Denials, Deny, NodeId, Nodes, StoreError, Users};
use obol_store_postgres::{PostgresOptions, PostgresStore};
use obol_testkit::Postgres;
use obol_token::{Expiry, Position, Timestamp, TokenId};
use proxy::Proxy;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(30);
/// What is promised, and what a busy machine may add.
const READ_WITHIN: Duration = Duration::from_millis(1_000 + 500);
const WRITE_WITHIN: Duration = Duration::from_millis(3_000 + 500);

pub(crate) async fn opened(url: &str) -> PostgresStore {
    let options = PostgresOptions::new(url);
    PostgresStore::migrate(&options).await.unwrap();
    PostgresStore::open(&options).await.unwrap()
}

pub(crate) async fn deny_token(store: &PostgresStore, number: u16) -> Result<Position, StoreError> {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_le_bytes());
    let deny = Deny::Token { id: TokenId::from_bytes(id), expires_at: Expiry::Never };
    store.deny(&deny, Timestamp::from_secs(1)).await.map(Appended::position)
}

/// Tries until it is done.
pub(crate) async fn until_done<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let done = async {
        loop {
            match attempt().await {
                Some(done) => return done,
                None => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(PATIENCE, done).await.unwrap_or_else(|_| panic!("never: {what}"))
}

async fn assert_unavailable<T: std::fmt::Debug>(
    within: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) {
    let began = Instant::now();
    let outcome = call.await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert!(began.elapsed() < within, "{:?}", began.elapsed());
}

async fn assert_nothing_answers(store: &PostgresStore) {
    let name = "alice".parse().unwrap();
    assert_unavailable(READ_WITHIN, store.read_after(Position::START, 10)).await;
    assert_unavailable(READ_WITHIN, store.find_user(&name)).await;
    assert_unavailable(READ_WITHIN, store.live_peers(None)).await;
    assert_unavailable(READ_WITHIN, store.swept_through()).await;
    assert_unavailable(WRITE_WITHIN, deny_token(store, 999)).await;
}

async fn assert_recovers(store: &PostgresStore) {
    until_done("a write", async || deny_token(store, 1_000).await.ok()).await;
    let name = "alice".parse().unwrap();
    until_done("a read", async || store.find_user(&name).await.ok()).await;
    until_done("a look at the nodes", async || store.live_peers(None).await.ok()).await;
    let newest = until_done("a page", async || store.timeline().await.ok()).await.1;
    assert!(newest > Position::START);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_stopped_all_is_unavailable_in_time_and_then_it_recovers() {
    let server = Postgres::start();
    let store = opened(&server.database()).await;
    deny_token(&store, 1).await.unwrap();
    server.stop();
    assert_nothing_answers(&store).await;
    server.start_server();
    assert_recovers(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_other_nodes_appends_are_heard_of_again() {
    let server = Postgres::start();
    let url = server.database();
    let (here, there) = (opened(&url).await, opened(&url).await);
    server.stop();
    assert_unavailable(READ_WITHIN, here.timeline()).await;
    server.start_server();
    let listeners =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE '%obol_log%' OR query LIKE '%MAX(position)%'";
    until_done("both listen", async || (server.sql("postgres", listeners).as_str() >= "2").then_some(()))
        .await;
    for number in 0..10 {
        let after = until_done("a page", async || here.timeline().await.ok()).await.1;
        let waits = timeout(PATIENCE, here.wait_for_append(after));
        let write = until_done("a write", async || deny_token(&there, number).await.ok());
        let (woken, _) = tokio::join!(waits, write);
        woken.expect("nobody woke it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_on_which_a_reading_was_given_up_is_not_used_again() {
    let server = Postgres::start();
    let url = server.database();
    let store = opened(&url).await;
    let name = "alice".parse().unwrap();
    assert_eq!(store.find_user(&name).await, Ok(None));
    let readers = "SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE query LIKE '%FROM users%' \
         AND application_name = 'obol'";
    let used = server.sql("postgres", readers);
    assert!(!used.is_empty() && !used.contains(','), "one connection: {used:?}");
    let (other, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    other.batch_execute("BEGIN; LOCK TABLE obol.users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    // One is given up by its caller, in the middle.
    {
        let mut given_up = Box::pin(store.find_user(&name));
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        until_done("it waits", async || {
            let polled = poll_fn(|context| Poll::Ready(given_up.as_mut().poll(context).is_ready())).await;
            assert!(!polled, "it did not wait");
            (server.sql("postgres", waiting) != "0").then_some(())
        })
        .await;
    }
    // And one by its deadline.
    assert_unavailable(READ_WITHIN, store.find_user(&name)).await;
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(store.find_user(&name).await, Ok(None));
    until_done("the old one is gone", async || {
        let now = server.sql("postgres", readers);
        (!now.split(',').any(|process| process == used)).then_some(())
    })
    .await;
    connection.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_kill_is_there_afterwards() {
    let server = Postgres::start();
    let store = Arc::new(opened(&server.database()).await);
    let mut writing = JoinSet::new();
    for writer in 0..8 {
        let store = store.clone();
        writing.spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0..1_000 {
                match deny_token(&store, writer * 1_000 + number).await {
                    Ok(position) => acknowledged.push(position),
                    Err(StoreError::Unavailable(_)) => break,
                    Err(other) => panic!("{other}"),
                }
            }
            acknowledged
        });
    }
    until_done("some writes", async || (store.commits() > 20).then_some(())).await;
    server.kill();
    let acknowledged = writing.join_all().await.concat();
    assert_nothing_answers(&store).await;
    server.start_server();
    assert_recovers(&store).await;
    let entries = store.read_after(Position::START, 20_000).await.unwrap();
    assert!(!acknowledged.is_empty());
    for position in acknowledged {
        assert!(entries.iter().any(|entry| entry.position == position), "{position} is lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_paused_all_is_unavailable_in_time_and_no_storm_follows() {
    let server = Postgres::start();
    let url = server.database();
    let store = Arc::new(opened(&url).await);
    store.register_node(NodeId::from_bytes([1; 16])).await.unwrap();
    deny_token(&store, 1).await.unwrap();
    server.pause();
    let mut asking = JoinSet::new();
    for number in 0..100 {
        let store = store.clone();
        asking.spawn(async move {
            let name = "alice".parse().unwrap();
            assert_unavailable(READ_WITHIN, store.find_user(&name)).await;
            assert_unavailable(WRITE_WITHIN, deny_token(&store, number)).await;
        });
    }
    asking.join_all().await;
    assert_nothing_answers(&store).await;
    server.resume();
    assert_recovers(&store).await;
    // Two pools of 8 and 2, and one connection each to write, to announce and to look at the nodes.
    let count = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'obol'";
    let connections: u32 = server.sql("postgres", count).parse().unwrap();
    assert!(connections <= 2 * 13, "{connections} connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_connections_are_refused_they_are_not_tried_more_often_than_the_pause_allows() {
    let server = Postgres::start();
    let proxy = Proxy::to(server.port()).await;
    let store = Arc::new(opened(&proxy.url(&server.database())).await);
    proxy.refuse(true);
    server.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'obol'",
    );
    let before = proxy.attempts();
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        asking.spawn(async move {
            let name = "alice".parse().unwrap();
            while began.elapsed() < Duration::from_secs(3) {
                let _ = store.find_user(&name).await;
                tokio::task::yield_now().await;
            }
        });
    }
    asking.join_all().await;
    // At least 25 ms apart in the end 400 ms; the first ones may have been under way at once.
    let attempts = proxy.attempts() - before;
    assert!(attempts < 60, "{attempts} attempts in 3 s");
    proxy.refuse(false);
    assert_recovers(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_unavailable_and_nothing_is_done_twice() {
    let server = Postgres::start();
    let proxy = Proxy::to(server.port()).await;
    let store = opened(&proxy.url(&server.database())).await;
    for number in 1..=5 {
        let newest = deny_token(&store, number * 10).await.unwrap();
        proxy.cut_after_next_commit();
        assert_unavailable(WRITE_WITHIN, deny_token(&store, number)).await;
        assert_eq!(proxy.cuts(), usize::from(number));
        let after = store.read_after(newest, 10).await.unwrap();
        assert_eq!(after.len(), 1, "it was committed, once");
        // The caller sends it again.
        let again = until_done("a write", async || deny_token(&store, number).await.ok()).await;
        assert_eq!(again, after[0].position);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_paused_inside_a_transaction_does_not_stop_the_others_from_writing() {
    let server = Postgres::start();
    let url = server.database();
    let store = opened(&url).await;
    // As the session of a node of ours, with its settings.
    let (paused, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    paused.batch_execute("SET idle_in_transaction_session_timeout = 1000; BEGIN").await.unwrap();
    paused.query("SELECT position FROM obol.log_head FOR UPDATE", &[]).await.unwrap();
    let began = Instant::now();
    deny_token(&store, 1).await.unwrap();
    assert!(began.elapsed() < WRITE_WITHIN);
    connection.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_somebody_else_keeps_the_lock_writes_are_unavailable_in_time_and_reads_go_on() {
    let server = Postgres::start();
    let url = server.database();
    let store = opened(&url).await;
    let (other, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    other.batch_execute("BEGIN; SELECT position FROM obol.log_head FOR UPDATE").await.unwrap();
    assert_unavailable(WRITE_WITHIN, deny_token(&store, 1)).await;
    assert_eq!(store.read_after(Position::START, 10).await, Ok(Vec::new()));
    other.batch_execute("ROLLBACK").await.unwrap();
    until_done("a write", async || deny_token(&store, 1).await.ok()).await;
    connection.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_writes_than_can_wait_are_unavailable_at_once() {
    const MANY: usize = 6_000;
    let server = Postgres::start();
    let store = opened(&server.database()).await;
    server.pause();
    let name = "alice".parse().unwrap();
    let mut waiting = Vec::with_capacity(MANY);
    let mut refused = 0;
    for _ in 0..MANY {
        let mut write = Box::pin(store.delete_user(&name, Timestamp::from_secs(1)));
        match poll_fn(|context| Poll::Ready(write.as_mut().poll(context))).await {
            Poll::Ready(outcome) => {
                assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
                refused += 1;
            }
            Poll::Pending => waiting.push(write),
        }
    }
    assert!(refused > 0 && waiting.len() >= 4_096, "{refused} refused, {} wait", waiting.len());
    drop(waiting);
    server.resume();
    assert_recovers(&store).await;
}

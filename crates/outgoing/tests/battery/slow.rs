//! Servers that take their time: each costs the deadline and no more, and nothing stays.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use obol_oauth::{Freshness, NamedBy, Outgoing, OutgoingError};
use obol_outgoing::{GuardedDoor, Limits, Network};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::network::{PUBLIC, TestNetwork, authorities, door_to};
use crate::server::{HOST, TestServer, Visit, json, until_gone};

const DEADLINE: Duration = Duration::from_millis(700);
/// What takes longer was not ended by the deadline: a busy machine is slow, and the servers here are silent for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// A piece and a pause, until the other side is gone.
async fn drip(mut stream: impl AsyncWrite + Unpin, begin: &str, piece: &[u8]) {
    let _ = stream.write_all(begin.as_bytes()).await;
    loop {
        if stream.write_all(piece).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn is_given_up_in_time(what: &str, server: TestServer) {
    let network = Arc::new(TestNetwork::leading_to(&server).naming(HOST, &[&[PUBLIC]]));
    let door = door_to(&network, Limits { deadline: DEADLINE, ..Limits::default() });
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for posted in [false, true] {
        let begun = Instant::now();
        let failed = match posted {
            false => door.fetch("https://app.example/", NamedBy::Operator, Freshness::Kept).await.map(drop),
            true => door.post_form("https://app.example/", NamedBy::Operator, "a=b".to_owned()).await,
        };
        let sentence = "app.example: it did not answer in time.".to_owned();
        assert_eq!(failed, Err(OutgoingError::Failed(sentence)), "{what}");
        let took = begun.elapsed();
        assert!(took >= DEADLINE && took < PATIENCE, "{what}: {took:?}");
        while door.under_way() > 0 || tasks() > before {
            assert!(begun.elapsed() < PATIENCE, "{what}: something is held");
            tokio::task::yield_now().await;
        }
    }
    server.until_nobody_is_left().await;
}

#[tokio::test]
async fn silence_after_the_connection() {
    is_given_up_in_time("no TLS", TestServer::start(|visit| until_gone(visit.tcp))).await;
    let shaken = |visit: Visit| async { until_gone(visit.shaken().await).await };
    is_given_up_in_time("no answer", TestServer::start(shaken)).await;
}

#[tokio::test]
async fn a_slow_handshake() {
    // A record of 4,096 bytes that comes byte by byte.
    let slow = |mut visit: Visit| async move {
        let _ = visit.tcp.write_all(&[22, 3, 3, 16, 0]).await;
        drip(visit.tcp, "", &[2]).await;
    };
    is_given_up_in_time("handshake", TestServer::start(slow)).await;
}

#[tokio::test]
async fn a_slow_head() {
    let slow = |visit: Visit| async { drip(visit.asked().await, "HTTP/1.1 200 OK\r\nX: ", b"x").await };
    is_given_up_in_time("head", TestServer::start(slow)).await;
    let informed =
        |visit: Visit| async { drip(visit.asked().await, "", b"HTTP/1.1 103 Early Hints\r\n\r\n").await };
    is_given_up_in_time("informational answers", TestServer::start(informed)).await;
}

/// A byte now and then, whatever was said of the length.
#[tokio::test]
async fn a_slow_body() {
    for length in ["Content-Length: 60000\r\n", "", "Transfer-Encoding: chunked\r\n"] {
        let begin = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{length}\r\n");
        let piece: &[u8] = if length.starts_with('T') { b"1\r\n{\r\n" } else { b"{" };
        let server = TestServer::start(move |visit| {
            let begin = begin.clone();
            async move { drip(visit.asked().await, &begin, piece).await }
        });
        let network = Arc::new(TestNetwork::leading_to(&server).naming(HOST, &[&[PUBLIC]]));
        let door = door_to(&network, Limits { deadline: DEADLINE, ..Limits::default() });
        let begun = Instant::now();
        let failed = door.fetch("https://app.example/", NamedBy::Operator, Freshness::Kept).await;
        assert!(failed.unwrap_err().to_string().ends_with("it did not answer in time."));
        assert!(begun.elapsed() < PATIENCE);
        server.until_nobody_is_left().await;
        assert_eq!(door.under_way(), 0);
    }
}

/// A network whose resolver or whose connections hang.
struct Hanging {
    resolver: bool,
    asked: AtomicUsize,
}

#[async_trait]
impl Network for Hanging {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.resolver { pending().await } else { Ok(vec![PUBLIC.parse().unwrap()]) }
    }

    async fn connect(&self, _address: SocketAddr) -> io::Result<TcpStream> {
        pending().await
    }
}

#[tokio::test]
async fn a_connection_that_does_not_come_about() {
    let network = Arc::new(Hanging { resolver: false, asked: AtomicUsize::new(0) });
    let limits = Limits { deadline: DEADLINE, ..Limits::default() };
    let door = GuardedDoor::over(network, authorities(), Vec::new(), limits);
    let begun = Instant::now();
    let failed = door.fetch("https://app.example/", NamedBy::Operator, Freshness::Kept).await;
    assert_eq!(failed.unwrap_err().to_string(), "app.example: it cannot be connected to.");
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(door.under_way(), 0);
}

/// The system's resolver cannot be interrupted: what hangs there gives its place back, and so many may hang and no more.
#[tokio::test]
async fn a_resolver_that_hangs() {
    let network = Arc::new(Hanging { resolver: true, asked: AtomicUsize::new(0) });
    let limits = Limits { deadline: DEADLINE, at_once: 1, resolving: 2, ..Limits::default() };
    let door = GuardedDoor::over(network.clone(), authorities(), Vec::new(), limits);
    let mut failures = Vec::new();
    for path in ["a", "b", "c"] {
        let failed =
            door.fetch(&format!("https://app.example/{path}"), NamedBy::Operator, Freshness::Kept).await;
        failures.push(failed.unwrap_err().to_string());
    }
    let slow = "app.example: it did not answer in time.";
    assert_eq!(failures, [slow, slow, "app.example: too many servers are being asked at this moment."]);
    assert_eq!((network.asked.load(Ordering::SeqCst), door.under_way()), (2, 0));
}

/// Slow servers hold their places and no others, and who finds none does not wait.
#[tokio::test]
async fn places_are_bounded_over_all_and_by_host() {
    let server = TestServer::start(|visit| until_gone(visit.tcp));
    let names = ["a.example", "b.example", "c.example"];
    let network = TestNetwork::leading_to(&server);
    let network =
        Arc::new(names.into_iter().fold(network, |network, name| network.naming(name, &[&[PUBLIC]])));
    let limits = Limits { deadline: DEADLINE, at_once: 3, at_once_of_a_host: 2, ..Limits::default() };
    let door = Arc::new(door_to(&network, limits));
    let ask = |host: &str, path: usize| {
        let (door, url) = (door.clone(), format!("https://{host}/{path}"));
        tokio::spawn(async move {
            let begun = Instant::now();
            let failed = door.fetch(&url, NamedBy::Operator, Freshness::Kept).await.unwrap_err().to_string();
            (failed.ends_with("too many servers are being asked at this moment."), begun.elapsed())
        })
    };
    let begun = Instant::now();
    let asked = [
        ask("a.example", 1),
        ask("a.example", 2),
        ask("a.example", 3),
        ask("b.example", 1),
        ask("c.example", 1),
    ];
    let mut busy = Vec::new();
    for asking in asked {
        let (was_busy, took) = asking.await.unwrap();
        assert!(!was_busy || took < DEADLINE / 2, "{took:?}");
        busy.push(was_busy);
    }
    assert_eq!(busy, [false, false, true, false, true]);
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(door.under_way(), 0);
    server.until_nobody_is_left().await;
    // That there was no place is not remembered of an address.
    let again = ask("c.example", 1).await.unwrap();
    assert!(!again.0);
}

/// What is kept needs no place, nor does a document that is under way; and what the rest ask finds one, also at the same host.
#[tokio::test]
async fn strangers_leave_places_to_the_rest() {
    let held = Arc::new(Semaphore::new(0));
    let holds = held.clone();
    let server = TestServer::start(move |visit| {
        let holds = holds.clone();
        async move {
            let (mut tls, head) = visit.heard().await;
            if !head.starts_with("GET /kept ") {
                // Until it is closed.
                let _ = holds.acquire().await;
            }
            let _ = tls.write_all(json("{}").as_bytes()).await;
            let _ = tls.shutdown().await;
        }
    });
    let network = Arc::new(TestNetwork::leading_to(&server).naming(HOST, &[&[PUBLIC]]));
    let limits =
        Limits { deadline: PATIENCE, at_once_of_strangers: 2, at_once_of_a_host: 3, ..Limits::default() };
    let door = Arc::new(door_to(&network, limits));
    let kept = "https://app.example/kept";
    door.fetch(kept, NamedBy::Stranger, Freshness::Kept).await.unwrap();

    let ask = |named_by: NamedBy, url: &'static str| {
        let door = door.clone();
        tokio::spawn(async move { door.fetch(url, named_by, Freshness::Kept).await.map(drop) })
    };
    let mut waiting = vec![ask(NamedBy::Stranger, "https://app.example/1"), {
        let door = door.clone();
        tokio::spawn(async move {
            door.post_form("https://app.example/2", NamedBy::Stranger, "a=b".to_owned()).await
        })
    }];
    while door.under_way() < 2 {
        tokio::task::yield_now().await;
    }
    let refused = ask(NamedBy::Stranger, "https://app.example/3").await.unwrap();
    assert!(matches!(refused, Err(OutgoingError::Busy(_))), "{refused:?}");
    let refused = door.post_form("https://app.example/4", NamedBy::Stranger, "a=b".to_owned()).await;
    assert!(matches!(refused, Err(OutgoingError::Busy(_))), "{refused:?}");
    assert_eq!(&*door.fetch(kept, NamedBy::Stranger, Freshness::Kept).await.unwrap(), "{}");
    waiting.push(ask(NamedBy::Stranger, "https://app.example/1"));
    for url in ["https://app.example/5", "https://app.example/6", "https://app.example/7"] {
        waiting.push(ask(NamedBy::Operator, url));
    }
    let begun = Instant::now();
    while door.under_way() < 5 {
        assert!(begun.elapsed() < PATIENCE, "one of the rest has found no place");
        tokio::task::yield_now().await;
    }
    held.close();
    for one in waiting {
        assert_eq!(one.await.unwrap(), Ok(()));
    }
    assert_eq!((server.accepted(), door.under_way()), (6, 0));
}

#[tokio::test]
async fn who_leaves_early_takes_nothing_along() {
    let server = TestServer::start(|visit| async {
        let mut tls = visit.asked().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let _ = tls.write_all(json("{}").as_bytes()).await;
        let _ = tls.shutdown().await;
    });
    let network = Arc::new(TestNetwork::leading_to(&server).naming(HOST, &[&[PUBLIC]]));
    let door = Arc::new(door_to(&network, Limits::default()));
    let ask = || {
        let door = door.clone();
        tokio::spawn(
            async move { door.fetch("https://app.example/", NamedBy::Operator, Freshness::Kept).await },
        )
    };
    let (first, second) = (ask(), ask());
    while server.accepted() == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert_eq!(&*second.await.unwrap().unwrap(), "{}");
    assert_eq!((server.accepted(), door.under_way()), (1, 0));
}

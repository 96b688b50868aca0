//! accepted requests finish, idle connections end at once, what hangs is cut.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use obol_web::server::ListenerOptions;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::running::{read_answer, read_to_end, says_close, start, status, until};

const SLOW: &[u8] = b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n";
const QUICK: &[u8] = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_request_in_work_is_answered_after_the_stop() {
    let mut server = start(ListenerOptions::default());
    let mut stream = server.connect().await;
    stream.write_all(SLOW).await.unwrap();
    server.slow_has_arrived().await;
    server.say_stop();
    refused_from_now_on(&server.address.to_string()).await;
    server.slow_may_end.add_permits(1);
    let answer = read_to_end(&mut stream).await;
    assert_eq!(status(&answer), 200);
    assert!(says_close(&answer), "{answer}");
    assert_eq!(server.end().await.cut_connections, 0);
}

#[tokio::test]
async fn a_body_that_is_still_arriving_is_read_to_its_end() {
    let mut server = start(ListenerOptions::default());
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(status(&read_answer(&mut stream).await), 100);
    stream.write_all(b"ab").await.unwrap();
    server.say_stop();
    refused_from_now_on(&server.address.to_string()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    stream.write_all(b"cd").await.unwrap();
    assert!(read_to_end(&mut stream).await.contains("body=4"));
    assert_eq!(server.end().await.cut_connections, 0);
}

#[tokio::test]
async fn idle_connections_do_not_delay_the_stop() {
    let mut server = start(ListenerOptions::default());
    let mut idle = Vec::new();
    for _ in 0..20 {
        let mut stream = server.connect().await;
        stream.write_all(QUICK).await.unwrap();
        assert_eq!(status(&read_answer(&mut stream).await), 200);
        idle.push(stream);
    }
    let start = Instant::now();
    server.say_stop();
    for stream in &mut idle {
        assert_eq!(read_to_end(stream).await, "");
    }
    assert_eq!(server.end().await.cut_connections, 0);
    assert!(start.elapsed() < Duration::from_millis(900), "took {:?}", start.elapsed());
}

#[tokio::test]
async fn connections_without_a_request_cannot_delay_the_stop() {
    let mut server = start(ListenerOptions::default());
    let mut waiting = Vec::new();
    for begun in ["", "\r\n", "GET /x HT"] {
        let mut stream = server.connect().await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        waiting.push(stream);
        let mut served = server.connect().await;
        served.write_all(QUICK).await.unwrap();
        assert_eq!(status(&read_answer(&mut served).await), 200);
        served.write_all(begun.as_bytes()).await.unwrap();
        waiting.push(served);
    }
    let start = Instant::now();
    server.say_stop();
    assert_eq!(server.end().await.cut_connections, 0, "no accepted request was cut");
    assert!(start.elapsed() < Duration::from_millis(2500), "took {:?}", start.elapsed());
}

#[tokio::test]
async fn a_handshake_that_stalls_cannot_delay_the_stop() {
    let folder = tempfile::TempDir::new().unwrap();
    let (mut server, _) = crate::tls::start_tls(folder.path(), ListenerOptions::default());
    let mut stalled = server.connect().await;
    stalled.write_all(b"\x16\x03\x01").await.unwrap();
    until(|| server.counts.accepted.load(Ordering::Relaxed) == 1).await;
    let start = Instant::now();
    server.say_stop();
    assert_eq!(server.end().await.cut_connections, 0);
    assert!(start.elapsed() < Duration::from_millis(2500), "took {:?}", start.elapsed());
}

#[tokio::test]
async fn requests_that_are_on_their_way_when_the_stop_comes_are_answered() {
    let mut server = start(ListenerOptions::default());
    let mut kept = server.connect().await;
    kept.write_all(QUICK).await.unwrap();
    assert_eq!(status(&read_answer(&mut kept).await), 200);
    // A kept and a fresh connection, each with a request that the server has not read yet.
    let mut fresh = server.connect().await;
    server.say_stop();
    for stream in [&mut kept, &mut fresh] {
        stream.write_all(QUICK).await.unwrap();
    }
    for stream in [&mut kept, &mut fresh] {
        assert_eq!(status(&read_to_end(stream).await), 200);
    }
    assert_eq!(server.end().await.cut_connections, 0);
}

#[tokio::test]
async fn what_hangs_is_cut_at_the_drain_deadline_and_counted() {
    let drain_timeout = Duration::from_millis(400);
    let mut server = start(ListenerOptions { drain_timeout, ..ListenerOptions::default() });
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        stream.write_all(SLOW).await.unwrap();
        server.slow_has_arrived().await;
        streams.push(stream);
    }
    let start = Instant::now();
    server.say_stop();
    assert_eq!(server.end().await.cut_connections, 3);
    assert!(
        start.elapsed() >= drain_timeout && start.elapsed() < 4 * drain_timeout,
        "took {:?}",
        start.elapsed()
    );
    for stream in &mut streams {
        assert_eq!(read_to_end(stream).await, "");
    }
}

#[tokio::test]
async fn no_request_of_a_busy_keep_alive_client_is_lost() {
    let mut server = start(ListenerOptions::default());
    let address = server.address;
    let clients: Vec<_> = (0..8).map(|_| tokio::spawn(ask_until_told_to_close(address))).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.say_stop();
    for client in clients {
        assert!(client.await.unwrap() > 1, "the client was never served");
    }
    assert_eq!(server.end().await.cut_connections, 0);
}

/// Asks on one connection; every request sent must be answered. Gives the number of answers.
async fn ask_until_told_to_close(address: std::net::SocketAddr) -> u32 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answers = 0;
    loop {
        stream.write_all(QUICK).await.expect("closed without a word");
        let answer = read_answer(&mut stream).await;
        assert_eq!(status(&answer), 200);
        answers += 1;
        if says_close(&answer) {
            return answers;
        }
    }
}

#[tokio::test]
async fn the_address_is_free_again_at_once() {
    let mut server = start(ListenerOptions::default());
    let address = server.address;
    assert_eq!(status(&server.exchange(b"GET /x HTTP/1.0\r\n\r\n").await), 200);
    server.say_stop();
    server.end().await;
    let again = obol_web::server::Listener::bind(address, Default::default(), ListenerOptions::default());
    assert_eq!(again.unwrap().local_addr(), address);
}

/// Waits until the listener takes no new connection.
async fn refused_from_now_on(address: &str) {
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

//! S-12: each limit has its own answer, and the answer reaches a peer that is still sending.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use obol_web::server::ListenerOptions;
use tokio::io::AsyncWriteExt;

use crate::running::{Running, read_answer, read_to_end, says_close, start, status, until};

fn server() -> Running {
    start(ListenerOptions::default())
}

/// Sends `request` to its end, then reads: a client that looks at the answer only when it has sent everything.
async fn send_then_read(server: &Running, request: &[u8]) -> String {
    let mut stream = server.connect().await;
    stream.write_all(request).await.expect("the server reset the connection while it was being written to");
    read_to_end(&mut stream).await
}

fn sized(length: usize) -> Vec<u8> {
    let head = format!("POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    [head.into_bytes(), vec![b'a'; length]].concat()
}

fn chunked(length: usize, chunk: usize) -> Vec<u8> {
    let mut request = b"POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let mut left = length;
    while left > 0 {
        let size = left.min(chunk);
        request.extend(format!("{size:x}\r\n").as_bytes());
        request.resize(request.len() + size, b'a');
        request.extend(b"\r\n");
        left -= size;
    }
    request.extend(b"0\r\n\r\n");
    request
}

#[tokio::test]
async fn a_body_of_the_limit_passes_and_one_byte_more_is_413() {
    let server = server();
    let limit = 64 * 1024;
    for (request, expected) in [
        (sized(limit), 200),
        (sized(limit + 1), 413),
        (chunked(limit, 1000), 200),
        (chunked(limit + 1, 1000), 413),
        (chunked(limit, 1), 200),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(&request).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert_eq!(status(&answer), expected);
        assert_eq!(says_close(&answer), expected != 200);
        assert_eq!(answer.contains(&format!("body={limit}")), expected == 200);
    }
}

#[tokio::test]
async fn ten_megabytes_are_answered_413_within_a_second_and_closed() {
    let server = server();
    let length = 10 * 1024 * 1024;
    for request in [sized(length), chunked(length, 64 * 1024), chunked(length, length)] {
        let start = Instant::now();
        let answer = send_then_read(&server, &request).await;
        assert_eq!(status(&answer), 413);
        assert!(says_close(&answer));
        assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn an_announced_length_over_the_limit_is_refused_unread() {
    let server = server();
    let mut stream = server.connect().await;
    stream
        .write_all(
            b"POST /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1073741824\r\n\r\n",
        )
        .await
        .unwrap();
    let answer = read_answer(&mut stream).await;
    assert_eq!(status(&answer), 413, "no 100 Continue for a body that nobody wants: {answer}");
    drop(stream.into_std());
}

#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body_is_sent() {
    let server = server();
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n")
        .await
        .unwrap();
    assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 100 Continue"));
    stream.write_all(b"abc").await.unwrap();
    assert!(read_answer(&mut stream).await.contains("body=3"));
}

#[tokio::test]
async fn a_header_block_of_the_limit_passes_and_one_byte_more_is_431() {
    let server = server();
    let limit = 16 * 1024;
    let request = |length: usize| {
        let frame = "GET /x HTTP/1.1\r\nhost: a\r\nx: \r\n\r\n";
        frame.replace("x: ", &format!("x: {}", "a".repeat(length - frame.len()))).into_bytes()
    };
    let mut stream = server.connect().await;
    stream.write_all(&request(limit)).await.unwrap();
    assert_eq!(status(&read_answer(&mut stream).await), 200);
    let answer = server.exchange(&request(limit + 1)).await;
    assert_eq!(status(&answer), 431);
    assert!(says_close(&answer) && answer.contains("refused: the request header is too large"), "{answer}");
}

#[tokio::test]
async fn headers_far_over_the_limit_are_431_even_to_a_peer_that_goes_on_sending() {
    let server = server();
    let many = "x: y\r\n".repeat(1000);
    let large = format!("x: {}\r\n", "a".repeat(64 * 1024));
    let huge = format!("x: {}\r\n", "a".repeat(1024 * 1024));
    for fields in [many, large, huge] {
        let start = Instant::now();
        let request = format!("GET /x HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
        let answer = send_then_read(&server, request.as_bytes()).await;
        assert_eq!(status(&answer), 431, "{} bytes of fields", fields.len());
        assert!(start.elapsed() < Duration::from_secs(3), "took {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_target_over_the_limit_is_414_and_one_that_fills_the_buffer_431() {
    let server = server();
    for (length, expected) in [(8 * 1024, 200), (8 * 1024 + 1, 414), (60 * 1024, 414), (200 * 1024, 431)] {
        let request =
            format!("GET /{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "a".repeat(length - 1));
        let answer = send_then_read(&server, request.as_bytes()).await;
        assert_eq!(status(&answer), expected, "target of {length} bytes");
    }
}

#[tokio::test]
async fn connections_over_the_cap_are_closed_at_once_and_counted() {
    let server = start(ListenerOptions { max_connections: 2, ..ListenerOptions::default() });
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for stream in [&mut first, &mut second] {
        stream.write_all(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert_eq!(status(&read_answer(stream).await), 200);
    }
    for refused in 1..=3 {
        assert_eq!(read_to_end(&mut server.connect().await).await, "");
        until(|| server.counts.over_cap.load(Ordering::Relaxed) == refused).await;
    }
    first.write_all(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert_eq!(status(&read_answer(&mut first).await), 200, "those inside are still served");
}

#[tokio::test]
async fn a_place_that_becomes_free_is_given_again() {
    let server = start(ListenerOptions { max_connections: 1, ..ListenerOptions::default() });
    let request = b"GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    for _ in 0..20 {
        // The server may notice the end of the last connection a moment after its client.
        let mut answer = String::new();
        while status(&answer) != 200 {
            answer = server.exchange(request).await;
        }
    }
}

#[tokio::test]
async fn a_panic_costs_one_request_and_nothing_else() {
    let server = server();
    let mut stream = server.connect().await;
    for (path, expected) in [("/panic", 500), ("/x", 200), ("/panic", 500), ("/x", 200)] {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
        assert_eq!(status(&read_answer(&mut stream).await), expected, "{path}");
    }
}

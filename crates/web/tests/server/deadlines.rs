//! whoever is slow is closed; whoever is not, is not.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use obol_web::server::ListenerOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::{BIG_BYTES, PATIENCE, read_answer, read_to_end, says_close, start, status};

const DEADLINE: Duration = Duration::from_millis(300);
const WHOLE: &[u8] = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n";

/// Sends a byte every 20 ms until the server has closed; gives what it answered and how long it took.
async fn drip(mut stream: TcpStream, bytes: impl Iterator<Item = u8>) -> (String, Duration) {
    let start = Instant::now();
    let (mut reading, mut writing) = stream.split();
    let drip = async {
        for byte in bytes {
            if writing.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! {
        answer = read_to_end(&mut reading) => answer,
        () = drip => unreachable!(),
    };
    (answer, start.elapsed())
}

fn short_header() -> ListenerOptions {
    ListenerOptions { header_timeout: DEADLINE, ..ListenerOptions::default() }
}

#[tokio::test]
async fn a_connection_that_sends_nothing_is_closed_at_the_header_deadline() {
    let server = start(short_header());
    let start = Instant::now();
    assert_eq!(server.exchange(b"").await, "");
    assert!(start.elapsed() >= DEADLINE, "closed after {:?}", start.elapsed());
    assert_eq!(server.counts.cut_by_deadline.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_dripped_header_is_closed_at_the_header_deadline() {
    let server = start(short_header());
    let header =
        b"GET /x HTTP/1.1\r\n".iter().copied().chain(b"x: ".iter().copied().chain(std::iter::repeat(b'a')));
    let (answer, took) = drip(server.connect().await, header).await;
    assert_eq!(answer, "");
    assert!(took >= DEADLINE && took < 4 * DEADLINE, "closed after {took:?}");
}

#[tokio::test]
async fn dripped_empty_lines_do_not_extend_the_header_deadline() {
    let server = start(short_header());
    let (answer, took) = drip(server.connect().await, b"\r\n".iter().copied().cycle()).await;
    assert_eq!(answer, "");
    assert!(took < 4 * DEADLINE, "closed after {took:?}");
}

#[tokio::test]
async fn the_header_of_a_later_request_has_the_same_deadline() {
    let server = start(short_header());
    let mut stream = server.connect().await;
    stream.write_all(WHOLE).await.unwrap();
    assert_eq!(status(&read_answer(&mut stream).await), 200);
    let (answer, took) = drip(stream, WHOLE.iter().copied().cycle().skip(2)).await;
    assert_eq!(answer, "");
    assert!(took >= DEADLINE && took < 4 * DEADLINE, "closed after {took:?}");
}

#[tokio::test]
async fn a_pipelined_header_that_never_ends_is_closed_after_the_answer_before_it() {
    let server = start(short_header());
    let answer = server.exchange(&[WHOLE, b"GET /y HTTP/1.1\r\nhos"].concat()).await;
    assert_eq!(status(&answer), 200);
    assert_eq!(answer.matches("HTTP/1.1").count(), 1);
}

#[tokio::test]
async fn a_connection_that_has_served_stays_open_past_the_header_deadline() {
    let server = start(short_header());
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(WHOLE).await.unwrap();
        assert_eq!(status(&read_answer(&mut stream).await), 200);
        tokio::time::sleep(DEADLINE + DEADLINE / 2).await;
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_at_the_idle_deadline() {
    let server = start(ListenerOptions { idle_timeout: DEADLINE, ..ListenerOptions::default() });
    let start = Instant::now();
    let answer = server.exchange(WHOLE).await;
    assert_eq!(status(&answer), 200);
    assert!(start.elapsed() >= DEADLINE, "closed after {:?}", start.elapsed());
    assert_eq!(server.counts.cut_by_deadline.load(Ordering::Relaxed), 0, "idle is no offence");
}

#[tokio::test]
async fn a_request_in_work_outlives_the_idle_and_header_deadlines() {
    let options = ListenerOptions {
        idle_timeout: DEADLINE / 3,
        header_timeout: DEADLINE / 3,
        ..ListenerOptions::default()
    };
    let server = start(options);
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    server.slow_has_arrived().await;
    tokio::time::sleep(DEADLINE).await;
    server.slow_may_end.add_permits(1);
    assert_eq!(status(&read_answer(&mut stream).await), 200);
}

#[tokio::test]
async fn a_body_that_stalls_is_answered_408_and_closed() {
    let server = start(ListenerOptions { body_timeout: DEADLINE, ..ListenerOptions::default() });
    for request in [
        "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc",
        "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
    ] {
        let answer = server.exchange(request.as_bytes()).await;
        assert_eq!(status(&answer), 408, "{request}");
        assert!(says_close(&answer), "{answer}");
    }
}

#[tokio::test]
async fn a_dripped_body_is_answered_408_and_closed_at_the_body_deadline() {
    let server = start(ListenerOptions { body_timeout: DEADLINE, ..ListenerOptions::default() });
    let mut stream = server.connect().await;
    stream.write_all(b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 9999\r\n\r\n").await.unwrap();
    let (answer, took) = drip(stream, std::iter::repeat(b'a')).await;
    assert_eq!(status(&answer), 408);
    assert!(took >= DEADLINE, "closed after {took:?}");
}

#[tokio::test]
async fn a_peer_that_does_not_take_its_answer_is_cut() {
    let server = start(ListenerOptions { answer_timeout: DEADLINE, ..ListenerOptions::default() });
    let mut stream = server.connect().await;
    stream.write_all(b"GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    crate::running::until(|| server.counts.cut_by_deadline.load(Ordering::Relaxed) == 1).await;
    let taken = read_to_end(&mut stream).await;
    assert!(taken.len() < BIG_BYTES, "the whole answer was sent");
}

#[tokio::test]
async fn taking_an_answer_in_drips_wins_no_time() {
    let server = start(ListenerOptions { answer_timeout: DEADLINE, ..ListenerOptions::default() });
    let mut stream = server.connect().await;
    stream.write_all(b"GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let drip = async {
        let mut some = vec![0; 16 * 1024];
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if stream.read(&mut some).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = crate::running::until(|| server.counts.cut_by_deadline.load(Ordering::Relaxed) == 1) => {}
        () = drip => {}
    }
}

#[tokio::test]
async fn a_reader_that_takes_its_time_within_the_deadline_gets_everything() {
    let options = ListenerOptions {
        answer_timeout: PATIENCE,
        idle_timeout: DEADLINE / 3,
        ..ListenerOptions::default()
    };
    let server = start(options);
    let mut stream = server.connect().await;
    stream.write_all(b"GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(DEADLINE).await;
    let answer = read_to_end(&mut stream).await;
    assert!(answer.len() > BIG_BYTES, "only {} bytes", answer.len());
}

//! R-40, S-11: requests whose end or meaning two readers could see differently are 400, and the connection ends.

use obol_web::server::ListenerOptions;
use tokio::io::AsyncWriteExt;

use crate::running::{Running, read_answer, says_close, start, status};

const NEXT: &str = "GET /next HTTP/1.1\r\nhost: a\r\n\r\n";

fn server() -> Running {
    start(ListenerOptions::default())
}

/// A POST with these header lines and this body, written as they are.
fn post(lines: &str, body: &str) -> String {
    format!("POST /x HTTP/1.1\r\nhost: a\r\n{lines}\r\n{body}")
}

/// Refused with one 400, and what follows on the connection is not answered.
async fn assert_refused(server: &Running, request: &str) {
    let answer = server.exchange(format!("{request}{NEXT}").as_bytes()).await;
    assert_eq!(status(&answer), 400, "{request:?} was answered {answer:?}");
    assert!(says_close(&answer), "{request:?} was answered {answer:?}");
    assert_eq!(answer.matches("HTTP/1.").count(), 1, "{request:?} was answered {answer:?}");
}

/// Accepted as one request with this body length; the next one on the same connection is its own request.
async fn assert_accepted(server: &Running, request: &str, body_bytes: usize) {
    let mut stream = server.connect().await;
    stream.write_all(format!("{request}{NEXT}").as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert!(answer.contains(&format!("/x body={body_bytes}")), "{request:?} was answered {answer:?}");
    let answer = read_answer(&mut stream).await;
    assert!(answer.contains("/next body=0"), "after {request:?} came {answer:?}");
}

#[tokio::test]
async fn rfc9112_6_3_a_length_beside_a_coding_is_refused() {
    let server = server();
    for lines in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        "Content-Length: 0\r\nTRANSFER-ENCODING: chunked\r\n",
        "content-length: 4\r\nx: y\r\ntransfer-encoding: CHUNKED\r\n",
    ] {
        assert_refused(&server, &post(lines, "0\r\n\r\n")).await;
    }
}

#[tokio::test]
async fn rfc9112_6_3_two_lengths_or_one_that_is_no_number_are_refused() {
    let server = server();
    for lines in [
        "content-length: 3\r\ncontent-length: 4\r\n",
        "content-length: 3\r\ncontent-length: 3\r\n",
        "content-length: 3\r\nContent-Length: 0\r\n",
        "content-length: 3, 3\r\n",
        "content-length: 3, 4\r\n",
        "content-length: +3\r\n",
        "content-length: -3\r\n",
        "content-length: 0x3\r\n",
        "content-length: 3 3\r\n",
        "content-length: 3a\r\n",
        "content-length: \r\n",
        "content-length: 99999999999999999999999\r\n",
    ] {
        assert_refused(&server, &post(lines, "abc")).await;
    }
}

#[tokio::test]
async fn rfc9112_6_1_a_coding_other_than_one_chunked_is_refused() {
    let server = server();
    for lines in [
        "transfer-encoding: identity\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: \"chunked\"\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding:\x0bchunked\r\n",
        "transfer-encoding: \x00chunked\r\n",
        "transfer-encoding : chunked\r\n",
        " transfer-encoding: chunked\r\n",
        "transfer-encoding:\r\n chunked\r\n",
    ] {
        assert_refused(&server, &post(lines, "0\r\n\r\n")).await;
    }
    let http_1_0 = "POST /x HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let answer = server.exchange(http_1_0.as_bytes()).await;
    assert_eq!((status(&answer), answer.matches("HTTP/1.").count()), (400, 1), "{answer:?}");
}

#[tokio::test]
async fn rfc9112_7_1_malformed_chunks_are_refused() {
    let server = server();
    for body in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3\rabc\r\n0\r\n\r\n",
        "3;\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "3 3\r\nabc\r\n0\r\n\r\n",
        "11111111111111111\r\nabc\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    ] {
        assert_refused(&server, &post("transfer-encoding: chunked\r\n", body)).await;
    }
}

#[tokio::test]
async fn rfc9112_2_2_a_bare_cr_or_lf_is_refused() {
    let server = server();
    for request in [
        "GET /x HTTP/1.1\nhost: a\n\n",
        "GET /x HTTP/1.1\r\nhost: a\n\r\n",
        "GET /x HTTP/1.1\r\nhost: a\r\n\n",
        "GET /x HTTP/1.1\nhost: a\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: a\r\nx: y\nz: w\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: a\r\nx: y\rz: w\r\n\r\n",
        "GET /x\rHTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /x HTTP/1.1\rhost: a\r\n\r\n",
    ] {
        assert_refused(&server, request).await;
    }
}

#[tokio::test]
async fn rfc9112_5_malformed_fields_and_lines_are_refused() {
    let server = server();
    for request in [
        // Obsolete line folding.
        "GET /x HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: a\r\nx: y\r\n\tz\r\n\r\n",
        "GET /x HTTP/1.1\r\n host: a\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: a\r\n: empty\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: a\r\nx\x00: y\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: a\r\nx: y\x00\r\n\r\n",
        "GET /x HTTP/1.1 \r\nhost: a\r\n\r\n",
        "GET  /x HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /x  HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /x HTTP/2.0\r\nhost: a\r\n\r\n",
        "GET /x HTTP/1.2\r\nhost: a\r\n\r\n",
        "GET /x http/1.1\r\nhost: a\r\n\r\n",
        "GET /x\r\nhost: a\r\n\r\n",
        "G(T /x HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /x\x00y HTTP/1.1\r\nhost: a\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n",
    ] {
        assert_refused(&server, request).await;
    }
}

#[tokio::test]
async fn rfc9112_3_2_a_request_needs_exactly_one_host() {
    let server = server();
    for lines in [
        "",
        "host: a\r\nhost: a\r\n",
        "host: a\r\nhost: b\r\n",
        "host: a b\r\n",
        "host: u@a\r\n",
        "host: a/b\r\n",
    ] {
        assert_refused(&server, &format!("GET /x HTTP/1.1\r\n{lines}\r\n")).await;
    }
}

#[tokio::test]
async fn well_formed_requests_follow_each_other_on_one_connection() {
    let server = server();
    for (request, body_bytes) in [
        (post("content-length: 3\r\n", "abc"), 3),
        (post("content-length: 0\r\n", ""), 0),
        (post("content-length: 003\r\n", "abc"), 3),
        (post("content-length:   3  \r\n", "abc"), 3),
        (post("", ""), 0),
        (post("transfer-encoding: chunked\r\n", "0\r\n\r\n"), 0),
        (post("transfer-encoding: Chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), 5),
        (post("transfer-encoding: chunked\r\n", "A\r\n0123456789\r\n0\r\n\r\n"), 10),
        (post("transfer-encoding: chunked\r\n", "003;ext=\"v\"\r\nabc\r\n0;last\r\n\r\n"), 3),
        (post("transfer-encoding: chunked\r\n", "3 \r\nabc\r\n0\r\n\r\n"), 3),
        (post("transfer-encoding: chunked\r\n", "3\r\nabc\r\n0\r\ntrailer: x\r\nmore: y\r\n\r\n"), 3),
        // A request inside a body is a body.
        (post(&format!("content-length: {}\r\n", NEXT.len()), NEXT), NEXT.len()),
        (
            post("transfer-encoding: chunked\r\n", &format!("{:x}\r\n{NEXT}\r\n0\r\n\r\n", NEXT.len())),
            NEXT.len(),
        ),
        (format!("\r\n\r\n{}", post("content-length: 3\r\n", "abc")), 3),
        ("POST http://a/x HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\na".to_owned(), 1),
        ("GET /x HTTP/1.1\r\nhost: a:8080\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n".to_owned(), 0),
        ("GET /x HTTP/1.1\r\nhost: [::1]:80\r\ncontent-length: 2\r\n\r\nab".to_owned(), 2),
        ("GET /x HTTP/1.1\r\nhost:\r\n\r\n".to_owned(), 0),
    ] {
        assert_accepted(&server, &request, body_bytes).await;
    }
}

#[tokio::test]
async fn requests_are_the_same_however_their_bytes_are_split() {
    let server = server();
    let requests = [
        post("content-length: 3\r\n", "abc"),
        post("transfer-encoding: chunked\r\n", "3;e\r\nabc\r\n2\r\nde\r\n0\r\nt: x\r\n\r\n"),
        format!("\r\n{NEXT}"),
        post("content-length: 0\r\n", ""),
    ]
    .concat();
    let bytes = requests.as_bytes();
    for size in [1, 2, 3, 7, 31, bytes.len()] {
        let mut stream = server.connect().await;
        stream.set_nodelay(true).unwrap();
        let (mut reading, mut writing) = stream.split();
        let write = async {
            for piece in bytes.chunks(size) {
                writing.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let read = async {
            for expected in ["/x body=3", "/x body=5", "/next body=0", "/x body=0"] {
                let answer = read_answer(&mut reading).await;
                assert!(answer.contains(expected), "in pieces of {size}: {answer:?} instead of {expected}");
            }
        };
        tokio::join!(write, read);
    }
}

#[tokio::test]
async fn a_refusal_is_the_same_however_its_bytes_are_split() {
    let server = server();
    let request =
        format!("{}{NEXT}", post("content-length: 5\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"));
    for size in [1, 2, 5, 40] {
        let mut stream = server.connect().await;
        stream.set_nodelay(true).unwrap();
        let (mut reading, mut writing) = stream.split();
        let write = async {
            for piece in request.as_bytes().chunks(size) {
                if writing.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        let ((), answer) = tokio::join!(write, crate::running::read_to_end(&mut reading));
        assert_eq!(
            (status(&answer), answer.matches("HTTP/1.").count()),
            (400, 1),
            "in pieces of {size}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_plain_listener_speaks_no_http2() {
    let server = server();
    let answer = server.exchange(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    assert_eq!(answer, "");
}

#[tokio::test]
async fn bytes_that_are_no_http_are_refused() {
    let server = server();
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for garbage in [&hello[..], b"\xff\xfe\xfd\xfc\r\n\r\n", b"\0\0\0\0\0\0\0\0", b"hello\r\n\r\n"] {
        let answer = server.exchange(garbage).await;
        assert_eq!(status(&answer), 400, "{garbage:?}: {answer:?}");
    }
}

#[tokio::test]
async fn http_1_0_ends_after_one_answer_unless_it_asks_to_go_on() {
    let server = server();
    let answer = server.exchange(format!("GET /x HTTP/1.0\r\n\r\n{NEXT}").as_bytes()).await;
    assert_eq!((status(&answer), answer.matches("HTTP/1.").count()), (200, 1), "{answer:?}");
    let kept = b"GET /x HTTP/1.0\r\nconnection: keep-alive\r\n\r\nGET /y HTTP/1.0\r\n\r\n";
    let answer = server.exchange(kept).await;
    assert_eq!(answer.matches("HTTP/1.0 200").count(), 2, "{answer:?}");
}

#[tokio::test]
async fn a_peer_that_ends_its_side_after_a_whole_request_is_answered() {
    let server = server();
    for request in [
        "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /slow HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        server.slow_has_arrived().await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        server.slow_may_end.add_permits(1);
        assert_eq!(status(&crate::running::read_to_end(&mut stream).await), 200, "{request:?}");
    }
}

#[tokio::test]
async fn a_peer_that_ends_in_the_middle_of_a_body_is_refused() {
    let server = server();
    for request in [
        post("content-length: 9\r\n", "abc"),
        post("transfer-encoding: chunked\r\n", "3\r\nabc\r\n"),
        post("transfer-encoding: chunked\r\n", "3\r\na"),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(status(&crate::running::read_to_end(&mut stream).await), 400, "{request:?}");
    }
}

//! Answers come in the order of the requests and are the same, whoever reads them and however the bytes are split.

use std::time::Duration;

use obol_web::server::ListenerOptions;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::running::{PATIENCE, Running, read_answer, read_to_end, start, status};

/// A request in one of the forms that are read in different ways.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// Answered at once.
    Get,
    /// Answered at once, with a body.
    Post,
    /// Waits in the handler for a moment.
    Later,
    /// Read by hyper.
    Chunked,
    /// Read by hyper, with an interim answer.
    Expecting,
    /// After an empty line, which means nothing.
    AfterEmptyLine,
}

impl Form {
    fn request(self, number: usize) -> String {
        match self {
            Self::Get => format!("GET /{number} HTTP/1.1\r\nhost: a\r\n\r\n"),
            Self::Post => format!("POST /{number} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nGET /"),
            Self::Later => format!("GET /later/{number} HTTP/1.1\r\nhost: a\r\n\r\n"),
            Self::Chunked => format!(
                "POST /{number} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n"
            ),
            Self::AfterEmptyLine => format!("\r\n{}", Self::Get.request(number)),
            Self::Expecting => format!(
                "POST /{number} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\nx"
            ),
        }
    }

    fn answer(self, number: usize) -> String {
        let (method, path, body) = match self {
            Self::Get | Self::AfterEmptyLine => ("GET", format!("/{number}"), 0),
            Self::Later => ("GET", format!("/later/{number}"), 0),
            Self::Post | Self::Chunked => ("POST", format!("/{number}"), 5),
            Self::Expecting => ("POST", format!("/{number}"), 1),
        };
        format!("{method} {path} body={body} client=127.0.0.1 tls=false")
    }
}

fn forms() -> impl Strategy<Value = Vec<Form>> {
    let form = prop::sample::select(vec![
        Form::Get,
        Form::Get,
        Form::Post,
        Form::Later,
        Form::Chunked,
        Form::Expecting,
        Form::AfterEmptyLine,
    ]);
    prop::collection::vec(form, 1..12)
}

/// The bodies of the answers to these requests, sent in pieces of this many bytes.
async fn ask(server: &Running, forms: &[Form], piece_bytes: usize) -> Vec<String> {
    let requests: String = forms.iter().zip(0..).map(|(form, number)| form.request(number)).collect();
    let (mut read, mut write) = server.connect().await.into_split();
    let sending = tokio::spawn(async move {
        for piece in requests.as_bytes().chunks(piece_bytes) {
            write.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        write
    });
    let mut bodies = Vec::new();
    while bodies.len() < forms.len() {
        let answer = read_answer(&mut read).await;
        if status(&answer) != 100 {
            bodies.push(answer.split_once("\r\n\r\n").unwrap().1.to_owned());
        }
    }
    drop(sending.await.unwrap());
    let mut more = Vec::new();
    timeout(PATIENCE, read.read_to_end(&mut more)).await.unwrap().unwrap();
    assert!(more.is_empty(), "{}", String::from_utf8_lossy(&more));
    bodies
}

#[test]
fn every_request_gets_its_own_answer_in_order() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _inside = runtime.enter();
    let server = start(ListenerOptions::default());
    let mut cases = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let tried = cases.run(&(forms(), 1..600_usize), |(forms, piece_bytes)| {
        let bodies = runtime.block_on(ask(&server, &forms, piece_bytes));
        let expected: Vec<_> = forms.iter().zip(0..).map(|(form, number)| form.answer(number)).collect();
        prop_assert_eq!(bodies, expected);
        Ok(())
    });
    tried.unwrap();
}

#[tokio::test]
async fn an_answer_at_once_is_worded_as_any_other() {
    let server = start(ListenerOptions::default());
    let mut stream = server.connect().await;
    let mut answers = Vec::new();
    for request in [Form::Get.request(1), "GET /1 HTTP/1.1\r\nhost: a\r\nexpect: x\r\n\r\n".to_owned()] {
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        answers
            .push(answer.lines().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\n"));
        assert!(answer.contains("date: "), "{answer}");
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn nobody_gets_a_tunnel_at_once() {
    let server = start(ListenerOptions::default());
    for target in ["/", "a:443"] {
        let answer =
            server.exchange(format!("CONNECT {target} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await;
        assert_eq!(status(&answer), 400, "{answer}");
    }
}

#[tokio::test]
async fn an_empty_line_in_two_pieces_breaks_no_later_request() {
    let server = start(ListenerOptions::default());
    let mut stream = server.connect().await;
    let (first, second) = (Form::Get.request(1) + "\r", format!("\n{}", Form::Get.request(2)));
    for request in [first, second, Form::Later.request(3)] {
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(status(&read_answer(&mut stream).await), 200, "{request:?}");
    }
}

#[tokio::test]
async fn a_peer_that_has_ended_its_side_gets_all_its_answers() {
    let server = start(ListenerOptions::default());
    let mut stream = server.connect().await;
    let requests: String = (0..50).map(|number| Form::Get.request(number)).collect();
    stream.write_all(requests.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answers = read_to_end(&mut stream).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 50);
}

#[tokio::test]
async fn a_peer_that_takes_no_answers_is_read_no_further_and_then_cut() {
    let server =
        start(ListenerOptions { answer_timeout: Duration::from_millis(300), ..ListenerOptions::default() });
    let stream = server.connect().await;
    let asked = async {
        let request = b"GET /big HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100);
        let (read, mut write) = stream.into_split();
        loop {
            if write.write_all(&request).await.is_err() {
                break;
            }
        }
        drop(read);
    };
    timeout(PATIENCE, asked).await.expect("it was not cut");
}

#[tokio::test]
async fn after_the_stop_the_next_answer_is_the_last() {
    let mut server = start(ListenerOptions::default());
    let mut stream = server.connect().await;
    stream.write_all(Form::Get.request(1).as_bytes()).await.unwrap();
    assert_eq!(status(&read_answer(&mut stream).await), 200);
    server.say_stop();
    stream.write_all(Form::Get.request(2).as_bytes()).await.unwrap();
    let rest = read_to_end(&mut stream).await;
    assert!(rest.is_empty() || rest.contains("connection: close\r\n"), "{rest}");
    assert_eq!(server.end().await.cut_connections, 0);
}

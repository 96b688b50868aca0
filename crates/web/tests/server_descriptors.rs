//! a listener that runs out of descriptors waits and goes on. Alone in its process, because it lowers the
//! process's limit on open files.

use std::fs::File;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use obol_web::server::{
    Answer, Entrance, Listener, ListenerOptions, Received, Refusal, UsualFields, raise_descriptor_limit,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(8);
const SOFT_LIMIT: u64 = 64;

async fn answer(received: Received) -> Answer {
    match received {
        Received::Request(_) => Answer::new(StatusCode::OK, UsualFields::default(), "whole"),
        Received::Refused(_, refusal) => {
            assert_ne!(refusal, Refusal::InClear);
            Answer::new(refusal.status(), UsualFields::default(), "")
        }
    }
}

async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("no answer").unwrap();
    answer
}

#[tokio::test]
async fn running_out_of_descriptors_stops_nothing_for_good() {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(SOFT_LIMIT), maximum: hard }).unwrap();
    let listener =
        Listener::bind("127.0.0.1:0".parse().unwrap(), Entrance::default(), ListenerOptions::default())
            .unwrap();
    assert_eq!(listener.options().max_connections, 32, "the cap leaves room for everything else");
    let (address, counts) = (listener.local_addr(), listener.counts());
    let serving = tokio::spawn(listener.serve(answer, std::future::pending()));

    // Something else takes all descriptors but one, which the client needs.
    let mut client = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut client).await.ends_with("whole"));
    drop(client);
    let mut hoard: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    hoard.pop();
    let mut client = TcpStream::connect(address).await.unwrap();
    let failed = async {
        while counts.accept_failures.load(Ordering::Relaxed) < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, failed).await.expect("the lack was not noticed");
    assert!(counts.accept_failures.load(Ordering::Relaxed) < 10, "it waits between two tries");

    drop(hoard);
    assert!(ask(&mut client).await.ends_with("whole"), "the waiting client is served");
    assert!(!serving.is_finished());

    raise_descriptor_limit();
    assert_eq!(getrlimit(Resource::Nofile).current, hard);
    serving.abort();
}

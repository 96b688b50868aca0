use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// A server that sends back what it gets, and `COMMIT` for a `COMMIT`.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut buffer = [0; 1_024];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream
}

/// What comes back for these bytes: `None` when nothing does in time, empty when the connection has ended.
fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = [0; 1_024];
    if stream.write_all(bytes).is_err() {
        return Some(Vec::new());
    }
    match stream.read(&mut buffer) {
        Ok(length) => Some(buffer[..length].to_vec()),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
        Err(_) => Some(Vec::new()),
    }
}

#[test]
fn bytes_pass_and_take_longer_when_told_so() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    assert_eq!(exchange(&mut stream, b"one").as_deref(), Some(&b"one"[..]));
    proxy.delay(Direction::ToServer, Duration::from_millis(100));
    proxy.delay(Direction::ToClient, Duration::from_millis(60));
    let began = Instant::now();
    assert_eq!(exchange(&mut stream, b"two").as_deref(), Some(&b"two"[..]));
    assert!(began.elapsed() >= Duration::from_millis(160), "{:?}", began.elapsed());
    proxy.pass();
    assert_eq!(exchange(&mut stream, b"three").as_deref(), Some(&b"three"[..]));
}

#[test]
fn a_black_hole_swallows_one_way_and_what_lost_bytes_is_cut_afterwards() {
    for direction in [Direction::ToServer, Direction::ToClient] {
        let proxy = Proxy::to(echo());
        let (mut used, mut idle) = (connect(&proxy), connect(&proxy));
        assert_eq!(exchange(&mut used, b"a").as_deref(), Some(&b"a"[..]));
        assert_eq!(exchange(&mut idle, b"a").as_deref(), Some(&b"a"[..]));
        proxy.drop_bytes(direction);
        assert_eq!(exchange(&mut used, b"b"), None, "{direction:?}");
        proxy.pass();
        assert_eq!(exchange(&mut used, b"c").as_deref(), Some(&b""[..]), "{direction:?}");
        assert_eq!(exchange(&mut idle, b"d").as_deref(), Some(&b"d"[..]), "it has lost nothing");
    }
}

#[test]
fn an_order_to_cut_ends_what_is_open_and_one_to_refuse_what_comes() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    assert_eq!(exchange(&mut stream, b"a").as_deref(), Some(&b"a"[..]));
    proxy.cut();
    assert_eq!(exchange(&mut stream, b"b").as_deref(), Some(&b""[..]));
    let mut stream = connect(&proxy);
    assert_eq!(exchange(&mut stream, b"c").as_deref(), Some(&b"c"[..]));
    proxy.refuse();
    assert_eq!(exchange(&mut stream, b"d").as_deref(), Some(&b""[..]));
    assert_eq!(exchange(&mut connect(&proxy), b"e").as_deref(), Some(&b""[..]));
    proxy.pass();
    assert_eq!(exchange(&mut connect(&proxy), b"f").as_deref(), Some(&b"f"[..]));
}

#[test]
fn the_answer_to_a_commit_is_lost_after_the_commit_has_arrived() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    proxy.cut_after_commits(1);
    assert_eq!(exchange(&mut stream, b"SELECT 1\0").as_deref(), Some(&b"SELECT 1\0"[..]));
    assert_eq!(exchange(&mut stream, b"SET x = 0; COM"), Some(b"SET x = 0; COM".to_vec()));
    assert_eq!(exchange(&mut stream, b"MIT\0").as_deref(), Some(&b""[..]), "also when it comes in pieces");
    assert_eq!(proxy.commits_cut(), 1);
    let mut next = connect(&proxy);
    assert_eq!(exchange(&mut next, b"COMMIT\0").as_deref(), Some(&b"COMMIT\0"[..]), "once");
}

#[test]
fn a_commit_that_is_to_be_lost_does_not_arrive() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    proxy.cut_before_commits(1);
    assert_eq!(exchange(&mut stream, b"SELECT 1\0").as_deref(), Some(&b"SELECT 1\0"[..]));
    assert_eq!(exchange(&mut stream, b"SET x = 0; COMMIT\0").as_deref(), Some(&b""[..]));
    assert_eq!(proxy.commits_cut(), 0, "there was no answer");
    let mut next = connect(&proxy);
    assert_eq!(exchange(&mut next, b"COMMIT\0").as_deref(), Some(&b"COMMIT\0"[..]), "once");
}

//! Bytes sent in pieces, and the one answer that comes back: traffic that no HTTP library would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::Http;

const DEADLINE: Duration = Duration::from_secs(15);

/// What was heard after sending.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The status of the answer; `None` when the connection was closed without one, or nothing came within 15 s.
    pub status: Option<u16>,
    /// From the first piece to the end of the answer, or of the connection.
    pub took: Duration,
    /// Everything that came.
    pub bytes: Vec<u8>,
}

/// What the sender does after its last piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It waits for the answer.
    Waits,
    /// It says that nothing more will come, then waits.
    Ends,
}

impl Http {
    /// Sends the pieces over one plain connection, each as a write of its own, and hears one answer.
    #[track_caller]
    pub fn in_pieces<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]> + Send, then: Then) -> Heard {
        let stream = TcpStream::connect(self.address()).expect("the server listens");
        stream.set_nodelay(true).expect("a socket can be told so");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline can be set");
        let began = Instant::now();
        thread::scope(|scope| {
            // Beside the reading: a server may answer, and stop to read, before it has heard everything.
            scope.spawn(|| send(&stream, pieces, then));
            let (status, bytes) = hear(&stream);
            let took = began.elapsed();
            // The sender may still be at it; it has nobody to talk to any more.
            let _ = stream.shutdown(Shutdown::Both);
            Heard { status, took, bytes }
        })
    }
}

fn send<'a>(mut stream: &TcpStream, pieces: impl IntoIterator<Item = &'a [u8]>, then: Then) {
    for piece in pieces {
        if stream.write_all(piece).is_err() {
            return;
        }
        thread::yield_now();
    }
    if then == Then::Ends {
        let _ = stream.shutdown(Shutdown::Write);
    }
}

/// Reads one answer past any interim ones.
fn hear(mut stream: &TcpStream) -> (Option<u16>, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        if let Some(status) = whole_answer(&bytes) {
            return (Some(status), bytes);
        }
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    // Closed: what there is is all there is, as after a HEAD.
    (status_of(&bytes), bytes)
}

/// The status once the head, and as many bytes as it announces, have come.
fn whole_answer(bytes: &[u8]) -> Option<u16> {
    let head_ends = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_ends]).to_ascii_lowercase();
    let status = status_of(bytes)?;
    if (100..200).contains(&status) {
        return whole_answer(&bytes[head_ends..]);
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok()).unwrap_or(0);
    (bytes.len() >= head_ends + length).then_some(status)
}

fn status_of(bytes: &[u8]) -> Option<u16> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

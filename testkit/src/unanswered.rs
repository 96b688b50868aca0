//! A request that is sent now and read later: what stands in front of a server that is paused.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::{Client, Server, VERIFY};

const DEADLINE: Duration = Duration::from_secs(30);

/// A request that was sent, and whose answer was not read yet.
pub struct Unanswered(TcpStream);

impl Server {
    /// Sends a verify and does not wait for the answer.
    #[track_caller]
    pub fn verify_later(&self, client: &Client, token: &str) -> Unanswered {
        let address = self.http().address();
        let mut stream = TcpStream::connect(address).expect("the system accepts for the server");
        let request = format!(
            "GET {VERIFY}?client_id={} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\n\r\n",
            client.id
        );
        stream.write_all(request.as_bytes()).expect("the system takes a small request");
        Unanswered(stream)
    }
}

impl Unanswered {
    /// Waits up to 30 s for the answer, and gives its status.
    #[track_caller]
    pub fn status(mut self) -> u16 {
        self.0.set_read_timeout(Some(DEADLINE)).expect("a deadline can be set");
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).expect("the server answers and closes");
        let text = String::from_utf8_lossy(&answer);
        let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        status.unwrap_or_else(|| panic!("no answer: {text:?}"))
    }
}

//! A connection that stays open, and the tokens that are revoked over it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use obol_testkit::{Client, RFC_REVOKE, RFC_TOKEN, Server, VERIFY};
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(20);

/// A client with a connection of its own.
pub(crate) struct Revoker<'a> {
    connection: Connection,
    client: &'a Client,
    tokens: Vec<String>,
}

impl<'a> Revoker<'a> {
    /// Has so many tokens issued, each of which belongs to no family.
    #[track_caller]
    pub(crate) fn with_tokens(server: &Server, client: &'a Client, count: usize) -> Self {
        let mut connection = Connection::open(server);
        let request = post(RFC_TOKEN, client, "grant_type=client_credentials");
        let issue = |_| {
            let (status, body) = connection.exchange(&request);
            assert_eq!(status, 200, "{body}");
            let answer: Value = serde_json::from_str(&body).expect("the token endpoint answers JSON");
            answer["access_token"].as_str().expect("it gives a token").to_owned()
        };
        let tokens = (0..count).map(issue).collect();
        Self { connection, client, tokens }
    }

    /// Revokes one token after the other, and says how long each 200 took.
    #[track_caller]
    pub(crate) fn revoke_all(&mut self) -> Vec<Duration> {
        let revoke = |token| {
            let request = post(RFC_REVOKE, self.client, &format!("token={token}"));
            let began = Instant::now();
            let (status, body) = self.connection.exchange(&request);
            let took = began.elapsed();
            assert_eq!(status, 200, "{body}");
            took
        };
        self.tokens.iter().map(revoke).collect()
    }

    /// No token of it is accepted any more.
    #[track_caller]
    pub(crate) fn expect_all_refused(mut self) {
        for token in &self.tokens {
            let target = format!("{VERIFY}?client_id={}", self.client.id);
            let request = request("GET", &target, &format!("Authorization: Bearer {token}"), "");
            let (status, body) = self.connection.exchange(&request);
            assert_eq!(status, 401, "{body}");
        }
    }
}

fn post(path: &str, client: &Client, fields: &str) -> String {
    let form = format!("client_id={}&client_secret={}&{fields}", client.id, client.own_secret());
    request("POST", path, "Content-Type: application/x-www-form-urlencoded", &form)
}

/// Ids, secrets and tokens need no encoding.
fn request(method: &str, target: &str, header: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{header}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// One request after the other over one connection: the test kit's client, which opens one for each, would be the limit.
struct Connection(BufReader<TcpStream>);

impl Connection {
    #[track_caller]
    fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.http().address()).expect("the server listens");
        stream.set_nodelay(true).expect("a socket can be told so");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline can be set");
        Self(BufReader::new(stream))
    }

    /// The status and the body of the answer.
    #[track_caller]
    fn exchange(&mut self, request: &str) -> (u16, String) {
        self.0.get_mut().write_all(request.as_bytes()).expect("the server reads");
        let head = self.head();
        let status = head.first().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let length = head.iter().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            if name.eq_ignore_ascii_case("content-length") { value.parse().ok() } else { None }
        });
        let mut body = vec![0; length.unwrap_or_default()];
        self.0.read_exact(&mut body).expect("the body is as long as the head says");
        (status.unwrap_or_else(|| panic!("no answer: {head:?}")), String::from_utf8_lossy(&body).into_owned())
    }

    /// The lines up to the empty one.
    #[track_caller]
    fn head(&mut self) -> Vec<String> {
        let lines = self.0.by_ref().lines().map(|line| line.expect("the server answers in time"));
        lines.take_while(|line| !line.is_empty()).collect()
    }
}

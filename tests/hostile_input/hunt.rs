//! Sends bytes to a server and holds every answer to the same rules.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use obol_testkit::{Client, ClientSpec, Heard, House, Server, Then, obol};

use crate::endpoints::Endpoint;

/// A request may be answered this late.
const WITHIN: Duration = Duration::from_secs(1);

/// A server under hostile input.
pub(crate) struct Hunt {
    pub(crate) server: Server,
    pub(crate) gateway: Client,
    /// Shows at the end that the server still answers well.
    token: String,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// How often each status came; 0 stands for a connection that was closed without an answer.
    statuses: BTreeMap<u16, u64>,
    slowest: Duration,
}

/// A request as bytes.
#[derive(Debug, Clone)]
pub(crate) struct RequestBytes {
    head: Vec<u8>,
}

impl Hunt {
    #[track_caller]
    pub(crate) fn start() -> Self {
        // Longer than a busy machine stands still: a 503 would be true, and is not what is hunted.
        let House { server, gateway, .. } = obol!().house_with(|server| server.option("--lease-ms", "30000"));
        // So that what the corpus asks of the authorization endpoint is read to its end.
        server.add_client(&ClientSpec::application("app"));
        let token = server.token_by_client_credentials(&gateway).access;
        Self { server, gateway, token, seen: Mutex::default() }
    }

    /// Credentials that are good.
    pub(crate) fn basic(&self) -> Vec<u8> {
        let pair = format!("{}:{}", self.gateway.id, self.gateway.own_secret());
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)).into_bytes()
    }

    /// It is answered: in time, with no 5xx, and without giving or confirming anything.
    #[track_caller]
    pub(crate) fn expect_civil(&self, name: &str, request: &[u8]) {
        let heard = self.hear(name, &[request], Then::Waits);
        assert!(heard.status.is_some(), "{name}: no answer to {}", shown(request));
    }

    /// The same for what is no request: it may also be closed without an answer. The sender ends after it.
    #[track_caller]
    pub(crate) fn expect_civil_or_closed(&self, name: &str, bytes: &[u8]) {
        self.hear(name, &[bytes], Then::Ends);
    }

    /// Sends pieces, judges the answer and gives it back.
    #[track_caller]
    pub(crate) fn hear(&self, name: &str, pieces: &[&[u8]], then: Then) -> Heard {
        let ask = || self.server.http().in_pieces(pieces.iter().copied(), then);
        let mut heard = ask();
        if heard.took > WITHIN {
            // Slow once is the machine; slow twice is the server.
            heard = ask();
        }
        let request = || shown(&pieces.concat());
        assert!(heard.took <= WITHIN, "{name}: {:?} for {}", heard.took, request());
        if let Some(status) = heard.status {
            let text = String::from_utf8_lossy(&heard.bytes);
            // To want an answer newer than the log is the one thing that is truly 503.
            let wants_newer =
                status == 503 && pieces.concat().windows(17).any(|name| name == b"obol-min-position");
            assert!((200..500).contains(&status) || wants_newer, "{name}: {text}\n{}", request());
            for given in ["\"access_token\"", "\"active\":true", "\"expires_in\""] {
                assert!(!text.contains(given), "{name}: it was given something: {text}\n{}", request());
            }
        }
        let mut seen = self.seen.lock().unwrap();
        *seen.statuses.entry(heard.status.unwrap_or(0)).or_default() += 1;
        seen.slowest = seen.slowest.max(heard.took);
        heard
    }

    /// A sample with method, path and host of an endpoint in their places.
    pub(crate) fn filled_in(&self, sample: &[u8], endpoint: &Endpoint) -> Vec<u8> {
        let host = self.server.http().address().to_string();
        let places = [("{method}", endpoint.method), ("{path}", endpoint.path), ("{host}", host.as_str())];
        places.iter().fold(sample.to_vec(), |bytes, (place, value)| replaced(&bytes, place, value))
    }

    /// The server lives, answers well, and has neither panicked nor failed.
    #[track_caller]
    pub(crate) fn finish(&self) {
        self.server.verify(&self.gateway, &self.token).expect(200);
        for line in self.server.log().all() {
            assert!(!line.contains("panicked") && !line.contains("\"ERROR\""), "{line}");
        }
        let seen = self.seen.lock().unwrap();
        let sent: u64 = seen.statuses.values().sum();
        println!(
            "{sent} hostile requests, the slowest took {:?}, answers: {:?}",
            seen.slowest, seen.statuses
        );
    }
}

impl RequestBytes {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self::with_target(method, path.as_bytes())
    }

    pub(crate) fn with_target(method: &str, target: &[u8]) -> Self {
        Self { head: [method.as_bytes(), b" ", target, b" HTTP/1.1\r\nhost: localhost\r\n"].concat() }
    }

    pub(crate) fn header(mut self, name: &[u8], value: &[u8]) -> Self {
        self.head.extend([name, b": ", value, b"\r\n"].concat());
        self
    }

    /// Says what the body is; an empty text says nothing.
    pub(crate) fn content_type(self, content_type: &str) -> Self {
        if content_type.is_empty() { self } else { self.header(b"content-type", content_type.as_bytes()) }
    }

    pub(crate) fn authorization(self, value: &[u8]) -> Self {
        self.header(b"authorization", value)
    }

    /// Ends with a body of this length.
    pub(crate) fn body(self, body: &[u8]) -> Vec<u8> {
        let length = body.len().to_string();
        [&self.header(b"content-length", length.as_bytes()).head, &b"\r\n"[..], body].concat()
    }

    /// Ends with a body in chunks of at most this size.
    pub(crate) fn chunked(self, body: &[u8], most: usize) -> Vec<u8> {
        let mut bytes = self.header(b"transfer-encoding", b"chunked").head;
        bytes.extend(b"\r\n");
        for chunk in body.chunks(most) {
            bytes.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
        bytes
    }
}

fn replaced(bytes: &[u8], place: &str, value: &str) -> Vec<u8> {
    match bytes.windows(place.len()).position(|window| window == place.as_bytes()) {
        Some(at) => [&bytes[..at], value.as_bytes(), &bytes[at + place.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

fn shown(request: &[u8]) -> String {
    let start = &request[..request.len().min(600)];
    format!("{} bytes: {}", request.len(), start.escape_ascii())
}

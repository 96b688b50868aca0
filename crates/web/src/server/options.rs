//! Every deadline and limit of a listener, with its default.

use std::time::Duration;

use super::framing::Limits;

/// Deadlines and limits. All of them apply to every connection; there is no way to switch one off.
#[derive(Debug, Clone)]
pub struct ListenerOptions {
    /// From the accepted connection to the end of the TLS handshake. Default 5 s.
    pub handshake_timeout: Duration,
    /// From the start of the connection, or the first byte of a later request, to the end of its header block.
    /// Default 10 s.
    pub header_timeout: Duration,
    /// From the end of the header block to the end of the body. Default 30 s.
    pub body_timeout: Duration,
    /// For the peer to take an answer that is ready. Default 30 s.
    pub answer_timeout: Duration,
    /// Between two requests of one connection. Default 75 s.
    pub idle_timeout: Duration,
    /// From the request to stop until what is left is cut. Default 9 s, so that a process is gone within 10 s.
    pub drain_timeout: Duration,
    /// Open connections; the next one is closed at once. Default 16,384, less where descriptors are scarcer.
    pub max_connections: usize,
    /// Request body; over it 413. Default 64 KiB.
    pub max_body_bytes: usize,
    /// Request line and header fields together; over it 431. Default 16 KiB. Not useful above 64 KiB, where hyper
    /// itself answers a bare 431.
    pub max_header_bytes: usize,
    /// Request target; over it 414. Default 8 KiB.
    pub max_uri_bytes: usize,
    /// Requests at the same time on one HTTP/2 connection. Default 100.
    pub max_streams: u32,
}

impl ListenerOptions {
    pub(super) fn head_limits(&self) -> Limits {
        Limits { header: self.max_header_bytes, uri: self.max_uri_bytes }
    }
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(9),
            max_connections: 16_384,
            max_body_bytes: 64 * 1024,
            max_header_bytes: 16 * 1024,
            max_uri_bytes: 8 * 1024,
            max_streams: 100,
        }
    }
}

//! Accepting connections without ever giving up: survives a lack of descriptors, keeps the cap.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// How long to wait when the system cannot give a descriptor.
const BACK_OFF: Duration = Duration::from_millis(100);
/// How often refused connections are logged at most.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// What has happened at a listener since its start. For metrics; all of them only grow.
#[derive(Debug, Default)]
pub struct ListenerCounts {
    /// Connections that were served.
    pub accepted: AtomicU64,
    /// Connections closed at once because the cap was reached.
    pub over_cap: AtomicU64,
    /// Times that the system could not give a connection (no descriptors, no memory).
    pub accept_failures: AtomicU64,
    /// TLS handshakes that failed or were too slow.
    pub handshake_failures: AtomicU64,
    /// Connections cut by a header, answer or HTTP/2 deadline.
    pub cut_by_deadline: AtomicU64,
}

/// One more of a [`ListenerCounts`] field.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Takes connections from a socket.
#[derive(Default)]
pub(super) struct Accept {
    failing: bool,
    refused_unlogged: u64,
    refused_logged_at: Option<Instant>,
}

impl Accept {
    /// The next connection. Waits out a lack of descriptors; may be dropped at any await.
    pub(super) async fn next(
        &mut self,
        socket: &TcpListener,
        counts: &ListenerCounts,
    ) -> (TcpStream, SocketAddr) {
        loop {
            match socket.accept().await {
                Ok(accepted) => {
                    if std::mem::take(&mut self.failing) {
                        tracing::info!("connections are accepted again");
                    }
                    return accepted;
                }
                Err(error) if is_of_one_connection(&error) => {
                    tracing::debug!(%error, "a connection was gone before it was accepted");
                }
                Err(error) => {
                    count(&counts.accept_failures);
                    if !std::mem::replace(&mut self.failing, true) {
                        tracing::error!(%error, "cannot accept connections; trying on");
                    }
                    sleep(BACK_OFF).await;
                }
            }
        }
    }

    /// Counts a connection that is over the cap, and logs that now and then.
    pub(super) fn over_cap(&mut self, cap: usize, counts: &ListenerCounts) {
        count(&counts.over_cap);
        self.refused_unlogged += 1;
        let now = Instant::now();
        if self.refused_logged_at.is_none_or(|logged| now - logged >= LOG_EVERY) {
            tracing::warn!(cap, refused = self.refused_unlogged, "connections refused: the cap is reached");
            self.refused_unlogged = 0;
            self.refused_logged_at = Some(now);
        }
    }
}

/// Errors of the connection at the head of the queue, which `accept(2)` reports as its own.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::Interrupted
            | Kind::TimedOut
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
    )
}

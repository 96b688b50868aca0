//! Binds, serves, stops.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

use super::accept::{Accept, count};
use super::descriptors::decide_connection_cap;
use super::drain::{self, Drain};
use super::request::Door;
use super::{
    Exposed, Exposure, Handler, ListenerCounts, ListenerOptions, TlsIdentity, connection, decide_exposure,
};

/// Connections that the kernel keeps for us while we are not accepting; it may lower this (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;
/// How long the queue of waiting connections is emptied after the stop.
const CLOSING: Duration = Duration::from_millis(20);

/// How a listener is reached.
#[derive(Debug, Clone, Default)]
pub struct Entrance {
    /// TLS with this certificate; `None` is plain HTTP/1.1.
    pub tls: Option<Arc<TlsIdentity>>,
    /// Proxies whose `X-Forwarded-For` is believed, and which may speak in clear from other machines.
    pub proxies: Vec<IpNet>,
}

/// A bound socket, ready to serve.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    entrance: Entrance,
    exposure: Exposure,
    options: ListenerOptions,
    counts: Arc<ListenerCounts>,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeEnd {
    /// Connections that were cut because they had not ended within `drain_timeout`; 0 is a clean stop.
    pub cut_connections: usize,
}

/// Why a listener does not open.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Credentials would travel in clear.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// The system refuses the address: in use, not of this machine, or not permitted.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// The refused address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

impl Listener {
    /// Binds the address; port 0 takes a free one. From here on clients can connect; they wait for [`Self::serve`].
    /// To be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(
        address: SocketAddr,
        entrance: Entrance,
        mut options: ListenerOptions,
    ) -> Result<Self, BindError> {
        let exposure = decide_exposure(address, entrance.tls.is_some(), &entrance.proxies)?;
        options.max_connections = decide_connection_cap(options.max_connections);
        let socket = open(address).map_err(|source| BindError::Address { address, source })?;
        let address = socket.local_addr().map_err(|source| BindError::Address { address, source })?;
        Ok(Self { socket, address, entrance, exposure, options, counts: Arc::default() })
    }

    /// The bound address, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The options in force: `max_connections` is what the limit on open files leaves of the wish.
    pub fn options(&self) -> &ListenerOptions {
        &self.options
    }

    /// What happens here, for metrics.
    pub fn counts(&self) -> Arc<ListenerCounts> {
        Arc::clone(&self.counts)
    }

    /// Serves until `shutdown` is ready, then lets accepted requests finish and cuts the rest after `drain_timeout`.
    ///
    /// The handler's future is dropped when an HTTP/2 peer gives its stream or connection up, and when it is cut
    /// here: work that must not stop half-way belongs in a task of its own.
    pub async fn serve<H: Handler>(self, handler: H, shutdown: impl Future<Output = ()>) -> ServeEnd {
        let (stop, drain) = drain::channel();
        let drain_timeout = self.options.drain_timeout;
        let mut hall = Hall {
            cap: self.options.max_connections,
            tls: self.entrance.tls,
            door: Arc::new(Door {
                handler,
                options: self.options,
                exposure: self.exposure,
                counts: Arc::clone(&self.counts),
            }),
            drain,
            connections: JoinSet::new(),
        };
        let mut accept = Accept::default();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = shutdown.as_mut() => break,
                Some(ended) = hall.connections.join_next() => report(ended),
                (tcp, peer) = accept.next(&self.socket, &self.counts) => hall.admit(tcp, peer, &mut accept),
            }
        }
        stop.say();
        // Whoever has connected before the stop is heard: the kernel's queue is emptied first.
        let closing_time = Instant::now() + CLOSING;
        while let Ok((tcp, peer)) = timeout_at(closing_time, accept.next(&self.socket, &self.counts)).await {
            hall.admit(tcp, peer, &mut accept);
        }
        drop(self.socket);
        hall.empty(drain_timeout).await
    }
}

/// The connections being served.
struct Hall<H> {
    cap: usize,
    tls: Option<Arc<TlsIdentity>>,
    door: Arc<Door<H>>,
    drain: Drain,
    connections: JoinSet<()>,
}

impl<H: Handler> Hall<H> {
    /// Serves a connection, or closes it at once when the hall is full.
    fn admit(&mut self, tcp: TcpStream, peer: SocketAddr, accept: &mut Accept) {
        if self.connections.len() >= self.cap {
            drop(tcp);
            accept.over_cap(self.cap, &self.door.counts);
            return;
        }
        count(&self.door.counts.accepted);
        let tls = self.tls.clone();
        self.connections.spawn(connection::serve(tcp, peer, tls, Arc::clone(&self.door), self.drain.clone()));
    }

    /// Waits for all to leave, and cuts those that do not in time.
    async fn empty(mut self, within: Duration) -> ServeEnd {
        let leave = async {
            while let Some(ended) = self.connections.join_next().await {
                report(ended);
            }
        };
        if timeout(within, leave).await.is_ok() {
            return ServeEnd { cut_connections: 0 };
        }
        let cut_connections = self.connections.len();
        tracing::warn!(cut_connections, "connections cut: their requests did not finish in time");
        self.connections.shutdown().await;
        ServeEnd { cut_connections }
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the last run's connections to leave TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A panic outside the handler ends its own connection only; the payload is not logged.
fn report(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a connection ended in a panic");
    }
}

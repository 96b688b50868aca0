//! One connection: TLS handshake, protocol, requests, end.

use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use std::{io, mem};

use hyper_util::server::graceful::GracefulConnection;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::accept::count;
use super::drain::{Drain, FAREWELL};
use super::pace::{Lapse, Pace};
use super::request::{Caller, Door};
use super::tls::{Protocol, TlsIdentity, TlsStream};
use super::{Handler, http1, http2};

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// By HTTP's own rules, by the peer, or idle.
    Closed,
    /// By a deadline.
    Cut,
}

/// Serves an accepted connection to its end.
pub(super) async fn serve<H: Handler>(
    tcp: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<TlsIdentity>>,
    door: Arc<Door<H>>,
    drain: Drain,
) {
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let counts = Arc::clone(&door.counts);
    // An IPv4 peer of a dual-stack socket is an IPv4 peer.
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let caller = Caller { door, peer, tls: tls.is_some(), drain };
    // Boxed: else every connection has room for each of these at the same time.
    let ended = match tls {
        None => Box::pin(http1::serve(tcp, caller)).await,
        Some(identity) => match Box::pin(shake_hands(tcp, &identity, &caller)).await {
            Ok((stream, Protocol::Http1)) => Box::pin(http1::serve(stream, caller)).await,
            Ok((stream, Protocol::Http2)) => Box::pin(http2::serve(stream, caller)).await,
            Err(error) => {
                count(&counts.handshake_failures);
                tracing::debug!(%error, "no TLS handshake");
                return;
            }
        },
    };
    if ended == Ended::Cut {
        count(&counts.cut_by_deadline);
        tracing::debug!("connection cut by a deadline");
    }
}

/// The handshake within its deadline, and within a moment when the listener stops.
async fn shake_hands<H>(
    tcp: TcpStream,
    identity: &TlsIdentity,
    caller: &Caller<H>,
) -> io::Result<(TlsStream, Protocol)> {
    let stopped = async {
        caller.drain.last_call().await;
        sleep(FAREWELL).await;
    };
    tokio::select! {
        shaken = timeout(caller.door.options.handshake_timeout, identity.accept(tcp)) => {
            shaken.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
        }
        () = stopped => Err(io::Error::other("the listener stops")),
    }
}

/// Runs hyper's connection until it ends, a deadline passes, or the listener stops. `patience` is how long a goodbye
/// may take.
pub(super) async fn drive<C>(conn: C, pace: &Pace, drain: Drain, patience: Duration) -> Ended
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut conn = pin!(conn);
    let mut lapse = pin!(pace.lapse());
    let mut last_call = pin!(drain.last_call());
    let (mut waits, mut called) = (false, false);
    loop {
        let event = poll_fn(|cx| {
            if let Poll::Ready(ended) = conn.as_mut().poll(cx) {
                return Poll::Ready(Event::Ended(ended));
            }
            if let Poll::Ready(lapse) = lapse.as_mut().poll(cx) {
                return Poll::Ready(Event::Lapse(lapse));
            }
            // Asked once, so that it wakes this task, and then not with every request.
            if !called && (drain.has_begun() || !mem::replace(&mut waits, true)) {
                return last_call.as_mut().poll(cx).map(|()| Event::LastCall);
            }
            Poll::Pending
        });
        match event.await {
            Event::Ended(ended) => return closed(ended),
            Event::Lapse(Lapse::Cut) => return Ended::Cut,
            Event::Lapse(Lapse::Idle) => break,
            Event::LastCall => {
                called = true;
                pace.stop();
                conn.as_mut().graceful_shutdown();
            }
        }
    }
    conn.as_mut().graceful_shutdown();
    timeout(patience, conn).await.map_or(Ended::Cut, closed)
}

/// What happens to a connection while it is served.
enum Event {
    Ended(Result<(), hyper::Error>),
    Lapse(Lapse),
    LastCall,
}

/// A peer that did not take its answer shows as a timed-out write.
fn closed(ended: Result<(), hyper::Error>) -> Ended {
    let Err(error) = ended else { return Ended::Closed };
    tracing::debug!(%error, "connection ended");
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    cause.map_or(Ended::Closed, closed_by)
}

/// How a connection ended that failed with this.
pub(super) fn closed_by(error: &io::Error) -> Ended {
    match error.kind() {
        io::ErrorKind::TimedOut => Ended::Cut,
        _ => Ended::Closed,
    }
}

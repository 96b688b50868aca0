//! Step 4: after an append is durable, wait until no node can answer without having applied it.
//!
//! A lease is granted for a reading of the log, and counts from the moment that reading was sent. A reading sent
//! after the commit finds the entry. So a node that answers either has applied the entry, or holds a lease granted for
//! an earlier reading, and that one ends by itself: waiting is bounded whatever has become of the others.

use std::time::Duration;

use obol_store::{Appended, NodeId, Store};
use obol_token::Position;

use crate::{Boottime, Clock, LeaseOptions};

/// Proof that no node of the installation accepts what was denied. The only way to a successful revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Revoked(Position);

impl Revoked {
    /// Where the denial stands in the change log.
    pub const fn position(self) -> Position {
        self.0
    }
}

/// The change is durable, but whether every node has applied it could not be found out in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the change is stored at position {0}, but not yet confirmed by every node; send it again")]
pub struct NotConfirmed(pub Position);

/// Waits from outside the nodes, as the command line does, until no node can answer without having applied `appended`.
///
/// # Errors
/// [`NotConfirmed`] when it could not be found out which nodes there are.
pub async fn confirm_from_outside(
    store: &dyn Store,
    clock: &dyn Clock,
    options: &LeaseOptions,
    appended: Appended,
) -> Result<Revoked, NotConfirmed> {
    wait_for_peers(store, clock, options, None, appended.position()).await
}

/// For [`crate::Replica`]: this node has applied `appended`; now the others.
pub(crate) async fn confirm_by_peers(
    store: &dyn Store,
    clock: &dyn Clock,
    options: &LeaseOptions,
    this: NodeId,
    appended: Appended,
) -> Result<Revoked, NotConfirmed> {
    wait_for_peers(store, clock, options, Some(this), appended.position()).await
}

async fn wait_for_peers(
    store: &dyn Store,
    clock: &dyn Clock,
    options: &LeaseOptions,
    except: Option<NodeId>,
    position: Position,
) -> Result<Revoked, NotConfirmed> {
    #[cfg(feature = "planted-bugs")]
    if obol_planted::Bug::AcknowledgedBeforePeers.is_on() {
        return Ok(Revoked(position));
    }
    let began = clock.boottime();
    let mut certain_end = began.plus(options.certain_end());
    let mut answered = false;
    loop {
        match store.live_peers(except).await {
            Ok(peers) => {
                answered = true;
                let mut behind = peers.iter().filter(|peer| peer.applied < position).peekable();
                if behind.peek().is_none() {
                    return Ok(Revoked(position));
                }
                let longest = behind.map(|peer| peer.lease_left).max().unwrap_or_default();
                let theirs = LeaseOptions { lease: longest, ..*options }.certain_end();
                certain_end = certain_end.max(began.plus(theirs));
            }
            Err(error) => tracing::debug!(%error, "could not ask how far the other nodes are"),
        }
        if !sleep_until_next(clock.boottime(), certain_end).await {
            // Who was never told of the others does not know how long their leases are.
            return if answered { Ok(Revoked(position)) } else { Err(NotConfirmed(position)) };
        }
    }
}

/// Sleeps a little; `false` when the certain end has come.
async fn sleep_until_next(now: Boottime, certain_end: Boottime) -> bool {
    let left = now.until(certain_end);
    if left.is_zero() {
        return false;
    }
    tokio::time::sleep(left.min(POLL_EVERY)).await;
    true
}

const POLL_EVERY: Duration = Duration::from_millis(3);

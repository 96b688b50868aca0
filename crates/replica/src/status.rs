//! What this node can say of itself and of the others, for whoever watches it.

use std::sync::Arc;
use std::time::Duration;

use obol_store::{NodeId, Peer};
use obol_token::Position;
use tokio::time::{Instant, sleep};

use crate::{Replica, Stale};

/// A node as it sees itself and the others.
#[derive(Debug, Clone)]
pub struct Status {
    /// This run of this node.
    pub node: NodeId,
    /// How far it has applied the change log.
    pub position: Position,
    /// Whether it is about to stop: balancers send nothing more, and what comes is answered all the same.
    pub draining: bool,
    /// How long it may go on vouching without reading the log again; zero when it may not.
    pub lease_left: Duration,
    /// The others, as of about a second ago.
    pub seen: Arc<Seen>,
}

/// Why a node should be sent no requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// It cannot vouch for what it knows.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// It is about to stop.
    #[error("this node is about to stop; send requests to another one")]
    Draining,
}

impl Status {
    /// Whether balancers may send it requests.
    ///
    /// # Errors
    /// [`NotReady`]
    pub fn ready(&self) -> Result<(), NotReady> {
        match (self.lease_left.is_zero(), self.draining) {
            (true, _) => Err(Stale.into()),
            (false, true) => Err(NotReady::Draining),
            (false, false) => Ok(()),
        }
    }

    /// How many positions it is behind the node that is furthest.
    pub fn behind(&self) -> u64 {
        let furthest = self.seen.peers.iter().map(|peer| peer.applied).max().unwrap_or_default();
        furthest.number().saturating_sub(self.position.number())
    }
}

/// What a node has last seen of the installation.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The other nodes whose lease may run.
    pub peers: Vec<Peer>,
    /// Why something that was acknowledged could be lost: see [`obol_store::Durability`].
    pub weaknesses: Vec<String>,
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
const ASK_EVERY: Duration = Duration::from_secs(10);

/// Looks until the replica is told to leave.
pub(crate) async fn look(replica: Arc<Replica>) {
    let mut weaknesses = Vec::new();
    let mut ask_at = Instant::now();
    while !replica.is_leaving() {
        if Instant::now() >= ask_at
            && let Ok(found) = replica.store().weaknesses().await
        {
            ask_at = Instant::now() + ASK_EVERY;
            say_changes(&weaknesses, &found);
            weaknesses = found;
        }
        if let Ok(peers) = replica.store().live_peers(Some(replica.node())).await {
            replica.saw(Seen { peers, weaknesses: weaknesses.clone() });
        }
        sleep(LOOK_EVERY).await;
    }
}

fn say_changes(before: &[String], now: &[String]) {
    for weakness in now.iter().filter(|weakness| !before.contains(weakness)) {
        tracing::error!("the promise that a revocation is never undone is NOT held: {weakness}");
    }
    if now.is_empty() && !before.is_empty() {
        tracing::info!("what the store acknowledges is safe again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_while_it_vouches_and_is_not_about_to_stop() {
        let second = Duration::from_secs(1);
        for (lease_left, draining, ready) in [
            (second, false, Ok(())),
            (second, true, Err(NotReady::Draining)),
            (Duration::ZERO, false, Err(NotReady::Stale(Stale))),
            (Duration::ZERO, true, Err(NotReady::Stale(Stale))),
        ] {
            let (node, position) = (NodeId::from_bytes([1; 16]), Position::new(7));
            let status = Status { node, position, draining, lease_left, seen: Arc::default() };
            assert_eq!(status.ready(), ready);
        }
    }

    #[test]
    fn a_node_is_behind_the_one_that_is_furthest() {
        let peer = |applied| Peer {
            node: NodeId::from_bytes([2; 16]),
            applied: Position::new(applied),
            lease_left: Duration::ZERO,
        };
        for (peers, behind) in [(vec![], 0), (vec![3], 0), (vec![3, 9], 2)] {
            let seen = Seen { peers: peers.into_iter().map(peer).collect(), weaknesses: Vec::new() };
            let (node, position) = (NodeId::from_bytes([1; 16]), Position::new(7));
            let lease_left = Duration::from_secs(1);
            let status = Status { node, position, draining: false, lease_left, seen: Arc::new(seen) };
            assert_eq!(status.behind(), behind);
        }
    }
}

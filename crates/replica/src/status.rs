//! What this node can say of itself and of the others, for whoever watches it.

use std::sync::Arc;
use std::time::Duration;

use obol_store::{NodeId, Peer};
use obol_token::Position;
use tokio::time::{Instant, sleep};

use crate::Replica;

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

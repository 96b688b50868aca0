//! What this node can say of itself and of the others, for whoever watches it.

use std::sync::Arc;
use std::time::Duration;

use obol_store::{NodeId, Peer};
use obol_token::Position;
use tokio::time::{Instant, sleep};

use crate::{OnStale, Replica, Stale};

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
    /// How long it may go on telling about access tokens: longer than that only where [`OnStale::Serve`] says so.
    pub answers_for: Duration,
    /// How old what it knows is: counted from the moment its last renewal was sent.
    pub age: Duration,
    /// What it does when its lease is over.
    pub on_stale: OnStale,
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
        match (self.answers_for.is_zero(), self.draining) {
            (true, _) => Err(Stale.into()),
            (false, true) => Err(NotReady::Draining),
            (false, false) => Ok(()),
        }
    }

    /// Whether it tells about access tokens without a lease, from what it last knew.
    pub fn is_stale(&self) -> bool {
        self.lease_left.is_zero() && !self.answers_for.is_zero()
    }

    /// Why the promise is not held, by its policy and by the store: none where it is.
    pub fn weaknesses(&self) -> Vec<String> {
        let stale = self.is_stale().then(|| {
            format!(
                "this node cannot read the change log: it tells about access tokens from what it knew {} ms ago, for {} ms \
                 more, and issues and revokes nothing",
                self.age.as_millis(),
                self.answers_for.as_millis()
            )
        });
        let of_store = self.seen.weaknesses.iter().cloned();
        stale.into_iter().chain(self.on_stale.weakness()).chain(of_store).collect()
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

    const NONE: Duration = Duration::ZERO;
    const SECOND: Duration = Duration::from_secs(1);

    fn status(lease_left: Duration, answers_for: Duration) -> Status {
        Status {
            node: NodeId::from_bytes([1; 16]),
            position: Position::new(7),
            draining: false,
            lease_left,
            answers_for,
            age: SECOND,
            on_stale: OnStale::Refuse,
            seen: Arc::default(),
        }
    }

    #[test]
    fn a_node_is_ready_while_it_answers_and_is_not_about_to_stop() {
        for (lease_left, answers_for, draining, ready) in [
            (SECOND, SECOND, false, Ok(())),
            (SECOND, SECOND, true, Err(NotReady::Draining)),
            (NONE, SECOND, false, Ok(())),
            (NONE, SECOND, true, Err(NotReady::Draining)),
            (NONE, NONE, false, Err(NotReady::Stale(Stale))),
            (NONE, NONE, true, Err(NotReady::Stale(Stale))),
        ] {
            let status = Status { draining, ..status(lease_left, answers_for) };
            assert_eq!(status.ready(), ready);
            assert_eq!(status.is_stale(), lease_left != answers_for);
        }
    }

    #[test]
    fn the_promise_is_not_held_by_who_may_serve_what_is_stale_and_who_does_says_so_first() {
        let serve = OnStale::Serve { max_age: 2 * SECOND };
        assert!(status(SECOND, SECOND).weaknesses().is_empty());
        let may = Status { on_stale: serve, ..status(SECOND, SECOND) }.weaknesses();
        assert_eq!(may, serve.weakness().into_iter().collect::<Vec<_>>());
        let does = Status { on_stale: serve, ..status(NONE, SECOND) }.weaknesses();
        assert!(does.len() == 2 && does[0].contains("1000 ms ago"), "{does:?}");
        let seen = Seen { peers: Vec::new(), weaknesses: vec!["fsync is off".to_owned()] };
        let of_store = Status { seen: Arc::new(seen), ..status(NONE, NONE) }.weaknesses();
        assert_eq!(of_store, ["fsync is off"]);
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
            let status = Status { seen: Arc::new(seen), ..status(SECOND, SECOND) };
            assert_eq!(status.behind(), behind);
        }
    }
}

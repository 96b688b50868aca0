//! Nodes: any number of them. `docs/design/postgres.md` says how the lease is kept here.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use obol_store::{NodeId, Nodes, Peer, StoreError};
use obol_token::Position;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::connection::Connection;
use crate::error;
use crate::node_rows::{NodeRows, SeenRow};
use crate::writer::Writer;
use crate::{PostgresStore, columns};

const ENTER: &str = "INSERT INTO nodes (id, applied, lease_ms, renewals) VALUES ($1, 0, $2, $3) \
     ON CONFLICT (id) DO UPDATE SET applied = 0, lease_ms = excluded.lease_ms, renewals = excluded.renewals";
const RENEW: &str = "UPDATE nodes SET applied = $1, lease_ms = $2, renewals = $3 WHERE id = $4";
const LEAVE: &str = "DELETE FROM nodes WHERE id = $1";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ENTER, RENEW, LEAVE];

/// What a node that has not renewed yet may hold at most.
const FIRST_LEASE: Duration = Duration::from_secs(2);
/// How often a node looks at the others, so that one that is dead is known to be dead before somebody has to wait for it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The node that runs in this process, if one does.
#[derive(Default)]
pub(crate) struct ThisNode(Mutex<Option<Registered>>);

struct Registered {
    node: NodeId,
    /// The longest lease that the row is known to say, durably.
    lease: Duration,
    look: JoinHandle<()>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.look.abort();
    }
}

/// What a renewal writes.
#[derive(Clone, Copy)]
struct Renewal {
    node: NodeId,
    applied: Position,
    lease: Duration,
    renewals: i64,
}

impl ThisNode {
    fn locked(&self) -> MutexGuard<'_, Option<Registered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next renewal, and whether its lease is longer than the row is known to say.
    fn next(&self, node: NodeId, applied: Position, lease: Duration) -> Option<(Renewal, bool)> {
        let registered = self.locked();
        let registered = registered.as_ref().filter(|registered| registered.node == node)?;
        let longer = lease > registered.lease;
        // Never a shorter one: an earlier renewal may still run.
        let lease = lease.max(registered.lease);
        Some((Renewal { node, applied, lease, renewals: next_renewal() }, longer))
    }

    /// The row says this lease, durably.
    fn says(&self, renewal: Renewal) {
        if let Some(registered) = self.locked().as_mut().filter(|found| found.node == renewal.node) {
            registered.lease = registered.lease.max(renewal.lease);
        }
    }
}

#[async_trait]
impl Nodes for PostgresStore {
    async fn register_node(&self, node: NodeId) -> Result<(), StoreError> {
        self.enter(Renewal { node, applied: Position::START, lease: FIRST_LEASE, renewals: next_renewal() })
            .await?;
        let look = tokio::spawn(look(self.node_rows.clone(), self.writer.clone(), node));
        *self.this_node.locked() = Some(Registered { node, lease: FIRST_LEASE, look });
        self.writer.set_sweeping(true);
        Ok(())
    }

    async fn renew_lease(&self, node: NodeId, applied: Position, lease: Duration) -> Result<(), StoreError> {
        let Some((renewal, longer)) = self.this_node.next(node, applied, lease) else {
            return Err(StoreError::Conflict("this node is not registered".to_owned()));
        };
        let renewed = match longer {
            true => self.writer.write(None, move |db| Box::pin(renew(db, renewal))).await?,
            false => self.log_readers.read(async |db| renew_without_flush(db, renewal).await).await?,
        };
        if renewed == 0 {
            // Others have not waited for this node since its row went: what it read before does not count.
            self.enter(renewal).await?;
            return Err(StoreError::Unavailable("this node's row was gone; it is entered again".to_owned()));
        }
        if longer {
            self.this_node.says(renewal);
        }
        Ok(())
    }

    async fn live_peers(&self, except: Option<NodeId>) -> Result<Vec<Peer>, StoreError> {
        peers(&self.node_rows, &self.writer, except).await
    }

    async fn leave(&self, node: NodeId) -> Result<(), StoreError> {
        {
            let mut registered = self.this_node.locked();
            if registered.as_ref().is_some_and(|registered| registered.node == node) {
                *registered = None;
                self.writer.set_sweeping(false);
            }
        }
        let id = node.as_bytes().as_slice();
        self.log_readers.read(async |db| db.execute(LEAVE, &[&id]).await).await.map(drop)
    }
}

impl PostgresStore {
    /// Writes this node's row, durably: through the writer, which knows when the standby has it as well.
    async fn enter(&self, renewal: Renewal) -> Result<(), StoreError> {
        self.writer
            .write(None, move |db| {
                Box::pin(async move {
                    let id = renewal.node.as_bytes().as_slice();
                    db.execute(ENTER, &[&id, &millis(renewal.lease), &renewal.renewals]).await
                })
            })
            .await?;
        self.this_node.says(renewal);
        Ok(())
    }
}

async fn renew(db: &Connection, renewal: Renewal) -> error::Result<u64> {
    let (id, applied) = (renewal.node.as_bytes().as_slice(), columns::from_position(renewal.applied));
    db.execute(RENEW, &[&applied, &millis(renewal.lease), &renewal.renewals, &id]).await
}

/// One round trip. A renewal that a crash forgets only makes others wait longer: see [`crate::node_rows`].
async fn renew_without_flush(db: &Connection, renewal: Renewal) -> error::Result<u64> {
    // Its preparation must not come between: the end of the transaction would overtake it.
    db.prepared(RENEW).await?;
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = off";
    let (begun, renewed, ended) = tokio::join!(biased; db.run(begin), renew(db, renewal), db.run("COMMIT"));
    begun?;
    let renewed = renewed?;
    ended?;
    Ok(renewed)
}

/// Counted here and not in the row: after a failover the row may be an older one, and to who has seen a number before, it
/// would be as old as that.
fn next_renewal() -> i64 {
    static RENEWALS: AtomicI64 = AtomicI64::new(1);
    RENEWALS.fetch_add(1, Ordering::Relaxed)
}

/// The nodes that may vouch. One whose lease is over is passed over only when its row has been taken out: it may have read
/// the log before an append, and be about to renew. Then that renewal finds no row, and the node has to read again.
async fn peers(rows: &NodeRows, writer: &Writer, except: Option<NodeId>) -> Result<Vec<Peer>, StoreError> {
    let mut peers = Vec::new();
    for row in rows.read().await? {
        if Some(row.node()) == except {
            continue;
        }
        match row.peer(Instant::now()) {
            Some(peer) => peers.push(peer),
            None if take_out(writer, row).await => {}
            None => peers.push(row.peer_in_full()),
        }
    }
    Ok(peers)
}

/// Durably, and on the standby too: a row that came back would let the renewal count.
async fn take_out(writer: &Writer, row: SeenRow) -> bool {
    let taken = writer.write(None, move |db| Box::pin(async move { row.take_out(db).await })).await;
    taken.unwrap_or_else(|error| {
        tracing::debug!(%error, node = %row.node(), "the row of a silent node could not be taken out");
        false
    })
}

/// Looks at the nodes as long as this one runs.
async fn look(rows: Arc<NodeRows>, writer: Arc<Writer>, this: NodeId) {
    let mut turns = interval(LOOK_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        if let Err(error) = peers(&rows, &writer, Some(this)).await {
            tracing::debug!(%error, "cannot look at the other nodes");
        }
    }
}

fn millis(lease: Duration) -> i64 {
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX)
}

//! Nodes: any number of them. `docs/design/postgres.md` says how the lease is kept here.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use obol_store::{NodeId, Nodes, Page, Peer, ReadFrom, StoreError};
use obol_token::Position;
use tokio::time::Instant;
use tokio_postgres::types::ToSql;

use crate::connection::Connection;
use crate::error::{self, Error};
use crate::node_rows::{NodeRows, SeenRow};
use crate::writer::Writer;
use crate::{PostgresStore, change_log, columns};

const ENTER: &str = "INSERT INTO nodes (id, applied, lease_ms, renewals) VALUES ($1, 0, $2, $3) \
     ON CONFLICT (id) DO UPDATE SET applied = 0, lease_ms = excluded.lease_ms, renewals = excluded.renewals";
const RENEW: &str = "UPDATE nodes SET lease_ms = $1, renewals = $2 WHERE id = $3";
const REPORT: &str = "UPDATE nodes SET applied = $1 WHERE id = $2";
const LEAVE: &str = "DELETE FROM nodes WHERE id = $1";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ENTER, RENEW, REPORT, LEAVE];

/// What a node that has not renewed yet may hold at most.
const FIRST_LEASE: Duration = Duration::from_secs(2);
/// The node that runs in this process, if one does.
#[derive(Default)]
pub(crate) struct ThisNode(Mutex<Option<Registered>>);

struct Registered {
    node: NodeId,
    /// The longest lease that this node has asked for.
    held: Duration,
}

/// What a renewal writes.
#[derive(Clone, Copy)]
struct Renewal {
    node: NodeId,
    lease: Duration,
    renewals: i64,
}

impl ThisNode {
    fn locked(&self) -> MutexGuard<'_, Option<Registered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next renewal.
    fn next(&self, node: NodeId, lease: Duration) -> Option<Renewal> {
        let mut registered = self.locked();
        let registered = registered.as_mut().filter(|registered| registered.node == node)?;
        // Never a shorter lease than before: an earlier renewal may still run.
        registered.held = registered.held.max(lease);
        Some(Renewal { node, lease: registered.held, renewals: next_renewal() })
    }
}

#[async_trait]
impl Nodes for PostgresStore {
    async fn register_node(&self, node: NodeId) -> Result<(), StoreError> {
        self.enter(Renewal { node, lease: FIRST_LEASE, renewals: next_renewal() }).await?;
        *self.this_node.locked() = Some(Registered { node, held: Duration::ZERO });
        self.writer.set_sweeping(true);
        Ok(())
    }

    async fn read_and_renew(
        &self,
        node: NodeId,
        lease: Duration,
        from: ReadFrom,
    ) -> Result<Page, StoreError> {
        let Some(renewal) = self.this_node.next(node, lease) else {
            return Err(StoreError::Conflict("this node is not registered".to_owned()));
        };
        let known_head = self.head.known();
        let read = self.log_readers.renew(lease, async |db| read_and_renew(db, renewal, from).await).await?;
        let Some((page, newest)) = read else {
            // Others have not waited for this node since its row went: what it has read does not count.
            if self.this_node.next(node, lease).is_some() {
                self.enter(renewal).await?;
            }
            return Err(StoreError::Unavailable("this node's row was gone; it is entered again".to_owned()));
        };
        self.head.read_to(newest, known_head);
        Ok(page)
    }

    async fn report_applied(&self, node: NodeId, applied: Position) -> Result<(), StoreError> {
        self.log_readers.read(async |db| report(db, node, applied).await).await.map(drop)
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
        Ok(())
    }
}

/// One transaction in one round trip: the row, then the log, then the commit, for which a standby must answer. So the server
/// that was read was the primary after it was read, and nobody has taken the row out before. `None` if the row is gone.
async fn read_and_renew(
    db: &Connection,
    renewal: Renewal,
    from: ReadFrom,
) -> error::Result<Option<(Page, Position)>> {
    // Their preparation must not come between: the end of the transaction would overtake it.
    db.prepared(RENEW).await?;
    change_log::prepare(db).await?;
    let warnings = db.warnings();
    let id = renewal.node.as_bytes().as_slice();
    let values: [&(dyn ToSql + Sync); 3] = [&millis(renewal.lease), &renewal.renewals, &id];
    let (begun, renewed, read, ended) = tokio::join!(
        biased;
        db.run("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"),
        db.execute(RENEW, &values),
        change_log::read_page(db, from),
        // A limit of the server that ends the wait for a standby would look like success.
        db.run("SET LOCAL statement_timeout = 0; COMMIT"),
    );
    begun?;
    let (renewed, read) = (renewed?, read?);
    ended?;
    if db.warnings() != warnings {
        return Err(Error::NotReplicated);
    }
    Ok((renewed > 0).then_some(read))
}

/// One round trip. A report that a crash forgets only makes others wait longer.
async fn report(db: &Connection, node: NodeId, applied: Position) -> error::Result<u64> {
    db.prepared(REPORT).await?;
    let (id, applied) = (node.as_bytes().as_slice(), columns::from_position(applied));
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = off";
    let values: [&(dyn ToSql + Sync); 2] = [&applied, &id];
    let (begun, reported, ended) =
        tokio::join!(biased; db.run(begin), db.execute(REPORT, &values), db.run("COMMIT"));
    begun?;
    let reported = reported?;
    ended?;
    Ok(reported)
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

fn millis(lease: Duration) -> i64 {
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX)
}

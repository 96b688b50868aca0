//! Nodes: at most one server on a folder. `docs/design/lease.md` says why a lease here is renewed by reading.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use obol_store::{NodeId, Nodes, Peer, StoreError};
use obol_token::Position;
use rusqlite::{Connection, Result, Row};
use tokio::time::{sleep, timeout};

use crate::server_lock::Held;
use crate::{SqliteStore, columns};

const CLEAR: &str = "DELETE FROM nodes";
const ENTER: &str = "INSERT INTO nodes (id, applied, lease_ms) VALUES ($1, 0, $2)";
const RENEW: &str = "UPDATE nodes SET applied = $1, lease_ms = $2 WHERE id = $3";
const LIST: &str = "SELECT id, applied, lease_ms FROM nodes";

/// What a node that has not renewed yet may hold at most.
const FIRST_LEASE: Duration = Duration::from_secs(2);
/// How long a registration goes on trying: commands hold the lock for a moment when they look who runs.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_INTERVAL: Duration = Duration::from_millis(10);
/// The longest that a renewal waits for a row that it does not need.
const ROW_PATIENCE: Duration = Duration::from_millis(200);

/// The server that runs in this process on this folder, if one does.
#[derive(Default)]
pub(crate) struct ThisServer(Mutex<Option<Registered>>);

struct Registered {
    node: NodeId,
    /// What the row says.
    applied: Position,
    lease: Duration,
    /// Whether the row has been written since the registration.
    renewed: bool,
    _lock: Held,
}

impl ThisServer {
    fn locked(&self) -> MutexGuard<'_, Option<Registered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, node: NodeId) -> bool {
        self.locked().as_ref().is_some_and(|registered| registered.node == node)
    }
}

#[async_trait]
impl Nodes for SqliteStore {
    async fn register_node(&self, node: NodeId) -> Result<(), StoreError> {
        let lock = self.take_server_lock().await?;
        self.writer
            .write(None, move |db| {
                db.prepare_cached(CLEAR)?.execute([])?;
                db.prepare_cached(ENTER)?.execute((node.as_bytes(), millis(FIRST_LEASE)))
            })
            .await?;
        let registered =
            Registered { node, applied: Position::START, lease: FIRST_LEASE, renewed: false, _lock: lock };
        *self.this_server.locked() = Some(registered);
        Ok(())
    }

    async fn renew_lease(&self, node: NodeId, applied: Position, lease: Duration) -> Result<(), StoreError> {
        let need = match self.this_server.locked().as_ref() {
            Some(registered) if registered.node == node => {
                registered.need(applied, lease, self.head.foreign())
            }
            _ => return Err(StoreError::Conflict("this node is not registered".to_owned())),
        };
        match need {
            RowNeed::None => Ok(()),
            RowNeed::Courtesy => {
                // Whoever waits for this position waits out the lease instead.
                let _ = timeout(ROW_PATIENCE, self.write_row(node, applied, lease)).await;
                Ok(())
            }
            RowNeed::Safety => self.write_row(node, applied, lease).await,
        }
    }

    async fn live_peers(&self, except: Option<NodeId>) -> Result<Vec<Peer>, StoreError> {
        if except.is_some_and(|node| self.this_server.is(node)) {
            return Ok(Vec::new());
        }
        let lock = self.server_lock.clone();
        let peers = self.readers.read(move |db| match lock.is_taken() {
            Ok(true) => peers(db).map(Ok),
            Ok(false) => Ok(Ok(Vec::new())),
            Err(error) => Ok(Err(error)),
        });
        let peers = peers.await?.map_err(lock_failed)?;
        Ok(peers.into_iter().filter(|peer| Some(peer.node) != except).collect())
    }

    async fn leave(&self, node: NodeId) -> Result<(), StoreError> {
        let mut registered = self.this_server.locked();
        if registered.as_ref().is_some_and(|registered| registered.node == node) {
            *registered = None;
        }
        Ok(())
    }
}

impl SqliteStore {
    async fn take_server_lock(&self) -> Result<Held, StoreError> {
        let attempts = async {
            loop {
                let lock = self.server_lock.clone();
                match self.readers.read(move |_| Ok(lock.try_take())).await?.map_err(lock_failed)? {
                    Some(held) => return Ok(held),
                    None => sleep(LOCK_INTERVAL).await,
                }
            }
        };
        let taken = || StoreError::Conflict("another server is running on this folder".to_owned());
        timeout(LOCK_PATIENCE, attempts).await.unwrap_or_else(|_| Err(taken()))
    }

    async fn write_row(&self, node: NodeId, applied: Position, lease: Duration) -> Result<(), StoreError> {
        let position = columns::from_position(applied);
        self.writer
            .write(None, move |db| {
                db.prepare_cached(RENEW)?.execute((position, millis(lease), node.as_bytes()))
            })
            .await?;
        if let Some(registered) = self.this_server.locked().as_mut().filter(|found| found.node == node) {
            (registered.applied, registered.lease, registered.renewed) = (applied, lease, true);
        }
        Ok(())
    }
}

/// Whether a renewal has to write the row.
enum RowNeed {
    /// It says all that anybody waits for.
    None,
    /// Another process has appended, and may be waiting to read that it was applied.
    Courtesy,
    /// The row promises a shorter lease than this node is about to hold.
    Safety,
}

impl Registered {
    fn need(&self, applied: Position, lease: Duration, foreign: Position) -> RowNeed {
        if lease > self.lease {
            RowNeed::Safety
        } else if !self.renewed || (self.applied < foreign && self.applied < applied) {
            RowNeed::Courtesy
        } else {
            RowNeed::None
        }
    }
}

fn peers(db: &Connection) -> Result<Vec<Peer>> {
    db.prepare_cached(LIST)?.query_and_then([], peer)?.collect()
}

fn peer(row: &Row<'_>) -> Result<Peer> {
    Ok(Peer {
        node: NodeId::from_bytes(row.get(0)?),
        applied: columns::position(row, 1)?,
        lease_left: Duration::from_millis(row.get::<_, u32>(2)?.into()),
    })
}

fn millis(lease: Duration) -> u32 {
    u32::try_from(lease.as_millis()).unwrap_or(u32::MAX)
}

fn lock_failed(error: io::Error) -> StoreError {
    StoreError::Unavailable(format!("the server's lock: {error}"))
}

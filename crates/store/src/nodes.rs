//! The nodes that answer for an installation, how far each has read the log, and until when it vouches for that.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use obol_token::Position;

use crate::{Page, ReadFrom, StoreError};

/// One run of one node; a node that starts again has a new id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId([u8; 16]);

impl NodeId {
    /// The id with these fresh random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Another node that may be answering at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Which.
    pub node: NodeId,
    /// How far it has said that it has applied the log.
    pub applied: Position,
    /// The longest that it can go on vouching for that, from the moment of this answer.
    pub lease_left: Duration,
}

/// Stored nodes. `docs/design/lease.md` says how each backend keeps the lease.
#[async_trait]
pub trait Nodes: Send + Sync {
    /// Enters this node among those that answer. Comes before it loads its memory. Only a process whose node is entered
    /// lets things leave the store whose time is over: a command may run by a clock that nobody has looked at.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the backend serves one node at a time and another is running.
    async fn register_node(&self, node: NodeId) -> Result<(), StoreError>;

    /// Reads a page of the log, and in the same step keeps this node among those that are waited for. A node whose page
    /// reaches the end of the log, and who has applied it, may vouch for `lease`, counted from before this call.
    ///
    /// # Errors
    /// [`StoreError`]: the node may not extend its lease.
    async fn read_and_renew(&self, node: NodeId, lease: Duration, from: ReadFrom)
    -> Result<Page, StoreError>;

    /// Says that this node has applied the log up to `applied`, so that nobody who waits for that waits for the end of its
    /// lease.
    ///
    /// # Errors
    /// [`StoreError`]; others then wait longer.
    async fn report_applied(&self, node: NodeId, applied: Position) -> Result<(), StoreError>;

    /// The nodes, other than `except`, whose lease may still run. A node that answers asks about once a second, so that one
    /// that has died is known to be dead before a revocation has to wait for it.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn live_peers(&self, except: Option<NodeId>) -> Result<Vec<Peer>, StoreError>;

    /// Takes this node out: it has stopped answering.
    ///
    /// # Errors
    /// [`StoreError`]; its lease then runs out by itself.
    async fn leave(&self, node: NodeId) -> Result<(), StoreError>;
}

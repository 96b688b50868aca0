//! This node's memory of the change log: deny list, sealing keys and clients, and the lease under which they count.
//!
//! The flow, numbered as in `docs/design/lease.md`:
//! 1. a node registers, then loads its memory from the log, then answers ([`Replica::start`]);
//! 2. it renews its lease by reading the log and applying what is new ([`follower`]);
//! 3. each request asks for the lease after it arrived and before it looks into the memory ([`Replica::vouch`]);
//! 4. a revocation is durable first, then waits until every node has applied it or may no longer answer ([`confirm`]).

mod clock;
mod confirm;
mod follower;
mod lease;
mod memory;
mod node;
mod status;

pub use clock::{Boottime, Clock, SystemClock};
pub use confirm::{NotConfirmed, Revoked, confirm_from_outside};
pub use lease::{LeaseOptions, Stale};
pub use memory::{LoadError, Memory, SealError};
pub use node::{Replica, StartError, Vouched};
pub use status::{NotReady, Seen, Status};

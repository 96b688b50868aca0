//! This node's memory of the change log: deny list, sealing keys and clients, and the lease under which they count.
//!
//! The flow, numbered as in `docs/design/lease.md`:
//! 1. a node registers, then loads its memory from the log, then answers ([`Replica::start`]);
//! 2. it renews its lease by reading the log and applying what is new ([`follower`]);
//! 3. each request asks for the lease after it arrived and before it looks into the memory ([`Replica::vouch`]);
//!    Without it the policy [`OnStale`] may have it tell about tokens all the same ([`Replica::vouch_or_stale`]);
//! 4. a revocation is durable first, then waits until every node has applied it or may no longer answer ([`confirm`]).

mod clients;
mod clock;
mod confirm;
mod follower;
mod lease;
mod memory;
mod node;
mod stale;
mod status;
mod vouched;

pub use clock::{Boottime, Clock, SystemClock};
pub use confirm::{NotConfirmed, Revoked, confirm_from_outside};
pub use lease::{LeaseOptions, Stale};
pub use memory::{LoadError, Memory, SealError};
pub use node::{Replica, StartError};
pub use stale::OnStale;
pub use status::{NotReady, Seen, Status};
pub use vouched::{NotVerified, Vouched};

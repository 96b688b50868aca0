//! Several nodes on one PostgreSQL, faults between and in them, and load whose every answer is recorded.
//!
//! How it goes, one file each:
//! 1. `database.rs`: a primary, perhaps a standby, and the proxies through which each node reaches both.
//!    `namespace.rs`: a network of its own for a node.
//! 2. `node.rs`: one `obol serve`, started, killed, paused, started again; `installed.rs`: all of them, with people and clients.
//! 3. `caller.rs`: connections that stay open; `calls.rs`: what is asked over them, and what an answer means;
//!    `purse.rs`: the tokens that were given.
//! 4. `workload.rs`: many clients; `administrator.rs`: the command line; `journal.rs`: the recording of both.
//! 5. `fault.rs`: what can happen, drawn by a seed, and how it is done.
//!    `episodes.rs`: one after the other under load, and the checker's verdict.
//! 6. `balancer.rs`: one door for all nodes, which asks them for their health.
//! 7. `figures.rs`: how long answers took, by what was going on.

mod administrator;
mod balancer;
mod caller;
mod calls;
mod database;
mod episodes;
mod fault;
mod figures;
mod installed;
mod journal;
mod namespace;
mod node;
mod purse;
mod workload;

pub use balancer::Balancer;
pub use caller::{Called, Caller};
pub use calls::{Calls, Given};
pub use database::{Database, Route};
pub use episodes::{Lived, live_through};
pub use fault::{Fault, NodeNumber};
pub use figures::{Figures, Quantiles};
pub use installed::{Cluster, ClusterBuilder, Person};
pub use journal::Journal;
pub use namespace::Namespace;
pub use node::Node;
pub use purse::{FamilyHeld, Held, Purse};
pub use workload::{Load, Workload};

/// The lease of the nodes, unless a test sets another one.
pub const LEASE: std::time::Duration = std::time::Duration::from_secs(2);

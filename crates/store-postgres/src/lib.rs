//! The traits of obol-store over PostgreSQL 15 and newer.
//!
//! One task writes, grouping the requests that wait into one commit; all writers of all nodes take turns by the lock of one
//! row. Two pools read, one of them only the change log; one connection reads the nodes' rows, one announces and listens.
//! `docs/design/postgres.md` says why.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod announcer;
mod assertions;
mod back_off;
mod change_log;
mod clients;
mod codes;
mod columns;
mod connection;
mod connector;
mod consents;
mod denials;
mod denials_together;
mod durability;
mod error;
mod families;
mod group_commit;
mod keys;
mod known_timeline;
mod log_head;
mod logout_notices;
mod migrations;
mod node_rows;
mod nodes;
mod open;
mod options;
mod pushed_requests;
mod readers;
mod request;
mod sessions;
#[cfg(test)]
mod statements;
mod sweep;
mod tls;
mod users;
mod writer;

pub use durability::DurabilitySettings;
pub use open::{OpenError, PostgresStore};
pub use options::{OptionsError, PostgresOptions};

//! The traits of obol-store over one SQLite file.
//!
//! One thread writes, grouping the requests that wait into one commit; a few threads read, one of them only the change
//! log and the nodes; one watches for what other processes append to the same file. `docs/design/lease.md` says how a
//! node's lease works here.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod assertions;
mod backup;
mod change_log;
mod clients;
mod codes;
mod columns;
mod connection;
mod consents;
mod denials;
mod durability;
mod error;
mod families;
mod group_commit;
mod keys;
mod log_head;
mod logout_notices;
mod migrations;
mod nodes;
mod open;
mod opened_files;
mod pushed_requests;
mod readers;
mod server_lock;
mod sessions;
#[cfg(test)]
mod statements;
mod sweep;
mod users;
mod watcher;
mod writer;

pub use backup::BackupError;
pub use open::{OpenError, SqliteStore};

//! The least that a durable revocation costs: one bare single-row commit of SQLite, flushed to the disk.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::cores::pin_this_thread;
use crate::load::Tally;
use crate::{BenchError, Cores};

/// A database file like the server's: write-ahead log, `synchronous=FULL`.
pub(super) struct Commits {
    db: Connection,
}

impl Commits {
    /// Makes it in this folder.
    ///
    /// # Errors
    /// [`BenchError::Sqlite`]
    pub(super) fn in_folder(folder: &Path) -> Result<Self, BenchError> {
        let db = Connection::open(folder.join("bare.db"))?;
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             CREATE TABLE bare (position INTEGER PRIMARY KEY, id BLOB NOT NULL) STRICT;",
        )?;
        Ok(Self { db })
    }

    /// Commits one row after the other for so long, on the servers' cores.
    ///
    /// # Errors
    /// [`BenchError::Sqlite`]
    pub(super) fn run(&mut self, duration: Duration, cores: &Cores) -> Result<Tally, BenchError> {
        let db = &mut self.db;
        let work = move || {
            pin_this_thread(&cores.servers);
            commit_for(db, duration)
        };
        let done = thread::scope(|scope| scope.spawn(work).join());
        Ok(done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?)
    }
}

fn commit_for(db: &Connection, duration: Duration) -> rusqlite::Result<Tally> {
    let mut insert = db.prepare_cached("INSERT INTO bare (id) VALUES ($1)")?;
    let mut tally = Tally::new();
    let began = Instant::now();
    let mut now = began;
    while now - began < duration {
        insert.execute([[7_u8; 16].as_slice()])?;
        let done = Instant::now();
        tally.record(done - now);
        now = done;
    }
    tally.elapsed = now - began;
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_counted_and_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut commits = Commits::in_folder(folder.path()).unwrap();
        let tally = commits.run(Duration::from_millis(20), &Cores::default()).unwrap();
        let rows: i64 = commits.db.query_row("SELECT count(*) FROM bare", [], |row| row.get(0)).unwrap();
        assert!(rows > 0 && rows.unsigned_abs() == tally.answers(), "{rows} {}", tally.answers());
        assert!(tally.elapsed >= Duration::from_millis(20));
    }
}

//! Opening connections to the database, each with the settings that its use needs.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Result};

use crate::error::is_busy;

/// The longest that a connection waits for another process's lock.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const CACHED_STATEMENTS: usize = 64;
const WAL_BYTES_KEPT: i64 = 16 << 20;
const CHECKPOINT_PAGES: i64 = 1_000;

/// A connection that may write. What it commits is on stable storage (`synchronous=FULL`).
pub(crate) fn open_for_writing(database: &Path) -> Result<Connection> {
    let db = open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "fullfsync", true)?;
    db.pragma_update(None, "checkpoint_fullfsync", true)?;
    Ok(db)
}

/// Turns on the write-ahead log, so that readers never wait for the writer, and bounds its size.
pub(crate) fn enter_wal_mode(db: &Connection) -> Result<()> {
    let started = Instant::now();
    // The busy timeout does not cover this change, and two first starts may meet here.
    while let Err(error) = db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
        if !is_busy(&error) || started.elapsed() > BUSY_TIMEOUT {
            return Err(error);
        }
        sleep(Duration::from_millis(10));
    }
    db.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
    db.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))
}

/// A connection that only reads.
pub(crate) fn open_for_reading(database: &Path) -> Result<Connection> {
    open(database, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(database: &Path, access: OpenFlags) -> Result<Connection> {
    let db = Connection::open_with_flags(database, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    // Else statements whose plan could depend on a value are prepared again for each.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Ok(db)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteStore;

    fn settings(db: &Connection) -> Result<[String; 5]> {
        let setting = |name: &str| {
            db.query_row(&format!("PRAGMA {name}"), [], |row| {
                row.get::<_, rusqlite::types::Value>(0).map(|value| match value {
                    rusqlite::types::Value::Text(text) => text,
                    other => format!("{other:?}"),
                })
            })
        };
        Ok([
            setting("journal_mode")?,
            setting("synchronous")?,
            setting("foreign_keys")?,
            setting("trusted_schema")?,
            setting("busy_timeout")?,
        ])
    }

    #[tokio::test]
    async fn what_the_writer_commits_is_flushed() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path()).unwrap();
        // 2 is FULL: the write-ahead log is flushed before a commit returns.
        let expected = ["wal", "Integer(2)", "Integer(1)", "Integer(0)", "Integer(5000)"];
        assert_eq!(store.writer.write(None, settings).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path()).unwrap();
        let outcome = store.readers.read(|db| db.execute("DELETE FROM log_head", [])).await;
        assert!(matches!(outcome, Err(obol_store::StoreError::Unavailable(_))), "{outcome:?}");
    }
}

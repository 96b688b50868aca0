//! Bringing a database to the present schema: numbered migrations, forward only, safe from two processes at once.

use rusqlite::{Connection, Result};

/// Marks the file as ours (`obol` in ASCII).
const APPLICATION_ID: i64 = 0x6f_62_6f_6c;

const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_begin.sql")];

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations ( \
     number INTEGER NOT NULL PRIMARY KEY, checksum INTEGER NOT NULL) STRICT";
const LIST: &str = "SELECT number, checksum FROM migrations ORDER BY number";
const ENTER: &str = "INSERT INTO migrations (number, checksum) VALUES ($1, $2)";

/// Why a database cannot be brought to the present schema.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateError {
    #[error("it belongs to another program")]
    NotOurs,
    #[error("its schema {found} is newer than {known}")]
    Newer { found: u32, known: u32 },
    #[error("its migration {number} is not the one known here")]
    Changed { number: u32 },
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Brings the database to the present schema; does not write when it has it.
pub(crate) fn migrate(db: &Connection) -> Result<(), MigrateError> {
    migrate_through(db, MIGRATIONS)
}

fn migrate_through(db: &Connection, migrations: &[&str]) -> Result<(), MigrateError> {
    while next(db, migrations)?.is_some() {
        db.execute_batch("BEGIN IMMEDIATE")?;
        // Another process may have come first while this one waited for the lock: look again inside.
        let applied = next(db, migrations).and_then(|next| match next {
            Some((number, migration)) => Ok(apply(db, number, migration)?),
            None => Ok(()),
        });
        db.execute_batch(if applied.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        applied?;
    }
    Ok(())
}

/// The first migration that the database has not had; all that it has had must be known here.
fn next<'a>(db: &Connection, migrations: &[&'a str]) -> Result<Option<(u32, &'a str)>, MigrateError> {
    let done = if is_ours(db)? { list(db)? } else { Vec::new() };
    let mut known = (1..).zip(migrations);
    if let Some((found, _)) = done.get(migrations.len()..).and_then(<[_]>::last) {
        let known = known.last().map_or(0, |(number, _)| number);
        return Err(MigrateError::Newer { found: *found, known });
    }
    for (stored, (number, migration)) in done.iter().zip(known.clone()) {
        if *stored != (number, checksum(migration)) {
            return Err(MigrateError::Changed { number });
        }
    }
    Ok(known.nth(done.len()).map(|(number, migration)| (number, *migration)))
}

/// Whether obol has migrated this database; if not, it has to be empty.
fn is_ours(db: &Connection) -> Result<bool, MigrateError> {
    let id: i64 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (id, tables) {
        (APPLICATION_ID, _) => Ok(true),
        (0, 0) => Ok(false),
        _ => Err(MigrateError::NotOurs),
    }
}

fn list(db: &Connection) -> Result<Vec<(u32, u32)>> {
    db.prepare(LIST)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn apply(db: &Connection, number: u32, migration: &str) -> Result<()> {
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    db.execute_batch(CREATE_TABLE)?;
    db.execute_batch(migration)?;
    db.execute(ENTER, (number, checksum(migration))).map(drop)
}

fn checksum(migration: &str) -> u32 {
    crc32fast::hash(migration.as_bytes())
}

//! Bringing a database to the present schema: numbered migrations, forward only, safe from several nodes at once.

use crate::columns::value;
use crate::connection::Connection;
use crate::error::{Error, Result};

const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_begin.sql")];

/// Taken for each migration, so that nodes that start together migrate once (`obol` in ASCII).
const LOCK: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock(1868721004)";
const CREATE_TABLE: &str = "CREATE SCHEMA IF NOT EXISTS obol; CREATE TABLE IF NOT EXISTS obol.migrations (
    number BIGINT NOT NULL PRIMARY KEY,
    checksum BIGINT NOT NULL
)";
const LOOK: &str = "SELECT EXISTS (SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
     WHERE nspname = 'obol'), to_regclass('obol.migrations') IS NOT NULL";
const LIST: &str = "SELECT number, checksum FROM migrations ORDER BY number";
const ENTER: &str = "INSERT INTO migrations (number, checksum) VALUES ($1, $2)";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[LOOK, LIST, ENTER];

/// Why a database cannot be used, or not be brought to the present schema.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateError {
    #[error("it has no schema")]
    Missing,
    #[error("its schema {found} is older than {known}")]
    Older { found: u32, known: u32 },
    #[error("its schema {found} is newer than {known}")]
    Newer { found: u32, known: u32 },
    #[error("its migration {number} is not the one known here")]
    Changed { number: u32 },
    #[error("its schema obol belongs to another program")]
    NotOurs,
    #[error("the server's version {0} is too old")]
    OldServer(String),
    #[error(transparent)]
    Postgres(#[from] Error),
}

/// Brings the database to the present schema; does not write when it has it.
pub(crate) async fn migrate(db: &Connection) -> Result<(), MigrateError> {
    migrate_through(db, MIGRATIONS).await
}

/// Whether the database has the present schema.
pub(crate) async fn check(db: &Connection) -> Result<(), MigrateError> {
    match next(db, MIGRATIONS).await? {
        None => Ok(()),
        Some((1, _)) => Err(MigrateError::Missing),
        Some((number, _)) => Err(MigrateError::Older { found: number - 1, known: last(MIGRATIONS) }),
    }
}

async fn migrate_through(db: &Connection, migrations: &[&str]) -> Result<(), MigrateError> {
    while next(db, migrations).await?.is_some() {
        db.run(LOCK).await?;
        // Another node may have come first while this one waited for the lock: look again inside.
        let applied = match next(db, migrations).await {
            Ok(Some((number, migration))) => apply(db, number, migration).await.map_err(MigrateError::from),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        db.run(if applied.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
        applied?;
    }
    Ok(())
}

/// The first migration that the database has not had; all that it has had must be known here.
async fn next<'a>(db: &Connection, migrations: &[&'a str]) -> Result<Option<(u32, &'a str)>, MigrateError> {
    let look = db.load(LOOK, &[]).await?;
    let done = match (value(&look, 0)?, value(&look, 1)?) {
        (_, true) => list(db).await?,
        (false, false) => Vec::new(),
        (true, false) => return Err(MigrateError::NotOurs),
    };
    let mut known = (1..).zip(migrations);
    if let Some((found, _)) = done.get(migrations.len()..).and_then(<[_]>::last) {
        return Err(MigrateError::Newer { found: *found, known: last(migrations) });
    }
    for (stored, (number, migration)) in done.iter().zip(known.clone()) {
        if *stored != (number, checksum(migration)) {
            return Err(MigrateError::Changed { number });
        }
    }
    Ok(known.nth(done.len()).map(|(number, migration)| (number, *migration)))
}

async fn list(db: &Connection) -> Result<Vec<(u32, u32)>> {
    let number = |row, index| {
        u32::try_from(value::<i64>(row, index)?).map_err(|error| crate::columns::unreadable(index, error))
    };
    let rows = db.query(LIST, &[]).await?;
    rows.iter().map(|row| Ok((number(row, 0)?, number(row, 1)?))).collect()
}

async fn apply(db: &Connection, number: u32, migration: &str) -> Result<()> {
    db.run(CREATE_TABLE).await?;
    db.run(migration).await?;
    db.execute(ENTER, &[&i64::from(number), &i64::from(checksum(migration))]).await.map(drop)
}

fn last(migrations: &[&str]) -> u32 {
    (1..).zip(migrations).last().map_or(0, |(number, _)| number)
}

fn checksum(migration: &str) -> u32 {
    crc32fast::hash(migration.as_bytes())
}

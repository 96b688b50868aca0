//! Bringing a database to the present schema: numbered migrations, forward only, safe from two processes at once.

use rusqlite::{Connection, Result};

/// Marks the file as ours (`obol` in ASCII).
const APPLICATION_ID: i64 = 0x6f_62_6f_6c;

pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_begin.sql"),
    include_str!("migrations/0002_swept_through.sql"),
    include_str!("migrations/0003_sealing_keys_that_wait.sql"),
    include_str!("migrations/0004_keys_of_several_kinds.sql"),
    include_str!("migrations/0005_people_sign_in.sql"),
    include_str!("migrations/0006_applications_connect.sql"),
];

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations (
    number INTEGER NOT NULL PRIMARY KEY,
    checksum INTEGER NOT NULL
) STRICT";
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
    // In this order: another first start may commit tables and mark between the two.
    let tables: i64 = db.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let id: i64 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use obol_store::{Change, ClientSettings, Clients, Profile, Promoted, Users};
    use obol_token::{ClientId, KeyId, Position, SubjectId, Timestamp};

    use super::*;
    use crate::connection::open_for_writing;
    use crate::{SqliteStore, keys};

    fn new_database(folder: &Path) -> Connection {
        let path = folder.join("obol.db");
        std::fs::File::create(&path).unwrap();
        open_for_writing(&path).unwrap()
    }

    fn migrated(migrations: &[&str]) -> Result<Vec<String>, MigrateError> {
        let folder = tempfile::tempdir().unwrap();
        let db = new_database(folder.path());
        migrate_through(&db, migrations)?;
        Ok(schema(&db))
    }

    /// What `CREATE` statements the database holds, except those of SQLite's own.
    fn schema(db: &Connection) -> Vec<String> {
        let list = "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name";
        let mut statement = db.prepare(list).unwrap();
        let statements = statement.query_map([], |row| row.get(0)).unwrap();
        statements.collect::<Result<_>>().unwrap()
    }

    #[test]
    fn migrating_from_zero_gives_the_full_schema() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_database(folder.path());
        migrate(&db).unwrap();
        let full = include_str!("migrations/schema.sql");
        assert_eq!(schema(&db).join("\n\n") + "\n", full, "write what migrating gives to schema.sql");
    }

    #[test]
    fn migrating_again_does_not_write() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_database(folder.path());
        migrate(&db).unwrap();
        let before = db.total_changes();
        migrate(&db).unwrap();
        assert_eq!(db.total_changes(), before);
    }

    #[test]
    fn an_interrupted_migration_is_completed_by_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let first = "CREATE TABLE a (x); INSERT INTO a VALUES (1);";
        let broken = "CREATE TABLE b (x); INSERT INTO a VALUES (2); INSERT INTO no_such_table VALUES (1);";
        let whole = "CREATE TABLE b (x); INSERT INTO a VALUES (2);";
        let db = new_database(folder.path());
        assert!(matches!(migrate_through(&db, &[first, broken]), Err(MigrateError::Sqlite(_))));
        assert_eq!(list(&db).unwrap().len(), 1);
        assert!(!schema(&db).contains(&"CREATE TABLE b (x);".to_owned()));

        migrate_through(&db, &[first, whole]).unwrap();
        let rows: i64 = db.query_row("SELECT SUM(x) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 3);
        assert_eq!(schema(&db), migrated(&[first, whole]).unwrap());
    }

    #[test]
    fn two_processes_that_start_together_migrate_once() {
        let folder = tempfile::tempdir().unwrap();
        drop(new_database(folder.path()));
        let migrations = ["CREATE TABLE a (x);", "CREATE TABLE b (x);", "CREATE TABLE c (x);"];
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let db = open_for_writing(&folder.path().join("obol.db")).unwrap();
                    migrate_through(&db, &migrations).unwrap();
                    assert_eq!(list(&db).unwrap().len(), 3);
                });
            }
        });
    }

    #[test]
    fn a_database_of_a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_database(folder.path());
        let migrations = ["CREATE TABLE a (x);", "CREATE TABLE b (x);", "CREATE TABLE c (x);"];
        migrate_through(&db, &migrations).unwrap();
        let refused = migrate_through(&db, &migrations[..1]);
        assert!(matches!(refused, Err(MigrateError::Newer { found: 3, known: 1 })), "{refused:?}");
    }

    #[test]
    fn the_one_key_of_a_database_from_before_there_were_several_goes_on_sealing() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_database(folder.path());
        migrate_through(&db, &MIGRATIONS[..2]).unwrap();
        let one = "INSERT INTO sealing_keys (id, wrapped, created_at, retired_at) VALUES (x'01010101', x'07', 9, NULL);
            INSERT INTO change_log (position, kind, id, leaves_at) VALUES (1, 7, x'01010101', NULL);
            UPDATE log_head SET position = 1";
        db.execute_batch(one).unwrap();
        migrate(&db).unwrap();
        let id = KeyId::from_bytes([1; 4]);
        let Change::Key(key) = keys::load_change(&db, id).unwrap() else { panic!("a key") };
        let promoted = Promoted { position: Position::START, at: Timestamp::from_secs(9) };
        assert_eq!((key.promoted, key.wrapped, key.retired_at), (Some(promoted), vec![7], None));
    }

    #[tokio::test]
    async fn what_was_there_before_people_signed_in_has_usual_settings_and_an_empty_profile() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_database(folder.path());
        migrate_through(&db, &MIGRATIONS[..4]).unwrap();
        let rows =
            "INSERT INTO clients VALUES ('c', 'C', NULL, TRUE, '', '', '', '', 0, 0, FALSE, FALSE, 9, NULL);
            INSERT INTO users VALUES (x'07070707070707070707070707070707', 'alice', NULL, '', TRUE, 9, NULL)";
        db.execute_batch(rows).unwrap();
        drop(db);
        let store = SqliteStore::open(folder.path()).unwrap();
        let client = store.find_client(&ClientId::new("c").unwrap()).await.unwrap().unwrap();
        assert_eq!(client.settings, ClientSettings::default());
        let user = store.find_user_by_id(SubjectId::from_bytes([7; 16])).await.unwrap().unwrap();
        assert_eq!((user.username.as_str(), user.profile), ("alice", Profile::default()));
    }

    #[test]
    fn a_database_with_another_text_of_a_migration_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_database(folder.path());
        migrate_through(&db, &["CREATE TABLE a (x);", "CREATE TABLE b (x);"]).unwrap();
        let refused =
            migrate_through(&db, &["CREATE TABLE a (x);", "CREATE TABLE b (y);", "CREATE TABLE c (x);"]);
        assert!(matches!(refused, Err(MigrateError::Changed { number: 2 })), "{refused:?}");
    }
}

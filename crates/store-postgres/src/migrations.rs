//! Bringing a database to the present schema: numbered migrations, forward only, safe from several nodes at once.

use crate::columns::value;
use crate::connection::Connection;
use crate::error::{Error, Result};

const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_begin.sql"),
    include_str!("migrations/0002_sealing_keys_that_wait.sql"),
    include_str!("migrations/0003_keys_of_several_kinds.sql"),
    include_str!("migrations/0004_people_sign_in.sql"),
    include_str!("migrations/0005_applications_connect.sql"),
];

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

#[cfg(test)]
mod tests {
    use obol_store::{
        Change, ChangeLog, ClientSettings, Clients, Entry, Keys, Profile, Promoted, RetireOutcome, Users,
        WrappedKey,
    };
    use obol_testkit::Postgres;
    use obol_token::{ClientId, KeyId, Position, SubjectId, Timestamp};
    use tokio::task::JoinSet;
    use tokio::time::{Duration, Instant};

    use super::*;
    use crate::connector::{Connector, Use};
    use crate::{OpenError, PostgresOptions, PostgresStore};

    const MIGRATIONS: [&str; 3] =
        ["CREATE TABLE a (x BIGINT)", "CREATE TABLE b (x BIGINT)", "CREATE TABLE c (x BIGINT)"];

    async fn connected(url: &str) -> Connection {
        let connector = Connector::new(&PostgresOptions::new(url)).unwrap();
        connector.connect(Use::Migrate, Instant::now() + Duration::from_secs(20)).await.unwrap()
    }

    /// Tables with their columns, and indexes.
    const SCHEMA: &str = "SELECT concat_ws(' ', table_name, ordinal_position, column_name, data_type, \
         'COLLATE ' || collation_name, CASE is_nullable WHEN 'NO' THEN 'NOT NULL' END) AS line \
         FROM information_schema.columns WHERE table_schema = 'obol' \
         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'obol' ORDER BY line";

    #[tokio::test]
    async fn migrating_from_zero_gives_the_full_schema() {
        let server = Postgres::shared();
        let db = connected(&server.database()).await;
        migrate(&db).await.unwrap();
        let schema = db.lines(SCHEMA).await.unwrap().join("\n") + "\n";
        assert_eq!(schema, include_str!("migrations/schema.txt"), "write what migrating gives to schema.txt");
    }

    #[tokio::test]
    async fn migrating_again_does_not_write() {
        let server = Postgres::shared();
        let url = server.database();
        let db = connected(&url).await;
        migrate(&db).await.unwrap();
        db.run("SET default_transaction_read_only = on").await.unwrap();
        migrate(&db).await.unwrap();
        check(&db).await.unwrap();
    }

    #[tokio::test]
    async fn an_interrupted_migration_is_completed_by_the_next_start() {
        let server = Postgres::shared();
        let db = connected(&server.database()).await;
        let first = "CREATE TABLE a (x BIGINT); INSERT INTO a VALUES (1)";
        let broken =
            "CREATE TABLE b (x BIGINT); INSERT INTO a VALUES (2); INSERT INTO no_such_table VALUES (1)";
        let whole = "CREATE TABLE b (x BIGINT); INSERT INTO a VALUES (2)";
        assert!(matches!(migrate_through(&db, &[first, broken]).await, Err(MigrateError::Postgres(_))));
        assert_eq!(list(&db).await.unwrap().len(), 1);
        migrate_through(&db, &[first, whole]).await.unwrap();
        assert_eq!(db.lines("SELECT SUM(x) FROM a").await.unwrap(), ["3"]);
        assert_eq!(list(&db).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn nodes_that_start_together_migrate_once() {
        let server = Postgres::shared();
        for _ in 0..5 {
            let url = server.database();
            let mut starts = JoinSet::new();
            for _ in 0..3 {
                let url = url.clone();
                starts.spawn(async move {
                    let db = connected(&url).await;
                    migrate_through(&db, &MIGRATIONS).await.unwrap();
                    list(&db).await.unwrap().len()
                });
            }
            assert_eq!(starts.join_all().await, [3; 3]);
        }
    }

    #[tokio::test]
    async fn a_database_of_a_newer_version_is_left_alone() {
        let server = Postgres::shared();
        let url = server.database();
        let db = connected(&url).await;
        migrate(&db).await.unwrap();
        let known = last(super::MIGRATIONS);
        let enter = format!("INSERT INTO migrations (number, checksum) VALUES ({}, 7)", known + 1);
        db.run(&enter).await.unwrap();
        let newer = OpenError::Newer { found: known + 1, known };
        assert_eq!(PostgresStore::migrate(&PostgresOptions::new(&url)).await, Err(newer.clone()));
        assert_eq!(PostgresStore::open(&PostgresOptions::new(&url)).await.err(), Some(newer));
    }

    #[tokio::test]
    async fn a_database_of_an_older_version_is_to_be_migrated() {
        let server = Postgres::shared();
        let db = connected(&server.database()).await;
        migrate_through(&db, &MIGRATIONS[..1]).await.unwrap();
        let looked = next(&db, &MIGRATIONS).await.unwrap();
        assert_eq!(looked, Some((2, MIGRATIONS[1])));
    }

    #[tokio::test]
    async fn the_one_key_of_a_database_from_before_there_were_several_goes_on_sealing() {
        let server = Postgres::shared();
        let url = server.database();
        let db = connected(&url).await;
        migrate_through(&db, &super::MIGRATIONS[..1]).await.unwrap();
        let one = "INSERT INTO sealing_keys (id, wrapped, created_at, retired_at) VALUES ('\\x01010101', '\\x07', 9, NULL); \
             INSERT INTO change_log (position, kind, id, leaves_at) VALUES (1, 7, '\\x01010101', NULL); \
             UPDATE log_head SET position = 1";
        db.run(one).await.unwrap();
        let options = PostgresOptions::new(&url);
        PostgresStore::migrate(&options).await.unwrap();
        let store = PostgresStore::open(&options).await.unwrap();
        let promoted = Promoted { position: Position::START, at: Timestamp::from_secs(9) };
        let id = KeyId::from_bytes([1; 4]);
        let wrapped = WrappedKey {
            id,
            kind: obol_token::KeyKind::Sealing,
            wrapped: vec![7],
            created_at: Timestamp::from_secs(9),
            promoted: Some(promoted),
            retired_at: None,
        };
        let entries = store.read_after(Position::START, 10).await.unwrap();
        assert_eq!(entries, [Entry { position: Position::new(1), change: Change::Key(wrapped) }]);
        let seals = store.retire_key(id, Timestamp::from_secs(10)).await;
        assert_eq!(seals, Ok(RetireOutcome::InUse));
    }

    #[tokio::test]
    async fn what_was_there_before_people_signed_in_has_usual_settings_and_an_empty_profile() {
        let server = Postgres::shared();
        let url = server.database();
        let db = connected(&url).await;
        migrate_through(&db, &super::MIGRATIONS[..3]).await.unwrap();
        let rows = "INSERT INTO clients VALUES ('c', 'C', NULL, TRUE, '', '', '', '', 0, 0, FALSE, FALSE, 9, NULL); \
             INSERT INTO users VALUES ('\\x07070707070707070707070707070707', 'alice', NULL, '', TRUE, 9, NULL)";
        db.run(rows).await.unwrap();
        let options = PostgresOptions::new(&url);
        PostgresStore::migrate(&options).await.unwrap();
        let store = PostgresStore::open(&options).await.unwrap();
        let client = store.find_client(&ClientId::new("c").unwrap()).await.unwrap().unwrap();
        assert_eq!(client.settings, ClientSettings::default());
        let user = store.find_user_by_id(SubjectId::from_bytes([7; 16])).await.unwrap().unwrap();
        assert_eq!((user.username.as_str(), user.profile), ("alice", Profile::default()));
    }

    #[tokio::test]
    async fn a_database_with_another_text_of_a_migration_is_left_alone() {
        let server = Postgres::shared();
        let url = server.database();
        let db = connected(&url).await;
        migrate_through(&db, &MIGRATIONS[..1]).await.unwrap();
        let refused = PostgresStore::migrate(&PostgresOptions::new(&url)).await;
        assert_eq!(refused, Err(OpenError::OtherMigration { number: 1 }));
    }

    #[tokio::test]
    async fn a_schema_of_another_program_is_left_alone() {
        let server = Postgres::shared();
        let url = server.database();
        connected(&url).await.run("CREATE SCHEMA obol; CREATE TABLE obol.theirs (x BIGINT)").await.unwrap();
        let options = PostgresOptions::new(&url);
        assert_eq!(PostgresStore::migrate(&options).await, Err(OpenError::NotOurs));
        assert_eq!(PostgresStore::open(&options).await.err(), Some(OpenError::NotOurs));
    }

    #[tokio::test]
    async fn a_database_without_a_schema_is_refused_and_the_command_is_named() {
        let server = Postgres::shared();
        let refused = PostgresStore::open(&PostgresOptions::new(&server.database())).await.err().unwrap();
        assert_eq!(refused, OpenError::NoSchema);
        assert!(refused.to_string().contains("obol migrate"), "{refused}");
    }
}

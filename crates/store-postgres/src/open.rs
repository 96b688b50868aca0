//! Opening the store.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::announcer::Announcer;
use crate::connection::Connection;
use crate::connector::{Connector, Use};
use crate::error::Error;
use crate::log_head::LogHead;
use crate::migrations::{self, MigrateError};
use crate::node_rows::NodeRows;
use crate::nodes::ThisNode;
use crate::options::{OptionsError, PostgresOptions};
use crate::readers::Readers;
use crate::writer::Writer;

/// The store in a PostgreSQL database. Dropped, its tasks end; what they had not answered may have happened or not.
///
/// Methods must be called within the tokio runtime in which it was opened.
pub struct PostgresStore {
    pub(crate) connector: Arc<Connector>,
    pub(crate) readers: Readers,
    /// For what a lease depends on: reads that anybody can cause must not stand before them.
    pub(crate) log_readers: Readers,
    pub(crate) writer: Writer,
    pub(crate) head: Arc<LogHead>,
    pub(crate) node_rows: NodeRows,
    pub(crate) this_node: ThisNode,
    /// Sessions may have ended through this store.
    pub(crate) sessions_ended: Notify,
    _announcer: Announcer,
}

/// Why a store could not be opened. Each sentence says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The options do not say where the database is.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The authorities' certificates cannot be read.
    #[error("--database-url: the file of sslrootcert cannot be used ({0})")]
    RootCertificates(String),
    /// No server answers.
    #[error("PostgreSQL at {server} cannot be reached ({cause}): start it, or correct --database-url")]
    Unreachable {
        /// Hosts and database.
        server: String,
        /// The system's or the server's reason.
        cause: String,
    },
    /// The password is wrong or missing.
    #[error(
        "PostgreSQL refuses the password of {user}: correct --database-password-file, or the password in --database-url"
    )]
    WrongPassword {
        /// The user.
        user: String,
    },
    /// The server lets this user in from nowhere near.
    #[error(
        "PostgreSQL does not let {user} in ({cause}): correct the user in --database-url, or the server's pg_hba.conf"
    )]
    NotAllowed {
        /// The user.
        user: String,
        /// The server's reason.
        cause: String,
    },
    /// There is no such database.
    #[error("there is no database {database:?}: create it (createdb), or correct --database-url")]
    NoDatabase {
        /// Its name.
        database: String,
    },
    /// No TLS, or not with the right certificate.
    #[error(
        "no TLS with PostgreSQL at {server} ({cause}): correct sslmode and sslrootcert in --database-url, or the server's certificate"
    )]
    Tls {
        /// Hosts and database.
        server: String,
        /// What went wrong.
        cause: String,
    },
    /// Only standbys answer, or the database is set to read-only.
    #[error(
        "PostgreSQL at {server} cannot be written to: name the primary in --database-url, or all hosts with commas between"
    )]
    ReadOnly {
        /// Hosts and database.
        server: String,
    },
    /// The server is too old.
    #[error(
        "PostgreSQL {found} is too old: obol needs version 15 or newer; name another server in --database-url"
    )]
    OldServer {
        /// Its version.
        found: String,
    },
    /// The user may not do what obol needs.
    #[error(
        "the user of --database-url lacks a right ({0}): make it the owner of the database, or of the schema obol"
    )]
    NoRight(String),
    /// The database has no schema of obol.
    #[error("the database of --database-url has no tables of obol yet: run `obol migrate`")]
    NoSchema,
    /// The database was last used by an earlier version.
    #[error("the database has schema {found}, and this version of obol needs {known}: run `obol migrate`")]
    Older {
        /// The schema it has.
        found: u32,
        /// The schema that this version needs.
        known: u32,
    },
    /// A later version of obol has used this database.
    #[error(
        "the database has schema {found}, and this version of obol knows schemas up to {known}: use a newer version, or another --database-url"
    )]
    Newer {
        /// The schema it has.
        found: u32,
        /// The last schema that this version knows.
        known: u32,
    },
    /// The database was made by a build with another text of a migration.
    #[error(
        "migration {number} of the database is not the one of this version of obol: use the build that made it"
    )]
    OtherMigration {
        /// Which migration.
        number: u32,
    },
    /// The schema `obol` is another program's.
    #[error(
        "the database of --database-url has a schema named obol that obol has not made: name another database"
    )]
    NotOurs,
}

impl PostgresStore {
    /// Connections for requests of people and clients.
    const READERS: usize = 8;
    /// Connections for the change log.
    const LOG_READERS: usize = 5;
    /// The longest that opening takes.
    const DEADLINE: Duration = Duration::from_secs(10);

    /// Brings the database to the present schema. Safe when several nodes do it at once, and when it is done already.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn migrate(options: &PostgresOptions) -> Result<(), OpenError> {
        let connector = Connector::new(options)?;
        let db = connector.connect(Use::Migrate, Instant::now() + Self::DEADLINE).await?;
        refuse_old_server(&db).await.map_err(|error| failed(&connector, error))?;
        migrations::migrate(&db).await.map_err(|error| failed(&connector, error))
    }

    /// Opens the database, which must have the present schema.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn open(options: &PostgresOptions) -> Result<Self, OpenError> {
        let connector = Arc::new(Connector::new(options)?);
        let deadline = Instant::now() + Self::DEADLINE;
        let db = connector.connect(Use::Write, deadline).await?;
        let look = async {
            refuse_old_server(&db).await?;
            migrations::check(&db).await?;
            Ok::<_, MigrateError>(LogHead::read(&db).await?)
        };
        let late = |_| MigrateError::Postgres(Error::TooLate(Self::DEADLINE.as_millis()));
        let looked = timeout_at(deadline, look).await.map_err(late).flatten();
        let head = Arc::new(LogHead::new(looked.map_err(|error| failed(&connector, error))?));
        let announcer = Announcer::start(connector.clone(), head.clone());
        Ok(Self {
            readers: Readers::new(&connector, Self::READERS)?,
            log_readers: Readers::new(&connector, Self::LOG_READERS)?,
            writer: Writer::start(connector.clone(), db, head.clone()),
            node_rows: NodeRows::new(connector.clone()),
            this_node: ThisNode::default(),
            sessions_ended: Notify::new(),
            connector,
            head,
            _announcer: announcer,
        })
    }

    /// How many transactions this store has committed for its callers. Many requests share one when they arrive
    /// together.
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }

    /// The database as it can be shown: hosts and name, no user and no password.
    pub fn shown(&self) -> String {
        self.connector.shown()
    }
}

impl OpenError {
    /// Of two hosts' failures the one that says more: one that answered before one that did not.
    pub(crate) fn more_telling(self, other: Self) -> Self {
        let rank = |error: &Self| match error {
            Self::Unreachable { .. } => 0,
            Self::ReadOnly { .. } => 1,
            _ => 2,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }
}

async fn refuse_old_server(db: &Connection) -> Result<(), MigrateError> {
    let row = db.load(VERSION, &[]).await?;
    let number: i32 = crate::columns::value(&row, 0)?;
    if number < 150_000 { Err(MigrateError::OldServer(crate::columns::value(&row, 1)?)) } else { Ok(()) }
}

const VERSION: &str =
    "SELECT CAST(current_setting('server_version_num') AS INTEGER), current_setting('server_version')";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[VERSION];

fn failed(connector: &Connector, error: MigrateError) -> OpenError {
    match error {
        MigrateError::Missing => OpenError::NoSchema,
        MigrateError::Older { found, known } => OpenError::Older { found, known },
        MigrateError::Newer { found, known } => OpenError::Newer { found, known },
        MigrateError::Changed { number } => OpenError::OtherMigration { number },
        MigrateError::NotOurs => OpenError::NotOurs,
        MigrateError::OldServer(found) => OpenError::OldServer { found },
        MigrateError::Postgres(Error::Postgres(cause))
            if cause.code() == Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE) =>
        {
            OpenError::NoRight(crate::error::said(&cause))
        }
        MigrateError::Postgres(error) => {
            OpenError::Unreachable { server: connector.shown(), cause: error.to_string() }
        }
    }
}

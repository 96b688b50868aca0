//! A throw-away PostgreSQL from the system's packages: a cluster of its own, gone when dropped.

mod cluster;
mod programs;
mod standby;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tempfile::TempDir;

use programs::Programs;

use crate::Port;

/// A running PostgreSQL on a loopback port and a unix socket. Connections need no password, except those of the role
/// [`Postgres::GUARDED`]. Databases belong to the role [`Postgres::OWNER`], which is no superuser.
pub struct Postgres {
    programs: Programs,
    folder: TempDir,
    port: Port,
    running: Mutex<Option<Running>>,
    environment: Vec<(&'static str, OsString)>,
    databases: AtomicU32,
}

/// A server that runs, and who ends it should the test be killed: its folder then stays.
struct Running {
    postmaster: Child,
    guard: Child,
}

/// How a cluster is made.
#[derive(Debug, Clone, Default)]
pub struct PostgresBuilder {
    settings: Vec<(String, String)>,
    flush_takes: Option<Duration>,
    tls: Option<(String, String)>,
}

impl Postgres {
    /// The role to whom the databases belong.
    pub const OWNER: &str = "obol";
    /// A role that connects over TCP by a password only.
    pub const GUARDED: &str = "guarded";
    /// The password of [`Postgres::GUARDED`].
    pub const GUARDED_PASSWORD: &str = "an obol under the tongue";

    /// Makes and starts a cluster. Fails the test with a clear sentence when PostgreSQL is not installed.
    #[track_caller]
    pub fn start() -> Self {
        PostgresBuilder::default().start()
    }

    /// A cluster with settings of its own.
    pub fn builder() -> PostgresBuilder {
        PostgresBuilder::default()
    }

    /// One cluster for all who hold it at the same time: a database for each test, not a cluster.
    ///
    /// For tests that neither stop nor change the server. It does not flush, since nobody pulls its plug.
    #[track_caller]
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        let mut shared: MutexGuard<'_, _> = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let made = Arc::new(Self::builder().setting("fsync", "off").start());
            *shared = Arc::downgrade(&made);
            made
        })
    }

    /// Makes an empty database and gives its URL, over TCP.
    #[track_caller]
    pub fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER {}", Self::OWNER));
        self.url(&name)
    }

    /// The URL of a database on this server, over TCP.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{}@127.0.0.1:{}/{database}", Self::OWNER, self.port())
    }

    /// The URL of a database on this server, over its unix socket.
    pub fn socket_url(&self, database: &str) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://{}@{folder}:{}/{database}", Self::OWNER, self.port())
    }

    /// Its port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Runs statements as the superuser and gives what they answer, without headers.
    #[track_caller]
    pub fn sql(&self, database: &str, statements: &str) -> String {
        self.try_sql(database, statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    /// Runs statements as the superuser.
    ///
    /// # Errors
    /// What `psql` says.
    pub fn try_sql(&self, database: &str, statements: &str) -> Result<String, String> {
        let mut psql = self.programs.command("psql");
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-c", statements]);
        psql.arg("-h").arg(self.folder.path()).arg("-p").arg(self.port.number().to_string());
        psql.env("PGCONNECT_TIMEOUT", "10");
        programs::output(psql).map(|answer| answer.trim_end().to_owned())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl PostgresBuilder {
    /// Adds a line to `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Speaks TLS with this certificate and key, both in PEM; connections without TLS are accepted as well.
    #[must_use]
    pub fn tls(mut self, certificate: &str, key: &str) -> Self {
        self.tls = Some((certificate.to_owned(), key.to_owned()));
        self
    }

    /// Makes each flush of the write-ahead log take at least this long: the disk of a test machine may have a cache that
    /// answers at once. Needs `cc`.
    #[must_use]
    pub fn flush_takes(mut self, time: Duration) -> Self {
        self.flush_takes = Some(time);
        self
    }

    /// Makes and starts it.
    #[track_caller]
    pub fn start(self) -> Postgres {
        cluster::make(&self).unwrap_or_else(|error| panic!("PostgreSQL: {error}"))
    }
}

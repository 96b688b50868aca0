//! Making connections: every host of the URL, deadlines, settings of the session, and no storm after an outage.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::back_off::BackOff;
use crate::connection::Connection;
use crate::error::{Error, said};
use crate::known_timeline::KnownTimeline;
use crate::open::OpenError;
use crate::options::{PostgresOptions, Target};
use crate::tls;

/// Makes connections for all who need one.
pub(crate) struct Connector {
    target: Target,
    tls: MakeRustlsConnect,
    back_off: Mutex<BackOff>,
    pub(crate) timeline: Arc<KnownTimeline>,
}

/// What a connection is for; says how long the server lets it wait.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    /// Reads within [`crate::readers::DEADLINE`].
    Read,
    /// Writes within [`crate::writer::DEADLINE`].
    Write,
    /// Announcements. What they say is in the log, so that they need no flush.
    Announce,
    /// Migrations, which may take long.
    Migrate,
}

impl Connector {
    /// The longest that one connection may take, whoever waits for it.
    const DEADLINE: Duration = Duration::from_secs(2);
    /// How long one host is alone before the next one is tried beside it: a paused server accepts and says nothing.
    const NEXT_HOST_AFTER: Duration = Duration::from_millis(150);

    /// Reads the options; connects to nothing yet.
    ///
    /// # Errors
    /// [`OpenError::Options`] and [`OpenError::RootCertificates`]
    pub(crate) fn new(options: &PostgresOptions) -> Result<Self, OpenError> {
        let target = options.parse()?;
        let tls = tls::connector(target.tls.check, target.tls.authorities.as_deref());
        let tls = tls.map_err(OpenError::RootCertificates)?;
        Ok(Self { target, tls, back_off: Mutex::default(), timeline: Arc::default() })
    }

    /// The database as it can be shown.
    pub(crate) fn shown(&self) -> String {
        self.target.shown()
    }

    /// A connection to a server that can be written to, before `deadline`. After a failure, only one is tried at a
    /// time, and not at once.
    ///
    /// # Errors
    /// [`OpenError`]
    pub(crate) async fn connect(&self, purpose: Use, deadline: Instant) -> Result<Connection, OpenError> {
        let deadline = deadline.min(Instant::now() + Self::DEADLINE);
        let Ok(mut back_off) = timeout_at(deadline, self.back_off.lock()).await else {
            return Err(self.unavailable("the server did not answer others either"));
        };
        match back_off.not_before() {
            None => drop(back_off),
            Some(next) if next >= deadline => return Err(self.unavailable(back_off.cause())),
            Some(next) => {
                sleep_until(next).await;
                let connected = self.try_hosts(purpose, deadline).await;
                back_off.note(connected.as_ref().map(drop));
                return connected;
            }
        }
        let connected = self.try_hosts(purpose, deadline).await;
        if let Err(error) = &connected {
            self.back_off.lock().await.note(Err(error));
        }
        connected
    }

    /// Whether a connection that was kept can be used again: it is open, and no newer primary has been met since.
    pub(crate) fn is_usable(&self, db: &Connection) -> bool {
        !db.is_closed() && self.timeline.check(db).is_ok()
    }

    /// The first host that lets us in and can be written to.
    async fn try_hosts(&self, purpose: Use, deadline: Instant) -> Result<Connection, OpenError> {
        let mut hosts = self.target.hosts()?.into_iter().peekable();
        let mut attempts = JoinSet::new();
        let mut failure: Option<OpenError> = None;
        loop {
            if let Some(host) = hosts.next() {
                attempts.spawn(connect_to(host, self.tls.clone(), purpose, self.timeline.clone()));
            }
            let more = hosts.peek().is_some();
            tokio::select! {
                Some(attempt) = attempts.join_next() => match attempt {
                    Ok(Ok(connection)) => return Ok(connection),
                    Ok(Err(error)) => {
                        let error = self.explained(&error);
                        failure = Some(failure.map_or(error.clone(), |known| known.more_telling(error)));
                    }
                    Err(error) => failure = failure.or(Some(self.unavailable(&error.to_string()))),
                },
                () = sleep(Self::NEXT_HOST_AFTER), if more => continue,
                () = sleep_until(deadline) => {
                    let late = self.unavailable("no answer in time");
                    return Err(failure.map_or(late.clone(), |known| known.more_telling(late)));
                }
            }
            if attempts.is_empty() && !more {
                return Err(failure.unwrap_or_else(|| self.unavailable("no host was tried")));
            }
        }
    }

    fn unavailable(&self, cause: &str) -> OpenError {
        OpenError::Unreachable { server: self.shown(), cause: cause.to_owned() }
    }

    fn explained(&self, error: &Error) -> OpenError {
        match error {
            Error::Postgres(error) => self.explained_by_server(error),
            error => self.unavailable(&error.to_string()),
        }
    }

    fn explained_by_server(&self, error: &tokio_postgres::Error) -> OpenError {
        let (server, cause) = (self.shown(), said(error));
        let io_error = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        match error.code() {
            Some(&SqlState::INVALID_PASSWORD) => OpenError::WrongPassword { user: self.target.user() },
            Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
                OpenError::NotAllowed { user: self.target.user(), cause }
            }
            Some(&SqlState::INVALID_CATALOG_NAME) => {
                OpenError::NoDatabase { database: self.target.database() }
            }
            Some(&SqlState::INVALID_SCHEMA_NAME) => OpenError::NoSchema,
            Some(_) => OpenError::Unreachable { server, cause },
            None if cause.contains("does not allow writes") => OpenError::ReadOnly { server },
            None if error.to_string().contains("TLS") => OpenError::Tls { server, cause },
            None if cause.contains("password missing") => {
                OpenError::WrongPassword { user: self.target.user() }
            }
            None if io_error.is_none() && error.to_string().contains("authentication") => {
                OpenError::NotAllowed { user: self.target.user(), cause }
            }
            None => OpenError::Unreachable { server, cause },
        }
    }
}

async fn connect_to(
    mut host: Config,
    tls: MakeRustlsConnect,
    purpose: Use,
    timeline: Arc<KnownTimeline>,
) -> Result<Connection, Error> {
    host.connect_timeout(Connector::DEADLINE)
        .tcp_user_timeout(Duration::from_secs(3))
        .keepalives_idle(Duration::from_secs(5))
        .keepalives_interval(Duration::from_secs(1))
        .keepalives_retries(3);
    let settings = settings(purpose);
    let db = if host.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = host.connect(NoTls).await?;
        Connection::new(client, connection)
    } else {
        let (client, connection) = host.connect(tls).await?;
        Connection::new(client, connection)
    };
    db.run(&settings).await?;
    timeline.ask(&db).await?;
    Ok(db)
}

/// Each statement has its index. A plan by statistics from when a table was empty would read all of it later, and a lease
/// would end over that.
const PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
     SET enable_mergejoin = off; SET jit = off;";

/// A role or a database may have other defaults: those that the promise hangs on are set for each session. The session
/// of a node that is paused inside a transaction ends, so that the others can write.
fn settings(purpose: Use) -> String {
    let (statement_ms, lock_ms, flush) = match purpose {
        Use::Read => (1_000, 1_000, "on"),
        Use::Write => (2_000, 2_000, "on"),
        Use::Announce => (1_000, 1_000, "off"),
        Use::Migrate => (0, 60_000, "on"),
    };
    format!(
        "SET search_path = obol, pg_temp; SET client_min_messages = warning; \
         SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off; \
         SET statement_timeout = {statement_ms}; SET lock_timeout = {lock_ms}; \
         SET idle_in_transaction_session_timeout = 1000; {PLANS} \
         SELECT set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') = \
         'remote_apply' AND '{flush}' = 'on' THEN 'remote_apply' ELSE '{flush}' END, false)"
    )
}

#[cfg(test)]
mod tests {
    use obol_testkit::Postgres;

    use super::*;

    const SETTINGS: &str = "SELECT name || ' ' || setting FROM pg_settings WHERE name IN ('synchronous_commit', \
         'default_transaction_isolation', 'idle_in_transaction_session_timeout', 'statement_timeout', \
         'lock_timeout', 'search_path') ORDER BY name";

    async fn settings(url: &str, purpose: Use) -> Vec<String> {
        let connector = Connector::new(&PostgresOptions::new(url)).unwrap();
        let db = connector.connect(purpose, Instant::now() + Duration::from_secs(20)).await.unwrap();
        db.lines(SETTINGS).await.unwrap()
    }

    #[tokio::test]
    async fn sessions_have_the_settings_that_the_promise_hangs_on_whatever_the_role_s_defaults() {
        let server = Postgres::start();
        let url = server.database();
        for default in [
            "synchronous_commit = off",
            "default_transaction_isolation = 'serializable'",
            "idle_in_transaction_session_timeout = 0",
            "statement_timeout = 0",
            "lock_timeout = 0",
        ] {
            server.sql("postgres", &format!("ALTER ROLE {} SET {default}", Postgres::OWNER));
        }
        let mut expected = [
            "default_transaction_isolation read committed",
            "idle_in_transaction_session_timeout 1000",
            "lock_timeout 2000",
            "search_path obol, pg_temp",
            "statement_timeout 2000",
            "synchronous_commit on",
        ];
        assert_eq!(settings(&url, Use::Write).await, expected);
        (expected[2], expected[4]) = ("lock_timeout 1000", "statement_timeout 1000");
        assert_eq!(settings(&url, Use::Read).await, expected);

        server.sql(
            "postgres",
            &format!("ALTER ROLE {} SET synchronous_commit = remote_apply", Postgres::OWNER),
        );
        expected[5] = "synchronous_commit remote_apply";
        assert_eq!(settings(&url, Use::Read).await, expected, "the stronger one stays");
    }
}

//! The one task that writes: it takes the requests that wait and commits them together (group commit).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use obol_store::{Appended, StoreError};
use obol_token::{Expiry, FamilyId, Timestamp, TokenId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::Connection;
use crate::connector::{Connector, Use};
use crate::error::{Error, leaves_connection_sound, store_error};
use crate::group_commit::{Batch, Commit};
use crate::log_head::LogHead;
use crate::request::{Answer, Pending, Request, Run, Unit};

/// The longest that a write may take, its time in the queue included.
pub(crate) const DEADLINE: Duration = Duration::from_secs(3);

/// The queue to the writing task. Dropped, it lets the task finish what waits and end.
pub(crate) struct Writer {
    queue: mpsc::Sender<Pending>,
    commits: Arc<AtomicU64>,
    sweeping: AtomicBool,
}

impl Writer {
    /// The most requests that wait; one more is refused at once.
    pub(crate) const QUEUE: usize = 4_096;
    /// The most requests in one commit.
    pub(crate) const BATCH: usize = 512;

    /// Starts the task, with its first connection.
    pub(crate) fn start(connector: Arc<Connector>, db: Connection, head: Arc<LogHead>) -> Self {
        let (queue, requests) = mpsc::channel(Self::QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let commits_here = commits.clone();
        let task = Task { connector, head, requests, db: Some(db), commits, failing: false };
        tokio::spawn(task.write_batches());
        Self { queue, commits: commits_here, sweeping: AtomicBool::new(false) }
    }

    /// Runs `work` in a transaction and answers after that is on stable storage. A failure of `work` undoes what it
    /// did and nothing else. `now` lets rows go whose time is over, if this process sweeps.
    ///
    /// # Errors
    /// [`StoreError`]; `Unavailable` at once when too many requests wait, and when it takes more than three seconds.
    pub(crate) async fn write<T, W>(&self, now: Option<Timestamp>, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a Connection) -> Run<'a, T> + Send + 'static,
    {
        self.send(now, |answer| Request::Work(Box::new(Unit::new(work, answer)))).await
    }

    /// Denies a token, unless it is denied. Any number of these that wait cost one statement.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub(crate) async fn deny_token(
        &self,
        now: Timestamp,
        id: TokenId,
        leaves_at: Expiry,
    ) -> Result<Appended, StoreError> {
        self.send(Some(now), |answer| Request::Token { id, leaves_at, answer }).await
    }

    /// Ends a family, unless it has ended; `None` if there is none. Any number of these that wait cost one statement.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub(crate) async fn end_family(
        &self,
        now: Timestamp,
        id: FamilyId,
    ) -> Result<Option<Appended>, StoreError> {
        self.send(Some(now), |answer| Request::Family { id, answer }).await
    }

    /// Says whether commits from now on let rows go. Only a server's do: its clock was looked at when it started.
    pub(crate) fn set_sweeping(&self, sweeping: bool) {
        self.sweeping.store(sweeping, Ordering::Release);
    }

    /// How many transactions were committed.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    async fn send<T>(
        &self,
        now: Option<Timestamp>,
        request: impl FnOnce(Answer<T>) -> Request,
    ) -> Result<T, StoreError> {
        let (sender, answered) = oneshot::channel();
        let now = now.filter(|_| self.sweeping.load(Ordering::Acquire));
        let pending = Pending { now, request: request(Answer::to(sender)) };
        let stopped = || StoreError::Unavailable("the writing task has stopped".to_owned());
        match self.queue.try_send(pending) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                return Err(StoreError::Unavailable("too many writes are waiting".to_owned()));
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(stopped()),
        }
        match timeout(DEADLINE, answered).await {
            Ok(answer) => answer.map_err(|_| stopped())?,
            Err(_) => Err(store_error(&Error::TooLate(DEADLINE.as_millis()))),
        }
    }
}

struct Task {
    connector: Arc<Connector>,
    head: Arc<LogHead>,
    requests: mpsc::Receiver<Pending>,
    db: Option<Connection>,
    commits: Arc<AtomicU64>,
    failing: bool,
}

impl Task {
    async fn write_batches(mut self) {
        let mut put_off = Vec::new();
        loop {
            if put_off.is_empty() {
                match self.requests.recv().await {
                    Some(first) => put_off.push(first),
                    None => return,
                }
            }
            let mut batch = Batch::new(std::mem::take(&mut put_off));
            let deadline = Instant::now() + DEADLINE;
            let committed = match timeout_at(deadline, self.write(&mut batch, deadline)).await {
                Ok(committed) => committed,
                Err(_) => Err(Error::TooLate(DEADLINE.as_millis())),
            };
            let committed = committed.map_err(|error| store_error(&error));
            self.say_once(&committed);
            put_off = batch.answer(committed.err().map(unavailable).as_ref());
        }
    }

    /// Commits the batch, with what comes while it waits for its turn. The connection stays out while it is used:
    /// whatever ends this early ends the connection as well.
    async fn write(&mut self, batch: &mut Batch, deadline: Instant) -> Result<(), Error> {
        let (db, mut commit) = self.begin(deadline).await?;
        batch.take_waiting(&mut self.requests);
        let sound = commit.run(&db, batch).await?;
        #[cfg(feature = "planted-bugs")]
        if obol_planted::Bug::AcknowledgedBeforeCommit.is_on() {
            std::mem::replace(batch, Batch::new(Vec::new())).answer(None);
        }
        let ends_at = commit.end(&db).await?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        if let Some(ends_at) = ends_at {
            self.head.appended(ends_at);
        }
        self.db = sound.then_some(db);
        Ok(())
    }

    /// A transaction that holds the lock. On a connection that had ended unnoticed, nothing has happened yet: one
    /// more try.
    async fn begin(&mut self, deadline: Instant) -> Result<(Connection, Commit), Error> {
        if let Some(db) = self.db.take().filter(|db| self.connector.is_usable(db)) {
            match Commit::begin(&db).await {
                Ok(commit) => return Ok((db, commit)),
                Err(error) if !db.is_closed() || leaves_connection_sound(&error) => return Err(error),
                Err(_) => {}
            }
        }
        let connected = self.connector.connect(Use::Write, deadline).await;
        let db = connected.map_err(|error| Error::NotConnected(error.to_string()))?;
        let commit = Commit::begin(&db).await?;
        Ok((db, commit))
    }

    /// Logs the first failure of a row of failures, and its end.
    fn say_once(&mut self, committed: &Result<(), StoreError>) {
        let failed_before = std::mem::replace(&mut self.failing, committed.is_err());
        match committed {
            Err(error) if !failed_before => tracing::error!(%error, "writes cannot be committed"),
            Ok(()) if failed_before => tracing::info!("writes are committed again"),
            _ => {}
        }
    }
}

/// What keeps a transaction from being committed says nothing of a single request.
fn unavailable(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(_) => error,
        StoreError::Conflict(why) | StoreError::Corrupt(why) => StoreError::Unavailable(why),
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use obol_store::{ChangeLog, Denials, Deny};
    use obol_testkit::Postgres;
    use obol_token::Position;
    use tokio::task::JoinSet;

    use super::*;
    use crate::{PostgresOptions, PostgresStore};

    async fn opened(server: &Postgres) -> (Arc<PostgresStore>, String) {
        let url = server.database();
        let options = PostgresOptions::new(&url);
        PostgresStore::migrate(&options).await.unwrap();
        (Arc::new(PostgresStore::open(&options).await.unwrap()), url)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn requests_for_which_a_transaction_has_no_time_are_done_in_the_next() {
        let server = Postgres::shared();
        let (store, _) = opened(&server).await;
        let before = store.commits();
        let mut writes = JoinSet::new();
        for _ in 0..20 {
            let store = store.clone();
            writes.spawn(async move {
                let slow = store.writer.write(None, |db| {
                    Box::pin(async {
                        db.query("SELECT 1 FROM pg_sleep(0.1)", &[]).await.map(|rows| rows.len())
                    })
                });
                slow.await
            });
        }
        assert!(writes.join_all().await.iter().all(|written| *written == Ok(1)));
        let commits = store.commits() - before;
        assert!((4..20).contains(&commits), "{commits} commits");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_write_that_was_given_up_before_its_turn_is_not_done() {
        let server = Postgres::shared();
        let (store, url) = opened(&server).await;
        let (other, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        other.batch_execute("BEGIN; SELECT position FROM obol.log_head FOR UPDATE").await.unwrap();
        let mut given_up = Box::pin(store.deny(&Deny::Everything, Timestamp::from_secs(1)));
        let begun = poll_fn(|context| Poll::Ready(given_up.as_mut().poll(context).is_ready())).await;
        assert!(!begun, "it did not wait");
        drop(given_up);
        other.batch_execute("ROLLBACK").await.unwrap();
        let person = Deny::Subject(obol_token::SubjectId::from_bytes([7; 16]));
        let denied = store.deny(&person, Timestamp::from_secs(1)).await.unwrap();
        let entries = store.read_after(Position::START, 10).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), [denied.position()]);
        connection.abort();
    }
}

//! The one thread that writes: it takes the requests that wait and commits them together (group commit).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use obol_store::StoreError;
use obol_token::Timestamp;
use rusqlite::{Connection, Result};
use tokio::sync::oneshot;

use crate::error::store_error;
use crate::log_head::LogHead;
use crate::sweep;

/// The queue to the writing thread. Dropped, it lets the thread finish what waits and end.
pub(crate) struct Writer {
    queue: Option<SyncSender<Box<dyn Request>>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// The most requests that wait; one more is refused at once.
    const QUEUE: usize = 4_096;
    /// The most requests in one commit.
    const BATCH: usize = 512;

    /// Starts the thread on this connection.
    pub(crate) fn start(db: Connection, head: Arc<LogHead>) -> std::io::Result<Self> {
        let (queue, requests) = sync_channel(Self::QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let counter = commits.clone();
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_batches(&db, &requests, &head, &counter))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), commits })
    }

    /// Runs `work` in a transaction and answers after that is on stable storage. A failure of `work` undoes what it
    /// did and nothing else. `now` lets rows go whose time is over.
    ///
    /// # Errors
    /// [`StoreError`]; `Unavailable` at once when too many requests wait.
    pub(crate) async fn write<T, W>(&self, now: Option<Timestamp>, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let request = Pending { work: Some(work), outcome: None, now, answer };
        let stopped = || StoreError::Unavailable("the writing thread has stopped".to_owned());
        match self.queue.as_ref().ok_or_else(stopped)?.try_send(Box::new(request)) {
            Ok(()) => answered.await.map_err(|_| stopped())?,
            Err(TrySendError::Full(_)) => {
                Err(StoreError::Unavailable("too many writes are waiting".to_owned()))
            }
            Err(TrySendError::Disconnected(_)) => Err(stopped()),
        }
    }

    /// How many transactions were committed.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One caller's write, whatever the type of its answer.
trait Request: Send {
    fn is_given_up(&self) -> bool;
    fn now(&self) -> Option<Timestamp>;
    /// Keeps the outcome for `answer`; `Err` when what was done has to be undone.
    fn run(&mut self, db: &Connection) -> Result<(), Undo>;
    fn answer(self: Box<Self>, not_committed: Option<&StoreError>);
}

struct Undo;

struct Pending<T, W> {
    work: Option<W>,
    outcome: Option<Result<T, StoreError>>,
    now: Option<Timestamp>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Request for Pending<T, W>
where
    T: Send,
    W: FnOnce(&Connection) -> Result<T> + Send,
{
    fn is_given_up(&self) -> bool {
        self.answer.is_closed()
    }

    fn now(&self) -> Option<Timestamp> {
        self.now
    }

    fn run(&mut self, db: &Connection) -> Result<(), Undo> {
        let outcome = self.work.take().map(|work| work(db).map_err(|error| store_error(&error)));
        let undo = matches!(outcome, Some(Err(_)));
        self.outcome = outcome;
        if undo { Err(Undo) } else { Ok(()) }
    }

    fn answer(self: Box<Self>, not_committed: Option<&StoreError>) {
        let outcome = match (not_committed, self.outcome) {
            (None, Some(outcome)) => outcome,
            (Some(error), _) => Err(error.clone()),
            (None, None) => Err(StoreError::Unavailable("the write was not begun".to_owned())),
        };
        // The caller may have gone; the write stands all the same.
        let _ = self.answer.send(outcome);
    }
}

fn write_batches(
    db: &Connection,
    requests: &Receiver<Box<dyn Request>>,
    head: &LogHead,
    commits: &AtomicU64,
) {
    while let Ok(first) = requests.recv() {
        let mut batch = vec![first];
        batch.extend(requests.try_iter().take(Writer::BATCH - 1));
        batch.retain(|request| !request.is_given_up());
        if batch.is_empty() {
            continue;
        }
        let not_committed = match commit_batch(db, &mut batch, head) {
            Ok(()) => {
                commits.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(error) => {
                tracing::warn!(%error, requests = batch.len(), "writes were not committed");
                Some(StoreError::Unavailable(error.to_string()))
            }
        };
        for request in batch {
            request.answer(not_committed.as_ref());
        }
    }
}

/// Commits the requests of a batch together, without those that failed by themselves.
fn commit_batch(db: &Connection, batch: &mut [Box<dyn Request>], head: &LogHead) -> Result<()> {
    roll_back(db);
    execute(db, "BEGIN IMMEDIATE")?;
    let begun_at = LogHead::read(db).inspect_err(|_| roll_back(db))?;
    head.seen(begun_at);
    let committed = run_batch(db, batch).and_then(|()| {
        let ends_at = LogHead::read(db)?;
        head.set_own(ends_at);
        execute(db, "COMMIT")?;
        Ok(ends_at)
    });
    match committed {
        Ok(ends_at) => {
            head.seen(ends_at);
            Ok(())
        }
        Err(error) => {
            head.set_own(begun_at);
            roll_back(db);
            Err(error)
        }
    }
}

fn run_batch(db: &Connection, batch: &mut [Box<dyn Request>]) -> Result<()> {
    for request in batch.iter_mut() {
        apart(db, |db| request.run(db))?;
    }
    let Some(now) = batch.iter().filter_map(|request| request.now()).max() else { return Ok(()) };
    apart(db, |db| {
        sweep::remove_expired(db, now, 2 * batch.len()).map_err(|error| {
            tracing::warn!(%error, "expired rows were not removed");
            Undo
        })
    })
}

/// Runs `part` so that it can be undone alone. Fails when SQLite has given up the whole transaction.
fn apart(db: &Connection, part: impl FnOnce(&Connection) -> Result<(), Undo>) -> Result<()> {
    execute(db, "SAVEPOINT part")?;
    if part(db).is_err() {
        execute(db, "ROLLBACK TO part")?;
    }
    execute(db, "RELEASE part")
}

/// Ends a transaction that a failure may have left open.
fn roll_back(db: &Connection) {
    if !db.is_autocommit()
        && let Err(error) = execute(db, "ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

fn execute(db: &Connection, sql: &str) -> Result<()> {
    db.prepare_cached(sql)?.execute([]).map(drop)
}

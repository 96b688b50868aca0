//! The one thread that writes: it takes the requests that wait and commits them together (group commit).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use obol_store::StoreError;
use obol_token::Timestamp;
use rusqlite::{Connection, Result};
use tokio::sync::oneshot;

use crate::error::store_error;
use crate::group_commit::{Request, Undo, commit_together};
use crate::log_head::LogHead;
use crate::opened_files::OpenedFiles;

/// The queue to the writing thread. Dropped, it lets the thread finish what waits and end.
pub(crate) struct Writer {
    queue: Option<SyncSender<Box<dyn Request>>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
    sweeping: AtomicBool,
}

impl Writer {
    /// The most requests that wait; one more is refused at once.
    const QUEUE: usize = 4_096;
    /// The most requests in one commit.
    const BATCH: usize = 512;

    /// Starts the thread on this connection to these files.
    pub(crate) fn start(
        db: Connection,
        files: Arc<OpenedFiles>,
        head: Arc<LogHead>,
    ) -> std::io::Result<Self> {
        let (queue, requests) = sync_channel(Self::QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let counter = commits.clone();
        let work = move || write_batches(&db, &files, &requests, &head, &counter);
        let thread = obol_background::spawn("sqlite-writer", work)?;
        Ok(Self { queue: Some(queue), thread: Some(thread), commits, sweeping: AtomicBool::new(false) })
    }

    /// Runs `work` in a transaction and answers after that is on stable storage. A failure of `work` undoes what it
    /// did and nothing else. `now` lets rows go whose time is over, if this process sweeps.
    ///
    /// # Errors
    /// [`StoreError`]; `Unavailable` at once when too many requests wait.
    pub(crate) async fn write<T, W>(&self, now: Option<Timestamp>, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let now = now.filter(|_| self.sweeping.load(Ordering::Acquire));
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

    /// Says whether commits from now on let rows go. Only a server's do: its clock was looked at when it started.
    pub(crate) fn set_sweeping(&self, sweeping: bool) {
        self.sweeping.store(sweeping, Ordering::Release);
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

/// A request, its outcome before the commit, and who waits for it.
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
    files: &OpenedFiles,
    requests: &Receiver<Box<dyn Request>>,
    head: &LogHead,
    commits: &AtomicU64,
) {
    let mut failing = false;
    while let Ok(first) = requests.recv() {
        let mut batch = vec![first];
        batch.extend(requests.try_iter().take(Writer::BATCH - 1));
        batch.retain(|request| !request.is_given_up());
        if batch.is_empty() {
            continue;
        }
        let committed = commit_together(db, &mut batch, head);
        if committed.is_ok() {
            commits.fetch_add(1, Ordering::Relaxed);
        }
        let committed = committed.map_err(|error| StoreError::Unavailable(error.to_string()));
        // What went to a file that has been moved away is lost to whoever starts next.
        let committed = committed.and_then(|()| files.check());
        say_once(&committed, &mut failing);
        let not_committed = committed.err();
        for request in batch {
            request.answer(not_committed.as_ref());
        }
    }
}

/// Logs the first failure of a row of failures, and its end.
fn say_once(committed: &Result<(), StoreError>, failing: &mut bool) {
    let failed_before = std::mem::replace(failing, committed.is_err());
    match committed {
        Err(error) if !failed_before => tracing::error!(%error, "writes cannot be committed"),
        Ok(()) if failed_before => tracing::info!("writes are committed again"),
        _ => {}
    }
}

//! The threads that read, each on its own connection.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use obol_store::StoreError;
use rusqlite::{Connection, Result};
use tokio::sync::oneshot;

use crate::connection::open_for_reading;
use crate::error::store_error;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The queue to the reading threads. Dropped, it lets them finish what waits and end.
pub(crate) struct Readers {
    queue: Option<SyncSender<Read>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// How many reads run at once.
    const THREADS: usize = 2;
    /// The most reads that wait; one more is refused at once.
    const QUEUE: usize = 4_096;

    /// Starts the threads, each with a connection to `database`.
    pub(crate) fn start(database: &Path) -> Result<Self, StartError> {
        let (queue, reads) = sync_channel(Self::QUEUE);
        let reads = Arc::new(Mutex::new(reads));
        let mut readers = Self { queue: Some(queue), threads: Vec::with_capacity(Self::THREADS) };
        for number in 1..=Self::THREADS {
            let db = open_for_reading(database)?;
            let reads = reads.clone();
            let thread = std::thread::Builder::new()
                .name(format!("sqlite-reader-{number}"))
                .spawn(move || answer_reads(&db, &reads))?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Runs `work` on a reading connection.
    ///
    /// # Errors
    /// [`StoreError`]; `Unavailable` at once when too many reads wait.
    pub(crate) async fn read<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let read: Read = Box::new(move |db| {
            if !answer.is_closed() {
                // The caller may have gone meanwhile.
                let _ = answer.send(work(db).map_err(|error| store_error(&error)));
            }
        });
        let stopped = || StoreError::Unavailable("the reading threads have stopped".to_owned());
        match self.queue.as_ref().ok_or_else(stopped)?.try_send(read) {
            Ok(()) => answered.await.map_err(|_| stopped())?,
            Err(TrySendError::Full(_)) => {
                Err(StoreError::Unavailable("too many reads are waiting".to_owned()))
            }
            Err(TrySendError::Disconnected(_)) => Err(stopped()),
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Why a thread with a connection could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Connection(#[from] rusqlite::Error),
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

fn answer_reads(db: &Connection, reads: &Mutex<Receiver<Read>>) {
    loop {
        // An idle thread waits inside the lock; the guard is gone before the read runs.
        let next = reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(read) => read(db),
            Err(_) => return,
        }
    }
}

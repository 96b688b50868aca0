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
use crate::opened_files::OpenedFiles;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The queue to the reading threads. Dropped, it lets them finish what waits and end.
pub(crate) struct Readers {
    queue: Option<SyncSender<Read>>,
    threads: Vec<JoinHandle<()>>,
    files: Arc<OpenedFiles>,
}

impl Readers {
    /// The most reads that wait; one more is refused at once.
    const QUEUE: usize = 4_096;

    /// Starts the threads, named `name` and a number, each with a connection to `database`: so many reads run at once.
    pub(crate) fn start(
        database: &Path,
        files: Arc<OpenedFiles>,
        name: &str,
        threads: usize,
    ) -> Result<Self, StartError> {
        let (queue, reads) = sync_channel(Self::QUEUE);
        let reads = Arc::new(Mutex::new(reads));
        let mut readers = Self { queue: Some(queue), threads: Vec::with_capacity(threads), files };
        for number in 1..=threads {
            let db = open_for_reading(database)?;
            let reads = reads.clone();
            let work = move || answer_reads(&db, &reads);
            readers.threads.push(obol_background::spawn(&format!("{name}-{number}"), work)?);
        }
        Ok(readers)
    }

    /// Runs `work` on a reading connection, if the files are still in their places.
    ///
    /// # Errors
    /// [`StoreError`]; `Unavailable` at once when too many reads wait.
    pub(crate) async fn read<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let files = self.files.clone();
        let read: Read = Box::new(move |db| {
            if !answer.is_closed() {
                let outcome = files.check().and_then(|()| work(db).map_err(|error| store_error(&error)));
                // The caller may have gone meanwhile.
                let _ = answer.send(outcome);
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::mpsc::channel;
    use std::task::Poll;
    use std::time::Duration;

    use obol_store::{ChangeLog, Denials, Deny, Nodes};
    use obol_token::{Position, Timestamp};
    use tokio::time::timeout;

    use super::*;
    use crate::SqliteStore;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_flood_of_reads_does_not_keep_a_node_from_following_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path()).unwrap();
        let denial = store.deny(&Deny::Everything, Timestamp::from_secs(1)).await.unwrap();
        let (go_on, wait) = channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let mut flood = Vec::new();
        // Each waits for the end of the test; those that run hold a thread, the others fill the queue.
        let refused = loop {
            let wait = wait.clone();
            let mut read = Box::pin(store.readers.read(move |_| {
                let _ = wait.lock().unwrap_or_else(PoisonError::into_inner).recv();
                Ok(())
            }));
            match poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await {
                Poll::Pending => flood.push(read),
                Poll::Ready(refused) => break refused,
            }
        };
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert!(flood.len() >= Readers::QUEUE);

        let entries =
            timeout(PATIENCE, store.read_after(Position::START, 10)).await.expect("it waits").unwrap();
        assert_eq!(entries.last().map(|entry| entry.position), Some(denial.position()));
        assert_eq!(timeout(PATIENCE, store.live_peers(None)).await.expect("it waits"), Ok(Vec::new()));
        drop(go_on);
    }
}

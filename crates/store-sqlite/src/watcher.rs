//! The thread that notices what other processes commit to the same file.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, Result};

use crate::connection::open_for_reading;
use crate::log_head::LogHead;
use crate::readers::StartError;

/// The watching thread; dropped, it ends.
pub(crate) struct Watcher {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    const INTERVAL: Duration = Duration::from_millis(10);

    /// Starts the thread with a connection to `database`.
    pub(crate) fn start(database: &Path, head: Arc<LogHead>) -> Result<Self, StartError> {
        let db = open_for_reading(database)?;
        let (stop, stopped) = channel();
        let thread = obol_background::spawn("sqlite-watcher", move || watch(&db, &head, &stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(db: &Connection, head: &LogHead, stopped: &Receiver<()>) {
    let mut last_version = None;
    let mut failing = false;
    while stopped.recv_timeout(Watcher::INTERVAL) == Err(RecvTimeoutError::Timeout) {
        let looked = look(db, head, &mut last_version);
        if let (Err(error), false) = (&looked, failing) {
            tracing::warn!(%error, "cannot see whether other processes have written");
        }
        failing = looked.is_err();
    }
}

/// Reads the end of the log if any connection but this has committed something.
fn look(db: &Connection, head: &LogHead, last_version: &mut Option<i64>) -> Result<()> {
    let version = db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
    if *last_version != Some(version) {
        head.seen(LogHead::read(db)?);
        *last_version = Some(version);
    }
    Ok(())
}

//! The lock that says whether a server runs on this folder, and lets only one run.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where the lock is. The operating system frees it when its holder ends, however it ends.
#[derive(Clone)]
pub(crate) struct ServerLock {
    path: PathBuf,
}

/// Held until dropped.
pub(crate) struct Held(#[expect(dead_code, reason = "the open file is the lock")] File);

impl ServerLock {
    /// The lock of the server on this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { path: folder.join("server.lock") }
    }

    /// Takes it, unless it is taken.
    pub(crate) fn try_take(&self) -> io::Result<Option<Held>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&self.path)?;
        Ok(not_taken(file.try_lock())?.then(|| Held(file)))
    }

    /// Whether a server holds it. Takes it for a moment itself, shared, so that two who ask do not see each other.
    pub(crate) fn is_taken(&self) -> io::Result<bool> {
        match File::open(&self.path) {
            Ok(file) => not_taken(file.try_lock_shared()).map(|free| !free),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn not_taken(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

//! The lock that says whether a server runs on this folder, and lets only one run.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The lock is on the folder itself: no file can be deleted to free it, and every way to the folder leads to it. The
/// operating system frees it when its holder ends, however it ends.
#[derive(Clone)]
pub(crate) struct ServerLock {
    folder: PathBuf,
}

/// Held until dropped.
pub(crate) struct Held(#[expect(dead_code, reason = "the open folder is the lock")] File);

impl ServerLock {
    /// The lock of the server on this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Takes it, unless it is taken.
    pub(crate) fn try_take(&self) -> io::Result<Option<Held>> {
        let folder = File::open(&self.folder)?;
        Ok(not_taken(folder.try_lock())?.then(|| Held(folder)))
    }

    /// Whether a server holds it. Takes it for a moment itself, shared, so that two who ask do not see each other.
    pub(crate) fn is_taken(&self) -> io::Result<bool> {
        let folder = File::open(&self.folder)?;
        not_taken(folder.try_lock_shared()).map(|free| !free)
    }
}

fn not_taken(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use obol_store::{NodeId, Nodes, StoreError};

    use super::*;
    use crate::SqliteStore;

    const THIS: NodeId = NodeId::from_bytes([1; 16]);
    const OTHER: NodeId = NodeId::from_bytes([2; 16]);

    async fn assert_refused(second: &SqliteStore) {
        let refused = second.register_node(OTHER).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn deleting_every_file_does_not_free_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = SqliteStore::open(folder.path()).unwrap();
        first.register_node(THIS).await.unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let second = SqliteStore::open(folder.path()).unwrap();
        assert!(ServerLock::new(folder.path()).is_taken().unwrap());
        assert_refused(&second).await;

        first.leave(THIS).await.unwrap();
        second.register_node(OTHER).await.unwrap();
    }

    #[tokio::test]
    async fn through_a_symbolic_link_to_the_folder_it_is_the_same() {
        let parent = tempfile::tempdir().unwrap();
        let (folder, link) = (parent.path().join("data"), parent.path().join("link"));
        let first = SqliteStore::open(&folder).unwrap();
        symlink(&folder, &link).unwrap();
        let second = SqliteStore::open(&link).unwrap();
        first.register_node(THIS).await.unwrap();
        assert_refused(&second).await;
        let peers = second.live_peers(None).await.unwrap();
        assert_eq!(peers.iter().map(|peer| peer.node).collect::<Vec<_>>(), [THIS]);
    }

    #[test]
    fn where_there_is_no_folder_it_is_not_free() {
        let parent = tempfile::tempdir().unwrap();
        let lock = ServerLock::new(&parent.path().join("gone"));
        assert_eq!(lock.is_taken().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(lock.try_take().err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
    }
}

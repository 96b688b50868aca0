//! Notices that the database is no longer the file that its name leads to: what is written to it then would be lost.

use std::fs::symlink_metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use obol_store::StoreError;

/// Which files were opened: the database, its write-ahead log, and the index of that.
///
/// SQLite keeps the same three files as long as a connection is open, whatever it and other processes do with them.
pub(crate) struct OpenedFiles(Vec<(PathBuf, Identity)>);

impl OpenedFiles {
    /// Notes the database before the first connection to it.
    pub(crate) fn note_database(database: &Path) -> io::Result<Self> {
        Ok(Self(vec![(database.to_owned(), Identity::of(database)?)]))
    }

    /// Notes the other two as well, which are there after the first read.
    pub(crate) fn and_log(mut self) -> io::Result<Self> {
        let database = self.0.first().map(|(path, _)| path.clone()).unwrap_or_default();
        for end in ["-wal", "-shm"] {
            let mut path = database.clone().into_os_string();
            path.push(end);
            let path = PathBuf::from(path);
            let identity = Identity::of(&path)?;
            self.0.push((path, identity));
        }
        Ok(self)
    }

    /// Whether they are still in their places.
    ///
    /// # Errors
    /// `Unavailable` if one is not, or if that cannot be seen.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.0.iter().try_for_each(|(path, opened)| match Identity::of(path) {
            Ok(found) if found == *opened => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Unavailable(format!("{}: {error}", path.display())))
            }
            _ => Err(replaced(path)),
        })
    }
}

fn replaced(path: &Path) -> StoreError {
    let name = path.file_name().unwrap_or_default().display();
    StoreError::Unavailable(format!(
        "{name} was replaced or removed under the running server; put it back or restart"
    ))
}

/// The device and the number of a file on it; a symbolic link is a file of its own.
#[derive(PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        symlink_metadata(path).map(|metadata| Self(metadata.dev(), metadata.ino()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use obol_store::{Appended, ChangeLog, Denials, Deny, NodeId, Nodes};
    use obol_token::{Position, Timestamp};

    use crate::SqliteStore;

    use super::*;

    const THIS: NodeId = NodeId::from_bytes([1; 16]);

    async fn deny(store: &SqliteStore) -> Result<Appended, StoreError> {
        store.deny(&Deny::Everything, Timestamp::from_secs(1)).await
    }

    fn assert_says<T: std::fmt::Debug>(outcome: Result<T, StoreError>, name: &str) {
        let expected = format!("{name} was replaced or removed");
        assert!(
            matches!(&outcome, Err(StoreError::Unavailable(why)) if why.starts_with(&expected)),
            "{name}: {outcome:?}"
        );
    }

    /// Moves a file of a running server away, puts `instead` in its place, and then puts it back.
    async fn everything_is_unavailable_meanwhile(name: &str, instead: impl Fn(&Path, &Path)) {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir_in(folder.path()).unwrap();
        let (place, away) = (folder.path().join(name), elsewhere.path().join("away"));
        let store = SqliteStore::open(folder.path()).unwrap();
        let _ = deny(&store).await.unwrap();

        fs::rename(&place, &away).unwrap();
        instead(&away, &place);
        assert_says(deny(&store).await, name);
        assert_says(store.read_after(Position::START, 10).await, name);
        assert_says(store.swept_through().await, name);
        assert_says(store.live_peers(None).await, name);
        assert_says(store.register_node(THIS).await, name);

        fs::rename(&away, &place).unwrap();
        store.register_node(THIS).await.unwrap();
        let denied = deny(&store).await.unwrap();
        let entries = store.read_after(Position::START, 10).await.unwrap();
        assert_eq!(entries.last().map(|entry| entry.position), Some(denied.position()));
    }

    #[tokio::test]
    async fn while_a_file_is_removed_nothing_is_answered_as_done() {
        for name in ["obol.db", "obol.db-wal", "obol.db-shm"] {
            everything_is_unavailable_meanwhile(name, |_, _| ()).await;
        }
    }

    #[tokio::test]
    async fn while_a_copy_is_in_its_place_nothing_is_answered_as_done() {
        for name in ["obol.db", "obol.db-wal", "obol.db-shm"] {
            everything_is_unavailable_meanwhile(name, |away, place| {
                fs::copy(away, place).unwrap();
            })
            .await;
        }
    }

    #[tokio::test]
    async fn while_a_symbolic_link_is_in_its_place_nothing_is_answered_as_done() {
        everything_is_unavailable_meanwhile("obol.db", |away, place| symlink(away, place).unwrap()).await;
    }

    #[tokio::test]
    async fn while_another_folder_is_in_the_place_of_its_own_nothing_is_answered_as_done() {
        let parent = tempfile::tempdir().unwrap();
        let (place, away) = (parent.path().join("data"), parent.path().join("away"));
        let store = SqliteStore::open(&place).unwrap();
        store.register_node(THIS).await.unwrap();
        fs::rename(&place, &away).unwrap();
        let _other = SqliteStore::open(&place).unwrap();
        assert_says(deny(&store).await, "obol.db");
        assert_says(store.read_after(Position::START, 10).await, "obol.db");
    }
}

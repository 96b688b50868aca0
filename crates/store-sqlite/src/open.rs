//! Opening the store.

use std::fs::{DirBuilder, File, OpenOptions, symlink_metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::Notify;

use crate::connection::{enter_wal_mode, open_for_writing};
use crate::log_head::LogHead;
use crate::migrations::{self, MigrateError};
use crate::nodes::ThisServer;
use crate::opened_files::OpenedFiles;
use crate::readers::{Readers, StartError};
use crate::server_lock::ServerLock;
use crate::watcher::Watcher;
use crate::writer::Writer;

/// The store in one SQLite file. Dropped, it finishes what waits and stops its threads.
///
/// Several processes may have the same folder open. Methods must be called within a tokio runtime with time.
pub struct SqliteStore {
    // Dropped in this order: the last connection to close has to be one that may tidy up the write-ahead log.
    _watcher: Watcher,
    pub(crate) readers: Readers,
    /// For what a lease depends on: reads that anybody can cause must not stand before them in the queue.
    pub(crate) log_readers: Readers,
    pub(crate) writer: Writer,
    pub(crate) head: Arc<LogHead>,
    pub(crate) server_lock: ServerLock,
    pub(crate) this_server: ThisServer,
    /// Sessions may have ended through this store.
    pub(crate) sessions_ended: Notify,
}

/// Why a store could not be opened. Each sentence says what to change.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path, or one on the way to it, is a file.
    #[error("{path} is not a folder: choose another data folder, or move that file away", path = .0.display())]
    NotAFolder(PathBuf),
    /// The folder or the database cannot be made or written.
    #[error("cannot write {path} ({cause}): give this user the right to write there, or choose another data folder", path = .path.display())]
    NotWritable {
        /// What cannot be written.
        path: PathBuf,
        /// The system's reason.
        cause: String,
    },
    /// The database is a symbolic link, so that servers on two folders could use it without seeing each other.
    #[error("{path} is a symbolic link: put the file itself there, or choose the folder that it is in", path = .0.display())]
    SymbolicLink(PathBuf),
    /// The database has more names than one, with the same danger.
    #[error("{path} has {names} names (hard links): remove the others, or put a copy in its place", path = .path.display())]
    HardLinks {
        /// The database.
        path: PathBuf,
        /// How many names it has.
        names: u64,
    },
    /// The file was not made by obol.
    #[error("{path} is not a database of obol: move it away, or choose another data folder", path = .0.display())]
    NotOurs(PathBuf),
    /// A later version of obol has used this database.
    #[error("{path} has schema {found}, and this version of obol knows schemas up to {known}: use a newer version, or restore a backup made before the upgrade", path = .path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// The schema it has.
        found: u32,
        /// The last schema that this version knows.
        known: u32,
    },
    /// The database was made by a build with another text of a migration.
    #[error("migration {number} of {path} is not the one of this version of obol: use the build that made it, or restore a backup", path = .path.display())]
    OtherMigration {
        /// The database.
        path: PathBuf,
        /// Which migration.
        number: u32,
    },
    /// The file is damaged.
    #[error("{path} is damaged ({cause}): restore a backup", path = .path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// SQLite's reason.
        cause: String,
    },
    /// Full disk, a lock that does not go away, no more threads, or another failure of the system.
    #[error("cannot open {path} ({cause}): mend that and start again", path = .path.display())]
    Unavailable {
        /// The database.
        path: PathBuf,
        /// The system's reason.
        cause: String,
    },
}

impl SqliteStore {
    /// Whether there is something to open in `folder`, or something in the way of finding out.
    pub fn is_in(folder: &Path) -> bool {
        folder.join("obol.db").try_exists().unwrap_or(true)
    }

    /// Opens `obol.db` in `folder`. Makes both if they are not there, readable by their owner alone, and brings the
    /// database to the present schema.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let database = folder.join("obol.db");
        make_folder(folder)?;
        refuse_links(&database)?;
        make_file(&database).map_err(|error| not_writable(&database, &error))?;
        let unavailable = |cause: String| OpenError::Unavailable { path: database.clone(), cause };
        let files = OpenedFiles::note_database(&database).map_err(|error| unavailable(error.to_string()))?;
        let db = prepare(&database)?;
        let head = LogHead::read(&db).map_err(|error| sqlite_failed(&database, &error))?;
        let head = Arc::new(LogHead::new(head));
        let files = Arc::new(files.and_log().map_err(|error| unavailable(error.to_string()))?);
        let start = || -> Result<Self, StartError> {
            Ok(Self {
                _watcher: Watcher::start(&database, head.clone())?,
                readers: Readers::start(&database, files.clone(), "sqlite-reader", 2)?,
                log_readers: Readers::start(&database, files.clone(), "sqlite-log-reader", 1)?,
                writer: Writer::start(db, files.clone(), head.clone())?,
                head,
                server_lock: ServerLock::new(folder),
                this_server: ThisServer::default(),
                sessions_ended: Notify::new(),
            })
        };
        let store = start().map_err(|error| match error {
            StartError::Connection(error) => sqlite_failed(&database, &error),
            StartError::Thread(error) => unavailable(error.to_string()),
        })?;
        files.check().map_err(|error| unavailable(error.to_string()))?;
        Ok(store)
    }

    /// How many transactions this store has committed. Many requests share one when they arrive together.
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }
}

fn make_folder(folder: &Path) -> Result<(), OpenError> {
    match DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory) => {
            Err(OpenError::NotAFolder(folder.to_owned()))
        }
        Err(error) => Err(not_writable(folder, &error)),
    }
}

/// Two folders with one database would be two locks for it.
fn refuse_links(database: &Path) -> Result<(), OpenError> {
    match symlink_metadata(database) {
        Ok(found) if found.is_symlink() => Err(OpenError::SymbolicLink(database.to_owned())),
        Ok(found) if found.is_file() && found.nlink() > 1 => {
            Err(OpenError::HardLinks { path: database.to_owned(), names: found.nlink() })
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(not_writable(database, &error)),
        _ => Ok(()),
    }
}

/// Makes an empty database file for its owner alone, and its name durable; SQLite gives its other files the same mode.
fn make_file(database: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(database) {
        Ok(file) => {
            file.sync_all()?;
            database.ancestors().skip(1).take(2).filter(|folder| folder.is_dir()).try_for_each(sync_folder)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().write(true).open(database).map(drop)
        }
        Err(error) => Err(error),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The writing connection, to a database with the present schema.
fn prepare(database: &Path) -> Result<Connection, OpenError> {
    let failed = |error| sqlite_failed(database, &error);
    let db = open_for_writing(database).map_err(failed)?;
    migrations::migrate(&db).map_err(|error| migration_failed(database, error))?;
    enter_wal_mode(&db).map_err(failed)?;
    Ok(db)
}

fn not_writable(path: &Path, error: &io::Error) -> OpenError {
    OpenError::NotWritable { path: path.to_owned(), cause: error.to_string() }
}

fn migration_failed(database: &Path, error: MigrateError) -> OpenError {
    let path = database.to_owned();
    match error {
        MigrateError::NotOurs => OpenError::NotOurs(path),
        MigrateError::Newer { found, known } => OpenError::Newer { path, found, known },
        MigrateError::Changed { number } => OpenError::OtherMigration { path, number },
        MigrateError::Sqlite(error) => sqlite_failed(database, &error),
    }
}

fn sqlite_failed(database: &Path, error: &rusqlite::Error) -> OpenError {
    let (path, cause) = (database.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotOurs(path),
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, cause },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            OpenError::NotWritable { path, cause }
        }
        _ => OpenError::Unavailable { path, cause },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use obol_store::{ChangeLog, Denials, Deny};
    use obol_token::{Position, Timestamp};

    use super::*;

    fn refusal(folder: &Path) -> OpenError {
        SqliteStore::open(folder).err().expect("it was opened")
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn what_it_makes_is_for_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/data");
        let store = SqliteStore::open(&folder).unwrap();
        let _ = store.deny(&Deny::Everything, Timestamp::from_secs(1)).await.unwrap();
        assert_eq!(mode(&folder), 0o700);
        for name in ["obol.db", "obol.db-wal", "obol.db-shm"] {
            assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
        }
    }

    #[tokio::test]
    async fn closing_stops_the_threads_and_leaves_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path()).unwrap();
        let denial = store.deny(&Deny::Everything, Timestamp::from_secs(1)).await.unwrap();
        drop(store);
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["obol.db"]);

        let store = SqliteStore::open(folder.path()).unwrap();
        let entries = store.read_after(Position::START, 10).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), [denial.position()]);
    }

    #[test]
    fn first_starts_at_the_same_moment_all_succeed() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| SqliteStore::open(&folder.path().join("data")).map(drop).unwrap());
                }
            });
        }
    }

    #[test]
    fn a_start_that_was_interrupted_before_the_schema_is_completed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("obol.db"), "").unwrap();
        drop(SqliteStore::open(folder.path()).unwrap());
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_said() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        for folder in [file.clone(), file.join("data")] {
            let error = refusal(&folder);
            assert!(matches!(error, OpenError::NotAFolder(_)), "{error:?}");
            assert!(error.to_string().contains("choose another data folder"), "{error}");
        }
    }

    #[test]
    fn a_place_where_nothing_can_be_made_is_said() {
        // Not even the superuser can make a folder there.
        let error = refusal(Path::new("/proc/obol-data"));
        assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
    }

    #[test]
    fn files_of_others_are_left_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("obol.db");
        let other = Connection::open(&database).unwrap();
        other.execute_batch("CREATE TABLE theirs (x)").unwrap();
        drop(other);
        let sqlite = fs::read(&database).unwrap();
        for content in [sqlite, vec![b'x'; 8_192], b"short".to_vec()] {
            fs::write(&database, &content).unwrap();
            let error = refusal(folder.path());
            assert!(matches!(error, OpenError::NotOurs(_)), "{error:?}");
            assert!(fs::read(&database).unwrap() == content);
        }
    }

    #[test]
    fn a_database_that_is_a_symbolic_link_is_refused() {
        let [folder, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        symlink(folder.path().join("obol.db"), other.path().join("obol.db")).unwrap();
        let dangling = refusal(other.path());
        drop(SqliteStore::open(folder.path()).unwrap());
        for error in [dangling, refusal(other.path())] {
            assert!(matches!(error, OpenError::SymbolicLink(_)), "{error:?}");
            assert!(error.to_string().contains("put the file itself there"), "{error}");
        }
    }

    #[test]
    fn a_database_with_two_names_is_refused_under_both_until_one_is_removed() {
        let [folder, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        drop(SqliteStore::open(folder.path()).unwrap());
        let name = other.path().join("obol.db");
        fs::hard_link(folder.path().join("obol.db"), &name).unwrap();
        for folder in [&folder, &other] {
            let error = refusal(folder.path());
            assert!(matches!(error, OpenError::HardLinks { names: 2, .. }), "{error:?}");
            assert!(error.to_string().contains("remove the others"), "{error}");
        }
        fs::remove_file(name).unwrap();
        drop(SqliteStore::open(folder.path()).unwrap());
    }

    #[test]
    fn the_sentence_about_a_newer_schema_names_both_versions() {
        let folder = tempfile::tempdir().unwrap();
        drop(SqliteStore::open(folder.path()).unwrap());
        let newer = Connection::open(folder.path().join("obol.db")).unwrap();
        newer.execute("INSERT INTO migrations (number, checksum) VALUES (7777, 0)", []).unwrap();
        drop(newer);
        let sentence = refusal(folder.path()).to_string();
        let known = format!("up to {}", migrations::MIGRATIONS.len());
        assert!(sentence.contains("schema 7777") && sentence.contains(&known), "{sentence}");
    }
}

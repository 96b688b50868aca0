//! A copy of the database while it is in use, and putting one back.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use obol_store::{Denials, Deny, StoreError};
use obol_token::{Position, Timestamp};
use rusqlite::{Connection, OpenFlags};

use crate::server_lock::ServerLock;
use crate::{OpenError, SqliteStore};

/// Why a backup could not be made or put back. Each sentence says what to change.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is in the way.
    #[error("{path} is there already: name another file, or move it away first", path = .0.display())]
    InTheWay(PathBuf),
    /// A server uses the folder.
    #[error("a server is running on {folder}: stop it first (obol drain)", folder = .0.display())]
    ServerRuns(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot use {path} ({cause}): mend that and try again", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        cause: String,
    },
    /// The backup is no database of this version, or damaged.
    #[error("the backup cannot be put back: {0}")]
    Unfit(#[from] OpenError),
    /// The copy could not be made ready.
    #[error("the backup cannot be put back: {0}")]
    Store(#[from] StoreError),
}

impl SqliteStore {
    /// Writes what the database of `folder` holds at this moment to a new file, readable by its owner alone. Servers go on
    /// meanwhile. Holds as long as copying takes.
    ///
    /// # Errors
    /// [`BackupError`]; no half file stays.
    pub fn back_up(folder: &Path, to: &Path) -> Result<(), BackupError> {
        let failed = |cause: String| BackupError::File { path: to.to_owned(), cause };
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
        let file = made.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::InTheWay(to.to_owned()),
            _ => failed(error.to_string()),
        })?;
        let copied = copy_into(&folder.join("obol.db"), to)
            .and_then(|()| file.sync_all().map_err(|error| error.to_string()))
            .and_then(|()| sync_folder_of(to).map_err(|error| error.to_string()));
        copied.map_err(|cause| {
            let _ = fs::remove_file(to);
            failed(cause)
        })
    }

    /// Puts a backup into `folder`, which must have no database. Everything that was issued before, also after the backup was
    /// made, is refused from then on, and no key of the backup opens or verifies any more: it does not know what was revoked and
    /// retired meanwhile.
    ///
    /// # Errors
    /// [`BackupError`]; nothing has changed then.
    pub async fn put_back(backup: &Path, folder: &Path, now: Timestamp) -> Result<Position, BackupError> {
        let database = folder.join("obol.db");
        let failed = |path: &Path, error: io::Error| BackupError::File {
            path: path.to_owned(),
            cause: error.to_string(),
        };
        File::open(backup).map_err(|error| failed(backup, error))?;
        fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        let lock = ServerLock::new(folder).try_take().map_err(|error| failed(folder, error))?;
        let Some(_lock) = lock else { return Err(BackupError::ServerRuns(folder.to_owned())) };
        if database.try_exists().map_err(|error| failed(&database, error))? {
            return Err(BackupError::InTheWay(database));
        }
        // Made ready aside: a restore that is cut off leaves no database that forgets what was revoked.
        let aside = Aside::in_folder(folder).map_err(|error| failed(folder, error))?;
        let ready = make_ready(backup, &aside.0, now).await?;
        let copy = aside.0.join("obol.db");
        fs::rename(&copy, &database).map_err(|error| failed(&database, error))?;
        sync_folder_of(&database).map_err(|error| failed(folder, error))?;
        Ok(ready)
    }
}

async fn make_ready(backup: &Path, aside: &Path, now: Timestamp) -> Result<Position, BackupError> {
    let copy = aside.join("obol.db");
    let failed = |cause: String| BackupError::File { path: copy.clone(), cause };
    fs::copy(backup, &copy).map_err(|error| failed(error.to_string()))?;
    let check = Connection::open(&copy)
        .and_then(|db| db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)));
    match check {
        Ok(found) if found == "ok" => {}
        Ok(found) => return Err(OpenError::Damaged { path: backup.to_owned(), cause: found }.into()),
        Err(error) => {
            return Err(OpenError::Damaged { path: backup.to_owned(), cause: error.to_string() }.into());
        }
    }
    let store = SqliteStore::open(aside)?;
    store.retire_all_keys(now).await?;
    let denied = store.deny(&Deny::Everything, now).await?;
    drop(store);
    // The last to close has moved all of the log into the file.
    let log = aside.join("obol.db-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(failed("its log was not taken in".to_owned()));
    }
    let file = File::open(&copy).map_err(|error| failed(error.to_string()))?;
    give_to_owner_of(aside, &file).map_err(|error| failed(error.to_string()))?;
    file.sync_all().map_err(|error| failed(error.to_string()))?;
    Ok(denied.position())
}

/// What root puts back is to be the server's own.
fn give_to_owner_of(aside: &Path, file: &File) -> io::Result<()> {
    let folder = fs::metadata(aside.parent().unwrap_or(aside))?;
    match file.metadata()?.uid() == folder.uid() {
        true => Ok(()),
        false => std::os::unix::fs::fchown(file, Some(folder.uid()), Some(folder.gid())),
    }
}

fn copy_into(database: &Path, to: &Path) -> Result<(), String> {
    let to = to.to_str().ok_or("its name is not UTF-8")?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copied =
        Connection::open_with_flags(database, flags).and_then(|db| db.execute("VACUUM INTO $1", [to]));
    copied.map(drop).map_err(|error| error.to_string())
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A folder that goes with this value.
struct Aside(PathBuf);

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Aside {
    /// A new one, in place of what an earlier restore has left when it was cut off. For who holds the lock of `folder`.
    fn in_folder(folder: &Path) -> io::Result<Self> {
        let path = folder.join("restore.part");
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use obol_store::{
        ChangeLog, Codes, Consent, Consents, NewCode, NewFamily, NewSession, NodeId, Nodes, RedeemOutcome,
        Redemption, Sessions,
    };
    use obol_token::{ClientId, Denied, Expiry, FamilyId, SecretHash, SessionId, SubjectId, TokenId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    async fn deny(store: &SqliteStore, number: u8) -> Position {
        let deny = Deny::Token { id: TokenId::from_bytes([number; 16]), expires_at: Expiry::Never };
        store.deny(&deny, NOW).await.unwrap().position()
    }

    #[tokio::test]
    async fn a_backup_has_what_was_there_and_once_put_back_refuses_all_that_was_issued_since() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let backup = other.path().join("backup");
        let store = SqliteStore::open(folder.path()).unwrap();
        deny(&store, 1).await;
        SqliteStore::back_up(folder.path(), &backup).unwrap();
        assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = SqliteStore::back_up(folder.path(), &backup);
        assert!(matches!(refused, Err(BackupError::InTheWay(_))), "{refused:?}");
        let mut last = Position::START;
        for number in 2..100 {
            last = deny(&store, number).await;
        }

        let restored = other.path().join("restored");
        let position = SqliteStore::put_back(&backup, &restored, NOW).await.unwrap();
        assert!(position > last, "tokens were issued up to {last}");
        let store = SqliteStore::open(&restored).unwrap();
        let entries = store.read_after(Position::START, 1_000).await.unwrap();
        let denied: Vec<_> = entries
            .iter()
            .filter_map(|entry| match &entry.change {
                obol_store::Change::Denied(denial) => Some((denial.what.clone(), denial.position)),
                _ => None,
            })
            .collect();
        let token = Denied::Token(TokenId::from_bytes([1; 16]));
        assert_eq!(denied, [(token, Position::new(1)), (Denied::Everything, position)]);
        assert!(!restored.join("restore.part").exists());
    }

    #[tokio::test]
    async fn no_session_and_no_code_of_a_backup_is_good() {
        let folder = tempfile::tempdir().unwrap();
        let (used, restored) = (folder.path().join("used"), folder.path().join("restored"));
        let backup = folder.path().join("backup");
        let store = SqliteStore::open(&used).unwrap();
        let (session, redemption) = give_code(&store).await;
        assert!(store.find_session(session.secret, NOW).await.unwrap().is_some());
        SqliteStore::back_up(&used, &backup).unwrap();
        // It was good where it was made.
        assert_eq!(store.redeem_code(&redemption).await, Ok(RedeemOutcome::First(None)));

        SqliteStore::put_back(&backup, &restored, NOW).await.unwrap();
        let store = SqliteStore::open(&restored).unwrap();
        assert_eq!(store.find_session(session.secret, NOW).await, Ok(None));
        assert!(store.find_code(redemption.hash).await.unwrap().is_some());
        assert_eq!(store.redeem_code(&redemption).await, Ok(RedeemOutcome::Gone));
    }

    /// A person signs in and gives a client a code.
    async fn give_code(store: &SqliteStore) -> (NewSession, Redemption) {
        let (subject, position) = (SubjectId::from_bytes([7; 16]), Position::new(1));
        let client_id = ClientId::new("c").unwrap();
        let rows = "INSERT INTO clients (id, name, enabled, grants, default_scopes, optional_scopes, redirect_uris, \
             access_lifetime_secs, refresh_lifetime_secs, may_introspect, single_family, created_at) \
             VALUES ('c', '', TRUE, '', '', '', '', 0, 0, FALSE, FALSE, 0);
             INSERT INTO users (id, username, password, enabled, created_at) \
             VALUES (x'07070707070707070707070707070707', 'alice', '', TRUE, 0)";
        store.writer.write(None, move |db| db.execute_batch(rows)).await.unwrap();
        let session = NewSession {
            id: SessionId::from_bytes([1; 16]),
            secret: SecretHash::from_bytes([1; 32]),
            subject,
            authenticated_at: NOW,
            methods: String::new(),
            idle_ends_at: NOW.plus_secs(60),
            ends_at: NOW.plus_secs(60),
            user_agent: String::new(),
            source: String::new(),
            position,
        };
        store.begin_session(&session, None).await.unwrap();
        let scopes = obol_token::Scopes::default();
        let consent =
            Consent { subject, client_id: client_id.clone(), scopes: scopes.clone(), given_at: NOW };
        store.give_consent(&consent).await.unwrap();
        let code = NewCode {
            hash: SecretHash::from_bytes([2; 32]),
            client_id: client_id.clone(),
            subject,
            session: session.id,
            details: String::new(),
            issued_at: NOW,
            expires_at: NOW.plus_secs(60),
            position,
        };
        store.add_code(&code).await.unwrap();
        let family = NewFamily {
            id: FamilyId::from_bytes([3; 16]),
            client_id,
            subject,
            scopes,
            lineage: SecretHash::from_bytes([4; 32]),
            current: SecretHash::from_bytes([5; 32]),
            issued_at: NOW,
            refresh_expires_at: Expiry::Never,
            access_expires_at: Expiry::Never,
            single: false,
            session: Some(session.id),
            details: String::new(),
            position,
        };
        (session, Redemption { hash: code.hash, family, told_of_end: None, grace_secs: 0, now: NOW })
    }

    #[tokio::test]
    async fn nothing_is_put_over_a_database_nor_under_a_server_and_no_rubbish_is_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let backup = folder.path().join("backup");
        let used = folder.path().join("used");
        let store = SqliteStore::open(&used).unwrap();
        SqliteStore::back_up(&used, &backup).unwrap();
        let refused = SqliteStore::put_back(&backup, &used, NOW).await;
        assert!(matches!(refused, Err(BackupError::InTheWay(_))), "{refused:?}");
        store.register_node(NodeId::from_bytes([1; 16])).await.unwrap();
        let refused = SqliteStore::put_back(&backup, &used, NOW).await;
        assert!(matches!(refused, Err(BackupError::ServerRuns(_))), "{refused:?}");

        let new = folder.path().join("new");
        let rubbish = folder.path().join("rubbish");
        let mut damaged = fs::read(&backup).unwrap();
        damaged[4096..8192].fill(0xff);
        for bytes in [b"no database".to_vec(), damaged] {
            fs::write(&rubbish, bytes).unwrap();
            let refused = SqliteStore::put_back(&rubbish, &new, NOW).await;
            assert!(matches!(refused, Err(BackupError::Unfit(_))), "{refused:?}");
            assert!(!SqliteStore::is_in(&new));
        }
        let refused = SqliteStore::put_back(&folder.path().join("none"), &new, NOW).await;
        assert!(matches!(refused, Err(BackupError::File { .. })), "{refused:?}");
    }
}

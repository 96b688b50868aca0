//! PostgreSQL's programs, run by a user that they accept: they refuse the superuser.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Where the programs are, and who runs them.
#[derive(Clone)]
pub(super) struct Programs {
    folder: PathBuf,
    /// User and group to step down to; `None` when the test does not run as root.
    user: Option<(u32, u32)>,
}

impl Programs {
    /// Finds them: Debian's newest version, or those on the path.
    pub(super) fn find() -> Result<Self, String> {
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let version = entry.ok()?.path();
                let number = version.file_name()?.to_str()?.parse().ok()?;
                Some((number, version.join("bin")))
            })
            .filter(|(_, folder)| folder.join("initdb").exists())
            .collect();
        versions.sort_unstable();
        let folder = versions.pop().map(|(_, folder)| folder).or_else(on_the_path);
        let folder = folder.ok_or("initdb was not found; install the Debian package postgresql")?;
        let user = rustix::process::geteuid().is_root().then(user_to_step_down_to).transpose()?;
        Ok(Self { folder, user })
    }

    /// One of them, to be run by the right user.
    pub(super) fn command(&self, name: &str) -> Command {
        self.by_user(Command::new(self.folder.join(name)))
    }

    /// A shell, run by the same user.
    pub(super) fn shell(&self) -> Command {
        self.by_user(Command::new("sh"))
    }

    fn by_user(&self, mut command: Command) -> Command {
        // A folder that the user may enter, whatever the test's own.
        command.current_dir("/").env("LC_ALL", "C").env_remove("PGOPTIONS");
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// A folder that the user owns. Its path is short: a socket's may have 107 bytes.
    pub(super) fn folder(&self) -> Result<TempDir, String> {
        let folder = tempfile::Builder::new().prefix("obol-pg-").tempdir_in("/tmp");
        let folder = folder.map_err(|error| error.to_string())?;
        self.give(folder.path())?;
        Ok(folder)
    }

    /// Makes a file or folder the user's own.
    pub(super) fn give(&self, path: &Path) -> Result<(), String> {
        match self.user {
            Some((user, group)) => chown(path, Some(user), Some(group)).map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }
}

/// Runs a command to its end and gives what it wrote, or what it complained about.
pub(super) fn output(mut command: Command) -> Result<String, String> {
    let ran = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if ran.status.success() { Ok(text(&ran.stdout)) } else { Err(text(&ran.stderr)) }
}

fn on_the_path() -> Option<PathBuf> {
    let found = output({
        let mut which = Command::new("sh");
        which.args(["-c", "command -v initdb"]);
        which
    });
    Some(PathBuf::from(found.ok()?.trim()).canonicalize().ok()?.parent()?.to_owned())
}

fn user_to_step_down_to() -> Result<(u32, u32), String> {
    let users = fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).ok_or_else(|| "there is no user postgres or nobody".to_owned())
}

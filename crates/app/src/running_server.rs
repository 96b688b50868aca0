//! The file that says which process serves a data folder, so that commands can tell it to stop.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// This process's note in its data folder; dropping it takes the note away.
pub(crate) struct RunningServer(PathBuf);

impl RunningServer {
    /// Notes that this process serves this folder.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn note(folder: &Path) -> anyhow::Result<Self> {
        let path = note_in(folder);
        let write = || -> io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            writeln!(file, "{}", std::process::id())
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(%error, "the note of the process stays");
        }
    }
}

/// Another process that serves a data folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Other(Pid);

impl Other {
    /// The process that serves this folder, if one does. A note that a killed server has left is none.
    pub(crate) fn find(folder: &Path) -> Option<Self> {
        let number: u32 = fs::read_to_string(note_in(folder)).ok()?.trim().parse().ok()?;
        let other = Self(Pid::from_raw(i32::try_from(number).ok()?)?);
        other.serves().then_some(other)
    }

    /// Tells it to stop.
    ///
    /// # Errors
    /// When this user may not.
    pub(crate) fn stop(self) -> io::Result<()> {
        Ok(kill_process(self.0, Signal::TERM)?)
    }

    /// Whether it still runs. One that has ended and that its parent has not asked after does not.
    pub(crate) fn runs(self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.as_raw_nonzero())).unwrap_or_default();
        // The name, in parentheses, may hold anything; the state follows it.
        let state = stat.rsplit_once(") ").map_or("", |(_name, rest)| rest);
        !state.is_empty() && !state.starts_with('Z')
    }

    /// Its number may be another program's by now.
    fn serves(self) -> bool {
        let command = fs::read(format!("/proc/{}/cmdline", self.0.as_raw_nonzero())).unwrap_or_default();
        self.runs() && command.split(|byte| *byte == 0).any(|word| word == b"serve")
    }
}

fn note_in(folder: &Path) -> PathBuf {
    folder.join("server.pid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_ended_does_not_run_though_nobody_has_asked_after_it() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let other = Other(Pid::from_child(&child));
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while other.runs() {
            assert!(std::time::Instant::now() < until, "it counts as running");
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!other.runs());
    }

    #[test]
    fn a_note_of_a_process_that_does_not_serve_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Other::find(folder.path()).is_none(), "no note");
        let note = RunningServer::note(folder.path()).unwrap();
        assert!(Other::find(folder.path()).is_none(), "this test is no server");
        drop(note);
        assert!(!note_in(folder.path()).exists());
        for text in ["", "no number", "0", "-1", "999999999"] {
            fs::write(note_in(folder.path()), text).unwrap();
            assert!(Other::find(folder.path()).is_none(), "{text:?}");
        }
    }
}

//! A disk that fails on command: a library in C, compiled when the test runs and loaded before the server's own.
//!
//! Unlike the limit of [`crate::Server::refuse_writes`] it knows each errno that a disk has, fails syncs, and can lose
//! what a failed sync left unwritten. And its flushes can take time, as those of a disk do that keeps its promise.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::{Installation, ServerBuilder};

const SHIM: &str = include_str!("shim.c");

/// How the disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No room: no byte can be written and no file made (`ENOSPC`).
    Full,
    /// The file system has become read-only (`EROFS`).
    ReadOnly,
    /// Everything can be written, and nothing is said to be on stable storage (`EIO`).
    SyncFails,
    /// The same, and what was written since the last good sync is gone.
    SyncLoses,
    /// Writes fail as on a broken device (`EIO`).
    Broken,
}

/// The disk below one installation's data folder.
pub struct FaultyDisk {
    library: PathBuf,
    below: PathBuf,
    order: PathBuf,
    flush_takes: Duration,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Full, Self::ReadOnly, Self::SyncFails, Self::SyncLoses, Self::Broken];

    fn order(self) -> &'static str {
        match self {
            Self::Full => "ENOSPC write create",
            Self::ReadOnly => "EROFS write create open change",
            Self::SyncFails => "EIO sync",
            Self::SyncLoses => "EIO sync lose",
            Self::Broken => "EIO write sync",
        }
    }
}

impl FaultyDisk {
    /// A disk below the data folder of this installation; healthy at first. Needs `cc`.
    #[track_caller]
    pub fn below(installation: &Installation) -> Self {
        let source = installation.write("faulty_disk.c", SHIM);
        let library = installation.folder().join("faulty_disk.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
        let compiled = compiler.args(["-ldl", "-lpthread"]).output();
        let compiled = compiled.expect("this test compiles C: install the Debian package `gcc`");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let order = installation.folder().join("faulty_disk.order");
        Self { library, below: installation.data(), order, flush_takes: Duration::ZERO }
    }

    /// Every flush (fsync, fdatasync) takes this much longer, to the microsecond.
    pub fn flush_takes(self, longer: Duration) -> Self {
        Self { flush_takes: longer, ..self }
    }

    /// What a process needs in its environment to meet this disk.
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &PathBuf| path.to_str().expect("a temporary path is text").to_owned();
        [
            ("LD_PRELOAD", text(&self.library)),
            ("FAULTY_DISK_BELOW", text(&self.below)),
            ("FAULTY_DISK_ORDER", text(&self.order)),
            ("FAULTY_DISK_REMEMBERS", "1".to_owned()),
            ("FAULTY_DISK_SYNC_TAKES_US", self.flush_takes.as_micros().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// The same server on this disk.
    pub fn beneath(&self, builder: ServerBuilder) -> ServerBuilder {
        self.environment().iter().fold(builder, |builder, (name, value)| builder.environment(name, value))
    }

    /// From now on it fails like this.
    #[track_caller]
    pub fn fail(&self, fault: Fault) {
        // A new file and a rename: who reads the order sees all of it or the one before.
        let draft = self.order.with_extension("draft");
        fs::write(&draft, fault.order()).expect("the test may write its own folder");
        fs::rename(&draft, &self.order).expect("the test may write its own folder");
    }

    /// It works again.
    #[track_caller]
    pub fn heal(&self) {
        fs::remove_file(&self.order).expect("it was failing");
    }
}

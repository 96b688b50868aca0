//! A wall clock that a test moves on: a library in C, compiled when the test runs and loaded before the server's own.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::faulty_disk::compile;
use crate::{Installation, ServerBuilder};

const SHIM: &str = include_str!("shim.c");

/// The wall clock of one server.
pub struct ShiftedClock {
    library: PathBuf,
    shift: PathBuf,
}

impl ShiftedClock {
    /// A clock that is right at first. Needs `cc`.
    #[track_caller]
    pub fn of(installation: &Installation) -> Self {
        let library = compile(installation, "shifted_clock", SHIM);
        Self { library, shift: installation.folder().join("shifted_clock.secs") }
    }

    /// The same server with this clock.
    pub fn shown_to(&self, builder: ServerBuilder) -> ServerBuilder {
        let text = |path: &PathBuf| path.to_str().expect("a temporary path is text").to_owned();
        builder
            .environment("LD_PRELOAD", &text(&self.library))
            .environment("SHIFTED_CLOCK", &text(&self.shift))
    }

    /// From now on it is ahead by this much.
    #[track_caller]
    pub fn set_ahead(&self, by: Duration) {
        fs::write(&self.shift, by.as_secs().to_string()).expect("the test may write its own folder");
    }
}

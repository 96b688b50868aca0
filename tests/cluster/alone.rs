//! Tests that measure, or keep a machine busy, one at a time: also when each runs in a process of its own.

use std::fs::File;

/// Held while a test is alone. The system lets go of it should the test be killed.
pub(crate) struct Alone(#[allow(dead_code, reason = "the lock is held as long as the file is open")] File);

impl Alone {
    /// Waits until no other test of this kind runs.
    #[track_caller]
    pub(crate) fn on_this_machine() -> Self {
        let path = std::env::temp_dir().join("obol-test-cluster.lock");
        let file = File::options().create(true).truncate(false).write(true).open(path);
        let file = file.expect("a file in the temporary folder can be made");
        file.lock().expect("the temporary folder is on a file system with locks");
        Self(file)
    }
}

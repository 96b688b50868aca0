//! Threads that give way to those that answer requests: for hashing, for the disk, for files.

use std::io;
use std::thread::{Builder, JoinHandle};

/// By how much the priority is lowered (`nice(2)`). At 10, a thread that answers requests goes first whenever it has
/// something to do, and a core that is never idle still gives a tenth of its time to the background.
#[cfg(target_os = "linux")]
const LOWER_BY: i32 = 10;

/// Starts a thread in the background.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        give_way();
        work();
    })
}

/// Lowers the priority of the calling thread. On Linux it belongs to the thread; where it cannot be lowered, the thread only
/// competes harder.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(LOWER_BY) {
        tracing::debug!(%error, "a thread in the background keeps the usual priority");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_thread_in_the_background_gives_way_and_who_starts_it_does_not() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let (said, heard) = channel();
        let before = priority();
        let thread = spawn("background", move || said.send(priority()).unwrap()).unwrap();
        assert_eq!(heard.recv(), Ok((before + LOWER_BY).min(19)));
        assert_eq!(thread.join().ok(), Some(()));
        assert_eq!(priority(), before);
    }
}

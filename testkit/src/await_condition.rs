//! Waiting for what must become true, and the middle of measured times.

use std::thread;
use std::time::{Duration, Instant};

/// Asks again and again until `holds` gives something, and fails the test after `within`.
#[track_caller]
pub fn wait_until<T>(what: &str, within: Duration, mut holds: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = holds() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The middle one of some durations.
#[track_caller]
pub fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    *durations.get(durations.len() / 2).expect("something was measured")
}

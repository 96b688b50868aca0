//! Waiting for what must become true, and comparing measured times.

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

/// Two points in time differ in `auth_time` when more than a second is between them.
pub fn until_a_later_second() {
    thread::sleep(Duration::from_millis(2_100));
}

/// The middle one of some durations.
#[track_caller]
pub fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    *durations.get(durations.len() / 2).expect("something was measured")
}

/// Measures `cases` ways in turn until the shortest times of all are within a factor of two, and fails the test after
/// `within`. A busy machine only adds to a time, so the shortest ones tell ways apart that do different work.
#[track_caller]
pub fn wait_until_as_fast(cases: usize, within: Duration, mut measure: impl FnMut(usize) -> Duration) {
    let deadline = Instant::now() + within;
    let mut shortest = vec![Duration::MAX; cases];
    for round in 1.. {
        for (case, shortest) in shortest.iter_mut().enumerate() {
            *shortest = measure(case).min(*shortest);
        }
        let (fastest, slowest) = (shortest.iter().min(), shortest.iter().max());
        if round >= 5 && fastest.zip(slowest).is_some_and(|(fastest, slowest)| *slowest < *fastest * 2) {
            return;
        }
        assert!(Instant::now() < deadline, "not equally fast: {shortest:?}");
    }
}

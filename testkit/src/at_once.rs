//! The same thing done by many threads that begin at the same moment.

use std::sync::Barrier;
use std::thread;

/// Runs `act` in `count` threads at once, each with its number, and gives what came of it in that order.
#[track_caller]
pub fn at_once<T: Send>(count: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (begin, act) = (&Barrier::new(count), &act);
    thread::scope(|scope| {
        let spawn = |number| {
            scope.spawn(move || {
                begin.wait();
                act(number)
            })
        };
        let threads: Vec<_> = (0..count).map(spawn).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a thread of the race fails the test"))
            .collect()
    })
}

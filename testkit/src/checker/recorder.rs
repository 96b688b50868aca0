//! Collects events from many threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Event, Name, Operation};

/// Collects events by one clock. Threads write into different drawers, so that they do not wait for each other.
#[derive(Debug)]
pub struct Recorder {
    start: Instant,
    drawers: [Mutex<Vec<Event>>; DRAWERS],
}

const DRAWERS: usize = 32;

impl Recorder {
    /// An empty recording that starts now.
    pub fn start() -> Self {
        Self { start: Instant::now(), drawers: std::array::from_fn(|_| Mutex::default()) }
    }

    /// The time since the start: read it before a call is sent.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Records a call that was sent at `called` and has been answered, or given up, now.
    pub fn record(&self, called: Duration, node: &Name, operation: Operation) {
        let event = Event { called, node: node.clone(), operation, answered: self.now() };
        let drawer = &self.drawers[DRAWER.with(|drawer| *drawer)];
        drawer.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// All that was recorded so far, thread by thread.
    pub fn events(&self) -> Vec<Event> {
        let drawers = self.drawers.iter();
        drawers.flat_map(|drawer| drawer.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }
}

thread_local! {
    /// Threads take the drawers in turn.
    static DRAWER: usize = NEXT_DRAWER.fetch_add(1, Ordering::Relaxed) % DRAWERS;
}

static NEXT_DRAWER: AtomicUsize = AtomicUsize::new(0);

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::checker::Outcome;

    #[test]
    fn every_event_of_every_thread_is_kept_with_the_order_of_its_times() {
        let recorder = Recorder::start();
        thread::scope(|scope| {
            for thread in 0..2 * DRAWERS {
                let recorder = &recorder;
                scope.spawn(move || {
                    for at in 0..100 {
                        let called = recorder.now();
                        let token = format!("{thread}.{at}").into();
                        recorder.record(
                            called,
                            &"n1".into(),
                            Operation::Verify { token, outcome: Outcome::Unknown },
                        );
                    }
                });
            }
        });
        let events = recorder.events();
        let tokens: std::collections::BTreeSet<String> =
            events.iter().map(|event| format!("{:?}", event.operation)).collect();
        assert_eq!((events.len(), tokens.len()), (200 * DRAWERS, 200 * DRAWERS));
        assert!(
            events.iter().all(|event| event.called <= event.answered && event.answered <= recorder.now())
        );
    }
}

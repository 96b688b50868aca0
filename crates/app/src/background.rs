//! One thread that writes what others hand in, so that nobody who serves a request waits for a disk or a terminal.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the end of a program waits for what is still to be written.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// What waited when the writer looked.
pub(crate) struct Batch<T> {
    /// The things, in the order in which they were handed in; may be empty when the writer had asked to be called.
    pub(crate) things: Vec<T>,
    /// How many did not fit since the last batch.
    pub(crate) turned_away: u64,
}

/// A bounded queue with its writer. Dropping it writes what waits, for at most two seconds.
pub(crate) struct Background<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: usize,
    gather: Duration,
}

struct State<T> {
    waiting: Vec<T>,
    turned_away: u64,
    /// How many wait for the queue to be empty.
    hurrying: usize,
    writing: bool,
    closed: bool,
}

impl<T: Send + 'static> Background<T> {
    /// Starts the thread. It lets what is handed in gather for as long as `gather`, so that many things cost one
    /// writing. `write` is called with what waits, and again after the time that it returns, if it returns one, even if
    /// nothing waits then.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        name: &str,
        capacity: usize,
        gather: Duration,
        mut write: impl FnMut(Batch<T>) -> Option<Duration> + Send + 'static,
    ) -> io::Result<Self> {
        let state = State { waiting: Vec::new(), turned_away: 0, hurrying: 0, writing: false, closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), capacity, gather });
        let of_thread = Arc::clone(&shared);
        obol_background::spawn(name, move || {
            let mut call_again = None;
            while let Some(batch) = of_thread.next(call_again) {
                call_again = write(batch);
                of_thread.lock().writing = false;
                of_thread.changed.notify_all();
            }
        })?;
        Ok(Self { shared })
    }
}

impl<T> Background<T> {
    /// Hands in a thing; what does not fit is counted and dropped.
    pub(crate) fn offer(&self, thing: T) {
        let mut state = self.shared.lock();
        match state.waiting.len() < self.shared.capacity && !state.closed {
            true => state.waiting.push(thing),
            false => state.turned_away += 1,
        }
        // The writer sleeps only while nothing waits, or lets it gather.
        let wakes = state.waiting.len() == 1 || state.waiting.len() == self.shared.capacity.div_ceil(2);
        drop(state);
        if wakes {
            self.shared.changed.notify_all();
        }
    }

    /// Waits until all that was handed in is written or given up; `false` when that takes longer than `most`.
    pub(crate) fn flush(&self, most: Duration) -> bool {
        let until = Instant::now() + most;
        let mut state = self.shared.lock();
        state.hurrying += 1;
        self.shared.changed.notify_all();
        while !state.is_idle() && Instant::now() < until {
            state = self.shared.wait(state, Some(until));
        }
        state.hurrying -= 1;
        state.is_idle()
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        self.flush(LAST_WAIT);
    }
}

impl<T> Shared<T> {
    /// `None` when the queue is closed and empty.
    fn next(&self, call_again: Option<Duration>) -> Option<Batch<T>> {
        let call_at = call_again.map(|after| Instant::now() + after);
        let mut gathered_at = None;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let over = |at: Option<Instant>| at.is_some_and(|at| now >= at);
            let some = !state.waiting.is_empty() || state.turned_away > 0;
            if some {
                gathered_at.get_or_insert(now + self.gather);
            }
            let hurried =
                state.closed || state.hurrying > 0 || state.waiting.len() >= self.capacity.div_ceil(2);
            if over(call_at) || some && (hurried || over(gathered_at)) {
                state.writing = true;
                let turned_away = std::mem::take(&mut state.turned_away);
                return Some(Batch { things: std::mem::take(&mut state.waiting), turned_away });
            }
            if state.closed {
                return None;
            }
            state = self.wait(state, call_at.into_iter().chain(gathered_at).min());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>, until: Option<Instant>) -> MutexGuard<'a, State<T>> {
        match until {
            Some(until) => {
                let most = until.saturating_duration_since(Instant::now());
                let waited = self.changed.wait_timeout(state, most);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl<T> State<T> {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.turned_away == 0 && !self.writing
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn all_that_fits_is_written_in_order() {
        let (sender, written) = mpsc::channel();
        let background = Background::start("test", 1_000, Duration::ZERO, move |batch: Batch<u32>| {
            batch.things.into_iter().for_each(|thing| sender.send(thing).unwrap());
            None
        });
        let background = background.unwrap();
        (0..1_000).for_each(|thing| background.offer(thing));
        assert!(background.flush(LONG));
        assert_eq!(written.try_iter().collect::<Vec<_>>(), (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn what_does_not_fit_is_counted_and_nobody_waits() {
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (sender, written) = mpsc::channel();
        let background = Background::start("test", 2, Duration::ZERO, move |batch: Batch<u32>| {
            begun.send(()).unwrap();
            let _ = may_go_on.recv();
            sender.send((batch.things, batch.turned_away)).unwrap();
            None
        });
        let background = background.unwrap();
        background.offer(0);
        has_begun.recv_timeout(LONG).unwrap();
        (1..=5).for_each(|thing| background.offer(thing));
        assert!(!background.flush(Duration::ZERO), "the writer is busy");
        drop(go_on);
        assert!(background.flush(LONG));
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [(vec![0], 0), (vec![1, 2], 3)]);
    }

    #[test]
    fn what_comes_soon_after_the_first_is_written_with_it_and_a_flush_waits_for_no_more() {
        let (sender, written) = mpsc::channel();
        let background = Background::start("test", 1_000, LONG, move |batch: Batch<u32>| {
            sender.send(batch.things).unwrap();
            None
        });
        let background = background.unwrap();
        (0..100).for_each(|thing| background.offer(thing));
        let begun = Instant::now();
        assert!(background.flush(LONG));
        assert!(begun.elapsed() < LONG / 2);
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [(0..100).collect::<Vec<_>>()]);

        background.offer(100);
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(written.try_iter().count(), 0, "it gathers");
        (101..600).for_each(|thing| background.offer(thing));
        let batch = written.recv_timeout(LONG / 2).expect("half of the room is enough");
        assert!(batch.len() >= 500, "{}", batch.len());
    }

    #[test]
    fn dropping_writes_what_waits() {
        let (sender, written) = mpsc::channel();
        let background = Background::start("test", 10, Duration::ZERO, move |batch: Batch<u32>| {
            sender.send(batch.things.len()).unwrap();
            None
        });
        let background = background.unwrap();
        (0..10).for_each(|thing| background.offer(thing));
        drop(background);
        assert_eq!(written.try_iter().sum::<usize>(), 10);
    }

    #[test]
    fn a_writer_that_asks_for_it_is_called_again() {
        let (sender, calls) = mpsc::channel();
        let mut calls_left = 2_u32;
        let background = Background::start("test", 10, Duration::ZERO, move |batch: Batch<u32>| {
            sender.send(batch.things.len()).unwrap();
            calls_left = calls_left.saturating_sub(1);
            (calls_left > 0).then_some(Duration::from_millis(1))
        });
        let background = background.unwrap();
        background.offer(7);
        assert_eq!(calls.recv_timeout(LONG), Ok(1));
        assert_eq!(calls.recv_timeout(LONG), Ok(0));
        drop(background);
    }
}

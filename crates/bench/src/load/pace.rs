//! The pace of an open loop: requests are due at a constant rate, whether or not earlier ones were answered.
//!
//! A latency counts from the moment a request was due, so that waiting for a free connection is not left out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::sleep;

/// tokio's timer counts milliseconds; nearer than this the pacer watches the clock.
const TIMER_IS_COARSE: Duration = Duration::from_millis(2);

/// Requests of one round that are due one after the other.
pub(crate) struct Pace {
    began: Instant,
    interval: Duration,
    total: u64,
    /// Backlog is worked off until then.
    ends: Instant,
    /// Whether the pacer may watch the clock without pause: on a core that the server does not need.
    watches: bool,
    due: Semaphore,
    taken: AtomicU64,
}

impl Pace {
    /// A round of this length with so many requests a second, the first of them due `offset` after now.
    pub(crate) fn new(per_sec: f64, duration: Duration, offset: Duration, watches: bool) -> Self {
        let interval = Duration::from_secs_f64(1.0 / per_sec.max(0.001));
        let began = Instant::now() + offset;
        Self {
            began,
            interval,
            total: (duration.as_secs_f64() * per_sec).ceil() as u64,
            ends: began + duration + (duration / 4).max(Duration::from_millis(250)),
            watches,
            due: Semaphore::new(0),
            taken: AtomicU64::new(0),
        }
    }

    /// Waits for the next request that is due; gives the moment at which it was. `None` after the last.
    pub(crate) async fn next(&self) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        if Instant::now() > self.ends {
            return None;
        }
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        (number < self.total).then(|| self.due_at(number))
    }

    /// Makes requests due until the last; then lets `waiting` connections go. Tells how late it noticed each.
    pub(crate) async fn run(&self, waiting: usize, mut late: impl FnMut(Duration)) {
        let mut made_due = 0;
        while made_due < self.total {
            let now = Instant::now();
            let mut newly_due = 0;
            while made_due < self.total && self.due_at(made_due) <= now {
                late(now - self.due_at(made_due));
                made_due += 1;
                newly_due += 1;
            }
            self.due.add_permits(newly_due);
            match self.due_at(made_due).checked_duration_since(now) {
                Some(left) if left > TIMER_IS_COARSE => sleep(left - TIMER_IS_COARSE).await,
                Some(left) if !self.watches => sleep(left).await,
                _ => yield_now().await,
            }
        }
        self.due.add_permits(waiting);
    }

    /// Requests that were due and that nobody came to send.
    pub(crate) fn unsent(&self) -> u64 {
        self.total.saturating_sub(self.taken.load(Ordering::Relaxed))
    }

    fn due_at(&self, number: u64) -> Instant {
        self.began + Duration::from_nanos((self.interval.as_nanos() as f64 * number as f64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn requests_are_due_at_a_constant_rate() {
        let pace = Arc::new(Pace::new(1_000.0, Duration::from_millis(50), Duration::ZERO, true));
        let began = pace.began;
        let pacer = Arc::clone(&pace);
        tokio::spawn(async move { pacer.run(1, drop).await });
        let mut due = Vec::new();
        while let Some(at) = pace.next().await {
            assert!(at <= Instant::now(), "nothing is sent before it is due");
            due.push(at - began);
        }
        let expected: Vec<_> = (0..50).map(Duration::from_millis).collect();
        assert_eq!(due, expected);
        assert_eq!(pace.unsent(), 0);
    }

    #[tokio::test]
    async fn waiting_for_a_free_connection_counts() {
        let pace = Arc::new(Pace::new(1_000.0, Duration::from_millis(20), Duration::ZERO, true));
        let pacer = Arc::clone(&pace);
        tokio::spawn(async move { pacer.run(1, drop).await });
        let first = pace.next().await.unwrap();
        // One slow answer on the only connection.
        while first.elapsed() < Duration::from_millis(30) {
            yield_now().await;
        }
        let second = pace.next().await.unwrap();
        assert_eq!(second - first, Duration::from_millis(1));
        assert!(second.elapsed() >= Duration::from_millis(29), "{:?}", second.elapsed());
    }

    #[tokio::test]
    async fn what_nobody_came_to_send_is_counted() {
        let pace = Pace::new(1_000.0, Duration::from_millis(5), Duration::ZERO, false);
        pace.run(1, drop).await;
        assert!(pace.next().await.is_some());
        assert_eq!(pace.unsent(), 4);
    }
}

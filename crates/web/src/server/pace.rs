//! The deadlines of one connection between, before and after its requests.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker, ready};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::ListenerOptions;
use super::drain::FAREWELL;

/// Knows whether a connection has a request in work, and until when it may go on if it has none.
pub(super) struct Pace {
    header_timeout: Duration,
    idle_timeout: Duration,
    answer_timeout: Duration,
    state: Mutex<State>,
    /// Whether requests were answered at once since somebody looked. Such a request costs no more than this.
    answered_at_once: AtomicBool,
    /// Whether a deadline may have come nearer since [`Self::lapse`] looked.
    moved: AtomicBool,
}

struct State {
    busy: usize,
    served: bool,
    head_open: bool,
    stopping: bool,
    /// Counts only while nothing is busy.
    deadline: Instant,
    /// Until when each answer must have been taken by the peer (HTTP/2).
    untaken: BTreeMap<u64, Instant>,
    next_answer: u64,
}

/// What to do when a deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lapse {
    /// The peer owed something: close at once.
    Cut,
    /// Nobody owed anything: say goodbye.
    Idle,
}

impl Pace {
    pub(super) fn new(options: &ListenerOptions) -> Arc<Self> {
        Arc::new(Self {
            header_timeout: options.header_timeout,
            idle_timeout: options.idle_timeout,
            answer_timeout: options.answer_timeout,
            state: Mutex::new(State {
                busy: 0,
                served: false,
                head_open: false,
                stopping: false,
                deadline: Instant::now() + options.header_timeout,
                untaken: BTreeMap::new(),
                next_answer: 0,
            }),
            answered_at_once: AtomicBool::new(false),
            moved: AtomicBool::new(false),
        })
    }

    /// A request has begun; it ends when the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.state().served = true;
        self.hold()
    }

    /// A request was answered as soon as it was there. The idle time after it is counted from when somebody looks: it is
    /// between one and two times as long.
    pub(super) fn answered_at_once(&self) {
        self.answered_at_once.store(true, Ordering::Relaxed);
    }

    /// Bytes are on their way to the peer: no deadline of the other direction counts meanwhile.
    pub(super) fn hold(self: &Arc<Self>) -> Busy {
        self.state().busy += 1;
        Busy(Arc::clone(self))
    }

    /// An answer is ready; the peer has taken it when the guard is dropped.
    pub(super) fn answer(self: &Arc<Self>) -> Untaken {
        let mut state = self.state();
        let answer = state.next_answer;
        state.next_answer += 1;
        state.untaken.insert(answer, Instant::now() + self.answer_timeout);
        self.moved.store(true, Ordering::Relaxed);
        Untaken { pace: Arc::clone(self), answer }
    }

    /// Whether the head of a request has begun and not ended.
    pub(super) fn head(&self, open: bool) {
        let mut state = self.state();
        let opened = open && !state.head_open;
        state.head_open = open;
        // The first head has its deadline from the start of the connection.
        if opened && state.served && state.busy == 0 {
            state.deadline = Instant::now() + self.header_timeout;
            self.moved.store(true, Ordering::Relaxed);
        }
    }

    /// The listener stops: from now on a connection without a request lives a moment longer at most.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stopping = true;
        state.deadline = state.deadline.min(Instant::now() + FAREWELL);
        self.moved.store(true, Ordering::Relaxed);
    }

    /// Waits for the first deadline that passes. To be polled in the task that polls the connection, after it.
    pub(super) async fn lapse(&self) -> Lapse {
        let mut sleep = pin!(sleep_until(Instant::now() + self.header_timeout));
        let mut woken: Option<Waker> = None;
        poll_fn(|cx| {
            // The timer wakes this task already, and nothing has changed for it.
            let waits = woken.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
            if waits && !sleep.is_elapsed() && !self.moved.load(Ordering::Relaxed) {
                return Poll::Pending;
            }
            woken = Some(cx.waker().clone());
            self.moved.store(false, Ordering::Relaxed);
            loop {
                // A later deadline leaves the timer alone: it finds out when it fires.
                if let Some(at) = self.deadline()
                    && at < sleep.deadline()
                {
                    sleep.as_mut().reset(at);
                }
                ready!(sleep.as_mut().poll(cx));
                let now = Instant::now();
                match self.deadline() {
                    Some(at) if at <= now => return Poll::Ready(self.kind(now)),
                    Some(at) => sleep.as_mut().reset(at),
                    None => sleep.as_mut().reset(now + self.idle_timeout),
                }
            }
        })
        .await
    }

    fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        let idle = (state.busy == 0).then_some(state.deadline);
        let untaken = state.untaken.first_key_value().map(|(_, &at)| at);
        idle.into_iter().chain(untaken).min()
    }

    fn kind(&self, now: Instant) -> Lapse {
        let state = self.state();
        let owed_an_answer = state.untaken.first_key_value().is_some_and(|(_, &at)| at <= now);
        if owed_an_answer || state.head_open || !state.served || state.stopping {
            Lapse::Cut
        } else {
            Lapse::Idle
        }
    }

    /// The state, with what was answered at once accounted for.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.answered_at_once.swap(false, Ordering::Relaxed) {
            state.served = true;
            if state.busy == 0 && !state.head_open && !state.stopping {
                state.deadline = Instant::now() + self.idle_timeout;
            }
        }
        state
    }
}

/// A request in work, or bytes on their way.
pub(super) struct Busy(Arc<Pace>);

impl Drop for Busy {
    fn drop(&mut self) {
        let pace = &self.0;
        let mut state = pace.state();
        state.busy -= 1;
        if state.busy == 0 {
            let patience = match (state.stopping, state.head_open) {
                (true, _) => FAREWELL,
                (false, true) => pace.header_timeout,
                (false, false) => pace.idle_timeout,
            };
            state.deadline = Instant::now() + patience;
            pace.moved.store(true, Ordering::Relaxed);
        }
    }
}

/// An answer that the peer has not taken yet.
pub(super) struct Untaken {
    pace: Arc<Pace>,
    answer: u64,
}

impl Drop for Untaken {
    fn drop(&mut self) {
        self.pace.state().untaken.remove(&self.answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace() -> Arc<Pace> {
        Pace::new(&ListenerOptions::default())
    }

    /// Seconds until the lapse, and its kind.
    async fn lapse_of(pace: &Pace) -> (u64, Lapse) {
        let start = Instant::now();
        let lapse = pace.lapse().await;
        (start.elapsed().as_secs(), lapse)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_is_cut_at_the_header_deadline() {
        assert_eq!(lapse_of(&pace()).await, (10, Lapse::Cut));
    }

    #[tokio::test(start_paused = true)]
    async fn dripping_the_first_head_wins_no_time() {
        let pace = pace();
        tokio::time::advance(4 * SECOND).await;
        pace.head(true);
        assert_eq!(lapse_of(&pace).await, (6, Lapse::Cut));
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_head_is_cut_ten_seconds_after_its_first_byte() {
        let pace = pace();
        drop(pace.begin());
        tokio::time::advance(30 * SECOND).await;
        pace.head(true);
        assert_eq!(lapse_of(&pace).await, (10, Lapse::Cut));
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_told_goodbye_after_the_idle_time() {
        let pace = pace();
        drop(pace.begin());
        assert_eq!(lapse_of(&pace).await, (75, Lapse::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_answer_at_once_the_idle_time_counts_from_the_next_look() {
        let pace = pace();
        pace.answered_at_once();
        assert_eq!(lapse_of(&pace).await, (75, Lapse::Idle));
        pace.answered_at_once();
        let again = async {
            tokio::time::sleep(40 * SECOND).await;
            pace.answered_at_once();
        };
        let (lapse, ()) = tokio::join!(lapse_of(&pace), again);
        assert_eq!(lapse, (150, Lapse::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_after_an_answer_at_once_is_cut() {
        let pace = pace();
        let drips = async {
            tokio::time::sleep(30 * SECOND).await;
            pace.answered_at_once();
            pace.head(true);
        };
        pace.answered_at_once();
        let ((), lapse) = tokio::join!(drips, lapse_of(&pace));
        assert_eq!(lapse, (40, Lapse::Cut));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_work_is_not_idle() {
        let pace = pace();
        let busy = pace.begin();
        let ends = async {
            tokio::time::sleep(200 * SECOND).await;
            drop(busy);
        };
        let (lapse, ()) = tokio::join!(lapse_of(&pace), ends);
        assert_eq!(lapse, (275, Lapse::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_cuts_even_a_busy_connection() {
        let pace = pace();
        let _busy = pace.begin();
        let _untaken = pace.answer();
        assert_eq!(lapse_of(&pace).await, (30, Lapse::Cut));
    }

    #[tokio::test(start_paused = true)]
    async fn taken_answers_leave_no_deadline_behind() {
        let pace = pace();
        let busy = pace.begin();
        drop(pace.answer());
        drop(busy);
        assert_eq!(lapse_of(&pace).await, (75, Lapse::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_leaves_an_idle_connection_a_second() {
        let pace = pace();
        drop(pace.begin());
        pace.stop();
        assert_eq!(lapse_of(&pace).await, (1, Lapse::Cut));
    }
}

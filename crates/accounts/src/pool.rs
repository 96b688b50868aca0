//! A bounded pool of own threads for hashing passwords, so that verify stays fast however many people log in.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// How much hashing goes on at once and how much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// How many threads hash; each takes 19 MiB while it does. At least 1.
    pub threads: usize,
    /// How many checks may wait for a thread; one more is refused.
    pub waiting: usize,
}

impl PoolSize {
    /// The most threads by default. Fewer than the ten free tries, so that right passwords of one person checked at the
    /// same moment can never fill them up; and at most 152 MiB in all.
    pub const MOST_THREADS: usize = 8;

    /// Half of the machine's cores, so that verify has the other half to itself, and 64 that wait: under two seconds of
    /// hashing for one thread.
    pub fn for_this_machine() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self { threads: (cores / 2).clamp(1, Self::MOST_THREADS), waiting: 64 }
    }
}

/// Why something was not computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PoolError {
    /// As many wait already as may.
    #[error("too many passwords wait to be checked")]
    Busy {
        /// When there should be room again, in whole seconds, at least 1.
        retry_after_secs: u32,
    },
    /// It was begun and did not end: it panicked, or the pool was stopped.
    #[error("a password check was broken off")]
    BrokenOff,
}

/// Threads that hash. Dropping it ends them: what runs is finished, what waits is broken off.
pub(crate) struct HashPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl HashPool {
    /// Starts the threads.
    pub(crate) fn start(size: PoolSize) -> io::Result<Self> {
        let size = PoolSize { threads: size.threads.max(1), ..size };
        let shared = Arc::new(Shared { size, queue: Mutex::new(Queue::new()), changed: Condvar::new() });
        let mut pool = Self { shared, threads: Vec::with_capacity(size.threads) };
        for _ in 0..size.threads {
            let shared = Arc::clone(&pool.shared);
            pool.threads.push(obol_background::spawn("password", move || work_off(&shared))?);
        }
        Ok(pool)
    }

    /// Does `work` on one of the threads. A caller that stops waiting before it was begun takes it out of the queue.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.shared.enqueue(Box::new(Pending { work, answer }))?;
        answered.await.map_err(|_| PoolError::BrokenOff)
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.stopping = true;
        queue.waiting.clear();
        drop(queue);
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A thread catches what its work throws, so it has nothing to tell.
            let _ = thread.join();
        }
    }
}

struct Shared {
    size: PoolSize,
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    waiting: VecDeque<Box<dyn Job>>,
    running: usize,
    stopping: bool,
    /// Moving average of how long one job takes.
    usual: Duration,
}

impl Queue {
    fn new() -> Self {
        Self { waiting: VecDeque::new(), running: 0, stopping: false, usual: Duration::from_millis(50) }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, job: Box<dyn Job>) -> Result<(), PoolError> {
        let mut queue = self.lock();
        // What an idle thread is about to take does not wait.
        let room = self.size.waiting + self.size.threads.saturating_sub(queue.running);
        if queue.waiting.len() >= room {
            queue.waiting.retain(|job| !job.is_abandoned());
        }
        if queue.waiting.len() >= room {
            return Err(PoolError::Busy { retry_after_secs: self.secs_until_room(&queue) });
        }
        queue.waiting.push_back(job);
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    fn secs_until_room(&self, queue: &Queue) -> u32 {
        let ahead = u32::try_from(queue.waiting.len() + queue.running).unwrap_or(u32::MAX);
        let threads = u32::try_from(self.size.threads).unwrap_or(u32::MAX);
        let secs = (queue.usual.saturating_mul(ahead) / threads).as_secs_f64().ceil();
        // A float saturates when it is cast; a Retry-After beyond a minute helps nobody.
        (secs as u32).clamp(1, 60)
    }

    /// The next job that somebody still waits for; `None` when the pool stops.
    fn next(&self) -> Option<Box<dyn Job>> {
        let mut queue = self.lock();
        loop {
            if queue.stopping {
                return None;
            }
            match queue.waiting.pop_front() {
                Some(job) if job.is_abandoned() => {}
                Some(job) => {
                    queue.running += 1;
                    return Some(job);
                }
                None => queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// One thread at work; dropping it says that the work has ended, also by a panic.
struct Running<'a> {
    shared: &'a Shared,
    begun: Instant,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.running -= 1;
        queue.usual = (queue.usual * 7 + self.begun.elapsed()) / 8;
    }
}

/// What each thread does until the pool stops.
fn work_off(shared: &Shared) {
    while let Some(job) = shared.next() {
        let running = Running { shared, begun: Instant::now() };
        if catch_unwind(AssertUnwindSafe(|| job.run(running))).is_err() {
            tracing::error!("a password check panicked; it was answered as broken off");
        }
    }
}

trait Job: Send {
    fn is_abandoned(&self) -> bool;
    fn run(self: Box<Self>, running: Running<'_>);
}

struct Pending<T, F> {
    work: F,
    answer: oneshot::Sender<T>,
}

impl<T: Send, F: FnOnce() -> T + Send> Job for Pending<T, F> {
    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    fn run(self: Box<Self>, running: Running<'_>) {
        let result = (self.work)();
        drop(running);
        // Somebody who left meanwhile does not need the answer.
        let _ = self.answer.send(result);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::mpsc;
    use std::task::Poll;

    use super::*;

    const ONE_THREAD_ONE_WAITING: PoolSize = PoolSize { threads: 1, waiting: 1 };

    /// Lets `future` go as far as it gets without waiting; `None` if it waits.
    async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Work that says when it has begun and goes on until it is released.
    fn held() -> (impl FnOnce() -> u32 + Send, oneshot::Receiver<()>, mpsc::Sender<()>) {
        let (begun, has_begun) = oneshot::channel();
        let (release, released) = mpsc::channel();
        let work = move || {
            begun.send(()).unwrap();
            released.recv().unwrap();
            1
        };
        (work, has_begun, release)
    }

    #[tokio::test]
    async fn a_full_pool_is_busy_and_frees_again() {
        let pool = HashPool::start(ONE_THREAD_ONE_WAITING).unwrap();
        let (work, has_begun, release) = held();
        let (mut running, mut waiting) = (pin!(pool.run(work)), pin!(pool.run(|| 2)));
        assert_eq!(poll_once(running.as_mut()).await, None);
        has_begun.await.unwrap();
        assert_eq!(poll_once(waiting.as_mut()).await, None);

        assert_eq!(pool.run(|| 3).await, Err(PoolError::Busy { retry_after_secs: 1 }));

        release.send(()).unwrap();
        assert_eq!(running.await, Ok(1));
        assert_eq!(waiting.await, Ok(2));
        assert_eq!(pool.run(|| 4).await, Ok(4));
    }

    #[tokio::test]
    async fn who_gave_up_waiting_is_skipped_and_makes_room() {
        let pool = HashPool::start(ONE_THREAD_ONE_WAITING).unwrap();
        let (work, has_begun, release) = held();
        let mut running = pin!(pool.run(work));
        assert_eq!(poll_once(running.as_mut()).await, None);
        has_begun.await.unwrap();

        let (done, was_done) = mpsc::channel();
        {
            let mut left = pin!(pool.run(move || done.send(())));
            assert!(poll_once(left.as_mut()).await.is_none());
        }
        let mut waiting = pin!(pool.run(|| 2));
        assert_eq!(poll_once(waiting.as_mut()).await, None);

        release.send(()).unwrap();
        assert_eq!(waiting.await, Ok(2));
        assert_eq!(was_done.recv(), Err(mpsc::RecvError));
    }

    #[tokio::test]
    async fn a_panic_breaks_off_one_check_and_not_the_pool() {
        let pool = HashPool::start(ONE_THREAD_ONE_WAITING).unwrap();
        assert_eq!(pool.run(|| -> u32 { panic!("on purpose") }).await, Err(PoolError::BrokenOff));
        assert_eq!(pool.run(|| 2).await, Ok(2));
    }

    #[tokio::test]
    async fn stopping_ends_every_thread() {
        let pool = HashPool::start(PoolSize { threads: 3, waiting: 1 }).unwrap();
        assert_eq!(pool.run(|| 1).await, Ok(1));
        let shared = Arc::downgrade(&pool.shared);
        drop(pool);
        assert!(shared.upgrade().is_none());
    }

    #[test]
    fn retry_after_is_what_waits_times_the_measured_time_over_the_threads() {
        let pool = HashPool::start(PoolSize { threads: 2, waiting: 64 }).unwrap();
        let mut queue = Queue::new();
        for (running, usual_ms, secs) in
            [(0, 50, 1), (2, 50, 1), (40, 50, 1), (42, 50, 2), (64, 500, 16), (64, 9_000, 60)]
        {
            queue.running = running;
            queue.usual = Duration::from_millis(usual_ms);
            assert_eq!(pool.shared.secs_until_room(&queue), secs, "{running} of {usual_ms} ms");
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn hashing_gives_way_to_the_rest() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let pool = HashPool::start(ONE_THREAD_ONE_WAITING).unwrap();
        assert!(pool.run(priority).await.unwrap() > priority());
    }

    #[test]
    fn default_threads_leave_half_of_the_cores_and_never_fill_the_free_tries() {
        let size = PoolSize::for_this_machine();
        let cores = thread::available_parallelism().unwrap().get();
        assert!(size.threads == 1 || size.threads <= cores / 2, "{size:?} of {cores}");
        let free_tries = obol_keys::GuessPolicy::default().free_tries as usize;
        const { assert!(PoolSize::MOST_THREADS < 10) };
        assert!(size.threads < free_tries);
    }
}

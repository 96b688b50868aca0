//! One round: every connection of a thread asks, in its loop, until the time is over.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::Connection;
use super::pace::Pace;
use super::script::Script;
use super::tally::Tally;
use crate::{BenchError, Stop, Wrong};

/// The longest that a round may take beyond its duration before the target counts as silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a part of the connections asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Load {
    /// Not at all.
    Rest,
    /// Each connection asks as soon as it was answered.
    Closed,
    /// So many requests are due each second, over all connections.
    Open {
        /// How many.
        per_sec: f64,
    },
    /// Each connection asks once.
    Once,
}

impl Load {
    /// The requests that are due each second, if any are.
    pub(crate) fn due_per_sec(self) -> Option<f64> {
        match self {
            Self::Open { per_sec } => Some(per_sec),
            Self::Rest | Self::Closed | Self::Once => None,
        }
    }
}

/// A connection and what it asks.
pub(super) struct Desk {
    pub(super) connection: Connection,
    pub(super) script: Box<dyn Script>,
}

/// The desks of one part, and to whom they speak.
pub(super) struct Desks {
    pub(super) target: String,
    pub(super) desks: Vec<Desk>,
}

/// What a thread is to do in one round.
pub(super) struct Order {
    /// For each part its load.
    pub(super) loads: Vec<Load>,
    /// How long.
    pub(super) duration: Duration,
    /// Keeps the paces of several threads apart.
    pub(super) offset: Duration,
    /// Whether the thread has a core of its own.
    pub(super) has_core: bool,
}

/// Runs a round on this thread.
pub(super) async fn run(parts: &mut [Desks], order: &Order, stop: &Stop) -> Result<Vec<Tally>, BenchError> {
    let cpu_before = thread_cpu();
    let began = Instant::now();
    let mut running = Vec::new();
    for (part, load) in parts.iter_mut().zip(&order.loads) {
        running.push(Running::start(part, *load, order));
    }
    let mut tallies = Vec::new();
    for (running, part) in running.into_iter().zip(parts) {
        tallies.push(running.finish(part, began, order.duration, stop).await?);
    }
    for tally in &mut tallies {
        tally.generator_cpu = thread_cpu().saturating_sub(cpu_before);
        tally.generator_threads = 1;
    }
    Ok(tallies)
}

/// A part whose desks are at work.
struct Running {
    at_work: JoinSet<(Desk, Result<(), Wrong>, Instant)>,
    pace: Option<Arc<Pace>>,
    tally: Arc<Mutex<Tally>>,
}

impl Running {
    fn start(part: &mut Desks, load: Load, order: &Order) -> Self {
        let Order { duration, offset, has_core, .. } = *order;
        let tally = Arc::new(Mutex::new(Tally::new()));
        let mut at_work = JoinSet::new();
        let until = Instant::now() + duration;
        let pace = match load {
            Load::Open { per_sec } => Some(Arc::new(Pace::new(per_sec, duration, offset, has_core))),
            Load::Rest | Load::Closed | Load::Once => None,
        };
        if let Some(pace) = pace.clone() {
            let (tally, waiting) = (Arc::clone(&tally), part.desks.len());
            tokio::spawn(async move { pace.run(waiting, |late| lock(&tally).record_lateness(late)).await });
        }
        if load != Load::Rest {
            for mut desk in part.desks.drain(..) {
                let (tally, pace) = (Arc::clone(&tally), pace.clone());
                at_work.spawn(async move {
                    let ended = match (load, pace) {
                        (_, Some(pace)) => desk.ask_at(&pace, &tally).await,
                        (Load::Once, _) => desk.ask_until(Instant::now(), &tally).await,
                        _ => desk.ask_until(until, &tally).await,
                    };
                    (desk, ended, Instant::now())
                });
            }
        }
        Self { at_work, pace, tally }
    }

    /// Waits until all have ended; every desk comes back.
    async fn finish(
        mut self,
        part: &mut Desks,
        began: Instant,
        duration: Duration,
        stop: &Stop,
    ) -> Result<Tally, BenchError> {
        let wrong = |wrong| BenchError::Wrong { target: part.target.clone(), wrong };
        let mut last = began;
        let all_end = async {
            while let Some(ended) = self.at_work.join_next().await {
                let (desk, ended, at) = ended.map_err(|_panicked| Wrong::Closed)?;
                ended?;
                last = last.max(at);
                part.desks.push(desk);
            }
            Ok(())
        };
        tokio::select! {
            ended = timeout(duration + PATIENCE, all_end) => {
                ended.unwrap_or(Err(Wrong::Silent(PATIENCE.as_secs()))).map_err(wrong)?;
            }
            () = stop.told() => return Err(BenchError::Stopped),
        }
        let mut tally = lock(&self.tally).clone();
        tally.elapsed = last - began;
        tally.unsent = self.pace.map_or(0, |pace| pace.unsent());
        Ok(tally)
    }
}

impl Desk {
    /// The closed loop; asks at least once.
    async fn ask_until(&mut self, until: Instant, tally: &Mutex<Tally>) -> Result<(), Wrong> {
        loop {
            let began = Instant::now();
            let Some(request) = self.script.next() else { return Ok(()) };
            let answer = self.connection.ask(request).await?;
            let answered = Instant::now();
            self.script.judge(&answer)?;
            lock(tally).record(answered - began);
            if answered >= until {
                return Ok(());
            }
        }
    }

    /// The open loop.
    async fn ask_at(&mut self, pace: &Pace, tally: &Mutex<Tally>) -> Result<(), Wrong> {
        while let Some(due) = pace.next().await {
            let Some(request) = self.script.next() else { return Ok(()) };
            let answer = self.connection.ask(request).await?;
            let answered = Instant::now();
            self.script.judge(&answer)?;
            lock(tally).record(answered - due);
        }
        Ok(())
    }
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (secs, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(secs.unwrap_or_default(), nanos.unwrap_or_default())
}

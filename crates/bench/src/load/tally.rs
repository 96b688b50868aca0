//! What a round has seen.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies are kept to three digits, up to this.
const MOST: Duration = Duration::from_secs(120);

/// Answers, all of them right, and how long they took.
#[derive(Clone)]
pub(crate) struct Tally {
    latencies: Histogram<u64>,
    /// From the beginning of the round to its last answer.
    pub(crate) elapsed: Duration,
    /// The CPU time of the generator, of all its threads.
    pub(crate) generator_cpu: Duration,
    /// How many threads it had.
    pub(crate) generator_threads: u32,
    lateness: Histogram<u64>,
    /// In an open loop: requests that should have been sent, and were not.
    pub(crate) unsent: u64,
}

impl Tally {
    /// Nothing seen yet.
    pub(crate) fn new() -> Self {
        Self {
            latencies: histogram(),
            elapsed: Duration::ZERO,
            generator_cpu: Duration::ZERO,
            generator_threads: 0,
            lateness: histogram(),
            unsent: 0,
        }
    }

    /// Notes an answer.
    pub(crate) fn record(&mut self, latency: Duration) {
        self.latencies.saturating_record(nanos(latency));
    }

    /// Notes how late the generator was.
    pub(crate) fn record_lateness(&mut self, late: Duration) {
        self.lateness.saturating_record(nanos(late));
    }

    /// Adds what another thread has seen in the same round.
    pub(crate) fn add(&mut self, other: &Self) {
        // Both have the same bounds, so adding cannot fail.
        let _ = self.latencies.add(&other.latencies);
        let _ = self.lateness.add(&other.lateness);
        self.elapsed = self.elapsed.max(other.elapsed);
        self.generator_cpu += other.generator_cpu;
        self.generator_threads += other.generator_threads;
        self.unsent += other.unsent;
    }

    /// How many answers.
    pub(crate) fn answers(&self) -> u64 {
        self.latencies.len()
    }

    /// Answers per second.
    pub(crate) fn per_sec(&self) -> f64 {
        self.answers() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The latency that so many of a hundred answers do not exceed.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.latencies.value_at_percentile(percent))
    }

    /// In an open loop: how much later than planned the generator itself came to 99 of 100 requests at most.
    pub(crate) fn lateness_p99(&self) -> Option<Duration> {
        (!self.lateness.is_empty()).then(|| Duration::from_nanos(self.lateness.value_at_percentile(99.0)))
    }

    /// Which part of its time the generator was busy: at 1 it was the limit.
    pub(crate) fn generator_share(&self) -> f64 {
        let had = self.elapsed.as_secs_f64() * f64::from(self.generator_threads.max(1));
        self.generator_cpu.as_secs_f64() / had.max(1e-9)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, nanos(MOST), 3).expect("the bounds are constants, and valid")
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1)
}

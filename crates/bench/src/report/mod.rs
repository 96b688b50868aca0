//! What was found: data first, then its forms for people.

mod bars;
mod cell;
mod curve;
mod html;
mod markdown;
mod shown;
mod sweeps;
mod tables;
#[cfg(test)]
mod tests;
mod text;

use serde::Serialize;

use crate::{Machine, Spread};
pub use shown::Shown;
pub use sweeps::{
    ConnectionsFigures, ConnectionsRow, DurabilityFigures, IdleFigures, RateFigures, RateRow, RevocationsRow,
    StartFigures, StormFigures, Sweeps,
};

/// Everything that one benchmark found. The JSON form is its serialization.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The format of this report; a change of meaning makes it another.
    pub format: u32,
    /// When it began, RFC 3339.
    pub at: String,
    /// On what.
    pub machine: Machine,
    /// How.
    pub settings: Settings,
    /// The hot paths.
    pub paths: Vec<PathFigures>,
    /// The sweeps.
    pub sweeps: Sweeps,
    /// The figures that obol promises, as far as they were measured.
    pub shown: Vec<Shown>,
    /// What a reader must know to judge the figures.
    pub remarks: Vec<String>,
}

/// How it was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// The server that was measured: `own`, or a URL.
    pub server: String,
    /// Connections, unless a row says otherwise.
    pub connections: usize,
    /// `closed`, or `open` with a rate.
    pub load: String,
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: String,
    /// Whether over TLS.
    pub tls: bool,
    /// The length of a run.
    pub duration_ms: u64,
    /// Runs of each target.
    pub repeats: usize,
    /// The cores of the servers; empty when nothing was pinned.
    pub server_cores: Vec<usize>,
    /// The cores of the load generator; empty when nothing was pinned.
    pub generator_cores: Vec<usize>,
}

/// One hot path.
#[derive(Debug, Clone, Serialize)]
pub struct PathFigures {
    /// Its name.
    pub path: &'static str,
    /// Connections.
    pub connections: usize,
    /// Server and ceiling.
    #[serde(flatten)]
    pub figures: Comparison,
}

/// A server beside the ceiling of the same run.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The requests that were due each second; absent for a closed loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_per_sec: Option<Spread>,
    /// The server.
    pub server: Option<Row>,
    /// The ceiling.
    pub ceiling: Option<Row>,
    /// CPU time per request of the ceiling over that of the server: 1 is the ceiling, less is slower.
    pub ratio_by_cpu: Option<Spread>,
    /// Requests a second of the server over those of the ceiling.
    pub ratio_by_rate: Option<Spread>,
    /// p99 of the server over that of the ceiling.
    pub p99_over_ceiling: Option<Spread>,
}

/// The figures of one target under one load.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Which target.
    pub target: String,
    /// Answers counted, over all runs; each was checked.
    pub answers: u64,
    /// Answers a second.
    pub requests_per_sec: Spread,
    /// Median latency, microseconds.
    pub p50_us: Spread,
    /// Latency that 99 of 100 answers do not exceed, microseconds.
    pub p99_us: Spread,
    /// Latency that 999 of 1,000 answers do not exceed, microseconds.
    pub p999_us: Spread,
    /// CPU time of the target's process, user and system, by answer, microseconds.
    pub cpu_us_per_request: Option<Spread>,
    /// CPU time of the target's process by time: 1 is one core.
    pub server_busy: Option<Spread>,
    /// CPU time of the generator by time and thread: near 1 the generator was the limit.
    pub generator_busy: Spread,
    /// In an open loop: how late the generator itself came to 99 of 100 requests at most, microseconds.
    pub late_p99_us: Option<Spread>,
    /// In an open loop: requests that were due and not sent, because answers took too long.
    pub unsent: u64,
    /// Resident memory of the target after the run, bytes.
    pub resident_bytes: Option<Spread>,
}

impl Row {
    /// In an open loop: whether much of the latency is the generator's own.
    pub fn was_late(&self) -> bool {
        self.late_p99_us.is_some_and(|late| late.median > self.p99_us.median / 3.0)
    }

    /// In an open loop: whether answers came more slowly than requests were due.
    pub fn fell_behind(&self, due_per_sec: Option<Spread>) -> bool {
        let due = due_per_sec.map_or(0.0, |due| due.median);
        self.requests_per_sec.median < due * 0.97 || self.unsent * 100 > self.answers
    }

    /// Whether the generator, and not the target, was at its end: then CPU time per request decides.
    pub fn generator_was_the_limit(&self) -> bool {
        let server = self.server_busy.map_or(0.0, |busy| busy.median);
        self.late_p99_us.is_none() && self.generator_busy.median > 0.93 && server < 0.93
    }
}

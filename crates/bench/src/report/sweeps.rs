//! What the sweeps found.

use serde::Serialize;

use super::{Comparison, Row};
use crate::Spread;

/// The sweeps that were measured.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Sweeps {
    /// Start-up and idle memory.
    pub start: Option<StartFigures>,
    /// By live revocations.
    pub revocations: Vec<RevocationsRow>,
    /// By connections.
    pub connections: Option<ConnectionsFigures>,
    /// While revocations pour in.
    pub storm: Option<StormFigures>,
    /// By rate.
    pub rate: Option<RateFigures>,
    /// Beside bare commits.
    pub durability: Option<DurabilityFigures>,
}

/// Start-up on an empty folder.
#[derive(Debug, Clone, Serialize)]
pub struct StartFigures {
    /// From the start of the process to its first 200, milliseconds.
    pub first_200_ms: Option<Spread>,
    /// Resident memory then, bytes.
    pub idle_bytes: Option<Spread>,
}

/// A server with so many live revocations.
#[derive(Debug, Clone, Serialize)]
pub struct RevocationsRow {
    /// How many.
    pub live: u64,
    /// From the start of the process to its first 200, milliseconds.
    pub first_200_ms: Option<f64>,
    /// Resident memory after the start, bytes.
    pub idle_bytes: Option<u64>,
    /// What that is more than with no revocation, by revocation.
    pub bytes_per_revocation: Option<f64>,
    /// The size of the database, bytes.
    pub data_bytes: u64,
    /// Verify.
    pub verify: Option<Row>,
    /// CPU time per request with no revocation over that with these.
    pub ratio_to_none_by_cpu: Option<Spread>,
    /// Requests a second with these over those with none.
    pub ratio_to_none_by_rate: Option<Spread>,
}

/// Verify by connections.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionsFigures {
    /// By connections.
    pub rows: Vec<ConnectionsRow>,
    /// Connections that rest.
    pub idle: IdleFigures,
}

/// Verify over so many connections.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionsRow {
    /// How many.
    pub connections: usize,
    /// Server and ceiling.
    #[serde(flatten)]
    pub figures: Comparison,
}

/// What connections cost that rest.
#[derive(Debug, Clone, Serialize)]
pub struct IdleFigures {
    /// How many.
    pub connections: usize,
    /// Resident memory without them, bytes.
    pub idle_bytes: Option<u64>,
    /// More with them, by connection, before any has asked.
    pub bytes_per_unused_connection: Option<f64>,
    /// More with them, by connection, after each has asked once.
    pub bytes_per_used_connection: Option<f64>,
}

/// Verify with and without revocations that pour in.
#[derive(Debug, Clone, Serialize)]
pub struct StormFigures {
    /// The rate of verify in both: half of what it took in the closed loop just before.
    pub verify_per_sec: Option<Spread>,
    /// The revocations that were due each second.
    pub wished_revocations_per_sec: f64,
    /// The revocations that were done each second.
    pub revocations_per_sec: Option<Spread>,
    /// p99 of verify in the storm over that without.
    pub p99_over_quiet: Option<Spread>,
    /// Verify without.
    pub quiet: Option<Row>,
    /// Verify in the storm; CPU time is that of verify and revocations together.
    pub storm: Option<Row>,
}

/// Verify by rate.
#[derive(Debug, Clone, Serialize)]
pub struct RateFigures {
    /// By rate.
    pub rows: Vec<RateRow>,
}

/// Verify at one rate.
#[derive(Debug, Clone, Serialize)]
pub struct RateRow {
    /// The rate as a part of what the server took in the closed loop just before.
    pub share: f64,
    /// Server and ceiling, both at this rate.
    #[serde(flatten)]
    pub figures: Comparison,
}

/// Durable revocations beside bare single-row commits of SQLite.
#[derive(Debug, Clone, Serialize)]
pub struct DurabilityFigures {
    /// Median latency of a bare commit, microseconds.
    pub commit_p50_us: Option<Spread>,
    /// Bare commits a second.
    pub commits_per_sec: Option<Spread>,
    /// Median latency of a revocation alone, less that of a bare commit, microseconds.
    pub p50_over_commit_us: Option<Spread>,
    /// Revocations a second, many at a time, over bare commits a second.
    pub times_commits_per_sec: Option<Spread>,
    /// Revocations one at a time.
    pub one_at_a_time: Option<Row>,
    /// Revocations many at a time.
    pub many_at_a_time: Option<Row>,
    /// How many that is.
    pub many: usize,
}

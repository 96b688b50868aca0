//! What is to be measured, and how.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::load::Protocol;
use crate::{HotPath, RunningServer};

/// A benchmark.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The obol program, started as server and as ceiling.
    pub program: PathBuf,
    /// Where the folders of the benchmark are made; `None` for the system's temporary folder.
    pub place: Option<PathBuf>,
    /// A server that runs already, instead of one of our own.
    pub running: Option<RunningServer>,
    /// The paths.
    pub paths: Vec<HotPath>,
    /// The sweeps.
    pub sweeps: Vec<Sweep>,
    /// Connections.
    pub connections: usize,
    /// Requests a second in an open loop; `None` for the closed loop.
    pub per_sec: Option<f64>,
    /// What is spoken.
    pub protocol: Protocol,
    /// Whether over TLS.
    pub tls: bool,
    /// How many cores the server gets; the generator gets others.
    pub server_cores: usize,
    /// How long, and how often.
    pub timing: Timing,
    /// The sizes of the sweeps.
    pub sizes: Sizes,
}

/// A client, and perhaps a person, that the benchmark asks as.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Its `client_id`.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Somebody who signs in through it.
    pub person: Option<Person>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials {{ client_id: {:?}, .. }}", self.client_id)
    }
}

/// A person who signs in.
#[derive(Clone)]
pub struct Person {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// How long each run is, and how often it is repeated.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Before each run, not counted.
    pub warm_up: Duration,
    /// Each run.
    pub duration: Duration,
    /// Runs of each target; the targets take turns.
    pub repeats: usize,
}

/// How large the sweeps are.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// Live revocations, the smallest first; the first should be 0.
    pub revocations: Vec<u64>,
    /// Connections.
    pub connections: Vec<usize>,
    /// Connections that rest while memory is looked at.
    pub idle_connections: usize,
    /// Revocations a second in the storm.
    pub storm_per_sec: f64,
    /// Rates of verify, as parts of its capacity.
    pub rate_shares: Vec<f64>,
    /// Different tokens that are asked about beside live revocations.
    pub tokens: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            revocations: vec![0, 10_000, 1_000_000, 10_000_000],
            connections: vec![1, 64, 1_024, 10_000],
            idle_connections: 10_000,
            storm_per_sec: 5_000.0,
            rate_shares: vec![0.1, 0.3, 0.5, 0.7, 0.9],
            tokens: 16_384,
        }
    }
}

impl Sizes {
    /// As small as they can be and still go every way.
    pub fn smoke() -> Self {
        Self {
            revocations: vec![0, 2_000],
            connections: vec![1, 16],
            idle_connections: 50,
            storm_per_sec: 200.0,
            rate_shares: vec![0.3],
            tokens: 64,
        }
    }
}

/// A series of measurements along one quantity, or of one thing against another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sweep {
    /// Start-up time and idle memory on an empty folder.
    Start,
    /// Verify, start-up and memory by live revocations.
    Revocations,
    /// Verify by connections, and the memory of idle ones.
    Connections,
    /// Verify while revocations pour in.
    Storm,
    /// Verify's latency by rate, beside the ceiling's.
    Rate,
    /// Durable revocations beside bare commits of SQLite.
    Durability,
}

impl Sweep {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Start, Self::Revocations, Self::Connections, Self::Storm, Self::Rate, Self::Durability];

    /// Its name on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Revocations => "revocations",
            Self::Connections => "connections",
            Self::Storm => "storm",
            Self::Rate => "rate",
            Self::Durability => "durability",
        }
    }
}

impl FromStr for Sweep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|sweep| sweep.name() == text).ok_or_else(|| format!("one of: {}", known()))
    }
}

//! Measures an obol server against the limit: a bare HTTP server under the same load, on the same machine, in the same run.
//!
//! What is measured is a process of its own, started by the same program ([`Plan::program`]); the load generator
//! ([`load`]) checks every answer and has no figure for a server that answers wrongly. Only ratios of one run are
//! comparable between machines, so the targets take turns and every figure is a median with its least and greatest.

mod ask;
mod bench;
mod ceiling;
mod cores;
mod failure;
mod installation;
mod load;
mod machine;
mod measure;
mod path;
mod plan;
mod process;
mod report;
mod running;
mod spread;
mod stop;
mod sweep;
mod target;
mod tls;

pub use bench::run;
pub use ceiling::run_ceiling;
pub use cores::Cores;
pub use failure::{BenchError, Wrong};
pub use load::Protocol;
pub use machine::Machine;
pub use path::HotPath;
pub use plan::{Credentials, Person, Plan, Sizes, Sweep, Timing};
pub use report::{
    Comparison, ConnectionsFigures, ConnectionsRow, DurabilityFigures, IdleFigures, PathFigures, RateFigures,
    RateRow, Report, RevocationsRow, Row, Settings, Shown, StartFigures, StormFigures, Sweeps,
};
pub use running::RunningServer;
pub use spread::{Interval, Spread};
pub use stop::Stop;
pub use tls::Trust;

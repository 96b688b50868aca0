//! One measurement: a target under one load; and two targets that take turns.

use std::time::Duration;

use crate::ask::Hands;
use crate::load::{Crew, Load, Part, Script, Tally};
use crate::path::{Site, Workload};
use crate::report::{Comparison, Row};
use crate::target::Target;
use crate::{BenchError, Spread, Timing};

/// Up to so many connections stay open between the runs; more would not fit two targets at once.
const HELD_OPEN: usize = 2_048;

/// What one run of one target showed.
pub(crate) struct Measured {
    /// The answers.
    pub(crate) tally: Tally,
    /// What the target's process spent on them.
    cpu: Option<Duration>,
    resident_bytes: Option<u64>,
}

impl Measured {
    /// CPU time of the target by answer, in microseconds.
    pub(crate) fn cpu_us_per_request(&self) -> Option<f64> {
        Some(self.cpu?.as_secs_f64() * 1e6 / self.tally.answers().max(1) as f64)
    }

    /// p99 in microseconds.
    pub(crate) fn p99_us(&self) -> f64 {
        self.tally.percentile(99.0).as_secs_f64() * 1e6
    }
}

/// A target with open connections, ready to be measured again and again.
pub(crate) struct Stand<'a> {
    target: &'a Target,
    crew: Crew,
}

impl<'a> Stand<'a> {
    /// Opens a connection for each script, and lets them ask for a while that is not counted.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(crate) fn open(
        target: &'a Target,
        scripts: Vec<Box<dyn Script>>,
        timing: Timing,
        hands: Hands<'_>,
    ) -> Result<Self, BenchError> {
        let part = Part { target: &target.name, endpoint: &target.endpoint, scripts };
        let crew = Crew::open(vec![part], hands.cores, hands.stop)?;
        crew.round(&[Load::Closed], timing.warm_up)?;
        Ok(Self { target, crew })
    }

    /// One run. The CPU time is read while nothing is asked, so that it fits the answers exactly.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(crate) fn run(&self, load: Load, timing: Timing) -> Result<Measured, BenchError> {
        self.crew.round(&[load], timing.warm_up / 4)?;
        let before = self.target.cpu_time();
        let tally = self.crew.round(&[load], timing.duration)?.pop().unwrap_or_else(Tally::new);
        Ok(Measured::of(self.target, tally, before.as_ref()))
    }
}

impl Measured {
    /// What `target` has spent on a tally, since a reading before it.
    pub(crate) fn of(target: &Target, tally: Tally, before: Option<&crate::process::CpuTime>) -> Self {
        let cpu = target.cpu_time().zip(before).map(|(after, before)| after.since(before));
        Self { tally, cpu, resident_bytes: target.resident_bytes() }
    }
}

/// How the targets of a contest are asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asking {
    /// As this says.
    Load(Load),
    /// At a part of what the server takes in the closed loop, found out anew before each turn: a machine that changes its
    /// speed is asked for more or less.
    ShareOfCapacity(f64),
}

impl Asking {
    fn load(self, server: &Stand<'_>, timing: Timing) -> Result<Load, BenchError> {
        match self {
            Self::Load(load) => Ok(load),
            Self::ShareOfCapacity(share) => {
                let capacity = server.run(Load::Closed, timing)?.tally.per_sec();
                Ok(Load::Open { per_sec: capacity * share })
            }
        }
    }
}

/// Two targets on one path: they take turns, so that what disturbs the machine meets both.
pub(crate) struct Contest<'a> {
    /// The server.
    pub(crate) site: Site<'a>,
    /// The ceiling; `None` for a server on another machine.
    pub(crate) ceiling: Option<&'a Target>,
    /// What is asked.
    pub(crate) workload: &'a Workload,
    /// How.
    pub(crate) load: Asking,
    /// Over how many connections.
    pub(crate) connections: usize,
    /// How long and how often.
    pub(crate) timing: Timing,
}

impl Contest<'_> {
    /// Runs it.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(crate) fn run(&self, mut say: impl FnMut(&str, &Measured)) -> Result<Comparison, BenchError> {
        let (mut server, mut ceiling, mut due) = (Vec::new(), Vec::new(), Vec::new());
        let (mut at_server, mut at_ceiling) = (None, None);
        for _ in 0..self.timing.repeats.max(1) {
            self.refill()?;
            let stand = at_server.take().map_or_else(|| self.stand_at_server(), Ok)?;
            let load = self.load.load(&stand, self.timing)?;
            due.push(load.due_per_sec());
            server.push(stand.run(load, self.timing)?);
            at_server = Some(stand).filter(|_| self.connections <= HELD_OPEN);
            server.last().inspect(|measured| say(&self.site.target.name, measured));
            let Some(target) = self.ceiling else { continue };
            let stand = at_ceiling.take().map_or_else(|| self.stand_at_ceiling(target), Ok)?;
            ceiling.push(stand.run(load, self.timing)?);
            at_ceiling = Some(stand).filter(|_| self.connections <= HELD_OPEN);
            ceiling.last().inspect(|measured| say(&target.name, measured));
        }
        let due_per_sec = Spread::of(due);
        Ok(Comparison { due_per_sec, ..compare(self.site.target, &server, self.ceiling, &ceiling) })
    }

    fn stand_at_server(&self) -> Result<Stand<'_>, BenchError> {
        let scripts = self.workload.scripts(self.connections);
        Stand::open(self.site.target, scripts, self.timing, self.site.hands)
    }

    fn stand_at_ceiling<'t>(&self, target: &'t Target) -> Result<Stand<'t>, BenchError> {
        let scripts = self.workload.ceiling_scripts(self.connections);
        Stand::open(target, scripts, self.timing, self.site.hands)
    }

    fn refill(&self) -> Result<(), BenchError> {
        let Some(source) = &self.workload.source else { return Ok(()) };
        source.refill(&self.site, self.connections, self.timing.warm_up * 2 + self.timing.duration)
    }
}

fn compare(
    server: &Target,
    of_server: &[Measured],
    ceiling: Option<&Target>,
    of_ceiling: &[Measured],
) -> Comparison {
    let ratio = |of: &dyn Fn(&Measured, &Measured) -> Option<f64>| {
        Spread::of(of_server.iter().zip(of_ceiling).map(|(server, ceiling)| of(server, ceiling)))
    };
    Comparison {
        due_per_sec: None,
        server: row(server, of_server),
        ceiling: ceiling.and_then(|ceiling| row(ceiling, of_ceiling)),
        ratio_by_cpu: ratio(&|server, ceiling| {
            Some(ceiling.cpu_us_per_request()? / server.cpu_us_per_request()?)
        }),
        ratio_by_rate: ratio(&|server, ceiling| Some(server.tally.per_sec() / ceiling.tally.per_sec())),
        p99_over_ceiling: ratio(&|server, ceiling| Some(server.p99_us() / ceiling.p99_us())),
    }
}

/// The figures of one target over all its runs; `None` when there were none.
pub(crate) fn row(target: &Target, runs: &[Measured]) -> Option<Row> {
    let of = |value: &dyn Fn(&Measured) -> Option<f64>| Spread::of(runs.iter().map(value));
    let percentile = |percent: f64| of(&|run| Some(run.tally.percentile(percent).as_secs_f64() * 1e6));
    Some(Row {
        target: target.name.clone(),
        answers: runs.iter().map(|run| run.tally.answers()).sum(),
        requests_per_sec: of(&|run| Some(run.tally.per_sec()))?,
        p50_us: percentile(50.0)?,
        p99_us: percentile(99.0)?,
        p999_us: percentile(99.9)?,
        cpu_us_per_request: of(&Measured::cpu_us_per_request),
        server_busy: of(&|run| Some(run.cpu?.as_secs_f64() / run.tally.elapsed.as_secs_f64().max(1e-9))),
        generator_busy: of(&|run| Some(run.tally.generator_share()))?,
        late_p99_us: of(&|run| Some(run.tally.lateness_p99()?.as_secs_f64() * 1e6)),
        unsent: runs.iter().map(|run| run.tally.unsent).sum(),
        resident_bytes: of(&|run| Some(run.resident_bytes? as f64)),
    })
}

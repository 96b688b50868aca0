//! One measurement: a target under one load; and two targets that take turns.

use std::time::Duration;

use crate::ask::Hands;
use crate::load::{Crew, Load, Part, Script, Tally};
use crate::path::{Site, Workload};
use crate::report::{Comparison, Row};
use crate::target::Target;
use crate::{BenchError, Spread, Timing};

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
}

/// Measures a target once. The CPU time is read while nothing is asked, so that it fits the answers exactly.
///
/// # Errors
/// [`BenchError`]
pub(crate) fn measure(
    target: &Target,
    scripts: Vec<Box<dyn Script>>,
    load: Load,
    timing: Timing,
    hands: Hands<'_>,
) -> Result<Measured, BenchError> {
    let part = Part { target: &target.name, endpoint: &target.endpoint, scripts };
    let crew = Crew::open(vec![part], hands.cores, hands.stop)?;
    crew.round(&[load], timing.warm_up)?;
    let before = target.cpu_time();
    let tally = crew.round(&[load], timing.duration)?.pop().unwrap_or_else(Tally::new);
    let cpu = target.cpu_time().zip(before).map(|(after, before)| after.since(&before));
    let resident_bytes = target.resident_bytes();
    Ok(Measured { tally, cpu, resident_bytes })
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
    pub(crate) load: Load,
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
        let (site, timing) = (self.site, self.timing);
        let (mut server, mut ceiling) = (Vec::new(), Vec::new());
        for _ in 0..timing.repeats.max(1) {
            if let Some(source) = &self.workload.source {
                source.refill(&site, self.connections, timing.warm_up + timing.duration)?;
            }
            let scripts = self.workload.scripts(self.connections);
            let measured = measure(site.target, scripts, self.load, timing, site.hands)?;
            say(&site.target.name, &measured);
            server.push(measured);
            if let Some(target) = self.ceiling {
                let scripts = self.workload.ceiling_scripts(self.connections);
                let measured = measure(target, scripts, self.load, timing, site.hands)?;
                say(&target.name, &measured);
                ceiling.push(measured);
            }
        }
        Ok(compare(site.target, &server, self.ceiling, &ceiling))
    }
}

fn compare(
    server: &Target,
    of_server: &[Measured],
    ceiling: Option<&Target>,
    of_ceiling: &[Measured],
) -> Comparison {
    let ratio = |part: fn(&Measured, &Measured) -> Option<f64>| {
        Spread::of(of_server.iter().zip(of_ceiling).map(|(server, ceiling)| part(server, ceiling)))
    };
    Comparison {
        server: row(server, of_server),
        ceiling: ceiling.and_then(|ceiling| row(ceiling, of_ceiling)),
        ratio_by_cpu: ratio(|server, ceiling| {
            Some(ceiling.cpu_us_per_request()? / server.cpu_us_per_request()?)
        }),
        ratio_by_rate: ratio(|server, ceiling| Some(server.tally.per_sec() / ceiling.tally.per_sec())),
        p99_over_ceiling: ratio(|server, ceiling| {
            Some(server.tally.percentile(99.0).as_secs_f64() / ceiling.tally.percentile(99.0).as_secs_f64())
        }),
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
        cpu_us_per_request: of(&|run| run.cpu_us_per_request()),
        server_busy: of(&|run| Some(run.cpu?.as_secs_f64() / run.tally.elapsed.as_secs_f64().max(1e-9))),
        generator_busy: of(&|run| Some(run.tally.generator_share()))?,
        late_p99_us: of(&|run| Some(run.tally.lateness_p99()?.as_secs_f64() * 1e6)),
        unsent: runs.iter().map(|run| run.tally.unsent).sum(),
        resident_bytes: of(&|run| Some(run.resident_bytes? as f64)),
    })
}

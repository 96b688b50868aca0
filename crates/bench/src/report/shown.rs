//! The figures that obol promises, beside what was measured.

use serde::Serialize;

use super::{Report, Row};
use crate::path::TOKENS_IN_BATCH;
use crate::{Interval, Spread};

/// One promised figure.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// What it is.
    pub figure: &'static str,
    /// The promise.
    pub target: &'static str,
    /// What was measured, in the unit of the promise.
    pub measured: Spread,
    /// The unit; empty for a ratio.
    pub unit: &'static str,
    /// Whether the median keeps the promise; `None` when that is not clear: the generator came late, or the median may, with
    /// other runs, lie far away on the other side of the promise.
    pub holds: Option<bool>,
}

/// Below this a flush can hardly have waited for a disk.
const CHEAP_COMMIT_US: f64 = 200.0;
const MIB: f64 = 1.0 / (1 << 20) as f64;
const TEN_MILLION: u64 = 10_000_000;

impl Report {
    /// Fills in what follows from the figures.
    pub(crate) fn conclude(&mut self) {
        let mut shown = Vec::new();
        self.show_paths(&mut shown);
        self.show_revocations(&mut shown);
        self.show_loads(&mut shown);
        self.show_footprint(&mut shown);
        self.shown = shown;
        self.remark_limits();
    }

    fn show_paths(&self, shown: &mut Vec<Shown>) {
        let ratios =
            |path: &str| self.paths.iter().find(|figures| figures.path == path).map(|path| &path.figures);
        let by_cpu = |path: &str| ratios(path)?.ratio_by_cpu;
        at_least(
            shown,
            "verify, valid token, ratio to the ceiling by CPU time",
            "≥ 0.95",
            by_cpu("verify-valid"),
            0.95,
        );
        let by_rate = ratios("verify-valid").and_then(|figures| figures.ratio_by_rate);
        at_least(shown, "verify, valid token, ratio to the ceiling by requests/s", "≥ 0.95", by_rate, 0.95);
        at_least(
            shown,
            "introspection, ratio to the ceiling by CPU time",
            "≥ 0.80",
            by_cpu("introspect"),
            0.80,
        );
        at_least(
            shown,
            "forward-auth, ratio to the ceiling by CPU time",
            "≥ 0.90",
            by_cpu("forward-auth"),
            0.90,
        );
        let per_sec = |path: &str| Some(ratios(path)?.server.as_ref()?.requests_per_sec);
        let batch = per_sec("introspect-batch").zip(per_sec("introspect"));
        let over_single = batch.map(|(batch, single)| batch.scaled(TOKENS_IN_BATCH as f64 / single.median));
        at_least(
            shown,
            "introspection in batches of 100, tokens/s over single calls",
            "≥ 5",
            over_single,
            5.0,
        );
        at_least(
            shown,
            "client-credentials token, ratio to the ceiling by CPU time",
            "≥ 0.60",
            by_cpu("client-credentials"),
            0.60,
        );
    }

    fn show_revocations(&self, shown: &mut Vec<Shown>) {
        let Some(row) = self.sweeps.revocations.iter().find(|row| row.live == TEN_MILLION) else { return };
        let (by_cpu, by_rate) = (row.ratio_to_none_by_cpu, row.ratio_to_none_by_rate);
        at_least(
            shown,
            "verify with 10 million live revocations, ratio to none by CPU time",
            "≥ 0.95",
            by_cpu,
            0.95,
        );
        at_least(
            shown,
            "verify with 10 million live revocations, ratio to none by requests/s",
            "≥ 0.95",
            by_rate,
            0.95,
        );
        let bytes = row.bytes_per_revocation.map(Spread::single);
        at_most(shown, "memory per live revocation, 10 million of them", ("≤ 48 B", "B"), bytes, 48.0);
        let secs = row.first_200_ms.map(|ms| Spread::single(ms / 1e3));
        at_most(shown, "start with 10 million live revocations", ("≤ 5 s", "s"), secs, 5.0);
    }

    fn show_loads(&self, shown: &mut Vec<Shown>) {
        let at_70 = self.sweeps.rate.iter().flat_map(|rate| &rate.rows);
        if let Some(row) = at_70.into_iter().find(|row| (row.share - 0.7).abs() < 1e-9) {
            let figure = "verify p99 at 70 % of its capacity over the ceiling's at that rate";
            at_most(shown, figure, ("≤ 1.3", ""), row.figures.p99_over_ceiling, 1.3);
            let both = [&row.figures.server, &row.figures.ceiling];
            // Both take more than this in a closed loop: who does not keep up was disturbed.
            unless(
                shown,
                both.into_iter().flatten().any(|of| of.was_late() || of.fell_behind(row.figures.due_per_sec)),
            );
        }
        if let Some(storm) = &self.sweeps.storm {
            let figure = "verify p99 in a storm of revocations over its p99 without";
            at_most(shown, figure, ("≤ 2", ""), storm.p99_over_quiet, 2.0);
            let (quiet, stormy) = (storm.quiet.as_ref(), storm.storm.as_ref());
            let behind_before = quiet.is_some_and(|quiet| quiet.fell_behind(storm.verify_per_sec));
            unless(shown, behind_before || quiet.into_iter().chain(stormy).any(Row::was_late));
        }
        let Some(durability) = &self.sweeps.durability else { return };
        let over_ms = durability.p50_over_commit_us.map(|over| over.scaled(1e-3));
        at_most(shown, "revoke one at a time, latency over a bare commit", ("≤ 0.3 ms", "ms"), over_ms, 0.3);
        let times = durability.times_commits_per_sec;
        at_least(shown, "revoke 64 at a time, revocations/s over bare commits/s", "≥ 10", times, 10.0);
    }

    fn show_footprint(&self, shown: &mut Vec<Shown>) {
        if let Some(start) = &self.sweeps.start {
            at_most(shown, "start on an empty folder", ("≤ 50 ms", "ms"), start.first_200_ms, 50.0);
            let idle = start.idle_bytes.map(|bytes| bytes.scaled(MIB));
            at_most(shown, "memory idle", ("≤ 20 MB", "MiB"), idle, 20.0 * 1e6 * MIB);
        }
        let Some(connections) = &self.sweeps.connections else { return };
        let used = connections.idle.bytes_per_used_connection.map(|bytes| Spread::single(bytes / 1024.0));
        at_most(shown, "memory of an idle connection", ("≤ 20 KiB", "KiB"), used, 20.0);
    }

    fn remark_limits(&mut self) {
        let storm = self.sweeps.storm.iter().flat_map(|storm| [&storm.quiet, &storm.storm]);
        let rates = self.sweeps.rate.iter().flat_map(|rate| &rate.rows);
        let rates = rates.flat_map(|rate| [&rate.figures.server, &rate.figures.ceiling]);
        let paths = self.paths.iter().flat_map(|path| [&path.figures.server, &path.figures.ceiling]);
        if storm.chain(rates).chain(paths).flatten().any(Row::was_late) {
            self.remarks.push(
                "At some rates the load generator came late to requests itself (see `generator late`): those \
                 latencies are not the server's alone."
                    .to_owned(),
            );
        }
        let commit = self.sweeps.durability.as_ref().and_then(|durability| durability.commit_p50_us);
        if let Some(commit) = commit.filter(|commit| commit.median < CHEAP_COMMIT_US) {
            self.remarks.push(format!(
                "A bare commit took {:.0} µs: this disk, or the machine beneath, says at once that it has flushed. \
                 Where a flush costs nothing, sharing one gains nothing.",
                commit.median
            ));
        }
        let limited: Vec<&str> = self
            .paths
            .iter()
            .filter(|path| {
                [&path.figures.server, &path.figures.ceiling]
                    .into_iter()
                    .flatten()
                    .any(Row::generator_was_the_limit)
            })
            .map(|path| path.path)
            .collect();
        if !limited.is_empty() {
            self.remarks.push(format!(
                "The load generator was the limit on {}: there, CPU time per request decides, not requests/s.",
                limited.join(", ")
            ));
        }
    }
}

/// A median that may lie on either side of a promise, and as far apart as this, proves nothing.
const FAR_APART: f64 = 3.0;

fn verdict(measured: Spread, promise: f64, holds: bool) -> Option<bool> {
    let Interval { from, to } = measured.confident;
    let on_both_sides = from < promise && promise < to;
    let far_apart = to > from.abs() * FAR_APART;
    (!(on_both_sides && far_apart)).then_some(holds)
}

/// Takes the last verdict back if the machine was measured, not obol.
fn unless(shown: &mut [Shown], disturbed: bool) {
    if let Some(last) = shown.last_mut().filter(|_| disturbed) {
        last.holds = None;
    }
}

fn at_least(
    shown: &mut Vec<Shown>,
    figure: &'static str,
    target: &'static str,
    measured: Option<Spread>,
    least: f64,
) {
    let Some(measured) = measured else { return };
    shown.push(Shown {
        figure,
        target,
        measured,
        unit: "",
        holds: verdict(measured, least, measured.median >= least),
    });
}

fn at_most(
    shown: &mut Vec<Shown>,
    figure: &'static str,
    (target, unit): (&'static str, &'static str),
    measured: Option<Spread>,
    most: f64,
) {
    let Some(measured) = measured else { return };
    shown.push(Shown {
        figure,
        target,
        measured,
        unit,
        holds: verdict(measured, most, measured.median <= most),
    });
}

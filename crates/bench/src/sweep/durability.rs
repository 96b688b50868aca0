//! Durable revocations beside bare commits of SQLite, on the same disk and in turns.

use super::commits::Commits;
use crate::bench::Bench;
use crate::load::{Load, Tally};
use crate::measure::{Measured, Stand, row};
use crate::path::{HotPath, Site, Workload};
use crate::report::DurabilityFigures;
use crate::target::Target;
use crate::{BenchError, Spread};

/// Revocations at a time, where they may share a flush.
const MANY: usize = 64;

impl Bench<'_> {
    /// Measures bare commits, revocations one at a time, and many at a time.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(super) fn sweep_durability(&self) -> Result<DurabilityFigures, BenchError> {
        let installation = self.installation()?;
        let server = installation.serve("obol", &self.cores)?;
        let site = Site { target: &server, credentials: &installation.credentials, hands: self.hands() };
        let mut commits = Commits::in_folder(installation.folder())?;
        let (mut bare, mut one, mut many) = (Vec::new(), Vec::new(), Vec::new());
        {
            let alone = self.revoker(&site, 1)?;
            let together = self.revoker(&site, MANY)?;
            for _ in 0..self.plan.timing.repeats.max(1) {
                bare.push(commits.run(self.plan.timing.duration, &self.cores)?);
                one.push(self.revoke(&site, &alone)?);
                many.push(self.revoke(&site, &together)?);
            }
        }
        let figures = figures(&server, &bare, &one, &many);
        server.stop()?;
        Ok(figures)
    }

    /// So many open connections with tokens to revoke.
    fn revoker<'t>(&self, site: &Site<'t>, connections: usize) -> Result<Revoker<'t>, BenchError> {
        let workload = HotPath::Revoke.workload(site)?;
        self.refill(site, &workload, connections)?;
        let stand = Stand::open(site.target, workload.scripts(connections), self.plan.timing, self.hands())?;
        Ok(Revoker { connections, workload, stand })
    }

    fn revoke(&self, site: &Site<'_>, revoker: &Revoker<'_>) -> Result<Measured, BenchError> {
        self.refill(site, &revoker.workload, revoker.connections)?;
        let measured = revoker.stand.run(Load::Closed, self.plan.timing)?;
        self.say_run(&format!("revoke, {} at a time", revoker.connections), "obol", &measured);
        Ok(measured)
    }

    fn refill(&self, site: &Site<'_>, workload: &Workload, connections: usize) -> Result<(), BenchError> {
        let Some(source) = &workload.source else { return Ok(()) };
        source.refill(site, connections, self.plan.timing.warm_up + self.plan.timing.duration)
    }
}

struct Revoker<'a> {
    connections: usize,
    workload: Workload,
    stand: Stand<'a>,
}

fn figures(server: &Target, bare: &[Tally], one: &[Measured], many: &[Measured]) -> DurabilityFigures {
    let p50_us = |tally: &Tally| tally.percentile(50.0).as_secs_f64() * 1e6;
    let over = one.iter().zip(bare).map(|(one, bare)| Some(p50_us(&one.tally) - p50_us(bare)));
    let times = many.iter().zip(bare).map(|(many, bare)| Some(many.tally.per_sec() / bare.per_sec()));
    DurabilityFigures {
        commit_p50_us: Spread::of(bare.iter().map(|tally| Some(p50_us(tally)))),
        commits_per_sec: Spread::of(bare.iter().map(|tally| Some(tally.per_sec()))),
        p50_over_commit_us: Spread::of(over),
        times_commits_per_sec: Spread::of(times),
        one_at_a_time: row(server, one),
        many_at_a_time: row(server, many),
        many: MANY,
    }
}

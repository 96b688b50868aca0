//! Durable revocations beside bare commits of SQLite, on the same disk and in turns.

use super::commits::Commits;
use crate::bench::Bench;
use crate::load::{Load, Tally};
use crate::measure::{Stand, row};
use crate::path::{HotPath, Site};
use crate::report::DurabilityFigures;
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
        let timing = self.plan.timing;
        let (alone, together) = (HotPath::Revoke.workload(&site)?, HotPath::Revoke.workload(&site)?);
        let (mut stand_alone, mut stand_together) = (None, None);
        for _ in 0..timing.repeats.max(1) {
            bare.push(commits.run(timing.duration, &self.cores)?);
            for (workload, connections, stand, runs) in
                [(&alone, 1, &mut stand_alone, &mut one), (&together, MANY, &mut stand_together, &mut many)]
            {
                let run = timing.warm_up * 2 + timing.duration;
                workload.source.as_deref().map_or(Ok(()), |source| source.refill(&site, connections, run))?;
                if stand.is_none() {
                    let scripts = workload.scripts(connections);
                    *stand = Some(Stand::open(&server, scripts, timing, self.hands())?);
                }
                let Some(stand) = stand else { continue };
                let measured = stand.run(Load::Closed, timing)?;
                self.say_run(&format!("revoke, {connections} at a time"), "obol", &measured);
                runs.push(measured);
            }
        }
        let p50_us = |tally: &Tally| tally.percentile(50.0).as_secs_f64() * 1e6;
        let figures = DurabilityFigures {
            commit_p50_us: Spread::of(bare.iter().map(|tally| Some(p50_us(tally)))),
            commits_per_sec: Spread::of(bare.iter().map(|tally| Some(tally.per_sec()))),
            p50_over_commit_us: Spread::of(
                one.iter().zip(&bare).map(|(one, bare)| Some(p50_us(&one.tally) - p50_us(bare))),
            ),
            times_commits_per_sec: Spread::of(
                many.iter().zip(&bare).map(|(many, bare)| Some(many.tally.per_sec() / bare.per_sec())),
            ),
            one_at_a_time: row(&server, &one),
            many_at_a_time: row(&server, &many),
            many: MANY,
        };
        (stand_alone, stand_together) = (None, None);
        drop((stand_alone, stand_together));
        server.stop()?;
        Ok(figures)
    }
}

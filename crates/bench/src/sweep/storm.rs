//! Verify while revocations pour in: the same rate of verify with and without them, in turns.

use crate::bench::Bench;
use crate::load::{Crew, Load, Part, Tally};
use crate::measure::{Measured, row};
use crate::path::{HotPath, Site, Workload};
use crate::report::StormFigures;
use crate::target::Target;
use crate::{BenchError, Spread, Timing};

/// Which part of its capacity verify is asked for: the storm needs its part too.
const SHARE: f64 = 0.5;

impl Bench<'_> {
    /// Measures verify in quiet and in the storm.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(super) fn sweep_storm(&self) -> Result<StormFigures, BenchError> {
        let installation = self.installation()?;
        let server = installation.serve("obol", &self.cores)?;
        let site = Site { target: &server, credentials: &installation.credentials, hands: self.hands() };
        let verify = HotPath::VerifyValid.workload(&site)?;
        let revoke = HotPath::Revoke.workload(&site)?;
        let figures = self.storm(&site, &verify, &revoke)?;
        server.stop()?;
        Ok(figures)
    }

    fn storm(
        &self,
        site: &Site<'_>,
        verify: &Workload,
        revoke: &Workload,
    ) -> Result<StormFigures, BenchError> {
        let (connections, wished) = (self.plan.connections, self.plan.sizes.storm_per_sec);
        // A flush of the disk now and then has to meet many requests.
        let timing = Timing { duration: self.plan.timing.duration * 3, ..self.plan.timing };
        let part = |scripts| Part { target: &site.target.name, endpoint: &site.target.endpoint, scripts };
        let parts = vec![part(verify.scripts(connections)), part(revoke.scripts(connections))];
        let crew = Crew::open(parts, &self.cores, self.stop)?;
        crew.round(&[Load::Closed, Load::Rest], timing.warm_up)?;
        let (mut quiet, mut stormy, mut revocations, mut due) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..timing.repeats.max(1) {
            let rest = Timing { duration: self.plan.timing.duration, ..timing };
            let (at_most, _) = side_by_side(site.target, &crew, [Load::Closed, Load::Rest], rest)?;
            let verifying = Load::Open { per_sec: at_most.tally.per_sec() * SHARE };
            let revoking = Load::Open { per_sec: wished };
            due.push(verifying.due_per_sec());
            let (without, _) = side_by_side(site.target, &crew, [verifying, Load::Rest], timing)?;
            if let Some(source) = &revoke.source {
                source.fill(site, (wished * timing.duration.as_secs_f64()).ceil() as usize)?;
            }
            let (with, revoked) = side_by_side(site.target, &crew, [verifying, revoking], timing)?;
            let (before, after) = (without.p99_us(), with.p99_us());
            (self.say)(&format!("storm: verify p99 {before:.0} µs without, {after:.0} µs with"));
            quiet.push(without);
            stormy.push(with);
            revocations.push(Some(revoked.per_sec()));
        }
        let p99_ratio = quiet.iter().zip(&stormy).map(|(quiet, storm)| Some(storm.p99_us() / quiet.p99_us()));
        Ok(StormFigures {
            verify_per_sec: Spread::of(due),
            wished_revocations_per_sec: wished,
            revocations_per_sec: Spread::of(revocations),
            p99_over_quiet: Spread::of(p99_ratio),
            quiet: row(site.target, &quiet),
            storm: row(site.target, &stormy),
        })
    }
}

/// One round of two loads: the first measured, and what the second did.
fn side_by_side(
    target: &Target,
    crew: &Crew,
    loads: [Load; 2],
    timing: Timing,
) -> Result<(Measured, Tally), BenchError> {
    let before = target.cpu_time();
    let mut tallies = crew.round(&loads, timing.duration)?.into_iter();
    let mut next = || tallies.next().unwrap_or_else(Tally::new);
    let measured = Measured::of(target, next(), before.as_ref());
    Ok((measured, next()))
}

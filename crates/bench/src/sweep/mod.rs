//! Series of measurements: along one quantity, or of one thing against another.

mod bulk;
mod commits;
mod connections;
mod durability;
mod rate;
mod revocations;
mod start;
mod storm;

use crate::bench::Bench;
use crate::measure::{Asking, Contest};
use crate::path::{Site, Workload};
use crate::report::{Comparison, Sweeps};
use crate::target::Target;
use crate::{BenchError, HotPath, Sweep, Timing};

impl Bench<'_> {
    /// Measures the sweeps of the plan, in their order.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(crate) fn sweeps(&self) -> Result<Sweeps, BenchError> {
        let mut sweeps = Sweeps::default();
        for sweep in &self.plan.sweeps {
            match sweep {
                Sweep::Start => sweeps.start = Some(self.sweep_start()?),
                Sweep::Revocations => sweeps.revocations = self.sweep_revocations()?,
                Sweep::Connections => sweeps.connections = Some(self.sweep_connections()?),
                Sweep::Storm => sweeps.storm = Some(self.sweep_storm()?),
                Sweep::Rate => sweeps.rate = Some(self.sweep_rate()?),
                Sweep::Durability => sweeps.durability = Some(self.sweep_durability()?),
            }
        }
        Ok(sweeps)
    }

    /// Verify of tokens that stand, with its ceiling, on a server of our own.
    fn with_verify<T>(
        &self,
        work: impl FnOnce(&Verify<'_>) -> Result<T, BenchError>,
    ) -> Result<T, BenchError> {
        let installation = self.installation()?;
        let server = installation.serve("obol", &self.cores)?;
        let site = Site { target: &server, credentials: &installation.credentials, hands: self.hands() };
        let workload = HotPath::VerifyValid.workload(&site)?;
        let tls_folder = self.plan.tls.then(|| installation.data());
        let ceiling = self.ceiling(&site, &workload, tls_folder)?;
        let done = work(&Verify { site, workload: &workload, ceiling: &ceiling })?;
        server.stop()?;
        Ok(done)
    }

    fn contest(
        &self,
        verify: &Verify<'_>,
        load: Asking,
        connections: usize,
        timing: Timing,
        what: &str,
    ) -> Result<Comparison, BenchError> {
        let Verify { site, workload, ceiling } = *verify;
        let contest = Contest { site, ceiling: Some(ceiling), workload, load, connections, timing };
        contest.run(|target, measured| self.say_run(what, target, measured))
    }
}

/// A server that can be asked to verify, beside the ceiling.
struct Verify<'a> {
    site: Site<'a>,
    workload: &'a Workload,
    ceiling: &'a Target,
}

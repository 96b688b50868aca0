//! From the start of the process to its first 200, and its memory when nothing has happened yet.

use crate::bench::Bench;
use crate::installation::Installation;
use crate::report::StartFigures;
use crate::{BenchError, Spread};

impl Bench<'_> {
    /// Starts servers on empty folders, one after the other.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(super) fn sweep_start(&self) -> Result<StartFigures, BenchError> {
        let (mut first_200, mut idle) = (Vec::new(), Vec::new());
        for _ in 0..self.plan.timing.repeats.max(1) {
            let plan = self.plan;
            let folder = Installation::empty(&plan.program, plan.place.as_deref(), plan.protocol, plan.tls)?;
            let server = folder.serve("obol", &self.cores)?;
            first_200.push(server.started_in.map(|took| took.as_secs_f64() * 1e3));
            idle.push(server.resident_bytes().map(|bytes| bytes as f64));
            (self.say)(&format!(
                "start, empty folder: {:.1} ms",
                first_200.last().copied().flatten().unwrap_or(0.0)
            ));
            server.stop()?;
        }
        Ok(StartFigures { first_200_ms: Spread::of(first_200), idle_bytes: Spread::of(idle) })
    }
}

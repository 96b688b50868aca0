//! Verify by the number of connections, and what a connection that rests costs.

use crate::bench::Bench;
use crate::load::{Crew, Load, Part};
use crate::measure::Asking;
use crate::path::{self, Site};
use crate::report::{ConnectionsFigures, ConnectionsRow, IdleFigures};
use crate::{BenchError, Timing};

impl Bench<'_> {
    /// Measures all numbers of the plan that fit this process.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(super) fn sweep_connections(&self) -> Result<ConnectionsFigures, BenchError> {
        let room = self.room;
        let rows = self.with_verify(|verify| {
            let mut rows = Vec::new();
            for &connections in self.plan.sizes.connections.iter().filter(|count| **count <= room) {
                // Thousands of connections need longer until each has its turn.
                let timing = self.plan.timing;
                let stretch = if connections >= 1_000 { 2 } else { 1 };
                let timing = Timing { duration: timing.duration * stretch, ..timing };
                let what = format!("verify, {connections} connections");
                let figures = self.contest(verify, Asking::Load(Load::Closed), connections, timing, &what)?;
                rows.push(ConnectionsRow { connections, figures });
            }
            Ok(rows)
        })?;
        Ok(ConnectionsFigures { rows, idle: self.idle(self.plan.sizes.idle_connections.min(room))? })
    }

    /// A server that has done nothing yet, with connections that rest: before each has asked once, and after.
    fn idle(&self, connections: usize) -> Result<IdleFigures, BenchError> {
        let installation = self.installation()?;
        let server = installation.serve("obol", &self.cores)?;
        let site = Site { target: &server, credentials: &installation.credentials, hands: self.hands() };
        // The client's own: memory that hashing a password leaves behind would hide what connections take.
        let workload = path::of_tokens(&site, &path::service_tokens(&site, 64)?);
        let idle_bytes = server.resident_bytes();
        let scripts = workload.scripts(connections);
        let part = Part { target: &server.name, endpoint: &server.endpoint, scripts };
        let crew = Crew::open(vec![part], &self.cores, self.stop)?;
        let unused_bytes = server.resident_bytes();
        crew.round(&[Load::Once], self.plan.timing.duration)?;
        let used_bytes = server.resident_bytes();
        let each = |bytes: Option<u64>| {
            bytes.zip(idle_bytes).map(|(with, without)| (with as f64 - without as f64) / connections as f64)
        };
        (self.say)(&format!(
            "{connections} idle connections: {:.0} bytes each",
            each(used_bytes).unwrap_or(0.0)
        ));
        drop(crew);
        server.stop()?;
        Ok(IdleFigures {
            connections,
            idle_bytes,
            bytes_per_unused_connection: each(unused_bytes),
            bytes_per_used_connection: each(used_bytes),
        })
    }
}

//! Verify's latency by rate: server and ceiling at the same requests a second, in turns.

use crate::BenchError;
use crate::bench::Bench;
use crate::load::Load;
use crate::report::{RateFigures, RateRow};

impl Bench<'_> {
    /// Measures the shares of the plan of what the server takes in the closed loop.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(super) fn sweep_rate(&self) -> Result<RateFigures, BenchError> {
        self.with_verify(|verify| {
            let capacity_per_sec = self.capacity(&verify.site, verify.workload)?;
            let mut rows = Vec::new();
            for &share in &self.plan.sizes.rate_shares {
                let per_sec = capacity_per_sec * share;
                let what = format!("verify at {:.0} % of its capacity", share * 100.0);
                let (connections, timing) = (self.plan.connections, self.plan.timing);
                let figures = self.contest(verify, Load::Open { per_sec }, connections, timing, &what)?;
                rows.push(RateRow { share, per_sec, figures });
            }
            Ok(RateFigures { capacity_per_sec, rows })
        })
    }
}

//! Verify's latency by rate: server and ceiling at the same requests a second, in turns.

use crate::BenchError;
use crate::bench::Bench;
use crate::measure::Asking;
use crate::report::{RateFigures, RateRow};

impl Bench<'_> {
    /// Measures the shares of the plan of what the server takes in the closed loop.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(super) fn sweep_rate(&self) -> Result<RateFigures, BenchError> {
        self.with_verify(|verify| {
            let mut rows = Vec::new();
            for &share in &self.plan.sizes.rate_shares {
                let what = format!("verify at {:.0} % of its capacity", share * 100.0);
                let (connections, timing) = (self.plan.connections, self.plan.timing);
                let figures =
                    self.contest(verify, Asking::ShareOfCapacity(share), connections, timing, &what)?;
                rows.push(RateRow { share, figures });
            }
            Ok(RateFigures { rows })
        })
    }
}

//! Faults one after the other under load, and the checker's verdict on all that was answered.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Cluster, Fault, Journal, LEASE, Load, Workload};
use crate::checker::{Report, Settings, check};
use crate::{Chance, wait_until};

/// What became of a run.
pub struct Lived {
    /// The checker's verdict.
    pub report: Report,
    /// All answers and figures.
    pub journal: Arc<Journal>,
}

/// Lets these faults happen under load, one after the other, each after a moment of peace. `each` is told of a fault
/// before it happens.
#[track_caller]
pub fn live_through(
    cluster: &Arc<Cluster>,
    faults: impl IntoIterator<Item = Fault>,
    load: Load,
    chance: &mut Chance,
    mut each: impl FnMut(&Fault, &Journal),
) -> Lived {
    let journal = Arc::new(Journal::start());
    let workload = Workload::start(cluster, &journal, load, chance);
    peace(&journal, 1_000);
    for fault in faults {
        peace(&journal, u64::from(load.steps_per_second) / 3);
        each(&fault, &journal);
        fault.happen(cluster, &journal);
    }
    peace(&journal, 1_000.max(load.at_least.saturating_sub(journal.figures().operations())));
    workload.stop();
    Lived { report: check(&journal.events(), &settings()), journal }
}

/// Waits until so many more calls have been answered.
fn peace(journal: &Journal, calls: u64) {
    let until = journal.figures().operations() + calls;
    wait_until("the load goes on", Duration::from_secs(120), || {
        (journal.figures().operations() >= until).then_some(())
    });
}

/// What a cluster with the usual options was told to keep.
fn settings() -> Settings {
    Settings { lease: LEASE, ..Settings::default() }
}

impl fmt::Display for Lived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.report, self.journal.figures())
    }
}

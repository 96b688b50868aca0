//! Judges a recorded history of a cluster by the rules H1 to H7, and counts flapping.
//!
//! How it goes, one file each:
//! 1. `event.rs`: what is recorded; `recorder.rs`: by many threads.
//! 2. `index.rs`: which tokens there are, in which groups, and what was answered about each.
//! 3. `ends.rs`: which calls may have ended what, from when on and for whom; `reuse.rs`: those that nobody asked for.
//! 4. `refuted.rs`: unknown outcomes that an acceptance proves not to have happened.
//! 5. `rules.rs`: every answer against all that; `report.rs`: the breaches, each with the events that prove it.
//!
//! The judgement is exact for what a client can know. An event has a beginning and an end, and happened somewhere
//! between them; two events whose spans touch are concurrent. An end with an unknown outcome happened once, until one
//! settling time after its answer, or never. A history is blamed only if no choice of such moments explains it.

mod ends;
mod event;
mod flapping;
mod index;
mod recorder;
mod refuted;
mod report;
mod reuse;
mod rules;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use event::{Account, Event, Grant, Name, Operation, Outcome, Target};
pub use flapping::Flapping;
pub use recorder::Recorder;
pub use report::{Breach, Report, Rule};

use ends::Ends;
use index::Index;

/// What the cluster was told to keep.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The lease of a node.
    pub lease: Duration,
    /// How long a refresh token that was just replaced gets the same answer again; zero for never.
    pub grace: Duration,
    /// How far the clocks by which tokens expire may be from the recorder's, and how coarse they are.
    pub clock_slack: Duration,
}

impl Settings {
    /// An unknown outcome settles within the lease and this.
    pub const SETTLING_MARGIN: Duration = Duration::from_millis(100);

    /// How long after its answer an unknown outcome may still take effect.
    pub(crate) fn settling(&self) -> Duration {
        self.lease + Self::SETTLING_MARGIN
    }
}

impl Default for Settings {
    /// A lease of 2 s, grace of 10 s, clocks that count whole seconds and differ by less than one.
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(2),
            grace: Duration::from_secs(10),
            clock_slack: Duration::from_secs(2),
        }
    }
}

/// Judges a history. The order of the events in it does not matter.
///
/// At most one breach of each rule is reported for each token, the earliest.
pub fn check(events: &[Event], settings: &Settings) -> Report {
    let index = Index::of(events);
    let mut ends = Ends::of(&index, settings);
    reuse::add(&index, settings, &mut ends);
    ends.sort();
    refuted::mark(&index, &mut ends);
    let mut breaches = rules::judge(&index, &ends, settings);
    breaches.sort_by_key(Breach::proven_at);
    Report { breaches, judged: index.judged, unknown: index.unknown, flapping: flapping::count(&index) }
}

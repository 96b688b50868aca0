//! The recording of a run: every answer for the checker, and how long it took.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Figures;
use crate::checker::{Event, Name, Operation, Outcome, Recorder};

/// Where workers and the administrator write down what they did. Threads may share it.
pub struct Journal {
    recorder: Recorder,
    late: Mutex<Late>,
    figures: Figures,
}

/// Calls whose outcome is unknown, while something may still carry them out.
#[derive(Default)]
struct Late {
    holding: bool,
    held: Vec<(Duration, Name, Operation)>,
}

impl Journal {
    /// An empty one that begins now.
    pub fn start() -> Self {
        Self { recorder: Recorder::start(), late: Mutex::default(), figures: Figures::default() }
    }

    /// The time since the beginning: read it before a call is sent.
    pub fn now(&self) -> Duration {
        self.recorder.now()
    }

    /// Records a call that was sent at `called` and has been answered, or given up, now.
    pub fn record(&self, called: Duration, node: &Name, operation: Operation) {
        if is_unknown_change(&operation) {
            let mut late = self.late();
            if late.holding {
                late.held.push((called, node.clone(), operation));
                return;
            }
        }
        let took = self.now().saturating_sub(called);
        self.figures.note(called, took, &operation);
        self.recorder.record(called, node, operation);
    }

    /// From now on something between a node and the disk may carry out a change long after the caller was told that its
    /// outcome is unknown: a `COMMIT` waits in a delayed line, in a paused server, or for the standby. Such a call is over
    /// when [`Self::release`] says that this is.
    pub fn hold_unknown(&self) {
        self.late().holding = true;
    }

    /// What was held is over.
    pub fn release(&self) {
        let held = {
            let mut late = self.late();
            late.holding = false;
            std::mem::take(&mut late.held)
        };
        for (called, node, operation) in held {
            self.recorder.record(called, &node, operation);
        }
    }

    /// How long answers took, and what was going on.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Everything recorded so far, except what is held.
    pub fn events(&self) -> Vec<Event> {
        self.recorder.events()
    }

    fn late(&self) -> MutexGuard<'_, Late> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it may have changed something, or may still.
fn is_unknown_change(operation: &Operation) -> bool {
    match operation {
        Operation::Issue { outcome } => matches!(outcome, Outcome::Unknown),
        Operation::Exchange { outcome, .. } => matches!(outcome, Outcome::Unknown),
        Operation::Verify { .. } => false,
        Operation::Revoke { outcome, .. }
        | Operation::Disable { outcome, .. }
        | Operation::Enable { outcome, .. } => *outcome == Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Target;

    fn revoke(outcome: Outcome) -> Operation {
        Operation::Revoke { what: Target::Everything, outcome }
    }

    #[test]
    fn unknown_changes_are_over_when_nothing_can_carry_them_out_any_more() {
        let journal = Journal::start();
        journal.hold_unknown();
        journal.record(Duration::ZERO, &"n1".into(), revoke(Outcome::Unknown));
        journal.record(Duration::ZERO, &"n1".into(), revoke(Outcome::Done(())));
        assert_eq!(journal.events().len(), 1, "what is known is over");
        let before = journal.now();
        journal.release();
        journal.record(Duration::ZERO, &"n2".into(), revoke(Outcome::Unknown));
        let unknown: Vec<Event> = journal
            .events()
            .into_iter()
            .filter(|event| event.operation == revoke(Outcome::Unknown))
            .collect();
        assert_eq!(unknown.len(), 2);
        assert!(unknown.iter().all(|event| event.answered >= before), "{unknown:?}");
    }
}

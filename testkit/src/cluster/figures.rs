//! How long answers took, by what was going on meanwhile.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::checker::{Operation, Outcome};

/// Durations of answers, and episodes. Threads may share it.
#[derive(Default)]
pub struct Figures {
    operations: AtomicU64,
    revocations: Mutex<Vec<Timed>>,
    verifies: Mutex<Vec<Timed>>,
    episodes: Mutex<Vec<Episode>>,
}

/// One answer.
#[derive(Debug, Clone, Copy)]
struct Timed {
    called: Duration,
    took: Duration,
}

/// From the beginning of a fault until all nodes were ready again.
#[derive(Debug, Clone)]
struct Episode {
    kind: &'static str,
    began: Duration,
    ended: Option<Duration>,
}

/// The middle, the slowest but one in a hundred, and the slowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantiles {
    /// How many there were.
    pub count: usize,
    /// Half took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// None took longer.
    pub max: Duration,
}

impl Figures {
    pub(super) fn note(&self, called: Duration, took: Duration, operation: &Operation) {
        self.operations.fetch_add(1, Ordering::Relaxed);
        let drawer = match operation {
            Operation::Revoke { outcome: Outcome::Done(()), .. } => &self.revocations,
            Operation::Verify { outcome: Outcome::Done(()) | Outcome::Refused, .. } => &self.verifies,
            _ => return,
        };
        locked(drawer).push(Timed { called, took });
    }

    /// A fault of this kind begins.
    pub fn begin(&self, kind: &'static str, now: Duration) {
        locked(&self.episodes).push(Episode { kind, began: now, ended: None });
    }

    /// It is over, and every node is ready.
    pub fn end(&self, now: Duration) {
        if let Some(last) = locked(&self.episodes).last_mut() {
            last.ended = Some(now);
        }
    }

    /// How many calls were recorded.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// How many faults there were.
    pub fn episodes(&self) -> usize {
        locked(&self.episodes).len()
    }

    /// Answers to successful revocations while nothing was wrong.
    pub fn revocations_in_peace(&self) -> Quantiles {
        self.by_kind(&self.revocations).remove("").map(Quantiles::of).unwrap_or_default()
    }

    /// Answers to successful revocations that touch a fault of this kind.
    pub fn revocations_during(&self, kind: &str) -> Quantiles {
        self.by_kind(&self.revocations).remove(kind).map(Quantiles::of).unwrap_or_default()
    }

    /// By what was going on at some time between call and answer; nothing has no name.
    fn by_kind(&self, timed: &Mutex<Vec<Timed>>) -> BTreeMap<&'static str, Vec<Duration>> {
        let episodes = locked(&self.episodes).clone();
        let mut by_kind = BTreeMap::<_, Vec<Duration>>::new();
        for Timed { called, took } in locked(timed).iter().copied() {
            let answered = called + took;
            // Episodes come one after the other.
            let next = episodes.partition_point(|episode| episode.began <= answered);
            let last = next.checked_sub(1).map(|at| &episodes[at]);
            let touched = last.filter(|episode| episode.ended.is_none_or(|ended| ended >= called));
            by_kind.entry(touched.map_or("", |episode| episode.kind)).or_default().push(took);
        }
        by_kind
    }
}

impl Quantiles {
    /// Of these durations, in any order.
    pub fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let Some(last) = durations.len().checked_sub(1) else { return Self::default() };
        let at = |hundredths: usize| durations[last * hundredths / 100];
        Self { count: durations.len(), p50: at(50), p99: at(99), max: durations[last] }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} operations, {} episodes", self.operations(), self.episodes())?;
        for (what, timed) in [("revoke", &self.revocations), ("verify", &self.verifies)] {
            for (kind, durations) in self.by_kind(timed) {
                let kind = if kind.is_empty() { "nothing" } else { kind };
                writeln!(f, "  {what} during {kind}: {}", Quantiles::of(durations))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, p50, p99, max } = self;
        write!(f, "p50 {p50:.1?}, p99 {p99:.1?}, longest {max:.1?} of {count}")
    }
}

fn locked<T>(drawer: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    drawer.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Target;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn an_answer_counts_to_the_fault_that_it_touches() {
        let figures = Figures::default();
        let revoked = Operation::Revoke { what: Target::Everything, outcome: Outcome::Done(()) };
        figures.begin("pause", ms(100));
        figures.end(ms(200));
        for (called, took) in [(0, 50), (50, 51), (150, 10), (190, 1_000), (201, 5)] {
            figures.note(ms(called), ms(took), &revoked);
        }
        assert_eq!(figures.revocations_in_peace().max, ms(50));
        assert_eq!(figures.revocations_in_peace().count, 2);
        let paused = Quantiles { count: 3, p50: ms(51), p99: ms(51), max: ms(1_000) };
        assert_eq!(figures.revocations_during("pause"), paused);
    }
}

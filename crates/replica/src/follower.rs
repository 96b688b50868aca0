//! Step 2: follow the log, and renew the lease with readings of it.

use std::sync::Arc;
use std::time::Duration;

use obol_store::StoreError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::{Boottime, LoadError, Replica};

/// Follows the log until the replica is told to leave.
///
/// A renewal begins at the latest one interval after the one before it began, whether or not that has ended: a store that
/// takes longer than an interval has several to answer, and delays the lease instead of ending it. In between the log is
/// read whenever something was appended.
pub(crate) async fn follow(replica: Arc<Replica>) {
    let mut sweep = SweepTurns { next: 0, due_at: replica.boottime() };
    let (mut renewals, mut readings) = (JoinSet::new(), JoinSet::new());
    let mut renew_at = Instant::now();
    let mut failing = false;
    while !replica.is_leaving() {
        let reader = Arc::clone(&replica);
        // In this order and not by chance, so that a run can be repeated. None starves another: each turn begins something
        // that has to end before the same comes again, or puts the next renewal off.
        let done = tokio::select! {
            biased;
            Some(renewed) = renewals.join_next() => Some(renewed),
            Some(read) = readings.join_next() => Some(read),
            () = sleep_until(renew_at), if renewals.len() < MOST_RENEWALS => {
                renewals.spawn(async move { reader.renew().await });
                renew_at = Instant::now() + replica.options().renew_every;
                None
            }
            () = replica.store().wait_for_append(replica.applied()), if readings.is_empty() && !failing => {
                readings.spawn(async move { reader.read_on().await });
                None
            }
        };
        if let Some(done) = done {
            #[cfg(feature = "planted-bugs")]
            crate::clock::planted_turn(replica.boottime());
            let done = done.unwrap_or_else(|_panicked| Err(cut_off()));
            if done.is_err() {
                renew_at = renew_at.min(Instant::now() + RETRY_AFTER);
            }
            say_once(&replica, &mut failing, done);
        }
        if let Some(turn) = sweep.due(replica.boottime(), replica.options().renew_every) {
            replica.sweep(turn);
        }
    }
}

/// The most renewals under way at a time: those of one lease.
const MOST_RENEWALS: usize = 4;

/// Logs the first failure of a row of failures, and its end.
fn say_once(replica: &Replica, failing: &mut bool, read: Result<(), LoadError>) {
    match read {
        Ok(()) => {
            if std::mem::take(failing) {
                tracing::info!(position = %replica.applied(), "follows the change log again");
            }
        }
        Err(error) => {
            if !std::mem::replace(failing, true) {
                tracing::error!(
                    %error,
                    "cannot follow the change log; once its lease has ended, this node answers only what on_stale allows"
                );
            }
        }
    }
}

fn cut_off() -> LoadError {
    StoreError::Unavailable("a reading of the log was cut off".to_owned()).into()
}

/// When the next part of the deny list is swept: by time, since the loop turns once more for every append.
struct SweepTurns {
    next: usize,
    due_at: Boottime,
}

impl SweepTurns {
    /// The part to sweep at `now`, if it is time; then none for the time of `every`.
    fn due(&mut self, now: Boottime, every: Duration) -> Option<usize> {
        if now < self.due_at {
            return None;
        }
        self.due_at = now.plus(every);
        let turn = self.next;
        self.next = turn.wrapping_add(1);
        Some(turn)
    }
}

const RETRY_AFTER: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deny_list_is_swept_by_time_however_often_something_is_appended() {
        let at = |millis| Boottime::from_duration(Duration::from_millis(millis));
        let mut sweep = SweepTurns { next: 0, due_at: at(1_000) };
        let every = Duration::from_millis(500);
        let moments = [1_000, 1_000, 1_001, 1_499, 1_500, 1_501, 9_000, 9_000, 9_499, 9_500];
        let swept = moments.map(|millis| sweep.due(at(millis), every));
        assert_eq!(swept, [Some(0), None, None, None, Some(1), None, Some(2), None, None, Some(3)]);
    }
}

//! Step 2: follow the log. Read, apply, then renew the lease; in this order.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::{Boottime, Replica};

/// Follows the log until the replica is told to leave.
pub(crate) async fn follow(replica: Arc<Replica>) {
    let mut sweep = SweepTurns { next: 0, due_at: replica.boottime() };
    let mut failing = false;
    while !replica.is_leaving() {
        let appended = replica.store().wait_for_append(replica.applied());
        timeout(replica.options().renew_every, appended).await.ok();
        match replica.renew().await {
            Ok(()) => {
                if std::mem::take(&mut failing) {
                    tracing::info!(position = %replica.applied(), "follows the change log again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(%error, "cannot follow the change log; answers stop when the lease ends");
                }
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
        if let Some(turn) = sweep.due(replica.boottime(), replica.options().renew_every) {
            replica.sweep(turn);
        }
    }
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

//! Step 2: follow the log. Read, apply, then renew the lease; in this order.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::Replica;

/// Follows the log until the replica is told to leave.
pub(crate) async fn follow(replica: Arc<Replica>) {
    let mut turn = 0;
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
        replica.sweep(turn);
        turn = turn.wrapping_add(1);
    }
}

const RETRY_AFTER: Duration = Duration::from_millis(50);

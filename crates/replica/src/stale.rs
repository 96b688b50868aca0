//! After the lease: the policy by which a node goes on telling about tokens from what it last knew, and its log of that.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::{Replica, Status};

/// What a node without a lease does with questions about access tokens. Whatever issues or changes something is refused in
/// any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStale {
    /// Refuses to answer: then what was revoked is accepted nowhere.
    #[default]
    Refuse,
    /// Answers from what it last knew, and accepts what was revoked since.
    Serve {
        /// How old that may be, counted from the moment the last renewal was sent; longer than the lease.
        max_age: Duration,
    },
}

impl OnStale {
    /// Why the promise is not held under this policy, if it is not.
    pub fn weakness(self) -> Option<String> {
        match self {
            Self::Refuse => None,
            Self::Serve { max_age } => Some(format!(
                "on_stale is serve: a node that cannot read the change log goes on accepting what was revoked meanwhile, \
                 until what it knows is {} ms old",
                max_age.as_millis()
            )),
        }
    }
}

/// Logs when a node begins to give stale answers and when that ends, until the replica is told to leave.
pub(crate) async fn announce(replica: Arc<Replica>) {
    let mut gives_stale_answers = false;
    while !replica.is_leaving() {
        let status = replica.status();
        say_change(&mut gives_stale_answers, &status);
        sleep(until_next_look(&status)).await;
    }
}

/// At the latest when the lease ends, so that no stale answer goes unsaid for long.
fn until_next_look(status: &Status) -> Duration {
    match status.lease_left.is_zero() {
        true => LOOK_EVERY,
        false => status.lease_left.clamp(SHORTEST, LOOK_EVERY),
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(100);
const SHORTEST: Duration = Duration::from_millis(1);

fn say_change(gives_stale_answers: &mut bool, status: &Status) {
    let age_ms = status.age.as_millis();
    match (std::mem::replace(gives_stale_answers, status.is_stale()), status.is_stale()) {
        (false, true) => tracing::warn!(
            age_ms,
            answers_for_ms = status.answers_for.as_millis(),
            "gives stale answers: the change log cannot be read, and what was revoked meanwhile is accepted"
        ),
        (true, false) if status.lease_left.is_zero() => {
            tracing::error!(
                age_ms,
                "gives no stale answers any more: nothing is answered until the change log can be read"
            );
        }
        (true, false) => tracing::info!("gives no stale answers any more: the change log is read again"),
        (false, false) | (true, true) => {}
    }
}

#[cfg(test)]
mod tests {
    use obol_store::NodeId;
    use obol_token::Position;

    use super::*;

    fn status(lease_left: Duration, answers_for: Duration) -> Status {
        Status {
            node: NodeId::from_bytes([1; 16]),
            position: Position::START,
            draining: false,
            lease_left,
            answers_for,
            age: Duration::ZERO,
            on_stale: OnStale::Serve { max_age: Duration::from_secs(10) },
            seen: Arc::default(),
        }
    }

    #[test]
    fn the_end_of_a_lease_is_not_missed_and_without_one_nothing_is_looked_at_in_haste() {
        let (none, long) = (Duration::ZERO, Duration::from_secs(1));
        let millis = Duration::from_millis;
        for (lease_left, answers_for, next) in [
            (long, long, LOOK_EVERY),
            (millis(40), long, millis(40)),
            (Duration::from_micros(3), long, SHORTEST),
            (none, long, LOOK_EVERY),
            (none, none, LOOK_EVERY),
        ] {
            assert_eq!(until_next_look(&status(lease_left, answers_for)), next, "{lease_left:?}");
        }
    }
}

//! The way from "stop" to every connection.

use std::time::Duration;

use tokio::sync::watch;

/// Between "stop" and closing idle connections: a request that was already on its way is answered, with
/// `Connection: close`, instead of lost.
const LAST_CALL: Duration = Duration::from_millis(100);

/// After the last call, what has no request in work is given this long to say goodbye.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// Says stop, once.
pub(super) struct Stop(watch::Sender<bool>);

/// Hears it.
#[derive(Clone)]
pub(super) struct Drain(watch::Receiver<bool>);

/// A pair of the two ends.
pub(super) fn channel() -> (Stop, Drain) {
    let (stop, drain) = watch::channel(false);
    (Stop(stop), Drain(drain))
}

impl Stop {
    pub(super) fn say(&self) {
        self.0.send_replace(true);
    }
}

impl Drain {
    /// Whether the listener stops: every answer from now on is its connection's last.
    pub(super) fn has_begun(&self) -> bool {
        // Nobody marks this end as having seen the one change there is. A vanished sender is a stop too.
        !matches!(self.0.has_changed(), Ok(false))
    }

    /// Waits until the listener stops.
    pub(super) async fn begun(&self) {
        let _ = self.0.clone().wait_for(|stopping| *stopping).await;
    }

    /// Waits until idle connections are to be closed.
    pub(super) async fn last_call(&self) {
        self.begun().await;
        tokio::time::sleep(LAST_CALL).await;
    }
}

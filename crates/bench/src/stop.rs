//! Being told to stop before the end, from another thread.

use std::sync::Arc;

use tokio::sync::watch;

/// Says that a benchmark should end: whatever it is doing, it ends its children and takes its files away.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Tells it.
    pub fn tell(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was told.
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it is told.
    pub(crate) async fn told(&self) {
        // An error means that the sender is gone, and it is `self`.
        let _ = self.0.subscribe().wait_for(|told| *told).await;
    }
}

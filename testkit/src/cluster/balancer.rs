//! One door for all nodes: it asks each for its health every 100 ms, and sends a request to one that was healthy.
//! It retries nothing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Cluster, Node};

/// How often a node is asked.
const EVERY: Duration = Duration::from_millis(100);

/// Watches the nodes until it is dropped.
pub struct Balancer {
    healthy: Arc<Mutex<Vec<SocketAddr>>>,
    turn: AtomicUsize,
    stopping: Arc<AtomicBool>,
    watching: Option<JoinHandle<()>>,
}

impl Balancer {
    /// Before these nodes; every one that runs must be ready.
    pub fn before(cluster: &Arc<Cluster>) -> Self {
        let healthy = Arc::new(Mutex::new(healthy(cluster.nodes())));
        let stopping = Arc::new(AtomicBool::new(false));
        let (cluster, found, stop) = (cluster.clone(), healthy.clone(), stopping.clone());
        let watching = thread::spawn(move || {
            let mut next = Instant::now();
            while !stop.load(Ordering::SeqCst) {
                *found.lock().unwrap_or_else(PoisonError::into_inner) = self::healthy(cluster.nodes());
                next += EVERY;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        Self { healthy, turn: AtomicUsize::new(0), stopping, watching: Some(watching) }
    }

    /// The node whose turn it is among those that were healthy when they were last asked.
    pub fn next(&self) -> Option<SocketAddr> {
        let healthy = self.healthy.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        (!healthy.is_empty()).then(|| healthy[turn % healthy.len()])
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(watching) = self.watching.take() {
            // It has nothing to say that matters any more.
            let _ended = watching.join();
        }
    }
}

fn healthy(nodes: &[Arc<Node>]) -> Vec<SocketAddr> {
    let healthy = |node: &Arc<Node>| node.address().filter(|_| node.is_ready());
    nodes.iter().filter_map(healthy).collect()
}

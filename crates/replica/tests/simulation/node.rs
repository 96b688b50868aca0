//! A process: a real replica in a runtime of its own, which runs only when it is its turn.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use obol_keys::MasterKey;
use obol_replica::{LeaseOptions, Replica};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{advance, sleep, sleep_until};

use crate::faults::Faults;
use crate::link::Link;
use crate::machine::Machine;
use crate::wire::Wire;
use crate::world::{Ms, World};

/// One run of one node.
pub(crate) struct Process {
    pub(crate) number: u64,
    runtime: Runtime,
    pub(crate) link: Arc<Link>,
    pub(crate) replica: Running,
}

/// The replica, once it runs.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<Option<Arc<Replica>>>>);

impl Running {
    pub(crate) fn get(&self) -> Option<Arc<Replica>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How long a process waits before it tries again to start.
const START_AGAIN: Duration = Duration::from_millis(150);

impl Process {
    /// Starts a node at `at`.
    pub(crate) fn start(
        world: World,
        (slot, number): (usize, u64),
        faults: &Arc<Faults>,
        wire: &Arc<Wire>,
        at: Ms,
    ) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without devices");
        let machine = runtime.block_on(async { Machine::new(&world, Arc::clone(faults), slot, at) });
        let link = Arc::new(Link::new(world, number, machine, Arc::clone(faults), Arc::clone(wire)));
        let replica = Running::default();
        runtime.spawn(keep_starting(Arc::clone(&link), replica.clone()));
        Self { number, runtime, link, replica }
    }

    /// Lets it run until `until`. If it was paused before `from`, all that was due meanwhile is due now.
    pub(crate) fn run(&self, from: Ms, until: Ms) {
        self.runtime.block_on(async {
            let behind = from.saturating_sub(self.link.machine().now());
            if behind > 0 {
                advance(Duration::from_millis(behind)).await;
            }
            sleep_until(self.link.machine().instant(until)).await;
        });
    }

    /// Gives it something to do.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }
}

async fn keep_starting(link: Arc<Link>, running: Running) {
    loop {
        // A node that starts takes the wall clock for right.
        link.machine().set_wall_clock();
        let started = Replica::start(link.clone(), master(), link.clone(), LeaseOptions::default()).await;
        if let Ok(replica) = started {
            *running.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(replica);
            return;
        }
        sleep(START_AGAIN).await;
    }
}

fn master() -> MasterKey {
    let text = format!("obol-master-key-1 {}", "A".repeat(43));
    MasterKey::parse(text.into()).expect("the form of a master key")
}

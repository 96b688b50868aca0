//! A process's end of the wire: the traits of `obol-store`, as the PostgreSQL store keeps them, and its clocks.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use obol_replica::{Boottime, Clock};
use obol_store::{Appended, NodeId, Page, Peer, StoreError};
use obol_token::{Position, Timestamp};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep_until, timeout_at};

use crate::faults::Faults;
use crate::machine::Machine;
use crate::state::{Row, Write, Written};
use crate::wire::{Answer, Answered, Call, Key, Reply, Sent, Trip, Wire, numbered};
use crate::world::{Ms, World, Wrong};

tokio::task_local! {
    /// The operation for which this task works. Unset: the node does it by itself.
    pub(crate) static OPERATION: u64;
}

/// One process's end.
pub(crate) struct Link {
    pub(crate) world: World,
    process: u64,
    machine: Machine,
    faults: Arc<Faults>,
    wire: Arc<Wire>,
    counts: Mutex<HashMap<(u64, u64, u64), u64>>,
    /// The end of the log, as far as it is known.
    head: watch::Sender<Position>,
    /// The newest timeline met.
    timeline: AtomicU64,
    renewals: AtomicU64,
    pub(crate) registered: Mutex<Registered>,
    seen: Mutex<Seen>,
}

/// The node that runs here, under a name that is the same in every run.
#[derive(Default)]
pub(crate) struct Registered {
    times: u64,
    pub(crate) node: Option<NodeId>,
}

/// Since when each row is known to be as it is.
#[derive(Default)]
struct Seen {
    timeline: u64,
    since: HashMap<([u8; 16], u64), Duration>,
}

impl Link {
    pub(crate) fn new(
        world: World,
        process: u64,
        machine: Machine,
        faults: Arc<Faults>,
        wire: Arc<Wire>,
    ) -> Self {
        Self {
            world,
            process,
            machine,
            faults,
            wire,
            counts: Mutex::default(),
            head: watch::Sender::new(Position::START),
            timeline: AtomicU64::new(0),
            renewals: AtomicU64::new(process << 32),
            registered: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The node that registers gets the next name.
    pub(crate) fn next_name(&self) -> NodeId {
        let mut registered = locked(&self.registered);
        registered.times += 1;
        let name = numbered((self.process << 16) + registered.times);
        registered.node = Some(name);
        name
    }

    /// A row of the node that runs here, as its next renewal makes it.
    pub(crate) fn row(&self, node: NodeId, lease: Duration) -> Row {
        let lease = Ms::try_from(lease.as_millis()).expect("a short lease");
        let renewals = self.renewals.fetch_add(1, Ordering::Relaxed);
        Row { node, applied: Position::START, lease, renewals }
    }

    /// Asks the database, and waits for its answer until the deadline.
    pub(crate) async fn ask(&self, call: Call) -> Result<Answer, StoreError> {
        let now = self.machine.now();
        let deadline = now + call.patience();
        let key = self.key(&call);
        let trip = Trip::of(&self.world, &self.faults, &key, self.machine.slot(), now);
        let (answer, answered) = oneshot::channel();
        let arrives_at = now + trip.there;
        self.wire.send(Sent { key, slot: self.machine.slot(), call, trip, arrives_at, deadline, answer });
        let reply = timeout_at(self.machine.instant(deadline), self.hear(answered)).await;
        let Reply { timeline, answer } =
            reply.map_err(|_| unavailable("no answer in time"))?.ok_or_else(|| unavailable("broken"))?;
        match self.timeline.fetch_max(timeline, Ordering::AcqRel) > timeline {
            true => Err(unavailable("a former primary said this")),
            false => Ok(answer),
        }
    }

    async fn hear(&self, answered: oneshot::Receiver<Answered>) -> Option<Reply> {
        let Ok((at, reply)) = answered.await else { return pending().await };
        sleep_until(self.machine.instant(at)).await;
        reply
    }

    /// As [`Self::ask`], for what changes something.
    pub(crate) async fn write(&self, write: Write) -> Result<Written, StoreError> {
        match self.ask(Call::Write(write)).await? {
            Answer::Written(written) => Ok(written),
            _ => Err(unavailable("another answer")),
        }
    }

    /// As [`Self::ask`], for what reads the log; `None` if a renewal found no row.
    pub(crate) async fn read(&self, call: Call) -> Result<Option<Page>, StoreError> {
        let known = *self.head.borrow();
        match self.ask(call).await? {
            Answer::Page(page, newest) => {
                if newest < known {
                    self.head.send_replace(newest);
                } else {
                    self.heard_of(newest);
                }
                Ok(Some(page))
            }
            _ => Ok(None),
        }
    }

    /// There may be an entry at this position.
    pub(crate) fn heard_of(&self, position: Position) {
        self.head.send_if_modified(|head| {
            let later = position > *head;
            *head = position.max(*head);
            later
        });
    }

    /// Waits until there may be an entry after this one.
    pub(crate) async fn wait_past(&self, after: Position) {
        let _ = self.head.subscribe().wait_for(|head| *head > after).await;
    }

    /// An entry of this process's own.
    pub(crate) fn appended(&self, appended: Appended) -> Appended {
        self.heard_of(appended.position());
        appended
    }

    /// The other nodes that may vouch. The row of one whose lease is over is taken out before it is passed over.
    pub(crate) async fn peers(&self, except: Option<NodeId>) -> Result<Vec<Peer>, StoreError> {
        let answer = self.ask(Call::Rows).await.inspect_err(|_| locked(&self.seen).since.clear())?;
        let Answer::Rows(rows) = answer else { return Err(unavailable("another answer")) };
        let mut peers = Vec::new();
        for (row, since) in self.seen(&rows) {
            let longest = Duration::from_millis(row.lease + row.lease / 100 + 20);
            let passed = self.machine.since_boot(0).saturating_sub(since);
            let left = longest.saturating_sub(passed);
            if Some(row.node) == except {
                continue;
            }
            if !left.is_zero() {
                peers.push(Peer { node: row.node, applied: row.applied, lease_left: left });
            } else if !self.take_out(&row).await {
                peers.push(Peer { node: row.node, applied: row.applied, lease_left: longest });
            }
        }
        Ok(peers)
    }

    fn seen(&self, rows: &[Row]) -> Vec<(Row, Duration)> {
        let mut seen = locked(&self.seen);
        let timeline = self.timeline.load(Ordering::Acquire);
        if std::mem::replace(&mut seen.timeline, timeline) != timeline {
            seen.since.clear();
        }
        let now = self.machine.since_boot(0);
        let before = std::mem::take(&mut seen.since);
        let mut found = Vec::new();
        for row in rows {
            let mark = (*row.node.as_bytes(), row.renewals);
            let since = before.get(&mark).copied().unwrap_or(now);
            seen.since.insert(mark, since);
            found.push((*row, since));
        }
        found
    }

    async fn take_out(&self, row: &Row) -> bool {
        let taken = self.write(Write::TakeOut { node: row.node, renewals: row.renewals }).await;
        matches!(taken, Ok(Written::Row(true)))
    }

    fn key(&self, call: &Call) -> Key {
        let (kind, names) = call.names();
        let operation = OPERATION.try_with(|operation| *operation).unwrap_or(0);
        let mut counts = locked(&self.counts);
        let nth = counts.entry((operation, kind, names)).or_default();
        *nth += 1;
        Key { process: self.process, operation, kind, names, nth: *nth }
    }

    /// How long the next renewal of this node will be under way.
    fn next_renewal_takes(&self) -> Ms {
        let sent = locked(&self.counts).get(&(0, Call::RENEW, 0)).copied().unwrap_or(0);
        let key = Key { process: self.process, operation: 0, kind: Call::RENEW, names: 0, nth: sent + 1 };
        Trip::of(&self.world, &self.faults, &key, self.machine.slot(), self.machine.now()).round()
    }
}

impl Clock for Link {
    fn wall(&self) -> Timestamp {
        self.machine.wall()
    }

    /// A node reads it by itself only before a renewal: to shift that moment is to count the lease from another.
    fn boottime(&self) -> Boottime {
        let shifted = self.world.wrong == Wrong::LeaseFromAfterReading && OPERATION.try_with(|_| ()).is_err();
        let later = if shifted { self.next_renewal_takes() } else { 0 };
        Boottime::from_duration(self.machine.since_boot(later))
    }
}

pub(crate) fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

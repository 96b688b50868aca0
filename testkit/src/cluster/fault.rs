//! What can happen to a cluster: drawn by a seed, done, and over when every node is ready again.

use std::fmt;
use std::thread;
use std::time::Duration;

use super::{Cluster, Journal, Node};
use crate::{Chance, Direction, Proxy};

/// Which node, from 0.
pub type NodeNumber = usize;

/// One fault. Durations say how long it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A node is killed, and started again after this time.
    KillNode(NodeNumber, Duration),
    /// A node is paused.
    PauseNode(NodeNumber, Duration),
    /// The database is stopped as an operator does.
    StopDatabase(Duration),
    /// The database is killed.
    KillDatabase(Duration),
    /// All processes of the database are paused.
    PauseDatabase(Duration),
    /// The primary is killed and the standby promoted; then there is a new standby.
    FailOver,
    /// The standby is paused, so that no commit is acknowledged.
    PauseStandby(Duration),
    /// The connections of a node are cut, and none is accepted.
    CutOff(NodeNumber, Duration),
    /// What a node sends, or is sent, or both, vanishes.
    BlackHole(NodeNumber, Vec<Direction>, Duration),
    /// What a node sends or is sent takes so much longer.
    Delay(NodeNumber, Direction, Duration, Duration),
    /// The connections of a node are cut again and again, every 100 ms, so many times.
    Flap(NodeNumber, usize),
    /// So many `COMMIT`s of a node do not reach the database.
    CutBeforeCommits(NodeNumber, usize),
    /// So many `COMMIT`s of a node reach the database, and their answers are lost.
    CutAfterCommits(NodeNumber, usize),
    /// Every node in turn is asked to end, and started again.
    RollingRestart,
    /// One more node starts, stays for this time, and is asked to end.
    Join(Duration),
}

impl Fault {
    /// How many kinds there are.
    const KINDS: usize = 17;

    /// One of every kind, in an order by chance, none longer than `longest`.
    pub fn one_of_each(chance: &mut Chance, longest: Duration) -> Vec<Self> {
        let mut kinds: Vec<usize> = (0..Self::KINDS).collect();
        for last in (1..kinds.len()).rev() {
            kinds.swap(last, chance.index(last + 1));
        }
        kinds.into_iter().map(|kind| Self::of_kind(kind, chance, longest)).collect()
    }

    /// Any, by chance, none longer than `longest`.
    pub fn any(chance: &mut Chance, longest: Duration) -> Self {
        let kind = chance.index(Self::KINDS);
        Self::of_kind(kind, chance, longest)
    }

    fn of_kind(kind: usize, chance: &mut Chance, longest: Duration) -> Self {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX).max(100);
        let node = chance.index(3);
        // Short ones more often than long ones, as they come.
        let longest = 100 + chance.below(longest - 99);
        let time = chance.millis(100..=longest);
        let direction = *chance.pick(&[Direction::ToServer, Direction::ToClient]);
        match kind {
            0 => Self::KillNode(node, time.min(Duration::from_secs(5))),
            1 => Self::PauseNode(node, time),
            2 => Self::StopDatabase(time.min(Duration::from_secs(10))),
            3 => Self::KillDatabase(time.min(Duration::from_secs(10))),
            4 => Self::PauseDatabase(time.min(Duration::from_secs(10))),
            5 => Self::FailOver,
            6 => Self::PauseStandby(time.min(Duration::from_secs(10))),
            7 => Self::CutOff(node, time),
            8 => Self::BlackHole(node, vec![Direction::ToServer, Direction::ToClient], time),
            9 => Self::BlackHole(node, vec![Direction::ToServer], time),
            10 => Self::BlackHole(node, vec![Direction::ToClient], time),
            11 => Self::Delay(node, direction, chance.millis(50..=1_000), time),
            12 => Self::Flap(node, 3 + chance.index(10)),
            13 => Self::CutAfterCommits(node, 1 + chance.index(4)),
            14 => Self::CutBeforeCommits(node, 1 + chance.index(4)),
            15 => Self::RollingRestart,
            _ => Self::Join(time.min(Duration::from_secs(5))),
        }
    }

    /// Its kind, for figures.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::KillNode(..) => "a killed node",
            Self::PauseNode(..) => "a paused node",
            Self::StopDatabase(_) => "a stopped database",
            Self::KillDatabase(_) => "a killed database",
            Self::PauseDatabase(_) => "a paused database",
            Self::FailOver => "a failover",
            Self::PauseStandby(_) => "a paused standby",
            Self::CutOff(..) => "a node cut off",
            Self::BlackHole(..) => "a black hole",
            Self::Delay(..) => "a slow line",
            Self::Flap(..) => "a flapping line",
            Self::CutBeforeCommits(..) => "lost COMMITs",
            Self::CutAfterCommits(..) => "lost answers to COMMIT",
            Self::RollingRestart => "a rolling restart",
            Self::Join(_) => "a joining node",
        }
    }

    /// Lets it happen, and returns when it is over and every node is ready.
    #[track_caller]
    pub fn happen(&self, cluster: &Cluster, journal: &Journal) {
        journal.figures().begin(self.kind(), journal.now());
        if self.may_commit_late() {
            journal.hold_unknown();
        }
        self.strike(cluster);
        cluster.await_ready();
        if self.may_commit_late() {
            self.await_late_commits(cluster);
        }
        journal.release();
        journal.figures().end(journal.now());
    }

    /// Whether a change may be committed long after its caller was told that its outcome is unknown.
    fn may_commit_late(&self) -> bool {
        match self {
            // A `COMMIT` that the server has begun waits until the standby follows again.
            Self::StopDatabase(_) | Self::KillDatabase(_) | Self::PauseStandby(_) => true,
            Self::PauseDatabase(_) | Self::Delay(..) => true,
            _ => false,
        }
    }

    /// Returns when what was under way has been committed, or never will be.
    fn await_late_commits(&self, cluster: &Cluster) {
        if let Self::Delay(_, _, by, _) = self {
            // What was in the line when the fault ended still takes its time.
            thread::sleep(*by);
        }
        // Servers that were paused first read what had been sent to them.
        thread::sleep(Duration::from_millis(200));
        // Commits are released in order: when this one is, all before it are.
        cluster.database().sql("SELECT pg_logical_emit_message(true, 'chaos', 'over')");
    }

    #[track_caller]
    fn strike(&self, cluster: &Cluster) {
        let database = cluster.database();
        match self {
            Self::KillNode(node, time) => {
                cluster.nodes()[*node].kill();
                thread::sleep(*time);
                cluster.nodes()[*node].start();
            }
            Self::PauseNode(node, time) => {
                cluster.nodes()[*node].pause();
                thread::sleep(*time);
                cluster.nodes()[*node].resume();
            }
            Self::StopDatabase(time) => database.with_primary(|primary| {
                primary.stop();
                thread::sleep(*time);
                primary.start_server();
            }),
            Self::KillDatabase(time) => database.with_primary(|primary| {
                primary.kill();
                thread::sleep(*time);
                primary.start_server();
            }),
            Self::PauseDatabase(time) => database.with_primary(|primary| {
                primary.pause();
                thread::sleep(*time);
                primary.resume();
            }),
            Self::FailOver => {
                database.fail_over();
                cluster.await_ready();
                database.add_synchronous_standby();
            }
            Self::PauseStandby(time) => database.with_standby(|standby| {
                standby.pause();
                thread::sleep(*time);
                standby.resume();
            }),
            Self::RollingRestart => cluster.nodes().iter().take(3).for_each(|node| restart(node)),
            Self::Join(time) => {
                let joining = cluster.nodes().last().expect("a cluster has nodes");
                joining.start();
                joining.await_ready();
                thread::sleep(*time);
                joining.stop();
            }
            on_the_line => on_the_line.strike_line(cluster),
        }
    }

    /// The faults of a node's way to the database.
    #[track_caller]
    fn strike_line(&self, cluster: &Cluster) {
        let (node, time) = match self {
            Self::CutOff(node, time) => {
                cluster.nodes()[*node].route().order(Proxy::refuse);
                (node, *time)
            }
            Self::BlackHole(node, directions, time) => {
                for direction in directions {
                    cluster.nodes()[*node].route().order(|proxy| proxy.drop_bytes(*direction));
                }
                (node, *time)
            }
            Self::Delay(node, direction, by, time) => {
                cluster.nodes()[*node].route().order(|proxy| proxy.delay(*direction, *by));
                (node, *time)
            }
            Self::Flap(node, times) => {
                for _ in 0..*times {
                    cluster.nodes()[*node].route().order(Proxy::cut);
                    thread::sleep(Duration::from_millis(100));
                }
                (node, Duration::ZERO)
            }
            Self::CutBeforeCommits(node, count) => {
                let route = cluster.nodes()[*node].route();
                route.order(|proxy| proxy.cut_before_commits(*count));
                (node, Duration::from_secs(1))
            }
            Self::CutAfterCommits(node, count) => {
                let route = cluster.nodes()[*node].route();
                route.order(|proxy| proxy.cut_after_commits(*count));
                (node, Duration::from_secs(1))
            }
            other => unreachable!("{other} is no fault of a line"),
        };
        thread::sleep(time);
        cluster.nodes()[*node].route().pass();
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

#[track_caller]
fn restart(node: &Node) {
    node.stop();
    node.start();
    node.await_ready();
}

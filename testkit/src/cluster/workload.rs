//! Many clients at once: they issue, verify on any node, refresh and revoke, and write down every answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::administrator::Administrator;
use super::calls::Given;
use super::purse::Owner;
use super::{Calls, Cluster, FamilyHeld, Held, Journal, Node, Purse};
use crate::Chance;
use crate::checker::{Grant, Name, Operation, Outcome, Target};

/// How much is asked.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Threads that ask for anything. A change takes long while something is wrong, and so each of these is soon waiting.
    pub changing: usize,
    /// Threads that ask only for what a node answers from its memory.
    pub asking: usize,
    /// Steps a second of all workers together; a step is one call, or a revocation and the questions that follow it.
    pub steps_per_second: u32,
    /// Calls that are recorded at least, however slow the machine is.
    pub at_least: u64,
    /// Whether people and clients are disabled and enabled by the command line meanwhile.
    pub administered: bool,
}

/// The clients of a cluster, at work until they are told to stop.
pub struct Workload {
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workload {
    /// Starts them.
    pub fn start(cluster: &Arc<Cluster>, journal: &Arc<Journal>, load: Load, chance: &mut Chance) -> Self {
        let (stopping, purse) = (Arc::new(AtomicBool::new(false)), Arc::new(Purse::default()));
        let workers = load.changing + load.asking;
        let period = Duration::from_secs(1) / load.steps_per_second * u32::try_from(workers).unwrap_or(1);
        let worker = |chance: Chance| Worker {
            cluster: cluster.clone(),
            journal: journal.clone(),
            purse: purse.clone(),
            calls: Calls::default(),
            chance,
        };
        let mut threads = Vec::new();
        for number in 0..workers {
            let (mut worker, stopping) = (worker(chance.fork()), stopping.clone());
            let step = if number < load.changing { Worker::change_or_ask } else { Worker::ask };
            threads.push(thread::spawn(move || worker.work(period, step, &stopping)));
        }
        if load.administered {
            let (worker, stopping) = (worker(chance.fork()), stopping.clone());
            threads.push(thread::spawn(move || Administrator::new(worker).work(&stopping)));
        }
        Self { stopping, threads }
    }

    /// Lets each finish its call. Every answer has been written down when this returns.
    #[track_caller]
    pub fn stop(self) {
        self.stopping.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().expect("a client does not fail");
        }
    }
}

/// One client.
pub(super) struct Worker {
    pub(super) cluster: Arc<Cluster>,
    pub(super) journal: Arc<Journal>,
    pub(super) purse: Arc<Purse>,
    pub(super) calls: Calls,
    pub(super) chance: Chance,
}

impl Worker {
    fn work(&mut self, period: Duration, step: fn(&mut Self, &Node) -> Option<()>, stopping: &AtomicBool) {
        let mut next = Instant::now() + self.chance.millis(0..=100);
        while !stopping.load(Ordering::SeqCst) {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            // What was missed in a fault is not made up for.
            next = (next + period).max(Instant::now());
            if let Some(node) = self.any_node() {
                step(self, &node);
            }
        }
    }

    fn change_or_ask(&mut self, node: &Node) -> Option<()> {
        match self.chance.below(100) {
            0..=49 => self.verify_any(node),
            50..=69 => self.act_for_itself(node),
            70..=74 => self.sign_in(node),
            75..=86 => self.refresh_any(node),
            87..=96 => self.revoke_any(node),
            _ => self.revoke_family(node),
        }
    }

    fn ask(&mut self, node: &Node) -> Option<()> {
        match self.chance.below(100) {
            0..=89 => self.verify_any(node),
            _ => self.act_for_itself(node),
        }
    }

    /// A node that runs. One that is paused is asked by few, since they wait until it goes on.
    fn any_node(&mut self) -> Option<Arc<Node>> {
        let running: Vec<&Arc<Node>> = self.cluster.running().collect();
        let node = running.get(self.chance.index(running.len().max(1)))?;
        (!node.is_paused() || self.chance.once_in(300)).then(|| Arc::clone(node))
    }

    /// Asks a node whether a token stands, in one of the two ways.
    pub(super) fn verify(&mut self, node: &Node, held: &Held) -> Option<()> {
        let address = node.address()?;
        let cluster = self.cluster.clone();
        let introspects = self.chance.once_in(5);
        let services = cluster.services();
        let asks = self.chance.pick(services);
        let called = self.journal.now();
        let outcome = match introspects {
            true => self.calls.introspect(address, asks, &held.token),
            false => self.calls.verify(address, held.owner.client(&cluster), &held.token),
        };
        let operation = Operation::Verify { token: held.token.clone(), outcome: outcome? };
        self.journal.record(called, node.name(), operation);
        Some(())
    }

    fn verify_any(&mut self, node: &Node) -> Option<()> {
        let held = self.purse.pick(&mut self.chance)?;
        self.verify(node, &held)
    }

    fn act_for_itself(&mut self, node: &Node) -> Option<()> {
        let (address, cluster) = (node.address()?, self.cluster.clone());
        let owner = Owner::Service(self.chance.index(cluster.services().len()));
        let called = self.journal.now();
        let outcome = self.calls.act_for_itself(address, owner.client(&cluster))?;
        let outcome = self.take(outcome, owner, None);
        self.journal.record(called, node.name(), Operation::Issue { outcome });
        Some(())
    }

    fn sign_in(&mut self, node: &Node) -> Option<()> {
        let (address, cluster) = (node.address()?, self.cluster.clone());
        let person = self.chance.index(cluster.people().len());
        let owner = Owner::App(self.chance.index(cluster.apps().len()), person);
        let called = self.journal.now();
        let outcome = self.calls.sign_in(address, owner.client(&cluster), &cluster.people()[person])?;
        let outcome = self.take(outcome, owner, None);
        if let Outcome::Done(grant) = &outcome
            && let (Some(name), Some(newest)) = (grant.family.clone(), grant.refresh.clone())
        {
            self.purse.put_family(FamilyHeld { name, owner, newest, replaced: None }, &mut self.chance);
        }
        self.journal.record(called, node.name(), Operation::Issue { outcome });
        Some(())
    }

    /// Presents the newest token of a family, now and then together with others, or one that was replaced.
    fn refresh_any(&mut self, node: &Node) -> Option<()> {
        let shared = self.chance.once_in(4);
        let mut family = match shared {
            true => self.purse.pick_family(&mut self.chance)?,
            false => self.purse.take_family(&mut self.chance)?,
        };
        let again = family.replaced.clone().filter(|_| self.chance.once_in(20));
        let presented = again.unwrap_or_else(|| family.newest.clone());
        let outcome = self.present(node, &family, &presented);
        if let Some(Outcome::Done(grant)) = outcome
            && let Some(newest) = grant.refresh.filter(|_| presented == family.newest)
        {
            family.replaced = Some(std::mem::replace(&mut family.newest, newest));
        }
        if !shared {
            self.purse.put_family(family, &mut self.chance);
        }
        Some(())
    }

    fn present(&mut self, node: &Node, family: &FamilyHeld, presented: &Name) -> Option<Outcome<Box<Grant>>> {
        let (address, cluster) = (node.address()?, self.cluster.clone());
        let called = self.journal.now();
        let outcome = self.calls.refresh(address, family.owner.client(&cluster), presented)?;
        let outcome = self.take(outcome, family.owner, Some(&family.name));
        let presented = presented.clone();
        let operation = Operation::Exchange { presented, expires_at: None, outcome: outcome.clone() };
        self.journal.record(called, node.name(), operation);
        Some(outcome)
    }

    /// Revokes a token, and then asks every node about it.
    fn revoke_any(&mut self, node: &Node) -> Option<()> {
        let held = self.purse.pick(&mut self.chance)?;
        let outcome = self.revoke(node, held.owner, &held.token)?;
        if outcome != Outcome::Refused {
            for other in self.cluster.clone().running().filter(|other| !other.is_paused()) {
                self.verify(other, &held);
            }
        }
        Some(())
    }

    /// Revokes a family by its refresh token, and then presents that on another node.
    fn revoke_family(&mut self, node: &Node) -> Option<()> {
        let family = self.purse.pick_family(&mut self.chance)?;
        self.revoke(node, family.owner, &family.newest)?;
        let other = self.any_node()?;
        self.present(&other, &family, &family.newest.clone()).map(drop)
    }

    fn revoke(&mut self, node: &Node, owner: Owner, token: &Name) -> Option<Outcome> {
        let (address, cluster) = (node.address()?, self.cluster.clone());
        let called = self.journal.now();
        let outcome = self.calls.revoke(address, owner.client(&cluster), token)?;
        let what = Target::Token(token.clone());
        self.journal.record(called, node.name(), Operation::Revoke { what, outcome });
        Some(outcome)
    }

    /// Keeps what was given; a family is named by its first refresh token.
    fn take(&mut self, outcome: Outcome<Given>, owner: Owner, family: Option<&Name>) -> Outcome<Box<Grant>> {
        let given = match outcome {
            Outcome::Done(given) => given,
            Outcome::Refused => return Outcome::Refused,
            Outcome::Unknown => return Outcome::Unknown,
        };
        let access: Name = given.access.into();
        let refresh: Option<Name> = given.refresh.map(Name::from);
        self.purse.put(Held { token: access.clone(), owner }, &mut self.chance);
        Outcome::Done(Box::new(Grant {
            access,
            family: family.cloned().or_else(|| refresh.clone()),
            refresh,
            client: owner.client(&self.cluster).id.as_str().into(),
            user: owner.person(&self.cluster).map(Name::from),
            expires_at: None,
        }))
    }
}

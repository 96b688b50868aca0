//! The command line at work beside the load: it disables and enables people and clients, and ends what they hold.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::workload::Worker;
use crate::checker::{Account, Name, Operation, Outcome, Target};

/// One command after the other, each followed by questions to every node.
pub(super) struct Administrator {
    worker: Worker,
    name: Name,
}

impl Administrator {
    /// Tokens asked about after a command.
    const ASKED_ABOUT: usize = 8;

    pub(super) fn new(worker: Worker) -> Self {
        Self { worker, name: "command".into() }
    }

    pub(super) fn work(mut self, stopping: &AtomicBool) {
        while !stopping.load(Ordering::SeqCst) {
            let who = self.anybody();
            match self.worker.chance.once_in(3) {
                true => self.revoke_all_of(&who),
                false => self.disable_for_a_while(who, stopping),
            }
            thread::sleep(self.worker.chance.millis(100..=600));
        }
    }

    /// The first of each kind stays as it is, so that something is always given.
    fn anybody(&mut self) -> Account {
        let cluster = self.worker.cluster.clone();
        match self.worker.chance.below(3) {
            0 => {
                let people = cluster.people();
                Account::User(people[1 + self.worker.chance.index(people.len() - 1)].name.as_str().into())
            }
            1 => {
                let services = cluster.services();
                Account::Client(services[1 + self.worker.chance.index(services.len() - 1)].id.as_str().into())
            }
            _ => {
                let apps = cluster.apps();
                Account::Client(apps[1 + self.worker.chance.index(apps.len() - 1)].id.as_str().into())
            }
        }
    }

    fn disable_for_a_while(&mut self, who: Account, stopping: &AtomicBool) {
        self.run(&who, "disable", |who, outcome| Operation::Disable { who, outcome });
        self.ask_about(&who);
        thread::sleep(self.worker.chance.millis(50..=500));
        // Whatever became of the command before: it is to be enabled at the end.
        while !self.run(&who, "enable", |who, outcome| Operation::Enable { who, outcome }) {
            if stopping.load(Ordering::SeqCst) {
                return;
            }
            thread::sleep(self.worker.chance.millis(100..=300));
        }
        self.ask_about(&who);
    }

    fn revoke_all_of(&mut self, who: &Account) {
        let (option, name, what) = match who {
            Account::User(name) => ("--user", name, Target::User(name.clone())),
            Account::Client(name) => ("--client", name, Target::Client(name.clone())),
        };
        let called = self.worker.journal.now();
        let ran = self.worker.cluster.command(&["revoke", option, name, "--yes"]);
        let outcome = outcome(ran.code);
        self.worker.journal.record(called, &self.name, Operation::Revoke { what, outcome });
        self.ask_about(who);
    }

    /// Whether it was done.
    fn run(&self, who: &Account, verb: &str, operation: fn(Account, Outcome) -> Operation) -> bool {
        let (kind, name) = match who {
            Account::User(name) => ("user", name),
            Account::Client(name) => ("client", name),
        };
        let called = self.worker.journal.now();
        let ran = self.worker.cluster.command(&[kind, verb, name]);
        let outcome = outcome(ran.code);
        self.worker.journal.record(called, &self.name, operation(who.clone(), outcome));
        outcome == Outcome::Done(())
    }

    fn ask_about(&mut self, who: &Account) {
        let cluster = self.worker.cluster.clone();
        for held in self.worker.purse.of_account(who, &cluster, Self::ASKED_ABOUT) {
            for node in cluster.running().filter(|node| !node.is_paused()) {
                self.worker.verify(node, &held);
            }
        }
    }
}

/// A command that ends otherwise may have done it all the same.
fn outcome(code: Option<i32>) -> Outcome {
    match code {
        Some(0) => Outcome::Done(()),
        _ => Outcome::Unknown,
    }
}

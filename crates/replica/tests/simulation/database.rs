//! The database: a primary, its standby, and the time that everything takes.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash};
use std::sync::Arc;

use obol_store::NodeId;
use obol_token::Position;
use tokio::sync::oneshot;

use crate::dice::Dice;
use crate::faults::Faults;
use crate::state::{State, Write, Written};
use crate::wire::{Answer, Answered, Call, Fate, Key, Reply, Sent, Trip, Wire};
use crate::world::{Ms, NODES, Standby, TURN, World, Wrong};

/// A primary and a standby.
pub(crate) struct Database {
    world: World,
    faults: Arc<Faults>,
    wire: Arc<Wire>,
    state: State,
    timeline: u64,
    /// What the standby may lack: all that was committed, and when the standby had it.
    committed: Vec<Committed>,
    lag: Ms,
    down_until: Ms,
    former: Option<Former>,
    writer_free_at: Ms,
    arrivals: BTreeMap<(Ms, Key), Sent>,
    commits: BTreeMap<(Ms, Key), Commit>,
    answers: BTreeMap<(Ms, Key), (oneshot::Sender<Answered>, Option<Reply>)>,
    /// Answers that never come.
    silent: Vec<oneshot::Sender<Answered>>,
    /// For each node, when it hears of which position.
    announced: Vec<(Ms, usize, Position)>,
    died_at: HashMap<u64, Ms>,
    pub(crate) trace: DefaultHasher,
    /// Failovers, and entries that they have lost.
    pub(crate) lost: (u64, u64),
}

struct Committed {
    write: Write,
    timeline: u64,
    replicated_at: Ms,
}

/// The primary before the last failover.
struct Former {
    state: State,
    timeline: u64,
    from: Ms,
    /// The longest that a connection to it lasts.
    lives_on: Ms,
}

/// A transaction that has begun.
struct Commit {
    write: Write,
    trip: Trip,
    slot: usize,
    /// What is answered, if it is not what became of the write.
    read: Option<Answer>,
    answer: oneshot::Sender<Answered>,
}

/// A call whose connection has ended may still arrive so much later.
const STRAY: Ms = 40;

impl Database {
    pub(crate) fn new(world: World, faults: Arc<Faults>, wire: Arc<Wire>) -> Self {
        Self {
            world,
            faults,
            wire,
            state: State::default(),
            timeline: 1,
            committed: Vec::new(),
            lag: Dice::of(world.seed, &[4]).scaled(20..=1_000),
            down_until: 0,
            former: None,
            writer_free_at: 0,
            arrivals: BTreeMap::new(),
            commits: BTreeMap::new(),
            answers: BTreeMap::new(),
            silent: Vec::new(),
            announced: Vec::new(),
            died_at: HashMap::new(),
            trace: DefaultHasher::new(),
            lost: (0, 0),
        }
    }

    /// Does all that happens before `until`. Every call that arrives before then has been sent.
    pub(crate) fn run(&mut self, until: Ms) {
        for sent in self.wire.take() {
            self.set_out(sent);
        }
        loop {
            let commit = self.commits.first_key_value().map(|(at, _)| *at);
            let arrival = self.arrivals.first_key_value().map(|(at, _)| *at);
            let commits_next = commit.is_some_and(|commit| arrival.is_none_or(|arrival| commit <= arrival));
            let Some((at, key)) = (if commits_next { commit } else { arrival }) else { return };
            if at >= until {
                return;
            }
            (at, key, commits_next).hash(&mut self.trace);
            if commits_next {
                self.commit(at, key);
            } else {
                self.arrive(at, key);
            }
        }
    }

    /// The answers that are there before `until`, on their way to who waits.
    pub(crate) fn answer(&mut self, until: Ms) {
        while let Some(entry) = self.answers.first_entry().filter(|entry| entry.key().0 < until) {
            let ((at, key), (answer, reply)) = entry.remove_entry();
            (at, key, reply.is_some()).hash(&mut self.trace);
            // Who waited for it may be gone.
            let _ = answer.send((at, reply));
        }
    }

    /// What is heard before `until`, by which node.
    pub(crate) fn announced(&mut self, until: Ms) -> Vec<(usize, Position)> {
        let heard = self.announced.extract_if(.., |(at, ..)| *at < until);
        heard.map(|(_, slot, position)| (slot, position)).collect()
    }

    /// This process was killed.
    pub(crate) fn died(&mut self, process: u64, at: Ms) {
        self.died_at.insert(process, at);
    }

    /// The primary is down, and comes back with what it had.
    pub(crate) fn stop(&mut self, at: Ms, until: Ms) {
        self.break_off(at);
        self.down_until = self.down_until.max(until);
        self.writer_free_at = self.writer_free_at.max(until);
    }

    /// The standby takes over: it answers from `until` on, and the primary before it goes on for `lives_on`.
    pub(crate) fn fail_over(&mut self, at: Ms, until: Ms, lives_on: Ms) {
        let (state, timeline) = (self.state.clone(), self.timeline);
        self.former = Some(Former { state, timeline, from: at, lives_on });
        let kept = self.committed.iter().rposition(|write| write.replicated_at <= at).map_or(0, |at| at + 1);
        let lost = self.committed.split_off(kept);
        let denials = lost.iter().filter(|lost| matches!(lost.write, Write::Deny(_))).count();
        self.lost = (self.lost.0 + 1, self.lost.1 + denials as u64);
        self.state = State::default();
        for committed in &self.committed {
            self.state.write(&committed.write, committed.timeline);
        }
        if self.world.standby == Standby::Synchronous {
            self.break_off(at);
        } else {
            self.commits.clear();
        }
        self.timeline += 1;
        self.down_until = until;
        self.writer_free_at = until;
    }

    /// Of the transactions under way some are kept. Nobody is told.
    fn break_off(&mut self, at: Ms) {
        for ((_, key), commit) in std::mem::take(&mut self.commits) {
            if commit.trip.coin.is_multiple_of(2) {
                self.apply(at, &commit.write);
            }
            self.fail(at, key, commit.trip, commit.answer);
        }
    }

    fn set_out(&mut self, mut sent: Sent) {
        let stuck_until = self.faults.cut_until(sent.slot, sent.arrives_at - sent.trip.there, false);
        match (sent.trip.fate, stuck_until) {
            (Fate::BrokenBefore, _) => {
                self.fail(sent.arrives_at, sent.key, sent.trip, sent.answer);
            }
            // What was sent is sent again by the network, if it is not too late by then.
            (_, Some(until)) if sent.trip.coin.is_multiple_of(3) => {
                let arrives_at = sent.arrives_at.max(until + sent.trip.there);
                self.arrivals.insert((arrives_at, sent.key), sent);
            }
            (_, Some(_)) => self.silent.push(sent.answer),
            (Fate::BrokenMeanwhile, None) => {
                let told = std::mem::replace(&mut sent.answer, oneshot::channel().0);
                self.fail(sent.arrives_at, sent.key, sent.trip, told);
                let arrives_at = sent.arrives_at + sent.trip.back + STRAY / 2;
                self.arrivals.insert((arrives_at, sent.key), sent);
            }
            (_, None) => {
                self.arrivals.insert((sent.arrives_at, sent.key), sent);
            }
        }
    }

    fn arrive(&mut self, at: Ms, key: Key) {
        let Some(sent) = self.arrivals.remove(&(at, key)) else { return };
        let died_at = self.died_at.get(&key.process).copied().unwrap_or(Ms::MAX);
        if at > died_at.min(sent.deadline).saturating_add(STRAY) {
            return;
        }
        if self.reaches_former(at, &sent) {
            return self.arrive_at_former(at, sent);
        }
        if at < self.down_until {
            return match sent.trip.coin % 3 {
                0 => self.silent.push(sent.answer),
                _ => self.fail(at, key, sent.trip, sent.answer),
            };
        }
        self.execute(at, sent);
    }

    fn execute(&mut self, at: Ms, sent: Sent) {
        let Sent { key, slot, call, trip, deadline, answer, .. } = sent;
        let takes_turns = call.takes_turns();
        let (write, read) = match call {
            Call::Read(from) => {
                let (page, newest) = self.state.read(from, self.timeline);
                return self.reply(at, (key, slot, trip), Answer::Page(page, newest), answer);
            }
            Call::Rows => {
                return self.reply(at, (key, slot, trip), Answer::Rows(self.state.rows()), answer);
            }
            Call::Renew { write: Write::Renew { node, .. }, .. } if !self.state.has_row(node) => {
                return self.reply(at, (key, slot, trip), Answer::NoRow, answer);
            }
            Call::Renew { from, write } => {
                let (page, newest) = self.state.read(from, self.timeline);
                (write, Some(Answer::Page(page, newest)))
            }
            Call::Write(write) => (write, None),
        };
        let begins_at = if takes_turns { at.max(self.writer_free_at) } else { at };
        if begins_at > deadline {
            return self.silent.push(answer);
        }
        let commits_at = begins_at + trip.commit;
        if takes_turns {
            self.writer_free_at = commits_at;
        }
        self.commits.insert((commits_at, key), Commit { write, trip, slot, read, answer });
    }

    fn commit(&mut self, at: Ms, key: Key) {
        let Some(Commit { write, trip, slot, read, answer }) = self.commits.remove(&(at, key)) else {
            return;
        };
        let written = match &write {
            // It waits for a renewal that has begun, and then the row is another.
            Write::TakeOut { node, .. } if self.is_renewing(*node) => Written::Row(false),
            _ => self.apply(at, &write),
        };
        if let Written::Appended(appended) = &written {
            appended.position().number().hash(&mut self.trace);
            self.announce(at, trip, appended.position());
        }
        let said = match (read, written) {
            (Some(_), Written::Row(false)) => Answer::NoRow,
            (Some(read), _) => read,
            (None, written) => Answer::Written(written),
        };
        self.reply(at, (key, slot, trip), said, answer);
    }

    fn is_renewing(&self, node: NodeId) -> bool {
        let renews =
            |commit: &Commit| matches!(commit.write, Write::Renew { node: other, .. } if other == node);
        self.commits.values().any(renews)
    }

    fn apply(&mut self, at: Ms, write: &Write) -> Written {
        let waits = self.world.standby == Standby::Synchronous && !matches!(write, Write::Report { .. });
        let replicated_at = if waits { at } else { at + self.lag };
        let timeline = self.timeline;
        self.committed.push(Committed { write: write.clone(), timeline, replicated_at });
        self.state.write(write, timeline)
    }

    fn announce(&mut self, at: Ms, trip: Trip, position: Position) {
        for slot in 0..NODES {
            let mut dice = Dice::of(trip.coin, &[slot as u64]);
            let heard_at = at + TURN + dice.scaled(1..=100);
            if !dice.once_in(6) && self.faults.cut_until(slot, heard_at, true).is_none() {
                self.announced.push((heard_at, slot, position));
            }
        }
    }

    /// Whether this call goes over a connection to the former primary.
    fn reaches_former(&self, at: Ms, sent: &Sent) -> bool {
        let connection = match sent.call {
            Call::Read(_) | Call::Renew { .. } => 0,
            Call::Rows => 1,
            Call::Write(_) => 2,
        };
        self.former.as_ref().is_some_and(|former| {
            let question = [5, former.timeline, sent.key.process, connection];
            let mut dice = Dice::of(self.world.seed, &question);
            dice.once_in(2) && at < former.from + dice.between(0..=former.lives_on)
        })
    }

    /// It answers readings. What is to be committed waits for a standby that is not there.
    fn arrive_at_former(&mut self, at: Ms, sent: Sent) {
        let Some(former) = &self.former else { return };
        let answers_renewals = self.world.wrong == Wrong::RenewalsOfOnePrimary;
        let said = match &sent.call {
            Call::Read(from) => former.state.read(*from, former.timeline),
            Call::Renew { from, .. } if answers_renewals => former.state.read(*from, former.timeline),
            Call::Rows => {
                let reply = Reply { timeline: former.timeline, answer: Answer::Rows(former.state.rows()) };
                return self.send_back(at, (sent.key, sent.slot, sent.trip), reply, sent.answer);
            }
            _ => return self.silent.push(sent.answer),
        };
        let reply = Reply { timeline: former.timeline, answer: Answer::Page(said.0, said.1) };
        self.send_back(at, (sent.key, sent.slot, sent.trip), reply, sent.answer);
    }

    fn reply(&mut self, at: Ms, to: (Key, usize, Trip), answer: Answer, sender: oneshot::Sender<Answered>) {
        self.send_back(at, to, Reply { timeline: self.timeline, answer }, sender);
    }

    fn send_back(
        &mut self,
        at: Ms,
        (key, slot, trip): (Key, usize, Trip),
        reply: Reply,
        sender: oneshot::Sender<Answered>,
    ) {
        let cut_until = self.faults.cut_until(slot, at, true);
        match (trip.fate, cut_until) {
            (Fate::Silent, _) => self.silent.push(sender),
            (Fate::BrokenAfter | Fate::BrokenMeanwhile, _) => self.fail(at, key, trip, sender),
            (_, Some(until)) if trip.coin.is_multiple_of(5) => {
                self.answers.insert((until + trip.back, key), (sender, Some(reply)));
            }
            (_, Some(_)) => self.silent.push(sender),
            (_, None) => {
                self.answers.insert((at + trip.back, key), (sender, Some(reply)));
            }
        }
    }

    /// The caller sees that its connection is broken.
    fn fail(&mut self, at: Ms, key: Key, trip: Trip, sender: oneshot::Sender<Answered>) {
        self.answers.insert((at + trip.back, key), (sender, None));
    }
}

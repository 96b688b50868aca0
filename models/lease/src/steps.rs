//! How each action changes the state; `None` where it cannot happen.

use crate::state::{
    Log, Lost, NODES, Node, NodeAt, Renewal as Statement, Revocation, Round, Row, State, TokenAt,
};
use crate::{Action, DeadRow, FailoverSeenBy, Lease, LeaseFrom, Mark, Renewal, StartOrder};

impl Lease {
    pub(crate) fn take(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Tick => self.tick(state),
            Action::Read(node) => self.read(state, node),
            Action::ReadOld(node) => self.read_old(state, node),
            Action::Apply(node) => self.apply(state, node),
            Action::Renew(node) => self.renew(state, node, true),
            Action::RenewUnheard(node) => self.renew(state, node, false),
            Action::Lose(node) => lose(state, node),
            Action::Kill(node) => self.kill(state, node),
            Action::Start(node) => self.start(state, node),
            Action::TakeOut(node) => self.take_out(state, node),
            Action::Revoke(token) => self.revoke(state, token),
            Action::Append(token) => append(state, token, true),
            Action::AppendUnheard(token) => append(state, token, false),
            Action::GiveUp(token) => give_up(state, token),
            Action::AppendLate(token) => self.append_late(state, token),
            Action::Acknowledge(token) => self.acknowledge(state, token),
            Action::Refuse(node, token) => self.refuse(state, node, token),
            Action::Accept(node, token) => self.accept(state, node, token),
            Action::CallVerify(node, token) => self.call_verify(state, node, token),
            Action::FinishVerify => self.finish_verify(state),
            Action::StrayArrives => self.stray_arrives(state),
            Action::StrayIsLost => state.stray.take().map(|_| ()),
            Action::FailOver { entries, put_back } => self.fail_over(state, entries, put_back),
        }
    }

    fn tick(&self, state: &mut State) -> Option<()> {
        let lease = self.world.lease;
        for node in &mut state.nodes {
            node.lease_left = node.lease_left.saturating_sub(1);
            if self.protocol.dead_row == DeadRow::PassedOverAndCapped {
                node.renewed = lease.min(node.renewed + 1);
            }
            if let Round::Read { age, .. } = &mut node.round {
                *age += 1;
                if *age > self.longest_round() {
                    node.round = Round::Idle;
                }
            }
        }
        if self.protocol.dead_row != DeadRow::Kept {
            let rows = state.rows.iter_mut().filter(|row| row.present);
            rows.for_each(|row| row.age = lease.min(row.age + 1));
        }
        for revocation in &mut state.revocations {
            match revocation {
                Revocation::Waiting { age, .. } => *age = lease.min(*age + 1),
                Revocation::Unknown { age, on_its_way } => {
                    *age = self.world.settled().min(*age + 1);
                    *on_its_way &= self.world.late_append.is_none_or(|late| *age <= late);
                }
                _ => {}
            }
        }
        let all_follow = state.nodes.iter().all(|node| node.timeline == state.timeline);
        if state.lost.contains(&Lost::Known) && all_follow {
            state.all_follow += 1;
            if state.all_follow == lease {
                state.all_follow = 0;
                let lost = state.lost.iter_mut().filter(|lost| **lost == Lost::Known);
                lost.for_each(|lost| *lost = Lost::No);
            }
        }
        Some(())
    }

    /// In ticks, from the reading: later its renewal earns nothing.
    fn longest_round(&self) -> u8 {
        match self.protocol.lease_from {
            LeaseFrom::BeforeReading => self.world.lease - 1,
            LeaseFrom::AfterReading => self.world.lease,
        }
    }

    fn read(&self, state: &mut State, node: NodeAt) -> Option<()> {
        let (log, timeline) = (state.log, state.timeline);
        self.begin_round(state, node, log, timeline)
    }

    fn read_old(&self, state: &mut State, node: NodeAt) -> Option<()> {
        let follows_old = state.nodes[node].timeline < state.timeline;
        let log = state.old_log;
        (self.world.old_primary_lives && follows_old).then_some(())?;
        self.begin_round(state, node, log, state.timeline - 1)
    }

    fn begin_round(&self, state: &mut State, node: NodeAt, log: Log, timeline: u8) -> Option<()> {
        let registered = state.rows[node].present || self.protocol.start == StartOrder::LoadThenRegister;
        let node = &mut state.nodes[node];
        (node.up && registered && node.round == Round::Idle).then_some(())?;
        node.round = Round::Read { age: 0, log, timeline };
        Some(())
    }

    /// A node that finds another log reads it again, from the start, before it renews.
    fn apply(&self, state: &mut State, at: NodeAt) -> Option<()> {
        let Round::Read { log, timeline, .. } = state.nodes[at].round else { return None };
        state.nodes[at].round = Round::Idle;
        if self.is_other_log(&state.nodes[at], &log, timeline) {
            return self.follow_other(state, at, timeline);
        }
        let node = &mut state.nodes[at];
        node.timeline = timeline;
        node.knows |= log.after(node.applied.min(log.length()));
        node.applied = node.applied.max(log.length());
        Some(())
    }

    fn is_other_log(&self, node: &Node, log: &Log, timeline: u8) -> bool {
        match self.protocol.failover_seen_by {
            FailoverSeenBy::Timeline => timeline != node.timeline,
            FailoverSeenBy::Position => node.applied > log.length(),
        }
    }

    /// Rule 8. Between its reading and this, nothing it knows can have been lost again: it would notice again.
    fn follow_other(&self, state: &mut State, at: NodeAt, timeline: u8) -> Option<()> {
        if timeline == state.timeline {
            for token in (0..self.world.tokens).filter(|token| state.nodes[at].knows(*token)) {
                if self.protocol.reappend {
                    state.log.append(token);
                }
            }
            (state.nodes[at].timeline, state.nodes[at].applied) = (timeline, 0);
        }
        Some(())
    }

    fn renew(&self, state: &mut State, at: NodeAt, heard: bool) -> Option<()> {
        let Round::Read { age, log, timeline } = state.nodes[at].round else { return None };
        (!self.is_other_log(&state.nodes[at], &log, timeline)).then_some(())?;
        self.apply(state, at)?;
        let renewal = Statement { node: at as u8, applied: state.nodes[at].applied, timeline };
        let vouches = if timeline < state.timeline && self.old_primary_answers() {
            true
        } else {
            let entered_before = state.rows[at].present;
            self.write_row(state, renewal)?;
            entered_before || self.protocol.start == StartOrder::LoadThenRegister
        };
        if heard && vouches {
            let counted = if self.protocol.lease_from == LeaseFrom::AfterReading { 0 } else { age };
            let node = &mut state.nodes[at];
            let cap = self.world.lease.saturating_sub(node.renewed);
            node.lease_left = node.lease_left.max(self.world.lease.saturating_sub(counted).min(cap));
            if self.protocol.dead_row == DeadRow::PassedOverAndCapped {
                node.renewed = age;
            }
        }
        if self.world.duplicates && state.stray.is_none() {
            state.stray = Some(renewal);
        }
        Some(())
    }

    /// An old primary answers a renewal if that takes no standby. It knows nothing of the new primary's rows.
    fn old_primary_answers(&self) -> bool {
        self.world.old_primary_lives && self.protocol.renewal == Renewal::Asynchronous
    }

    /// The statement arrives at the primary.
    fn write_row(&self, state: &mut State, renewal: Statement) -> Option<()> {
        let same = renewal.timeline == state.timeline || !self.protocol.renewal_names_timeline;
        let row = &mut state.rows[usize::from(renewal.node)];
        same.then_some(())?;
        if !row.present {
            *row = Row { present: true, ..Row::default() };
            if self.protocol.start == StartOrder::LoadThenRegister {
                row.applied = renewal.applied;
            }
            return Some(());
        }
        let seen_before = std::mem::take(&mut row.put_back) && self.protocol.mark == Mark::Counter;
        row.applied = renewal.applied;
        row.age = if seen_before { row.age } else { 0 };
        Some(())
    }

    fn stray_arrives(&self, state: &mut State) -> Option<()> {
        let renewal = state.stray.take()?;
        // That of a row which is not there changes nothing.
        if state.rows[usize::from(renewal.node)].present {
            let _ = self.write_row(state, renewal);
        }
        Some(())
    }

    fn kill(&self, state: &mut State, at: NodeAt) -> Option<()> {
        (state.nodes[at].up && state.restarts_left > 0).then_some(())?;
        state.restarts_left -= 1;
        let timeline = state.nodes[at].timeline;
        state.nodes[at] = Node { up: false, timeline, ..Node::started() };
        // A node that starts again has a new row. The old one can only make others wait; here it is gone at once.
        state.rows[at] = Row::default();
        if state.pending.is_some_and(|pending| usize::from(pending.node) == at) {
            state.pending = None;
        }
        if let Some(revocation @ (Revocation::Sent | Revocation::Waiting { .. })) =
            state.revocations.get_mut(at)
        {
            let on_its_way = *revocation == Revocation::Sent;
            *revocation = Revocation::Unknown { age: 0, on_its_way };
        }
        Some(())
    }

    fn start(&self, state: &mut State, at: NodeAt) -> Option<()> {
        (!state.nodes[at].up).then_some(())?;
        state.nodes[at].up = true;
        state.nodes[at].timeline = state.timeline;
        if self.protocol.start == StartOrder::RegisterThenLoad {
            state.rows[at] = Row { present: true, ..Row::default() };
        }
        Some(())
    }

    fn take_out(&self, state: &mut State, at: NodeAt) -> Option<()> {
        let row = &mut state.rows[at];
        let dead = row.present && row.age == self.world.lease && self.protocol.dead_row == DeadRow::TakenOut;
        dead.then(|| *row = Row::default())
    }

    fn revoke(&self, state: &mut State, token: TokenAt) -> Option<()> {
        let may = state.revocations[usize::from(token)] == Revocation::NotAsked
            && state.nodes[usize::from(token)].up;
        may.then(|| state.revocations[usize::from(token)] = Revocation::Sent)
    }

    fn append_late(&self, state: &mut State, token: TokenAt) -> Option<()> {
        match &mut state.revocations[usize::from(token)] {
            Revocation::Unknown { on_its_way, .. } if *on_its_way => *on_its_way = false,
            _ => return None,
        }
        state.log.append(token);
        Some(())
    }

    fn acknowledge(&self, state: &mut State, token: TokenAt) -> Option<()> {
        let by = usize::from(token);
        let Revocation::Waiting { age, position, timeline } = state.revocations[by] else { return None };
        let knows_itself = state.nodes[by].knows(token) || age == self.world.lease;
        let passes = matches!(self.protocol.dead_row, DeadRow::PassedOver | DeadRow::PassedOverAndCapped);
        let passed_over = |row: &Row| row.age == self.world.lease && passes;
        let applied = |row: &Row| !row.present || row.applied >= position || passed_over(row);
        let others = (0..NODES).filter(|node| *node != by).all(|node| applied(&state.rows[node]));
        let waited = others || age == self.world.lease || !self.protocol.wait;
        // The rows are read from a primary; another one than that of the commit proves nothing.
        (knows_itself && waited && timeline == state.timeline)
            .then(|| state.revocations[by] = Revocation::Done)
    }

    /// That a row is put back matters only where its mark is looked at.
    fn fail_over(&self, state: &mut State, entries: u8, put_back: Option<NodeAt>) -> Option<()> {
        let loses_rows = self.protocol.renewal == Renewal::Asynchronous || !self.world.synchronous;
        let matters = self.protocol.dead_row != DeadRow::Kept && self.protocol.mark == Mark::Counter;
        let loses = entries < state.log.length();
        if state.failovers_left == 0
            || loses && self.world.synchronous
            || put_back.is_some() && !(loses_rows && matters)
        {
            return None;
        }
        state.failovers_left -= 1;
        state.timeline += 1;
        state.old_log = if self.world.old_primary_lives { state.log } else { Log::default() };
        let before = state.log;
        state.log.cut_to(entries);
        for token in 0..self.world.tokens {
            if before.position_of(token).is_some() && state.log.position_of(token).is_none() {
                let known = state.nodes.iter().any(|node| node.knows(token));
                state.lost[usize::from(token)] = if known { Lost::Known } else { Lost::Unknown };
            }
        }
        for row in &mut state.rows {
            // What a node wrote after it had applied a lost entry is lost as well.
            row.applied = row.applied.min(entries);
        }
        if let Some(node) = put_back {
            state.rows[node].put_back = state.rows[node].present;
        }
        Some(())
    }
}

fn lose(state: &mut State, node: NodeAt) -> Option<()> {
    let round = &mut state.nodes[node].round;
    (*round != Round::Idle).then(|| *round = Round::Idle)
}

fn append(state: &mut State, token: TokenAt, heard: bool) -> Option<()> {
    let revocation = &mut state.revocations[usize::from(token)];
    (*revocation == Revocation::Sent).then_some(())?;
    let position = state.log.append(token);
    *revocation = match heard {
        true => Revocation::Waiting { age: 0, position, timeline: state.timeline },
        false => Revocation::Unknown { age: 0, on_its_way: false },
    };
    Some(())
}

fn give_up(state: &mut State, token: TokenAt) -> Option<()> {
    let revocation = &mut state.revocations[usize::from(token)];
    let on_its_way = match revocation {
        Revocation::Sent => true,
        Revocation::Waiting { .. } => false,
        _ => return None,
    };
    *revocation = Revocation::Unknown { age: 0, on_its_way };
    Some(())
}

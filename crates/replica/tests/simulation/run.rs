//! A run: the turns of the nodes and of the database, the faults, and what callers ask.

use std::collections::HashSet;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use obol_testkit::checker::{Event, Operation, Outcome, Report, Settings, check};

use crate::database::Database;
use crate::dice::Dice;
use crate::faults::{Fault, Faults, Span};
use crate::history::{History, Token};
use crate::node::Process;
use crate::operations::{Ask, Operated, Revoked};
use crate::wire::Wire;
use crate::world::{END, Ms, NODES, Standby, TURN, World};

/// What came of a run.
pub(crate) struct Ran {
    /// The verdict.
    pub(crate) report: Report,
    /// Of every call that arrived, every answer, and every operation.
    pub(crate) trace: u64,
    /// How many failovers there were, and how many denials they lost.
    pub(crate) lost: (u64, u64),
    /// How many revocations were acknowledged.
    pub(crate) revoked: usize,
}

/// Runs a world to its end and judges it.
pub(crate) fn run(world: World) -> Ran {
    let faults = Arc::new(Faults::of(&world));
    let wire = Arc::new(Wire::default());
    let mut run = Run {
        world,
        database: Database::new(world, Arc::clone(&faults), Arc::clone(&wire)),
        faults,
        wire,
        history: Arc::new(History::default()),
        slots: std::array::from_fn(|_| Slot::default()),
        processes: 0,
    };
    run.slots[2].starts_at = Dice::of(world.seed, &[7]).below(4_000);
    for at in (0..END).step_by(usize::try_from(TURN).expect("a short turn")) {
        run.turn(at);
    }
    run.judge()
}

struct Run {
    world: World,
    database: Database,
    faults: Arc<Faults>,
    wire: Arc<Wire>,
    history: Arc<History>,
    slots: [Slot; NODES],
    processes: u64,
}

/// The place of a node.
#[derive(Default)]
struct Slot {
    process: Option<Process>,
    starts_at: Ms,
    paused_until: Ms,
    /// When a process that has said that it leaves is gone.
    leaves: Option<(Ms, Ms)>,
}

impl Run {
    fn turn(&mut self, at: Ms) {
        let faults = Arc::clone(&self.faults);
        for (span, fault) in faults.beginning(at) {
            self.begin(span, fault);
        }
        self.start_and_end(at);
        self.database.run(at + TURN);
        self.database.answer(at + TURN);
        for (slot, position) in self.database.announced(at + TURN) {
            if let Some(process) = &self.slots[slot].process {
                process.link.heard_of(position);
            }
        }
        self.ask(at);
        for slot in &self.slots {
            if let Some(process) = slot.process.as_ref().filter(|_| slot.paused_until <= at) {
                process.run(at, at + TURN);
            }
        }
    }

    fn begin(&mut self, span: Span, fault: Fault) {
        match fault {
            Fault::Pause(slot) => {
                self.slots[slot].paused_until = self.slots[slot].paused_until.max(span.until);
            }
            Fault::Restart { slot, clean: false } => self.kill(slot, span.from, span.until),
            Fault::Restart { slot, clean: true } => {
                let Some(process) = &self.slots[slot].process else { return };
                if let Some(replica) = process.replica.get() {
                    process.spawn(async move {
                        let _ = replica.leave().await;
                    });
                }
                self.slots[slot].leaves = Some((span.from + GRACE, span.until + GRACE));
            }
            Fault::Outage => self.database.stop(span.from, span.until),
            Fault::FailOver { lives_on } => self.database.fail_over(span.from, span.until, lives_on),
            Fault::Cut { .. } | Fault::Slow { .. } | Fault::WallJump { .. } => {}
        }
    }

    fn kill(&mut self, slot: usize, at: Ms, starts_at: Ms) {
        if let Some(process) = self.slots[slot].process.take() {
            self.database.died(process.number, at);
            self.history.cut_off(Some(slot), at);
            self.slots[slot] = Slot { starts_at, ..Slot::default() };
        }
    }

    fn start_and_end(&mut self, at: Ms) {
        for slot in 0..NODES {
            if let Some((_, starts_at)) = self.slots[slot].leaves.filter(|(leaves_at, _)| *leaves_at <= at) {
                self.kill(slot, at, starts_at);
            }
            if self.slots[slot].process.is_none() && self.slots[slot].starts_at <= at {
                self.processes += 1;
                let number = (slot, self.processes);
                let process = Process::start(self.world, number, &self.faults, &self.wire, at);
                self.slots[slot].process = Some(process);
            }
        }
    }

    /// What is asked in this turn: what somebody meant to ask, and what comes to others' minds.
    fn ask(&mut self, at: Ms) {
        self.history.begin_turn();
        let mut dice = Dice::of(self.world.seed, &[8, at]);
        let mut asks = self.history.asked(at + TURN);
        for (once_in, kind) in [(60, 0), (15, 1), (120, 2)] {
            if dice.once_in(once_in)
                && let Some(ask) = any(&mut dice, kind, &self.history.known())
            {
                asks.push((at, dice.next(), dice.index(NODES), ask));
            }
        }
        for (at, number, slot, ask) in asks {
            let Some(process) = &self.slots[slot].process else { continue };
            let Some(replica) = process.replica.get() else { continue };
            self.history.call(number, at, slot, ask.clone());
            let (link, history) = (Arc::clone(&process.link), Arc::clone(&self.history));
            let others = if matches!(ask, Ask::Revoke(_)) { self.history.known() } else { Vec::new() };
            let operated = Operated { number, ask, link, replica, history, others };
            let moment = process.link.machine().instant(at);
            process.spawn(async move {
                tokio::time::sleep_until(moment).await;
                operated.perform().await;
            });
        }
    }

    fn judge(mut self) -> Ran {
        self.history.cut_off(None, END);
        let mut events = self.history.events(&mut self.database.trace);
        if self.world.standby == Standby::Asynchronous {
            self.forgive(&mut events);
        }
        let acknowledged = |event: &&Event| matches!(&event.operation, Operation::Revoke { outcome, .. } if outcome.done().is_some());
        let settings = Settings { clock_slack: CLOCK_SLACK, ..Settings::default() };
        Ran {
            report: check(&events, &settings),
            trace: self.database.trace.finish(),
            lost: self.database.lost,
            revoked: events.iter().filter(acknowledged).count(),
        }
    }

    /// Takes out what an asynchronous standby does not promise: what was asked while a denial that a failover had lost was
    /// not appended again; and refusals of tokens that were given since a denial of their person or client which was lost,
    /// since it stands at a later place when it is appended again.
    fn forgive(&self, events: &mut Vec<Event>) {
        let at = |moment: Duration| Ms::try_from(moment.as_millis()).expect("a short run");
        let mut given_late = HashSet::new();
        for event in events.iter().filter(|event| self.faults.may_lose(at(event.answered))) {
            if let Operation::Issue { outcome: Outcome::Done(grant) } = &event.operation {
                given_late.insert(grant.access.clone());
            }
        }
        events.retain(|event| match &event.operation {
            Operation::Verify { token, outcome } => {
                let excused = *outcome == Outcome::Refused && given_late.contains(token);
                !excused && !self.faults.is_recovering(at(event.called))
            }
            _ => true,
        });
    }
}

/// A process that leaves goes on for so long.
const GRACE: Ms = 60;

/// Wall clocks count whole seconds, and follow differences of less than a minute.
const CLOCK_SLACK: Duration = Duration::from_secs(3);

/// Anything of this kind; of tokens rather those that were given lately.
fn any(dice: &mut Dice, kind: u64, known: &[Arc<Token>]) -> Option<Ask> {
    if kind == 0 {
        return Some(Ask::Issue);
    }
    let latest = if dice.once_in(2) { known.len() } else { known.len().min(12) };
    let token = known.get(dice.index(latest.max(1)))?;
    if kind == 1 {
        return Some(Ask::Verify(Arc::clone(token)));
    }
    Some(Ask::Revoke(match dice.below(24) {
        0 => Revoked::Everything,
        1..=2 => Revoked::Client(token.client),
        3..=5 => Revoked::User(token.user),
        _ => Revoked::Token(Arc::clone(token)),
    }))
}

//! What the callers have asked and heard, and which tokens they know.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use obol_testkit::checker::{Event, Name, Operation, Outcome};
use obol_token::{Expiry, FamilyId, TokenId};

use crate::operations::Ask;
use crate::world::Ms;

/// A token that a caller was given.
pub(crate) struct Token {
    pub(crate) name: Name,
    pub(crate) sealed: String,
    pub(crate) id: TokenId,
    pub(crate) family: Option<(FamilyId, Name)>,
    pub(crate) client: u64,
    pub(crate) user: u64,
    pub(crate) expires_at: Expiry,
}

/// The callers' notes.
#[derive(Default)]
pub(crate) struct History(Mutex<Notes>);

#[derive(Default)]
struct Notes {
    /// By the time of the answer and the number of the operation.
    events: BTreeMap<(Ms, u64, usize), Event>,
    open: BTreeMap<u64, (Ms, usize, Ask)>,
    /// Tokens that were given in this turn.
    fresh: Vec<(Ms, u64, Arc<Token>)>,
    known: Vec<Arc<Token>>,
    /// What somebody is going to ask next, and of which node.
    next: BTreeMap<(Ms, u64), (usize, Ask)>,
}

impl History {
    /// An operation is called at `at`, of the node in this slot.
    pub(crate) fn call(&self, number: u64, at: Ms, slot: usize, ask: Ask) {
        self.notes().open.insert(number, (at, slot, ask));
    }

    /// It was answered, with this; or there is nothing to say about it.
    pub(crate) fn answer(&self, number: u64, at: Ms, said: Vec<Operation>) {
        let mut notes = self.notes();
        let Some((called, slot, _)) = notes.open.remove(&number) else { return };
        for (nth, operation) in said.into_iter().enumerate() {
            notes.events.insert((at, number, nth), event(called, slot, operation, at));
        }
    }

    /// A caller was given this token at `at`, and others hear of it in the next turn.
    pub(crate) fn given(&self, number: u64, at: Ms, token: Token) {
        self.notes().fresh.push((at, number, Arc::new(token)));
    }

    /// A turn begins: the tokens given before are known.
    pub(crate) fn begin_turn(&self) {
        let mut notes = self.notes();
        if notes.fresh.is_empty() {
            return;
        }
        let mut fresh = std::mem::take(&mut notes.fresh);
        fresh.sort_by(|a, b| (a.0, a.1, &a.2.name).cmp(&(b.0, b.1, &b.2.name)));
        notes.known.extend(fresh.into_iter().map(|(_, _, token)| token));
    }

    /// The tokens that callers remember, the latest first.
    pub(crate) fn known(&self) -> Vec<Arc<Token>> {
        self.notes().known.iter().rev().take(LATEST).cloned().collect()
    }

    /// Somebody will ask this at `at`.
    pub(crate) fn ask_later(&self, at: Ms, number: u64, slot: usize, ask: Ask) {
        self.notes().next.insert((at, number), (slot, ask));
    }

    /// What is asked before `until`.
    pub(crate) fn asked(&self, until: Ms) -> Vec<(Ms, u64, usize, Ask)> {
        let mut notes = self.notes();
        if notes.next.first_key_value().is_none_or(|((at, _), _)| *at >= until) {
            return Vec::new();
        }
        let later = notes.next.split_off(&(until, 0));
        let now = std::mem::replace(&mut notes.next, later);
        now.into_iter().map(|((at, number), (slot, ask))| (at, number, slot, ask)).collect()
    }

    /// Nobody is going to answer what was asked of this node, or of any.
    pub(crate) fn cut_off(&self, slot: Option<usize>, at: Ms) {
        let mut notes = self.notes();
        let is_cut = |(_, (_, of, _)): &(&u64, &(Ms, usize, Ask))| slot.is_none_or(|slot| slot == *of);
        let cut: Vec<u64> = notes.open.iter().filter(is_cut).map(|(number, _)| *number).collect();
        for number in cut {
            let Some((called, slot, ask)) = notes.open.remove(&number) else { continue };
            let operation = ask.unanswered();
            notes.events.insert((at, number, 0), event(called, slot, operation, at));
        }
    }

    /// All that was recorded, by the time of the answers; and takes it into the trace.
    pub(crate) fn events(&self, trace: &mut DefaultHasher) -> Vec<Event> {
        let notes = self.notes();
        for ((at, number, nth), event) in &notes.events {
            (at, number, nth, event.called, &event.node, said(&event.operation)).hash(trace);
        }
        notes.events.values().cloned().collect()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Callers remember so many tokens, the latest.
const LATEST: usize = 120;

fn event(called: Ms, slot: usize, operation: Operation, answered: Ms) -> Event {
    Event {
        called: Duration::from_millis(called),
        node: format!("n{slot}").into(),
        operation,
        answered: Duration::from_millis(answered),
    }
}

/// What was asked and answered, in numbers.
fn said(operation: &Operation) -> (u8, u8) {
    let of = |outcome: &Outcome| match outcome {
        Outcome::Done(()) => 0,
        Outcome::Refused => 1,
        Outcome::Unknown => 2,
    };
    match operation {
        Operation::Issue { outcome } => (0, u8::from(outcome.done().is_none())),
        Operation::Verify { outcome, .. } => (1, of(outcome)),
        Operation::Revoke { outcome, .. } => (2, of(outcome)),
        Operation::Exchange { .. } | Operation::Disable { .. } | Operation::Enable { .. } => (3, 0),
    }
}

//! What passes between nodes and database: calls and answers, how long they take, and what becomes of them on the way.

use std::sync::{Mutex, PoisonError};

use obol_store::{Deny, NodeId, Page, ReadFrom};
use obol_token::Position;
use tokio::sync::oneshot;

use crate::dice::Dice;
use crate::faults::Faults;
use crate::state::{Row, Write, Written};
use crate::world::{Ms, TURN, World};

/// Which call: its order among those of the same moment, and what its chances hang on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// The process, counted from the start of the run.
    pub(crate) process: u64,
    /// The operation for which it is made; 0 for what the node does by itself.
    pub(crate) operation: u64,
    pub(crate) kind: u64,
    /// What it names.
    pub(crate) names: u64,
    /// How often this was called before.
    pub(crate) nth: u64,
}

/// What is asked of the database.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Read(ReadFrom),
    /// Changes the row, then reads, in one transaction: when it reads, the row is there and stays.
    Renew {
        from: ReadFrom,
        write: Write,
    },
    Rows,
    Write(Write),
}

/// What it answers, and on which timeline.
pub(crate) struct Reply {
    pub(crate) timeline: u64,
    pub(crate) answer: Answer,
}

/// What it answers.
pub(crate) enum Answer {
    /// A page, and the position of the newest entry.
    Page(Page, Position),
    /// The row of who asked is gone.
    NoRow,
    Rows(Vec<Row>),
    Written(Written),
}

/// An answer, or a broken connection; and when it is there.
pub(crate) type Answered = (Ms, Option<Reply>);

/// A call on its way.
pub(crate) struct Sent {
    pub(crate) key: Key,
    pub(crate) slot: usize,
    pub(crate) call: Call,
    pub(crate) trip: Trip,
    pub(crate) arrives_at: Ms,
    /// When the caller stops waiting.
    pub(crate) deadline: Ms,
    pub(crate) answer: oneshot::Sender<Answered>,
}

/// How a call fares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trip {
    pub(crate) there: Ms,
    pub(crate) commit: Ms,
    pub(crate) back: Ms,
    pub(crate) fate: Fate,
    /// For whatever else is left to chance.
    pub(crate) coin: u64,
}

/// What becomes of a call on a connection that is not cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    /// The connection breaks, and the call has not arrived.
    BrokenBefore,
    /// The connection breaks, and the call has taken effect.
    BrokenAfter,
    /// The connection breaks, and the call takes effect after that.
    BrokenMeanwhile,
    /// There is never an answer.
    Silent,
}

impl Trip {
    /// That of a call that is sent at `at`.
    pub(crate) fn of(world: &World, faults: &Faults, key: &Key, slot: usize, at: Ms) -> Self {
        let question = [3, key.process, key.operation, key.kind, key.names, key.nth];
        let mut dice = Dice::of(world.seed, &question);
        let slower_by = faults.slower_by(slot, at);
        let fate = match dice.below(400) {
            0 => Fate::BrokenBefore,
            1 => Fate::BrokenAfter,
            2 => Fate::BrokenMeanwhile,
            3 => Fate::Silent,
            _ => Fate::Answered,
        };
        let slower_there = if slower_by > 0 { dice.between(0..=slower_by) } else { 0 };
        Self {
            there: leg(&mut dice) + slower_there,
            commit: match dice.below(30) {
                // Nobody waits for this one but its node.
                0..=2 if key.kind == Call::RENEW => dice.between(5..=500),
                0 => dice.between(5..=40),
                _ => dice.between(1..=4),
            },
            back: leg(&mut dice) + (slower_by - slower_there),
            fate,
            coin: dice.next(),
        }
    }

    /// From the sending to the answer, when all goes well.
    pub(crate) fn round(&self) -> Ms {
        self.there + self.commit + self.back
    }
}

/// One way: mostly quick, sometimes not.
fn leg(dice: &mut Dice) -> Ms {
    TURN + match dice.below(200) {
        0 => dice.between(0..=1_500),
        1..=5 => dice.between(0..=100),
        _ => dice.between(0..=3),
    }
}

impl Call {
    /// How long its caller waits.
    pub(crate) fn patience(&self) -> Ms {
        match self {
            Self::Read(_) | Self::Rows | Self::Write(Write::Report { .. } | Write::Leave(_)) => 1_000,
            Self::Renew { .. } => 2_000,
            Self::Write(_) => 3_000,
        }
    }

    /// Whether it takes its turn with all that write to the log.
    pub(crate) fn takes_turns(&self) -> bool {
        matches!(
            self,
            Self::Write(
                Write::Enter(_)
                    | Write::TakeOut { .. }
                    | Write::Deny(_)
                    | Write::AddFirstKey(_)
                    | Write::PutBackKey(_)
            )
        )
    }

    /// Its kind, and what it names: of its [`Key`].
    pub(crate) fn names(&self) -> (u64, u64) {
        match self {
            Self::Read(_) => (1, 0),
            Self::Renew { .. } => (Self::RENEW, 0),
            Self::Rows => (3, 0),
            Self::Write(write) => match write {
                Write::Enter(row) => (4, first_bytes(row.node.as_bytes())),
                Write::Renew { .. } => (5, 0),
                Write::Report { node, .. } => (6, first_bytes(node.as_bytes())),
                Write::TakeOut { node, .. } => (7, first_bytes(node.as_bytes())),
                Write::Leave(node) => (8, first_bytes(node.as_bytes())),
                Write::Deny(deny) => (9, denied(deny)),
                // Keys are made by chance, and a run is to be the same by its seed.
                Write::AddFirstKey(_) => (10, 0),
                Write::PutBackKey(_) => (11, 0),
            },
        }
    }

    /// The kind of a renewal.
    pub(crate) const RENEW: u64 = 2;
}

fn denied(deny: &Deny) -> u64 {
    match deny {
        Deny::Token { id, .. } => first_bytes(id.as_bytes()),
        Deny::Family(id) => first_bytes(id.as_bytes()),
        Deny::Subject(id) => first_bytes(id.as_bytes()),
        Deny::Client(id) => id.as_str().bytes().fold(0, |number, byte| number * 256 + u64::from(byte)),
        Deny::Everything => 0,
    }
}

fn first_bytes(id: &[u8; 16]) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|at| id[at]))
}

/// The node with this number, the same in every run.
pub(crate) fn numbered(number: u64) -> NodeId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    NodeId::from_bytes(bytes)
}

/// Calls that have been sent and not been taken in.
#[derive(Default)]
pub(crate) struct Wire(Mutex<Vec<Sent>>);

impl Wire {
    pub(crate) fn send(&self, sent: Sent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
    }

    pub(crate) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

//! What goes wrong in a run, and when: settled before it begins.

use crate::dice::Dice;
use crate::world::{END, Ms, NODES, Standby, TURN, World};

/// From its first moment until before its last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: Ms,
    pub(crate) until: Ms,
}

impl Span {
    pub(crate) fn contains(&self, at: Ms) -> bool {
        (self.from..self.until).contains(&at)
    }

    fn touches(&self, other: &Self) -> bool {
        self.from < other.until && other.from < self.until
    }
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// A node does not run; its clock does.
    Pause(usize),
    /// A node is gone and starts again; if `clean`, it says that it leaves.
    Restart { slot: usize, clean: bool },
    /// Between a node and the database nothing passes in these directions.
    Cut { slot: usize, calls: bool, answers: bool },
    /// Every call of a node takes so much longer.
    Slow { slot: usize, extra: Ms },
    /// The wall clock of a node's machine is so many seconds off.
    WallJump { slot: usize, secs: i64 },
    /// The database is down, and comes back as it was.
    Outage,
    /// The standby takes over; the former primary goes on answering readings for so long.
    FailOver { lives_on: Ms },
}

/// All that goes wrong in a run.
pub(crate) struct Faults(Vec<(Span, Fault)>);

/// After a failover to an asynchronous standby nothing is promised before what was lost has been appended again.
const RECOVERY: Ms = 4_000;
/// What an asynchronous failover loses is not older than this.
const OLDEST_LOSS: Ms = 3_000;
/// The last stretch of a run is calm, so that what is not settled has to settle.
const CALM_END: Ms = 6_000;

impl Faults {
    /// Those of a world.
    pub(crate) fn of(world: &World) -> Self {
        let mut dice = Dice::of(world.seed, &[1]);
        let mut faults = failovers(world, &mut dice);
        let alone: Vec<Span> = match world.standby {
            Standby::Synchronous => Vec::new(),
            Standby::Asynchronous => faults.iter().map(|(span, _)| around(*span)).collect(),
        };
        for span in &alone {
            // Who starts after a failover knows only what was kept or appended again.
            let from = turns(span.until + dice.between(0..=2_000));
            let restart = Fault::Restart { slot: dice.index(NODES), clean: false };
            faults.push((Span { from, until: from + TURN }, restart));
        }
        for _ in 0..dice.between(6..=22) {
            let (span, fault) = any(&mut dice);
            if alone.iter().all(|other| !span.touches(other)) {
                faults.push((span, fault));
            }
        }
        Self(faults)
    }

    /// Those that begin at `at`.
    pub(crate) fn beginning(&self, at: Ms) -> impl Iterator<Item = (Span, Fault)> {
        self.0.iter().copied().filter(move |(span, _)| span.from == at)
    }

    /// Whether `at` is in the time after a failover for which nothing is promised.
    pub(crate) fn is_recovering(&self, at: Ms) -> bool {
        self.failovers().any(|failover| Span { from: failover.from, ..around(failover) }.contains(at))
    }

    /// Whether what was denied at `at` may be lost, or may be waiting to be appended again.
    pub(crate) fn may_lose(&self, at: Ms) -> bool {
        self.failovers().any(|failover| around(failover).contains(at))
    }

    fn failovers(&self) -> impl Iterator<Item = Span> {
        let failovers = self.0.iter().filter(|(_, fault)| matches!(fault, Fault::FailOver { .. }));
        failovers.map(|(span, _)| *span)
    }

    /// Until when the calls, or the answers, of a node do not pass, if they do not at `at`.
    pub(crate) fn cut_until(&self, slot: usize, at: Ms, answer: bool) -> Option<Ms> {
        let found = self.0.iter().filter(|(span, fault)| match fault {
            Fault::Cut { slot: cut, calls, answers } => {
                *cut == slot && (if answer { *answers } else { *calls }) && span.contains(at)
            }
            _ => false,
        });
        found.map(|(span, _)| span.until).max()
    }

    /// How much longer a call of this node takes that is sent at `at`.
    pub(crate) fn slower_by(&self, slot: usize, at: Ms) -> Ms {
        let found = self.0.iter().filter_map(|(span, fault)| match fault {
            Fault::Slow { slot: slow, extra } if *slow == slot && span.contains(at) => Some(*extra),
            _ => None,
        });
        found.max().unwrap_or(0)
    }

    /// How many seconds the wall clock of this node is off, to who set it right at `since`.
    pub(crate) fn wall_off_secs(&self, slot: usize, since: Ms, at: Ms) -> i64 {
        let found = self.0.iter().find_map(|(span, fault)| match fault {
            Fault::WallJump { slot: jumps, secs }
                if *jumps == slot && span.from > since && span.contains(at) =>
            {
                Some(*secs)
            }
            _ => None,
        });
        found.unwrap_or(0)
    }
}

fn failovers(world: &World, dice: &mut Dice) -> Vec<(Span, Fault)> {
    let mut found = Vec::new();
    for begin in [17_000, 39_000] {
        let from = begin + turns(dice.below(4_000));
        let until = from + turns(dice.scaled(100..=3_000));
        let lives_on = match world.standby {
            Standby::Synchronous => dice.scaled(100..=9_000),
            Standby::Asynchronous => 0,
        };
        if world.standby == Standby::Asynchronous || !dice.once_in(3) {
            found.push((Span { from, until }, Fault::FailOver { lives_on }));
        }
    }
    found
}

fn around(failover: Span) -> Span {
    Span { from: failover.from - OLDEST_LOSS, until: failover.until + RECOVERY }
}

fn any(dice: &mut Dice) -> (Span, Fault) {
    let slot = dice.index(NODES);
    let (length, fault) = match dice.below(16) {
        0..=3 => (dice.scaled(10..=30_000), Fault::Pause(slot)),
        4..=5 => (dice.scaled(50..=6_000), Fault::Restart { slot, clean: dice.once_in(3) }),
        6..=9 => {
            let (calls, answers) = *dice.pick(&[(true, true), (true, true), (true, false), (false, true)]);
            (dice.scaled(50..=8_000), Fault::Cut { slot, calls, answers })
        }
        10..=12 => (dice.scaled(200..=8_000), Fault::Slow { slot, extra: dice.scaled(20..=1_500) }),
        13 => (dice.scaled(50..=4_000), Fault::Outage),
        _ => {
            let secs = *dice.pick(&[63, 100, 3_600, 86_400, -63, -3_600, -86_400, -1_000_000_000]);
            (dice.scaled(100..=20_000), Fault::WallJump { slot, secs })
        }
    };
    let from = turns(dice.between(1_000..=END - CALM_END - 1_000));
    let until = (from + turns(length)).min(END - CALM_END);
    (Span { from, until }, fault)
}

/// The next multiple of a turn: faults begin and end between turns.
fn turns(at: Ms) -> Ms {
    at.div_ceil(TURN) * TURN
}

//! What the database holds, and how its statements change it. The rules are those of `docs/design/postgres.md`.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use obol_store::{
    Appended, Change, Deny, Entry, FirstKeyOutcome, NewKey, NodeId, Page, Promoted, ReadFrom, Timeline,
    WrappedKey,
};
use obol_token::{Denial, Denied, Expiry, Position};

use crate::world::Ms;

/// Log and rows, as of one moment.
#[derive(Clone, Default)]
pub(crate) struct State {
    log: BTreeMap<u64, Change>,
    places: HashMap<Thing, u64>,
    /// The last position given, and on which timeline.
    head: (u64, u64),
    /// Up to where the log was kept when a timeline was first written on.
    kept: BTreeMap<u64, u64>,
    rows: BTreeMap<[u8; 16], Row>,
}

/// The row of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) node: NodeId,
    pub(crate) applied: Position,
    pub(crate) lease: Ms,
    pub(crate) renewals: u64,
}

/// What an entry is about; of each there is one at most.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Thing {
    Denied(Denied),
    Key([u8; 4]),
}

/// A transaction that changes something.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Enter(Row),
    Renew { node: NodeId, lease: Ms, renewals: u64 },
    Report { node: NodeId, applied: Position },
    TakeOut { node: NodeId, renewals: u64 },
    Leave(NodeId),
    Deny(Deny),
    AddFirstKey(NewKey),
    PutBackKey(WrappedKey),
}

/// What became of it.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    /// Whether there was such a row.
    Row(bool),
    Appended(Appended),
    FirstKey(FirstKeyOutcome),
}

/// Further than any position that was given and is not known.
const LEAP: u64 = 1 << 32;

impl State {
    /// Carries out a transaction on this timeline.
    pub(crate) fn write(&mut self, write: &Write, timeline: u64) -> Written {
        match write {
            Write::Enter(row) => {
                self.lock(timeline);
                self.rows.insert(*row.node.as_bytes(), *row);
                Written::Row(true)
            }
            Write::Renew { node, lease, renewals } => {
                self.change_row(*node, |row| (row.lease, row.renewals) = (*lease, *renewals))
            }
            Write::Report { node, applied } => self.change_row(*node, |row| row.applied = *applied),
            Write::TakeOut { node, renewals } => {
                self.lock(timeline);
                let row = self.rows.get(node.as_bytes());
                let is_same = row.is_some_and(|row| row.renewals == *renewals);
                Written::Row(is_same && self.rows.remove(node.as_bytes()).is_some())
            }
            Write::Leave(node) => Written::Row(self.rows.remove(node.as_bytes()).is_some()),
            Write::Deny(deny) => Written::Appended(self.deny(deny, timeline)),
            Write::AddFirstKey(key) => Written::FirstKey(self.add_first_key(key, timeline)),
            Write::PutBackKey(key) => Written::Appended(self.put_back_key(key, timeline)),
        }
    }

    /// A page, and the position of the newest entry, on a server of this timeline.
    pub(crate) fn read(&self, from: ReadFrom, timeline: u64) -> (Page, Position) {
        let newest = Position::new(self.log.last_key_value().map_or(0, |(position, _)| *position));
        let beyond = self.log.range(from.after.number() + 1..).take(from.limit);
        let entry = |(position, change): (&u64, &Change)| Entry {
            position: Position::new(*position),
            change: change.clone(),
        };
        let entries = beyond.map(entry).collect();
        let page =
            Page { entries, timeline: Timeline::new(timeline), kept_to: self.kept_to(from.known, timeline) };
        (page, newest)
    }

    /// Whether this node has a row.
    pub(crate) fn has_row(&self, node: NodeId) -> bool {
        self.rows.contains_key(node.as_bytes())
    }

    /// All rows of nodes.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.rows.values().copied().collect()
    }

    fn kept_to(&self, known: Timeline, timeline: u64) -> Position {
        if known == Timeline::NONE || known.number() == timeline {
            return Position::END;
        }
        let recorded = self.kept.range(known.number() + 1..).map(|(_, kept_to)| *kept_to).min();
        let recorded = recorded.map_or(Position::END, Position::new);
        let newest = self.log.last_key_value().map_or(0, |(position, _)| *position);
        if self.head.1 == timeline { recorded } else { recorded.min(Position::new(newest)) }
    }

    /// Who comes first on a new timeline leaps over all positions that may have been lost.
    fn lock(&mut self, timeline: u64) {
        let (position, written) = self.head;
        if written != timeline {
            let newest = self.log.last_key_value().map_or(0, |(position, _)| *position);
            self.kept.insert(timeline, newest);
            self.head = (if written == 0 { position } else { position + LEAP }, timeline);
        }
    }

    fn append(&mut self, thing: Thing, change: impl FnOnce(Position) -> Change) -> Appended {
        self.head.0 += 1;
        let position = self.head.0;
        if let Some(before) = self.places.insert(thing, position) {
            self.log.remove(&before);
        }
        self.log.insert(position, change(Position::new(position)));
        Appended::danger_committed(Position::new(position))
    }

    fn deny(&mut self, deny: &Deny, timeline: u64) -> Appended {
        self.lock(timeline);
        let (what, leaves_at) = match deny {
            Deny::Token { id, expires_at } => (Denied::Token(*id), *expires_at),
            Deny::Family(id) => (Denied::Family(*id), Expiry::Never),
            Deny::Subject(id) => (Denied::Subject(*id), Expiry::Never),
            Deny::Client(id) => (Denied::Client(id.clone()), Expiry::Never),
            Deny::Everything => (Denied::Everything, Expiry::Never),
        };
        let thing = Thing::Denied(what.clone());
        let stands_already = matches!(what, Denied::Token(_) | Denied::Family(_));
        match self.places.get(&thing) {
            Some(position) if stands_already => Appended::danger_committed(Position::new(*position)),
            _ => self.append(thing, |position| Change::Denied(Denial { what, position, leaves_at })),
        }
    }

    fn add_first_key(&mut self, key: &NewKey, timeline: u64) -> FirstKeyOutcome {
        self.lock(timeline);
        if self.log.values().any(|change| matches!(change, Change::Key(known) if known.kind == key.kind)) {
            return FirstKeyOutcome::Exists;
        }
        let thing = Thing::Key(*key.id.as_bytes());
        let NewKey { id, kind, wrapped, created_at } = key.clone();
        FirstKeyOutcome::Added(self.append(thing, |position| {
            let promoted = Some(Promoted { position, at: created_at });
            Change::Key(WrappedKey { id, kind, wrapped, created_at, promoted, retired_at: None })
        }))
    }

    /// Nothing is done to a key here after it was added: what a node knows of it is what is put back.
    fn put_back_key(&mut self, key: &WrappedKey, timeline: u64) -> Appended {
        self.lock(timeline);
        let thing = Thing::Key(*key.id.as_bytes());
        self.append(thing, |_| Change::Key(key.clone()))
    }

    fn change_row(&mut self, node: NodeId, change: impl FnOnce(&mut Row)) -> Written {
        let row = self.rows.get_mut(node.as_bytes());
        Written::Row(row.map(change).is_some())
    }
}

//! What there is at one moment. Times are ages in ticks and stop where older makes no difference, so that the number of
//! states is finite without a bound on the length of a run.

use crate::World;

/// How many nodes there are.
pub(crate) const NODES: usize = 3;

/// A node, by number.
pub(crate) type NodeAt = usize;

/// A token, by number.
pub(crate) type TokenAt = u8;

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The nodes.
    pub nodes: [Node; NODES],
    /// Their rows on the primary.
    pub rows: [Row; NODES],
    /// The log of the primary.
    pub log: Log,
    /// The log that the old primary has, after a failover.
    pub old_log: Log,
    /// Which primary this is, counted from 0.
    pub timeline: u8,
    /// The revocation of each token.
    pub revocations: [Revocation; 2],
    /// Which entries a failover has lost.
    pub lost: [Lost; 2],
    /// For how many ticks all nodes have followed the new primary.
    pub all_follow: u8,
    /// A verify under way that must not be accepted.
    pub pending: Option<Pending>,
    /// An answer that later ones must agree with. One is remembered, whichever; all are tried.
    pub witness: Option<Witness>,
    /// A renewal that will arrive a second time.
    pub stray: Option<Renewal>,
    /// Failovers to come.
    pub failovers_left: u8,
    /// Restarts to come.
    pub restarts_left: u8,
    /// The rule that was broken.
    pub broken: Option<Broken>,
}

impl State {
    pub(crate) fn first(world: &World) -> Self {
        Self {
            nodes: [Node::started(); NODES],
            rows: [Row { present: true, ..Row::default() }; NODES],
            log: Log::default(),
            old_log: Log::default(),
            timeline: 0,
            revocations: [Revocation::NotAsked; 2],
            lost: [Lost::No; 2],
            all_follow: 0,
            pending: None,
            witness: None,
            stray: None,
            failovers_left: world.failovers,
            restarts_left: world.restarts,
            broken: None,
        }
    }
}

impl State {
    /// Puts nodes 1 and 2 into one order.
    pub(crate) fn fold(&mut self) {
        if (self.nodes[1], self.rows[1]) <= (self.nodes[2], self.rows[2]) {
            return;
        }
        self.nodes.swap(1, 2);
        self.rows.swap(1, 2);
        if let Some(pending) = &mut self.pending {
            pending.node = other(pending.node);
        }
        if let Some(Witness::Refused(node, _)) = &mut self.witness {
            *node = other(*node);
        }
        if let Some(renewal) = &mut self.stray {
            renewal.node = other(renewal.node);
        }
    }
}

/// The node that has changed places with this one.
const fn other(node: u8) -> u8 {
    match node {
        0 => 0,
        node => 3 - node,
    }
}

/// One node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Whether it runs.
    pub up: bool,
    /// The denials in its memory: a bit for each token.
    pub knows: u8,
    /// How far it has read the log.
    pub applied: u8,
    /// The primary that it follows.
    pub timeline: u8,
    /// Ticks for which it may vouch.
    pub lease_left: u8,
    /// Ticks since it read for the last renewal that it heard of, or registered; counted only where a lease is capped.
    pub renewed: u8,
    /// Where it is in following the log.
    pub round: Round,
}

impl Node {
    pub(crate) const fn started() -> Self {
        Self { up: true, knows: 0, applied: 0, timeline: 0, lease_left: 0, renewed: 0, round: Round::Idle }
    }

    pub(crate) const fn knows(&self, token: TokenAt) -> bool {
        self.knows & (1 << token) != 0
    }
}

/// Rule 2: read, apply, renew. That a node applies what it read before it renews can only make it refuse more; so here
/// it applies when its renewal arrives, or applies and then does not renew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Round {
    /// Between two rounds.
    Idle,
    /// It has read, and its renewal is on the way. A reading that arrives later than it was sent finds more, and counts
    /// from earlier; so here it arrives at once. A round that takes a lease is given up: it would earn nothing.
    Read {
        /// Ticks since it was sent.
        age: u8,
        /// What it found.
        log: Log,
        /// Where.
        timeline: u8,
    },
}

/// The statement that renews a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Renewal {
    /// Whose.
    pub node: u8,
    /// How far it has applied the log.
    pub applied: u8,
    /// Of which primary.
    pub timeline: u8,
}

/// The row of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Row {
    /// Whether it is there.
    pub present: bool,
    /// How far the node says that it has applied the log.
    pub applied: u8,
    /// For how many ticks somebody can have seen the same mark in it.
    pub age: u8,
    /// A failover has put back its mark by one: the next renewal gives it a mark that was seen before.
    pub put_back: bool,
}

/// The log: at most one entry for each token, in order. The position of an entry is its place, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Log {
    length: u8,
    entries: [TokenAt; 2],
}

impl Log {
    /// How many entries it has, and the position of the last.
    pub const fn length(&self) -> u8 {
        self.length
    }

    pub(crate) fn position_of(&self, token: TokenAt) -> Option<u8> {
        (1..=self.length).find(|position| self.entries[usize::from(*position) - 1] == token)
    }

    /// Appends the denial of a token, unless it is there; gives its position.
    pub(crate) fn append(&mut self, token: TokenAt) -> u8 {
        if let Some(position) = self.position_of(token) {
            return position;
        }
        self.entries[usize::from(self.length)] = token;
        self.length += 1;
        self.length
    }

    /// The tokens after a position, as bits.
    pub(crate) fn after(&self, position: u8) -> u8 {
        (position..self.length).fold(0, |bits, at| bits | 1 << self.entries[usize::from(at)])
    }

    pub(crate) fn cut_to(&mut self, length: u8) {
        (length..self.length).for_each(|at| self.entries[usize::from(at)] = 0);
        self.length = length;
    }
}

/// Where the revocation of a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// Nobody has asked.
    NotAsked,
    /// The append is on its way.
    Sent,
    /// Committed; waiting for the nodes.
    Waiting {
        /// Ticks since the commit was heard.
        age: u8,
        /// Where the entry stands.
        position: u8,
        /// In the log of which primary.
        timeline: u8,
    },
    /// The caller has the 200.
    Done,
    /// The caller was told "not known".
    Unknown {
        /// Ticks since then.
        age: u8,
        /// The append may still arrive.
        on_its_way: bool,
    },
}

/// What a failover did to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lost {
    /// Nothing.
    No,
    /// It is gone from the log, and some node knows it.
    Known,
    /// It is gone, and no node knows it.
    Unknown,
}

/// A verify between its two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pending {
    /// Who was asked.
    pub node: u8,
    /// About what.
    pub token: TokenAt,
    /// The rule that an acceptance would break.
    pub forbidden_by: Broken,
}

/// An answer that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Witness {
    /// This node has refused this token.
    Refused(u8, TokenAt),
    /// A node has accepted this token after its revocation's unknown outcome had settled.
    AcceptedSettled(TokenAt),
}

/// A rule that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broken {
    /// Accepted by a verify called after the 200.
    H1,
    /// Accepted by a node that had refused.
    H2,
    /// No agreement after an unknown outcome had settled.
    H5,
}

//! The choices of the protocol, each of which a test takes back; and the world that it is put into.

/// How the protocol is carried out. [`Protocol::sound`] is as it should be.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    /// Rule 3: what a verify looks at first.
    pub verify: VerifyOrder,
    /// Rule 4: whether a revocation waits for the other nodes.
    pub wait: bool,
    /// Rule 8: whether a node appends again what the log has lost.
    pub reappend: bool,
    /// Rule 3: from when a lease counts.
    pub lease_from: LeaseFrom,
    /// Rule 1: how a node starts.
    pub start: StartOrder,
    /// What happens to the row of a node that has not renewed for a lease.
    pub dead_row: DeadRow,
    /// Whether the database answers a renewal before its standby has it.
    pub renewal: Renewal,
    /// By what others see that a row was renewed.
    pub mark: Mark,
    /// By what a node notices that the log is another one.
    pub failover_seen_by: FailoverSeenBy,
    /// Whether a renewal is refused by a server of another timeline than that of the reading.
    pub renewal_names_timeline: bool,
}

impl Protocol {
    /// With every rule kept.
    pub const fn sound() -> Self {
        Self {
            verify: VerifyOrder::LeaseThenDenials,
            wait: true,
            reappend: true,
            lease_from: LeaseFrom::BeforeReading,
            start: StartOrder::RegisterThenLoad,
            dead_row: DeadRow::TakenOut,
            renewal: Renewal::Synchronous,
            mark: Mark::Counter,
            failover_seen_by: FailoverSeenBy::Timeline,
            renewal_names_timeline: true,
        }
    }
}

/// What a verify looks at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyOrder {
    /// The lease, then what is denied.
    LeaseThenDenials,
    /// What is denied, then the lease.
    DenialsThenLease,
}

/// From when a lease counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseFrom {
    /// From before the reading was sent.
    BeforeReading,
    /// From when its answer had been applied.
    AfterReading,
}

/// How a node starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartOrder {
    /// It enters its row, then reads the log, then answers.
    RegisterThenLoad,
    /// It reads the log, then enters its row, then answers.
    LoadThenRegister,
}

/// What happens to a row that was not renewed for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadRow {
    /// It stays, and is waited for.
    Kept,
    /// Who waits takes it out of the table. A node that finds its row gone enters it again and reads again.
    TakenOut,
    /// Who waits passes over it, and it stays.
    PassedOver,
    /// The same, and its node counts on it: a lease ends, at the latest, when the renewal before it is so old that others
    /// may have passed over the row until the new one arrived.
    PassedOverAndCapped,
}

/// Whether the database answers a renewal before its standby has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// No: an old primary, whose standby has become the new one, answers none.
    Synchronous,
    /// Yes: an old primary answers, and a failover may lose the last renewal of a row.
    Asynchronous,
}

/// By what others see that a row was renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A number in the row that grows by one.
    Counter,
    /// A value that never comes again.
    Fresh,
}

/// By what a node notices that the log is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailoverSeenBy {
    /// By the timeline of the server, read with the entries.
    Timeline,
    /// By a log that is shorter than what the node has applied.
    Position,
}

/// What may happen to the nodes and to the database.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// How long a lease is, in ticks.
    pub lease: u8,
    /// How many tokens there are: token *k* is revoked by node *k*, once.
    pub tokens: u8,
    /// Of two states in which nodes 1 and 2 have changed places, only one is followed. For one token, to which they are
    /// the same.
    pub folded: bool,
    /// How often a node may be killed and start again, in all.
    pub restarts: u8,
    /// How often a standby becomes the primary.
    pub failovers: u8,
    /// Whether an answered commit is on the standby. If not, a failover loses any number of the last entries.
    pub synchronous: bool,
    /// Whether the old primary can still be reached by nodes that have not heard of the new one.
    pub old_primary_lives: bool,
    /// Whether a renewal may arrive a second time, any time later.
    pub duplicates: bool,
    /// How many ticks after its caller was told "not known" an append may still arrive; `None`: any number.
    pub late_append: Option<u8>,
}

impl World {
    /// One token, nothing but pauses, lost and late messages.
    pub const fn one_token() -> Self {
        Self { tokens: 1, ..Self::calm() }
    }

    /// Two tokens, nothing but pauses, lost and late messages.
    pub const fn calm() -> Self {
        Self {
            lease: 1,
            tokens: 2,
            folded: false,
            restarts: 0,
            failovers: 0,
            synchronous: true,
            old_primary_lives: false,
            duplicates: false,
            late_append: Some(MARGIN),
        }
    }
}

/// How much later than its answer an unknown append may arrive, in ticks.
pub const MARGIN: u8 = 1;

impl World {
    /// When an unknown outcome has settled, in ticks after its answer.
    pub const fn settled(&self) -> u8 {
        self.lease + MARGIN
    }
}

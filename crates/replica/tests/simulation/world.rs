//! What a run is made of: its seed, the clocks, the kind of standby, and what is done wrongly on purpose.

/// Milliseconds since the start of the run.
pub(crate) type Ms = u64;

/// How long a run is.
pub(crate) const END: Ms = 60_000;

/// The nodes take turns, each for this long. Nothing reaches one party from another sooner.
pub(crate) const TURN: Ms = 2;

/// The nodes of the installation.
pub(crate) const NODES: usize = 3;

/// A run, but for what follows from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    /// From it follows everything that is left to chance.
    pub(crate) seed: u64,
    /// How far the rate of a machine's clock may be off, in parts of a million.
    pub(crate) rate_error_ppm: u64,
    /// Whether commits wait for the standby. If not, a failover loses the last ones.
    pub(crate) standby: Standby,
    /// What is done wrongly.
    pub(crate) wrong: Wrong,
}

/// The kind of standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standby {
    /// Commits wait for it. The former primary may go on answering readings.
    Synchronous,
    /// They do not. Whoever promotes it makes sure that the former primary is down.
    Asynchronous,
}

/// What is done wrongly, so that the judge has something to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    /// The lease counts from when the answer to the renewal came.
    LeaseFromAfterReading,
    /// What a failover has lost is not appended again.
    NothingAppendedAgain,
    /// A primary whose standby has been promoted goes on answering renewals.
    RenewalsOfOnePrimary,
}

impl World {
    /// With everything as it should be, and clocks off by up to 1 %.
    pub(crate) const fn sound(seed: u64, standby: Standby) -> Self {
        Self { seed, rate_error_ppm: 10_000, standby, wrong: Wrong::Nothing }
    }
}

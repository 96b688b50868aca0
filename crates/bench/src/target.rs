//! Who is measured: a server of our own, the ceiling, or one that runs already.

use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::BenchError;
use crate::ask::ask_once;
use crate::ceiling::CEILING;
use crate::load::{Endpoint, Request, Right};
use crate::process::{Child, CpuTime, resident_bytes};

/// A server that answers.
pub(crate) struct Target {
    /// Its name in tables.
    pub(crate) name: String,
    /// Where it is reached.
    pub(crate) endpoint: Endpoint,
    pid: Option<Pid>,
    child: Option<Child>,
    /// How long it took from its start to its first 200; of a server of our own.
    pub(crate) started_in: Option<Duration>,
}

impl Target {
    /// A server of our own that listens; returns when it has answered 200 on `/readyz`.
    ///
    /// # Errors
    /// When it answers anything else.
    pub(crate) fn started(
        name: &'static str,
        endpoint: Endpoint,
        child: Child,
        started: Instant,
    ) -> Result<Self, BenchError> {
        let ready = Right::new("readyz", 200, |_| Ok(()));
        ask_once(name, &endpoint, &Request::get("/readyz"), ready)?;
        let (pid, started_in) = (Some(child.pid()), Some(started.elapsed()));
        Ok(Self { name: name.to_owned(), endpoint, pid, child: Some(child), started_in })
    }

    /// The ceiling, which is ready when it listens.
    pub(crate) fn ceiling(endpoint: Endpoint, child: Child) -> Self {
        let pid = Some(child.pid());
        Self { name: CEILING.to_owned(), endpoint, pid, child: Some(child), started_in: None }
    }

    /// A server that runs already; with its process id if it runs on this machine and may be watched.
    pub(crate) fn running(name: &str, endpoint: Endpoint, pid: Option<Pid>) -> Self {
        Self { name: name.to_owned(), endpoint, pid, child: None, started_in: None }
    }

    /// Its CPU time until now, if it can be seen.
    pub(crate) fn cpu_time(&self) -> Option<CpuTime> {
        CpuTime::of(self.pid?)
    }

    /// Its resident memory in bytes, if it can be seen.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        resident_bytes(self.pid?)
    }

    /// Stops it, if it is ours.
    ///
    /// # Errors
    /// When it does not stop as it should.
    pub(crate) fn stop(self) -> Result<(), BenchError> {
        self.child.map_or(Ok(()), Child::stop)
    }
}

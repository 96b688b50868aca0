//! `revoke_token/`: each token once, durable.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Site, Source, Workload, answers, service_tokens};
use crate::ask::ask_all;
use crate::load::{Answer, Prepared, Request, Right, Script};
use crate::{BenchError, Credentials, Wrong};

/// More than any disk takes in a second, over many connections and over one.
const MOST_PER_SEC: usize = 50_000;
const MOST_PER_SEC_AND_CONNECTION: usize = 8_000;
const CONNECTIONS: usize = 64;

/// Revocation of tokens of the client itself.
///
/// # Errors
/// [`BenchError`]
pub(super) fn workload(site: &Site<'_>) -> Result<Workload, BenchError> {
    let sample: Vec<Request> = service_tokens(site, 1)?.iter().map(|token| revoke(site, token)).collect();
    let source = Some(Box::new(Revocations::default()) as Box<dyn Source>);
    Ok(Workload { source, ..Workload::cycle(site, &sample, answers::revoked()) })
}

/// Revokes these tokens now.
///
/// # Errors
/// [`BenchError`]
pub(super) fn revoke_all(site: &Site<'_>, tokens: &[String]) -> Result<(), BenchError> {
    let requests = tokens.iter().map(|token| revoke(site, token));
    ask_all(site.target, requests, &answers::revoked(), CONNECTIONS, site.hands).map(drop)
}

fn revoke(site: &Site<'_>, token: &str) -> Request {
    let Credentials { client_id, client_secret, .. } = site.credentials;
    Request::post("/api/v1/oauth/revoke_token/", &[("token", token)]).basic(client_id, client_secret)
}

/// Tokens that wait for their revocation.
#[derive(Default)]
pub(super) struct Revocations(Arc<Mutex<VecDeque<Prepared>>>);

impl Source for Revocations {
    fn refill(&self, site: &Site<'_>, connections: usize, run: Duration) -> Result<(), BenchError> {
        let per_sec = (connections * MOST_PER_SEC_AND_CONNECTION).min(MOST_PER_SEC);
        self.fill(site, (per_sec as f64 * run.as_secs_f64()).ceil() as usize)
    }

    fn fill(&self, site: &Site<'_>, count: usize) -> Result<(), BenchError> {
        let there = lock(&self.0).len();
        let tokens = service_tokens(site, count.saturating_sub(there))?;
        let wire = &site.target.endpoint.wire;
        lock(&self.0).extend(tokens.iter().map(|token| revoke(site, token).prepare(wire)));
        Ok(())
    }

    fn script(&self, right: Right) -> Box<dyn Script> {
        Box::new(RevokeNext { waiting: Arc::clone(&self.0), asking: None, right })
    }
}

struct RevokeNext {
    waiting: Arc<Mutex<VecDeque<Prepared>>>,
    asking: Option<Prepared>,
    right: Right,
}

impl Script for RevokeNext {
    fn next(&mut self) -> Option<&Prepared> {
        self.asking = lock(&self.waiting).pop_front();
        self.asking.as_ref()
    }

    fn judge(&mut self, answer: &Answer<'_>) -> Result<(), Wrong> {
        self.right.judge(answer)
    }
}

fn lock(waiting: &Mutex<VecDeque<Prepared>>) -> std::sync::MutexGuard<'_, VecDeque<Prepared>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

//! `/forward-auth`: what a gateway asks about each request that it lets through.

use super::verification::TOKENS;
use super::{Site, Workload, answers, person_tokens};
use crate::BenchError;
use crate::load::Request;

/// Tokens that stand, with the fields that browsers and gateways add.
///
/// # Errors
/// [`BenchError`]
pub(super) fn workload(site: &Site<'_>) -> Result<Workload, BenchError> {
    let ask = |token: &String| Request::get("/forward-auth?scope=read").bearer(token);
    let requests: Vec<Request> = person_tokens(site, TOKENS)?.iter().map(ask).collect();
    Ok(Workload::cycle(site, &requests, answers::let_through()))
}

//! `/oauth2/introspect` with client authentication (RFC 7662).

use super::{Site, Workload, answers, person_tokens};
use crate::load::Request;
use crate::{BenchError, Credentials};

const TOKENS: usize = 256;
/// Tokens in each request of a batch.
pub(crate) const TOKENS_IN_BATCH: usize = 100;

/// Introspection of tokens that stand.
///
/// # Errors
/// [`BenchError`]
pub(super) fn workload(site: &Site<'_>) -> Result<Workload, BenchError> {
    let Credentials { client_id, client_secret, .. } = site.credentials;
    let ask = |token: &String| {
        Request::post("/oauth2/introspect", &[("token", token)]).basic(client_id, client_secret)
    };
    let requests: Vec<Request> = person_tokens(site, TOKENS)?.iter().map(ask).collect();
    Ok(Workload::cycle(site, &requests, answers::active(client_id)))
}

/// The same tokens, so many in each request; every request begins with another.
///
/// # Errors
/// [`BenchError`]
pub(super) fn batch(site: &Site<'_>) -> Result<Workload, BenchError> {
    let Credentials { client_id, client_secret, .. } = site.credentials;
    let tokens = person_tokens(site, TOKENS)?;
    let ask = |first: usize| {
        let chosen: Vec<_> = tokens.iter().cycle().skip(first).take(TOKENS_IN_BATCH).collect();
        let body = serde_json::json!({ "tokens": chosen }).to_string();
        Request::post_json("/oauth2/introspect/batch", body).basic(client_id, client_secret)
    };
    let requests: Vec<Request> = (0..tokens.len()).step_by(8).map(ask).collect();
    Ok(Workload::cycle(site, &requests, answers::all_active(client_id, TOKENS_IN_BATCH)))
}

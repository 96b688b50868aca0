//! `/oauth2/introspect` with client authentication (RFC 7662).

use super::{Site, Workload, answers, person_tokens};
use crate::load::Request;
use crate::{BenchError, Credentials};

const TOKENS: usize = 256;

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

//! The token endpoints: client credentials, refresh, password.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::answers::{self, Issued};
use super::{Site, Source, Workload, tokens};
use crate::load::{Answer, Prepared, Request, Right, Script, Wire};
use crate::{BenchError, Credentials, Wrong};

const RFC_TOKEN: &str = "/oauth2/token";
const FORTI_TOKEN: &str = "/api/v1/oauth/token/";

/// Tokens by client credentials.
pub(super) fn client_credentials(site: &Site<'_>) -> Workload {
    Workload::cycle(site, &[client_credentials_request(site)], answers::issued("client credentials"))
}

/// Tokens by password.
///
/// # Errors
/// Without a person.
pub(super) fn password(site: &Site<'_>) -> Result<Workload, BenchError> {
    let right = answers::issued_with_refresh("sign-in by password");
    Ok(Workload::cycle(site, &[password_request(site)?], right))
}

/// Tokens by refresh token.
///
/// # Errors
/// [`BenchError`]
pub(super) fn refresh(site: &Site<'_>) -> Result<Workload, BenchError> {
    let sample = tokens::sign_in(site, 1)?;
    let sample = refresh_request(site, sample.first().map_or("", String::as_str));
    let right = answers::issued_with_refresh("refresh");
    let chains = Chains {
        tokens: Arc::default(),
        begun: AtomicUsize::new(0),
        wire: site.target.endpoint.wire.clone(),
        credentials: site.credentials.clone(),
    };
    Ok(Workload { source: Some(Box::new(chains)), ..Workload::cycle(site, &[sample], right) })
}

pub(super) fn client_credentials_request(site: &Site<'_>) -> Request {
    let Credentials { client_id, client_secret, .. } = site.credentials;
    Request::post(RFC_TOKEN, &[("grant_type", "client_credentials")]).basic(client_id, client_secret)
}

pub(super) fn password_request(site: &Site<'_>) -> Result<Request, BenchError> {
    let Credentials { client_id, client_secret, person } = site.credentials;
    let Some(person) = person else {
        return Err(BenchError::Asked(
            "a person is needed to sign in; name one, or leave this path out".to_owned(),
        ));
    };
    let fields = [("grant_type", "password"), ("username", &person.username), ("password", &person.password)];
    Ok(Request::post(FORTI_TOKEN, &fields).basic(client_id, client_secret))
}

pub(super) fn refresh_request(site: &Site<'_>, refresh_token: &str) -> Request {
    refreshing(site.credentials, refresh_token)
}

fn refreshing(credentials: &Credentials, refresh_token: &str) -> Request {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    Request::post(RFC_TOKEN, &fields).basic(&credentials.client_id, &credentials.client_secret)
}

/// Refresh tokens, each for one connection at a time.
struct Chains {
    tokens: Arc<Mutex<VecDeque<String>>>,
    /// How many chains there are, with those that are in use.
    begun: AtomicUsize,
    wire: Wire,
    credentials: Credentials,
}

impl Source for Chains {
    /// A chain lasts for ever, and the connections keep theirs.
    fn refill(&self, site: &Site<'_>, connections: usize, _: Duration) -> Result<(), BenchError> {
        self.fill(site, connections)
    }

    fn fill(&self, site: &Site<'_>, count: usize) -> Result<(), BenchError> {
        let more = tokens::sign_in(site, count.saturating_sub(self.begun.load(Ordering::Relaxed)))?;
        self.begun.fetch_add(more.len(), Ordering::Relaxed);
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
        Ok(())
    }

    fn script(&self, right: Right) -> Box<dyn Script> {
        let (wire, credentials) = (self.wire.clone(), self.credentials.clone());
        let tokens = Arc::clone(&self.tokens);
        Box::new(Chain { tokens, wire, credentials, newest: None, asking: None, right })
    }
}

/// One chain of refresh tokens; the newest goes back when the connection is closed.
struct Chain {
    tokens: Arc<Mutex<VecDeque<String>>>,
    wire: Wire,
    credentials: Credentials,
    newest: Option<String>,
    asking: Option<Prepared>,
    right: Right,
}

impl Script for Chain {
    fn next(&mut self) -> Option<&Prepared> {
        let from_pool = || self.tokens.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let refresh_token = self.newest.take().or_else(from_pool)?;
        self.asking = Some(refreshing(&self.credentials, &refresh_token).prepare(&self.wire));
        self.asking.as_ref()
    }

    fn judge(&mut self, answer: &Answer<'_>) -> Result<(), Wrong> {
        self.right.judge(answer)?;
        self.newest =
            Issued::read(answer.body).ok().and_then(|issued| Some(issued.refresh_token?.to_owned()));
        Ok(())
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).extend(self.newest.take());
    }
}

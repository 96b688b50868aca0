//! The hot paths: what is asked on each, and what its right answer is.

mod answers;
mod forward_auth;
mod introspection;
mod revocation;
mod token;
mod tokens;
mod verification;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::ask::Hands;
use crate::load::{Cycle, Prepared, Request, Right, Script};
use crate::target::Target;
use crate::{BenchError, Credentials};

pub(crate) use answers::refused;
pub(crate) use introspection::TOKENS_IN_BATCH;
pub(crate) use tokens::{person_tokens, service_tokens};
pub(crate) use verification::{of_tokens, verify};

/// A path that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HotPath {
    /// `verify_token/` with tokens that stand.
    VerifyValid,
    /// `verify_token/` with revoked tokens.
    VerifyRevoked,
    /// `verify_token/` with tokens that nobody issued.
    VerifyUnknown,
    /// `/forward-auth` with tokens that stand and have the scope that is needed.
    ForwardAuth,
    /// `/oauth2/introspect` with client authentication (RFC 7662).
    Introspect,
    /// `/oauth2/introspect/batch` with 100 tokens in each request.
    IntrospectBatch,
    /// `/oauth2/token` by client credentials (RFC 6749 §4.4).
    ClientCredentials,
    /// `/oauth2/token` by refresh token (RFC 6749 §6), each connection rotating its own.
    Refresh,
    /// `revoke_token/`, durable.
    Revoke,
    /// `token/` by password.
    Password,
}

impl HotPath {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::VerifyValid,
        Self::VerifyRevoked,
        Self::VerifyUnknown,
        Self::ForwardAuth,
        Self::Introspect,
        Self::IntrospectBatch,
        Self::ClientCredentials,
        Self::Refresh,
        Self::Revoke,
        Self::Password,
    ];

    /// Its name on the command line, in tables and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::VerifyValid => "verify-valid",
            Self::VerifyRevoked => "verify-revoked",
            Self::VerifyUnknown => "verify-unknown",
            Self::ForwardAuth => "forward-auth",
            Self::Introspect => "introspect",
            Self::IntrospectBatch => "introspect-batch",
            Self::ClientCredentials => "client-credentials",
            Self::Refresh => "refresh",
            Self::Revoke => "revoke",
            Self::Password => "password",
        }
    }

    /// How many of the wished connections make sense: hashing a password takes a core for some 20 ms, and each
    /// chain of refresh tokens begins with one.
    pub(crate) fn connections(self, wished: usize) -> usize {
        match self {
            Self::Password => wished.min(4),
            Self::Refresh => wished.min(64),
            _ => wished,
        }
    }

    /// Whether it needs a person who signs in.
    pub const fn needs_person(self) -> bool {
        matches!(self, Self::Refresh | Self::Password)
    }

    /// Makes what is asked on it.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(crate) fn workload(self, site: &Site<'_>) -> Result<Workload, BenchError> {
        match self {
            Self::VerifyValid => verification::valid(site),
            Self::VerifyRevoked => verification::revoked(site),
            Self::VerifyUnknown => verification::unknown(site),
            Self::ForwardAuth => forward_auth::workload(site),
            Self::Introspect => introspection::workload(site),
            Self::IntrospectBatch => introspection::batch(site),
            Self::ClientCredentials => Ok(token::client_credentials(site)),
            Self::Refresh => token::refresh(site),
            Self::Revoke => revocation::workload(site),
            Self::Password => token::password(site),
        }
    }
}

impl fmt::Display for HotPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for HotPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|path| path.name() == text).ok_or_else(|| format!("one of: {}", known()))
    }
}

/// The server that work is made for, and what may ask there.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    /// The server.
    pub(crate) target: &'a Target,
    /// A client of it, and perhaps a person.
    pub(crate) credentials: &'a Credentials,
    /// The generator.
    pub(crate) hands: Hands<'a>,
}

/// What is asked on one path.
pub(crate) struct Workload {
    /// One of the requests, from whose answer the ceiling learns.
    pub(crate) sample: Request,
    /// The right answer.
    pub(crate) right: Right,
    /// Requests that may be asked again and again; the ceiling is asked these.
    pub(crate) requests: Arc<[Prepared]>,
    /// For what can be asked only once: where the requests come from.
    pub(crate) source: Option<Box<dyn Source>>,
}

/// Requests that each can be asked only once.
pub(crate) trait Source {
    /// Makes enough of them for a run of this length, as fast as the connections could use them.
    ///
    /// # Errors
    /// [`BenchError`]
    fn refill(&self, site: &Site<'_>, connections: usize, run: Duration) -> Result<(), BenchError>;

    /// Makes so many of them.
    ///
    /// # Errors
    /// [`BenchError`]
    fn fill(&self, site: &Site<'_>, count: usize) -> Result<(), BenchError>;

    /// The script of one connection.
    fn script(&self, right: Right) -> Box<dyn Script>;
}

impl Workload {
    /// The same requests again and again, the first of them as the sample.
    pub(crate) fn cycle(site: &Site<'_>, requests: &[Request], right: Right) -> Self {
        let sample = requests.first().cloned().unwrap_or_else(|| Request::get("/"));
        let wire = &site.target.endpoint.wire;
        let requests = requests.iter().map(|request| request.prepare(wire)).collect();
        Self { sample, right, requests, source: None }
    }

    /// The scripts of the connections to the server.
    pub(crate) fn scripts(&self, connections: usize) -> Vec<Box<dyn Script>> {
        match &self.source {
            None => self.ceiling_scripts(connections),
            Some(source) => (0..connections).map(|_| source.script(self.right.clone())).collect(),
        }
    }

    /// The scripts of the connections to the ceiling, which does not mind being asked twice.
    pub(crate) fn ceiling_scripts(&self, connections: usize) -> Vec<Box<dyn Script>> {
        let cycle = |number| Cycle::new(Arc::clone(&self.requests), number, self.right.clone());
        (0..connections).map(|number| Box::new(cycle(number)) as Box<dyn Script>).collect()
    }
}

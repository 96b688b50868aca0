//! The audit trail: who did what, when, with which result.

use std::borrow::Cow;

use obol_token::{FamilyId, Position, Timestamp, TokenId};

/// One record. Holds names and ids, never a token, code, secret or password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// When.
    pub at: Timestamp,
    /// What happened: `token.issued`, `client.refused`, `token.revoked`, `user.disabled`, …
    pub event: &'static str,
    /// Whether it was done (`true`) or refused.
    pub done: bool,
    /// Why it was refused, or a detail, in a few words.
    pub reason: Option<Cow<'static, str>>,
    /// The client it concerns, as presented; may be a name that does not exist.
    pub client_id: Option<String>,
    /// The person it concerns, as presented.
    pub username: Option<String>,
    /// The access token it concerns.
    pub token_id: Option<TokenId>,
    /// The family it concerns.
    pub family: Option<FamilyId>,
    /// Its place in the change log.
    pub position: Option<Position>,
    /// The address from which it was asked, or `command line`.
    pub source: Option<String>,
    /// The request's id, as in the answer.
    pub request_id: Option<String>,
}

impl AuditRecord {
    /// A record of something done at `at`, without details.
    pub const fn new(event: &'static str, at: Timestamp) -> Self {
        Self {
            at,
            event,
            done: true,
            reason: None,
            client_id: None,
            username: None,
            token_id: None,
            family: None,
            position: None,
            source: None,
            request_id: None,
        }
    }
}

/// Where audit records go.
pub trait Audit: Send + Sync {
    /// Takes a record. Never blocks and never fails: a full disk must not stop a revocation. What could not be
    /// written is counted and said in the log.
    fn record(&self, record: AuditRecord);
}

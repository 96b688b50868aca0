//! The audit trail: who did what, when, with which result.

use std::borrow::Cow;

use obol_token::{FamilyId, Position, Timestamp, TokenId};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditEvent {
    /// An authorization code was issued.
    CodeIssued,
    /// A request for a code was refused.
    CodeRefused,
    /// A code was used again too late; what it gave has ended.
    CodeReused,
    /// A person allowed a client something.
    ConsentGiven,
    /// A person did not allow a client what it asked for.
    ConsentDenied,
    /// A person took back what a client was allowed.
    ConsentWithdrawn,
    /// A person signed in with a browser.
    SessionBegun,
    /// A session of a person ended before its time.
    SessionEnded,
    /// A person ended all sessions and all access.
    SessionsEnded,
    /// Somebody did not sign in with a browser.
    SignInRefused,
    /// A client could not be told that a session has ended, and is tried no more.
    LogoutNotTold,
    /// Tokens were issued.
    TokenIssued,
    /// A replaced refresh token got its stored answer again.
    TokenRepeated,
    /// A request for tokens was refused.
    TokenRefused,
    /// Tokens were revoked.
    TokenRevoked,
    /// A revocation was refused or could not be confirmed.
    RevocationRefused,
    /// There was nothing to revoke.
    RevocationEmpty,
    /// A replaced refresh token was presented too late; its family ended.
    FamilyReused,
    /// A client did not authenticate.
    ClientRefused,
    /// A client was added.
    ClientAdded,
    /// A client was enabled.
    ClientEnabled,
    /// A client was disabled.
    ClientDisabled,
    /// A client was changed.
    ClientChanged,
    /// A client got a new secret.
    ClientSecretRotated,
    /// A client was deleted.
    ClientDeleted,
    /// A person was added.
    UserAdded,
    /// A person was enabled.
    UserEnabled,
    /// A person was disabled.
    UserDisabled,
    /// What is known of a person was changed.
    UserChanged,
    /// A person got a new password.
    UserPasswordSet,
    /// A person was deleted.
    UserDeleted,
    /// A sealing or signing key was added, which is not in use yet.
    KeyAdded,
    /// A key came into use.
    KeyRotated,
    /// A key was retired.
    KeyRetired,
    /// Records could not be written.
    AuditLost,
}

impl AuditEvent {
    /// Its name in the trail.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CodeIssued => "code.issued",
            Self::CodeRefused => "code.refused",
            Self::CodeReused => "code.reused",
            Self::ConsentGiven => "consent.given",
            Self::ConsentDenied => "consent.denied",
            Self::ConsentWithdrawn => "consent.withdrawn",
            Self::SessionBegun => "session.begun",
            Self::SessionEnded => "session.ended",
            Self::SessionsEnded => "session.all_ended",
            Self::SignInRefused => "sign_in.refused",
            Self::LogoutNotTold => "logout.not_told",
            Self::TokenIssued => "token.issued",
            Self::TokenRepeated => "token.repeated",
            Self::TokenRefused => "token.refused",
            Self::TokenRevoked => "token.revoked",
            Self::RevocationRefused => "revocation.refused",
            Self::RevocationEmpty => "revocation.empty",
            Self::FamilyReused => "family.reused",
            Self::ClientRefused => "client.refused",
            Self::ClientAdded => "client.added",
            Self::ClientEnabled => "client.enabled",
            Self::ClientDisabled => "client.disabled",
            Self::ClientChanged => "client.changed",
            Self::ClientSecretRotated => "client.secret_rotated",
            Self::ClientDeleted => "client.deleted",
            Self::UserAdded => "user.added",
            Self::UserEnabled => "user.enabled",
            Self::UserDisabled => "user.disabled",
            Self::UserChanged => "user.changed",
            Self::UserPasswordSet => "user.password_set",
            Self::UserDeleted => "user.deleted",
            Self::KeyAdded => "key.added",
            Self::KeyRotated => "key.rotated",
            Self::KeyRetired => "key.retired",
            Self::AuditLost => "audit.lost",
        }
    }
}

/// One record. Holds names and ids, never a token, code, secret or password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub event: AuditEvent,
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
    pub const fn new(event: AuditEvent, at: Timestamp) -> Self {
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

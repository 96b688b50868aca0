//! Sessions: a person signed in with a browser.
//!
//! A session stands while it has not ended, neither of its limits is reached, its person is enabled, and nothing that
//! covers the person (the person, everything) was denied after its position. So whatever ends a person's tokens ends
//! the sessions as well, in the same append.

use async_trait::async_trait;
use obol_token::{Position, SecretHash, SessionId, SubjectId, Timestamp};

use crate::{Appended, StoreError, Username};

/// A session to begin, or the new secret and limits of one that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Its id: 16 fresh random bytes.
    pub id: SessionId,
    /// Hash of what the browser's cookie holds.
    pub secret: SecretHash,
    /// Who signed in.
    pub subject: SubjectId,
    /// When (`auth_time`).
    pub authenticated_at: Timestamp,
    /// How, blank-separated (`amr`, RFC 8176).
    pub methods: String,
    /// When it ends unless it is used.
    pub idle_ends_at: Timestamp,
    /// When it ends in any case.
    pub ends_at: Timestamp,
    /// What the browser calls itself.
    pub user_agent: String,
    /// From where.
    pub source: String,
    /// How far the node had read the log when the request arrived, before it looked at the password.
    pub position: Position,
}

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub subject: SubjectId,
    /// The person's name.
    pub username: Username,
    /// When the person last signed in.
    pub authenticated_at: Timestamp,
    /// How, blank-separated.
    pub methods: String,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ends unless it is used.
    pub idle_ends_at: Timestamp,
    /// When it ends in any case.
    pub ends_at: Timestamp,
    /// What the browser calls itself.
    pub user_agent: String,
    /// From where the person last signed in.
    pub source: String,
}

/// What became of beginning a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeginSessionOutcome {
    /// It began, or goes on with a new secret; under this id.
    Begun(SessionId),
    /// The person is disabled or deleted, or was denied after the request arrived; nothing began.
    Gone,
}

/// What of all that was given in a session ends with it, when it ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEndRevokes {
    /// All of it.
    Everything,
    /// All but the families that hold the scope `offline_access` (OpenID Connect Back-Channel Logout §2.7).
    Online,
}

/// Stored sessions. One leaves the store by itself when it ends in any case.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Begins a session. If `renewed` is the secret of a session of the same person that stands, that one goes on under its
    /// own id with the new secret, limits and `authenticated_at`, and the old secret is good for nothing any more.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn begin_session(
        &self,
        session: &NewSession,
        renewed: Option<SecretHash>,
    ) -> Result<BeginSessionOutcome, StoreError>;

    /// The session with this secret, if it stands.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn find_session(&self, secret: SecretHash, now: Timestamp) -> Result<Option<Session>, StoreError>;

    /// Notes that a session was used: it ends unless it is used until then. One that has ended stays so.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn extend_session(&self, id: SessionId, idle_ends_at: Timestamp) -> Result<(), StoreError>;

    /// The sessions of a person that stand, the latest first.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn list_sessions(&self, subject: SubjectId, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Ends a session of this person, and in the same transaction its unused codes and the families that it began, as far as
    /// `revokes` says, whose access tokens are denied; `None` if there is none. The proof is that of the last append.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn end_session(
        &self,
        id: SessionId,
        subject: SubjectId,
        revokes: SessionEndRevokes,
        now: Timestamp,
    ) -> Result<Option<Appended>, StoreError>;
}

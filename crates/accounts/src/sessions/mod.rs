//! Sessions: people signed in with browsers. They begin after a right password, and end in one place.
//!
//! 1. [`SessionDesk::begin`] makes a new secret at each sign-in. The same person in the same browser goes on in the same
//!    session; where somebody else was signed in, that session ends as if it was signed out.
//! 2. [`SessionDesk::find`] says whose a browser is, and moves the idle end on.
//! 3. Whatever ends something answers with the proof of its append, or with [`Begun::ended`]: it counts as done when every
//!    node has applied that.

mod limits;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use obol_keys::SessionSecret;
use obol_store::{
    Appended, BeginSessionOutcome, Deny, NewSession, Session, SessionEndRevokes, Store, StoreError,
};
use obol_token::{Position, SecretHash, SessionId, SubjectId, Timestamp};

pub use self::limits::SessionLimits;

/// `amr` of a password (RFC 8176 §2).
const PASSWORD: &str = "pwd";

/// Begins, finds and ends sessions.
pub struct SessionDesk {
    store: Arc<dyn Store>,
    limits: SessionLimits,
    end_revokes: SessionEndRevokes,
}

/// Somebody who has just shown the password.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// Who.
    pub subject: SubjectId,
    /// When the request arrived.
    pub now: Timestamp,
    /// How far the node had read the log then, before it looked at the password: so a password changed meanwhile counts.
    pub position: Position,
    /// What the browser calls itself; cut to [`SessionDesk::MAX_USER_AGENT_CHARS`].
    pub user_agent: String,
    /// From where.
    pub source: String,
}

/// A session that has begun, or goes on with a new secret.
#[derive(Debug)]
pub struct Begun {
    /// What the browser keeps from now on.
    pub secret: SessionSecret,
    /// The session.
    pub session: SessionId,
    /// The session of somebody else that was ended in this browser; to be confirmed before success is told.
    pub ended: Option<(Session, Appended)>,
}

/// Why no session began.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// The person was disabled, deleted or denied everything meanwhile.
    #[error("the person may not sign in any more")]
    Gone,
    /// Storage did not do it, or it is not known whether it did.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SessionDesk {
    /// What a browser calls itself is kept up to here.
    pub const MAX_USER_AGENT_CHARS: usize = 256;

    /// A desk over this store. With a session that ends before its time ends what `end_revokes` says.
    pub fn new(store: Arc<dyn Store>, limits: SessionLimits, end_revokes: SessionEndRevokes) -> Self {
        Self { store, limits, end_revokes }
    }

    /// The limits in force.
    pub fn limits(&self) -> SessionLimits {
        self.limits
    }

    /// What ends with a session that ends before its time.
    pub fn end_revokes(&self) -> SessionEndRevokes {
        self.end_revokes
    }

    /// Begins a session in a browser that may hold the secret of an earlier one.
    ///
    /// # Errors
    /// [`BeginError`]
    pub async fn begin(&self, sign_in: &SignIn, former: Option<&SessionSecret>) -> Result<Begun, BeginError> {
        let former = match former {
            Some(secret) => self.store.find_session(secret.hash(), sign_in.now).await?.map(|it| (secret, it)),
            None => None,
        };
        let (same, other) = match former {
            Some((secret, session)) if session.subject == sign_in.subject => (Some(secret.hash()), None),
            Some((_, session)) => (None, Some(session)),
            None => (None, None),
        };
        let secret = SessionSecret::generate();
        let begun = self.store.begin_session(&self.new_session(sign_in, &secret), same).await?;
        let BeginSessionOutcome::Begun(session) = begun else { return Err(BeginError::Gone) };
        // After the new one stands: a sign-in that fails ends nothing.
        let ended = match other {
            Some(other) => self.end(other.id, other.subject, sign_in.now).await?.map(|proof| (other, proof)),
            None => None,
        };
        Ok(Begun { secret, session, ended })
    }

    /// The session that a browser's secret opens, if it stands. Moves its idle end on, at most once a minute.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn find(&self, secret: &SessionSecret, now: Timestamp) -> Result<Option<Session>, StoreError> {
        self.find_by_hash(secret.hash(), now).await
    }

    /// As [`Self::find`], for who kept the hash of the secret.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn find_by_hash(
        &self,
        secret: SecretHash,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let found = self.store.find_session(secret, now).await?;
        if let Some(session) = &found
            && let Some(idle_ends_at) = self.limits.moved_on(session, now)
        {
            self.store.extend_session(session.id, idle_ends_at).await?;
        }
        Ok(found)
    }

    /// The sessions of a person that stand, the latest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn list(&self, subject: SubjectId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.store.list_sessions(subject, now).await
    }

    /// Ends a session of this person, with the codes and tokens that it gave, as far as the setting says; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`]; on `Unavailable` it may have been done or not.
    pub async fn end(
        &self,
        session: SessionId,
        subject: SubjectId,
        now: Timestamp,
    ) -> Result<Option<Appended>, StoreError> {
        self.store.end_session(session, subject, self.end_revokes, now).await
    }

    /// Ends all that a person was given: sessions, codes, tokens of every client.
    ///
    /// # Errors
    /// [`StoreError`]; on `Unavailable` it may have been done or not.
    pub async fn end_all(&self, subject: SubjectId, now: Timestamp) -> Result<Appended, StoreError> {
        self.store.deny(&Deny::Subject(subject), now).await
    }

    fn new_session(&self, sign_in: &SignIn, secret: &SessionSecret) -> NewSession {
        let ends_at = self.limits.ends_at(sign_in.now);
        NewSession {
            id: SessionId::from_bytes(obol_keys::random_bytes()),
            secret: secret.hash(),
            subject: sign_in.subject,
            authenticated_at: sign_in.now,
            methods: PASSWORD.to_owned(),
            idle_ends_at: self.limits.idle_ends_at(sign_in.now, ends_at),
            ends_at,
            user_agent: sign_in.user_agent.chars().take(Self::MAX_USER_AGENT_CHARS).collect(),
            source: sign_in.source.clone(),
            position: sign_in.position,
        }
    }
}

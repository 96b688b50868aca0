//! Consents: what people have allowed clients.

use async_trait::async_trait;
use obol_token::{ClientId, Scopes, SubjectId, Timestamp};

use crate::{Appended, StoreError};

/// What a person has allowed a client. There is one at most for each two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The person.
    pub subject: SubjectId,
    /// The client.
    pub client_id: ClientId,
    /// What was allowed.
    pub scopes: Scopes,
    /// When it was last given.
    pub given_at: Timestamp,
}

/// Stored consents. They stay until they are withdrawn, or person or client are deleted.
#[async_trait]
pub trait Consents: Send + Sync {
    /// Stores a consent in the place of the one before, if person and client are there; else does nothing.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn give_consent(&self, consent: &Consent) -> Result<(), StoreError>;

    /// What this person has allowed this client.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn find_consent(
        &self,
        subject: SubjectId,
        client_id: &ClientId,
    ) -> Result<Option<Consent>, StoreError>;

    /// What a person has allowed, by client.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn list_consents(&self, subject: SubjectId) -> Result<Vec<Consent>, StoreError>;

    /// Withdraws a consent, and in the same transaction ends all that it gave: unused codes, and the families of this person
    /// at this client, whose access tokens are denied. `None` if there is no consent and nothing to end. The proof is that of
    /// the last append.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn withdraw_consent(
        &self,
        subject: SubjectId,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<Appended>, StoreError>;
}

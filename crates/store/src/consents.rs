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

impl Consent {
    /// This consent where `former` was given before: what was allowed stays so. What a full set has no room for is left out, to be
    /// asked about again.
    #[must_use]
    pub fn added_to(self, former: Option<Self>) -> Self {
        let Some(Self { mut scopes, .. }) = former else { return self };
        for scope in self.scopes.iter() {
            let _ = scopes.insert(scope.clone());
        }
        Self { scopes, ..self }
    }
}

/// Stored consents. They stay until they are withdrawn, or person or client are deleted.
#[async_trait]
pub trait Consents: Send + Sync {
    /// Adds a consent to the one before ([`Consent::added_to`]), in one transaction, so that nothing comes back that is withdrawn
    /// meanwhile. Does nothing if person or client are not there.
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

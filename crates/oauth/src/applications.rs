//! What a person has allowed clients and where clients act for the person: to be shown to the person, and taken back.

use std::collections::BTreeMap;

use obol_store::{Appended, Client};
use obol_token::{ClientId, Position, SessionId, SubjectId, Timestamp};

use crate::{Engine, OAuthError};

/// A client that a person has allowed something, or that holds tokens of the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its `client_id`.
    pub client_id: String,
    /// Its name for people.
    pub name: String,
    /// What was allowed; empty where nobody was asked.
    pub scopes: Vec<String>,
    /// When it was allowed, if somebody was asked.
    pub allowed_at: Option<Timestamp>,
    /// The session of each live family, if a browser began it.
    pub families: Vec<Option<SessionId>>,
}

impl Engine {
    /// The applications of a person, by name.
    ///
    /// # Errors
    /// 503 without a lease, or when storage fails.
    pub async fn applications(
        &self,
        subject: SubjectId,
        now: Timestamp,
    ) -> Result<Vec<Application>, OAuthError> {
        let mut found: BTreeMap<ClientId, Application> = BTreeMap::new();
        for consent in self.store.list_consents(subject).await? {
            let application = self.entry(&mut found, &consent.client_id)?;
            application.scopes = consent.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
            application.allowed_at = (!application.scopes.is_empty()).then_some(consent.given_at);
        }
        for family in self.store.list_families(subject, now).await? {
            self.entry(&mut found, &family.client_id)?.families.push(family.session);
        }
        let mut applications: Vec<_> = found.into_values().collect();
        applications.sort_by_key(|application| application.name.to_lowercase());
        Ok(applications)
    }

    /// Takes back what a person has allowed a client, and ends all that it gave: unused codes, refresh tokens, access tokens. `None` if
    /// there was nothing. To be confirmed before success is told.
    ///
    /// # Errors
    /// 503 when storage fails; it may have been done or not.
    pub async fn withdraw_consent(
        &self,
        subject: SubjectId,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Option<Appended>, OAuthError> {
        // What is no client id was allowed nothing.
        let Ok(client_id) = ClientId::new(client_id) else { return Ok(None) };
        Ok(self.store.withdraw_consent(subject, &client_id, now).await?)
    }

    /// Waits until no node accepts what was denied, and gives the place of the denial in the change log.
    ///
    /// # Errors
    /// 503 when that could not be found out.
    pub async fn confirm(&self, appended: Appended) -> Result<Position, OAuthError> {
        Ok(self.replica.confirm(appended).await?.position())
    }

    fn entry<'a>(
        &self,
        found: &'a mut BTreeMap<ClientId, Application>,
        id: &ClientId,
    ) -> Result<&'a mut Application, OAuthError> {
        let client = self.replica.vouch()?.memory().client(id.as_str());
        Ok(found.entry(id.clone()).or_insert_with(|| Application::of(id, client.as_deref())))
    }
}

impl Application {
    fn of(id: &ClientId, client: Option<&Client>) -> Self {
        let client_id = id.as_str().to_owned();
        Self {
            name: client.map_or_else(|| client_id.clone(), |client| client.name.clone()),
            client_id,
            scopes: Vec::new(),
            allowed_at: None,
            families: Vec::new(),
        }
    }
}

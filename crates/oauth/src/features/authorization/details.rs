//! What a code and a family carry beside what the store knows of them: JSON that nobody else reads.

use obol_token::{Expiry, Scopes, Timestamp};
use serde::{Deserialize, Serialize};

use super::ClaimsRequest;
use super::request::{AuthorizationRequest, Return};
use crate::{ErrorCode, OAuthError, SignedIn, Surface};

/// Of a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CodeDetails {
    /// Where the code went.
    pub(crate) redirect_uri: String,
    /// Whether the request named it: then it must be repeated (RFC 6749 §4.1.3).
    pub(crate) redirect_uri_sent: bool,
    /// RFC 7636.
    pub(crate) challenge: Option<String>,
    /// What was granted, blank-separated.
    pub(crate) scopes: String,
    /// OpenID Connect Core §3.1.2.1. Only the first ID token says it.
    pub(crate) nonce: Option<String>,
    /// What the family carries on.
    pub(crate) granted: Granted,
}

/// Of a family that a person began in a browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Granted {
    /// Whose issuer the tokens name.
    pub(crate) surface: Surface,
    /// `auth_time`, in seconds since the epoch.
    pub(crate) authenticated_at: i64,
    /// `amr`, blank-separated.
    pub(crate) methods: String,
    /// The one resource for which tokens may be had (RFC 8707).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<String>,
    /// OpenID Connect Core §5.5.
    #[serde(default)]
    pub(crate) claims: ClaimsRequest,
    /// When the family ends, however often it is refreshed, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ends_at: Option<i64>,
}

impl CodeDetails {
    pub(super) fn new(
        request: &AuthorizationRequest,
        way_back: &Return,
        person: &SignedIn,
        surface: Surface,
    ) -> Self {
        Self {
            redirect_uri: way_back.redirect_uri.clone(),
            redirect_uri_sent: way_back.redirect_uri_sent,
            challenge: request.challenge.clone(),
            scopes: request.scopes.to_string(),
            nonce: request.nonce.clone(),
            granted: Granted {
                surface,
                authenticated_at: person.authenticated_at.as_secs(),
                methods: person.methods.clone(),
                resource: request.resource.clone(),
                claims: request.claims.clone(),
                ends_at: None,
            },
        }
    }

    /// The text that the store keeps.
    ///
    /// # Errors
    /// 500
    pub(super) fn to_text(&self) -> Result<String, OAuthError> {
        to_text(self)
    }

    /// # Errors
    /// 500 for what [`Self::to_text`] did not write.
    pub(crate) fn read(text: &str) -> Result<Self, OAuthError> {
        serde_json::from_str(text).map_err(|error| unreadable().caused_by(error.to_string()))
    }

    /// # Errors
    /// 500 when they are not scopes.
    pub(crate) fn scopes(&self) -> Result<Scopes, OAuthError> {
        self.scopes.parse().map_err(|_| unreadable())
    }
}

impl Granted {
    /// The text that the store keeps.
    ///
    /// # Errors
    /// 500
    pub(crate) fn to_text(&self) -> Result<String, OAuthError> {
        to_text(self)
    }

    /// That of a family; `None` if no browser was there.
    ///
    /// # Errors
    /// 500 for what [`Self::to_text`] did not write.
    pub(crate) fn read(text: &str) -> Result<Option<Self>, OAuthError> {
        match text.is_empty() {
            true => Ok(None),
            false => serde_json::from_str(text).map_err(|error| unreadable().caused_by(error.to_string())),
        }
    }

    /// Whether the family has reached its end.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| now.has_reached(Timestamp::from_secs(end)))
    }

    /// This expiry, or the end of the family if that comes before.
    pub(crate) fn capped(&self, expiry: Expiry) -> Expiry {
        self.ends_at.map_or(expiry, |end| expiry.min(Expiry::At(Timestamp::from_secs(end))))
    }
}

fn to_text(details: &impl Serialize) -> Result<String, OAuthError> {
    serde_json::to_string(details).map_err(|_| unreadable())
}

fn unreadable() -> OAuthError {
    OAuthError::new(ErrorCode::ServerError, "What was authorized cannot be read or kept.")
}

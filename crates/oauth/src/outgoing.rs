//! The way out: documents that the protocol needs and others keep, at addresses that clients have named, and what others are told.
//!
//! A door implements it, and it guards: see the crate that does.

use std::sync::Arc;

use async_trait::async_trait;
use obol_store::Client;

use crate::OAuthError;

/// The one way out.
#[async_trait]
pub trait Outgoing: Send + Sync {
    /// The JSON document at an `https` address. May be one that was fetched before.
    ///
    /// # Errors
    /// [`OutgoingError`]
    async fn fetch(
        &self,
        url: &str,
        named_by: NamedBy,
        freshness: Freshness,
    ) -> Result<Arc<str>, OutgoingError> {
        self.fetch_document(url, named_by, DocumentKind::Json, freshness).await
    }

    /// The same for a document of another kind.
    ///
    /// # Errors
    /// [`OutgoingError`]
    async fn fetch_document(
        &self,
        url: &str,
        named_by: NamedBy,
        kind: DocumentKind,
        freshness: Freshness,
    ) -> Result<Arc<str>, OutgoingError>;

    /// Posts a form (`application/x-www-form-urlencoded`) to an `https` address; success is an answer of 200 or 204.
    ///
    /// # Errors
    /// [`OutgoingError`]
    async fn post_form(&self, url: &str, named_by: NamedBy, form: String) -> Result<(), OutgoingError>;
}

/// A way out that leads nowhere: everything is refused.
#[derive(Debug, Clone, Copy)]
pub struct NoWayOut;

#[async_trait]
impl Outgoing for NoWayOut {
    async fn fetch_document(
        &self,
        _url: &str,
        _named_by: NamedBy,
        _kind: DocumentKind,
        _freshness: Freshness,
    ) -> Result<Arc<str>, OutgoingError> {
        Err(Self::refused())
    }

    async fn post_form(&self, _url: &str, _named_by: NamedBy, _form: String) -> Result<(), OutgoingError> {
        Err(Self::refused())
    }
}

impl NoWayOut {
    fn refused() -> OutgoingError {
        OutgoingError::Refused("This server asks no other.".to_owned())
    }
}

/// Who has named an address. For strangers only so much is asked at once that there is room for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamedBy {
    /// An operator, for a client.
    Operator,
    /// A client that no operator has added.
    Stranger,
}

impl NamedBy {
    /// Who has named the addresses of this client.
    pub(crate) fn of(client: &Client) -> Self {
        match client.is_a_stranger() {
            true => Self::Stranger,
            false => Self::Operator,
        }
    }
}

/// What a document must say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// `application/json`, and what is built on it.
    Json,
    /// `application/oauth-authz-req+jwt` or `application/jwt` (RFC 9101 §5.2.3). Its address may have a fragment, which is not
    /// sent: with another one the document is another (OpenID Connect Core §6.2).
    RequestObject,
}

/// How old a document may be that was fetched before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As old as whoever keeps it allows, within limits.
    Kept,
    /// Fetched anew, unless that was tried a moment ago: for a key that the document of before does not have.
    Renewed,
}

/// Why there is no answer from there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutgoingError {
    /// The address is not one that may be asked. Nothing was sent.
    #[error("{0}")]
    Refused(String),
    /// It could not be reached, did not answer in time, or answered what is not taken.
    #[error("{0}")]
    Failed(String),
    /// So much is asked at this moment that there was no place. Nothing was sent.
    #[error("{0}")]
    Busy(String),
}

impl OutgoingError {
    /// What is answered: `error`; but where nobody was asked, that this may be better in a moment.
    pub(crate) fn answered_as(self, error: OAuthError) -> OAuthError {
        match self {
            Self::Refused(cause) | Self::Failed(cause) => error.caused_by(cause),
            Self::Busy(cause) => {
                let sentence = "Too much is being looked up at other servers at this moment; try again.";
                OAuthError::unavailable(sentence, 1).caused_by(cause)
            }
        }
    }
}

//! The way out: documents that the protocol needs and others keep, at addresses that clients have named, and what others are told.
//!
//! A door implements it, and it guards: see the crate that does.

use std::sync::Arc;

use async_trait::async_trait;

/// The one way out.
#[async_trait]
pub trait Outgoing: Send + Sync {
    /// The JSON document at an `https` address. May be one that was fetched before.
    ///
    /// # Errors
    /// [`OutgoingError`]
    async fn fetch(&self, url: &str, freshness: Freshness) -> Result<Arc<str>, OutgoingError> {
        self.fetch_document(url, DocumentKind::Json, freshness).await
    }

    /// The same for a document of another kind.
    ///
    /// # Errors
    /// [`OutgoingError`]
    async fn fetch_document(
        &self,
        url: &str,
        kind: DocumentKind,
        freshness: Freshness,
    ) -> Result<Arc<str>, OutgoingError>;

    /// Posts a form (`application/x-www-form-urlencoded`) to an `https` address; success is an answer of 200 or 204.
    ///
    /// # Errors
    /// [`OutgoingError`]
    async fn post_form(&self, url: &str, form: String) -> Result<(), OutgoingError>;
}

/// A way out that leads nowhere: everything is refused.
#[derive(Debug, Clone, Copy)]
pub struct NoWayOut;

#[async_trait]
impl Outgoing for NoWayOut {
    async fn fetch_document(
        &self,
        _url: &str,
        _kind: DocumentKind,
        _freshness: Freshness,
    ) -> Result<Arc<str>, OutgoingError> {
        Err(Self::refused())
    }

    async fn post_form(&self, _url: &str, _form: String) -> Result<(), OutgoingError> {
        Err(Self::refused())
    }
}

impl NoWayOut {
    fn refused() -> OutgoingError {
        OutgoingError::Refused("This server asks no other.".to_owned())
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
}

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
    async fn fetch(&self, url: &str, freshness: Freshness) -> Result<Arc<str>, OutgoingError>;

    /// Posts a form (`application/x-www-form-urlencoded`) to an `https` address; success is an answer of 200 or 204.
    ///
    /// # Errors
    /// [`OutgoingError`]
    async fn post_form(&self, url: &str, form: String) -> Result<(), OutgoingError>;
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

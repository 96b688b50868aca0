//! `sector_identifier_uri`: the host that stands for a client where subjects are pairwise (OpenID Connect Registration §5).

use super::metadata::Metadata;
use crate::features::authorization::{is_claimed, sector_of};
use crate::{Engine, ErrorCode, Freshness, NamedBy, OAuthError};

/// Where the sector was taken from, and its host.
pub(super) struct Sector {
    pub(super) uri: String,
    pub(super) host: String,
}

/// The sector that a client says is its own, if the document there lists all its redirect URIs.
///
/// # Errors
/// `invalid_client_metadata`; 503 while too much is asked of others for strangers.
pub(super) async fn find(engine: &Engine, metadata: &Metadata) -> Result<Option<Sector>, OAuthError> {
    let Some(uri) = metadata.sector_identifier_uri() else { return Ok(None) };
    let invalid = |sentence: String| OAuthError::new(ErrorCode::InvalidClientMetadata, sentence);
    let host = is_claimed(uri).then(|| sector_of(uri)).flatten();
    let host = host.ok_or_else(|| invalid("`sector_identifier_uri` is an https URL.".to_owned()))?;
    let fetched =
        engine.outgoing.fetch(uri, NamedBy::Stranger, Freshness::Renewed).await.map_err(|error| {
            let sentence = "The document at `sector_identifier_uri` could not be fetched.";
            error.answered_as(invalid(sentence.to_owned()))
        })?;
    let listed: Vec<String> = serde_json::from_str(&fetched).map_err(|error| {
        let sentence = "The document at `sector_identifier_uri` is no JSON list of redirect URIs.";
        invalid(sentence.to_owned()).caused_by(error.to_string())
    })?;
    match metadata.redirect_uris().iter().find(|uri| !listed.contains(uri)) {
        Some(_) => {
            let sentence =
                "The document at `sector_identifier_uri` does not list every redirect URI; add them there.";
            Err(invalid(sentence.to_owned()))
        }
        None => Ok(Some(Sector { uri: uri.to_owned(), host })),
    }
}

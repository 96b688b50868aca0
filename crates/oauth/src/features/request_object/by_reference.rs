//! Request objects by reference (RFC 9101 §5.2, OpenID Connect Core §6.2).
//!
//! Only what the client has registered is fetched: nobody else says where this server goes (RFC 9101 §10.4.1).

use obol_store::Client;

use crate::{DocumentKind, Engine, ErrorCode, Freshness, NamedBy, OAuthError};

/// The object at one of the client's addresses. It may be one that was fetched before.
///
/// # Errors
/// `invalid_request_uri`; 503 while too much is asked of others.
pub(super) async fn fetch(engine: &Engine, client: &Client, uri: &str) -> Result<String, OAuthError> {
    if !client.settings.request_uris.iter().any(|registered| registered == uri) {
        let sentence = "This `request_uri` is not one of those that are registered for the client.";
        return Err(OAuthError::new(ErrorCode::InvalidRequestUri, sentence));
    }
    let (named_by, kind) = (NamedBy::of(client), DocumentKind::RequestObject);
    let fetched = engine.outgoing.fetch_document(uri, named_by, kind, Freshness::Kept).await;
    let object = fetched.map_err(|error| {
        let sentence = "There is no request object to be had at the `request_uri`; see that it answers, as \
                        `application/oauth-authz-req+jwt`.";
        error.answered_as(OAuthError::new(ErrorCode::InvalidRequestUri, sentence))
    })?;
    // Files end in a line break.
    Ok(object.trim_ascii_end().to_owned())
}

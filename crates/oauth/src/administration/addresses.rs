//! Addresses that a client names beside those to which people are sent back.

use fluent_uri::Uri;
use obol_store::ClientSettings;

use super::client_rules::ClientSpecError;

/// The longest that they are; OpenID Connect Core §6.2 has this number.
pub(super) const MAX_URL_CHARS: usize = 512;

/// # Errors
/// [`ClientSpecError::Address`]
pub(super) fn check_addresses(settings: &ClientSettings) -> Result<(), ClientSpecError> {
    let requests = settings.request_uris.iter().map(|uri| (uri, "request_uri"));
    let policy = settings.policy_uri.iter().map(|uri| (uri, "policy_uri"));
    let terms = settings.tos_uri.iter().map(|uri| (uri, "tos_uri"));
    let keys = settings.jwks_uri.iter().map(|uri| (uri, "jwks_uri"));
    for (uri, name) in requests.chain(policy).chain(terms).chain(keys) {
        // Of request objects the fragment tells one from another.
        let has_fragment = name == "jwks_uri" && uri.contains('#');
        if has_fragment || !is_https_url(uri) {
            return Err(ClientSpecError::Address(uri.clone(), name));
        }
    }
    Ok(())
}

fn is_https_url(text: &str) -> bool {
    let uri = Uri::parse(text).ok().filter(|uri| uri.scheme().as_str() == "https");
    let authority = uri.as_ref().and_then(|uri| uri.authority());
    let named = authority.is_some_and(|authority| !authority.host().is_empty() && !authority.has_userinfo());
    named && text.len() <= MAX_URL_CHARS
}

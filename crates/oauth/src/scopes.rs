//! Which scopes a request is granted.

use obol_store::Client;
use obol_token::{Scope, Scopes};

use crate::{ErrorCode, OAuthError, Params};

/// The scopes that `requested` gets from a client: its default ones always, an optional one when asked for.
///
/// # Errors
/// `invalid_scope` when one is malformed or not attached to the client.
pub(crate) fn decide_granted(client: &Client, requested: Option<&Scopes>) -> Result<Scopes, OAuthError> {
    let mut granted = client.default_scopes.clone();
    for scope in requested.into_iter().flat_map(Scopes::iter) {
        if client.optional_scopes.contains(scope) {
            granted.insert(scope.clone()).map_err(|error| invalid_scope(error.to_string()))?;
        } else if !client.default_scopes.contains(scope) {
            return Err(not_attached(scope));
        }
    }
    Ok(granted)
}

/// The scopes of an access token made by refreshing: as granted, or narrower when asked (RFC 6749 §6).
///
/// # Errors
/// `invalid_scope` when one was not granted originally.
pub(crate) fn decide_narrowed(granted: &Scopes, requested: Option<&Scopes>) -> Result<Scopes, OAuthError> {
    let Some(requested) = requested else { return Ok(granted.clone()) };
    match requested.iter().find(|scope| !granted.contains(scope)) {
        Some(scope) => Err(not_attached(scope)),
        None => Ok(requested.clone()),
    }
}

/// Of what was granted, what is attached to the client still.
pub(crate) fn still_attached(client: &Client, granted: &Scopes) -> Scopes {
    let attached =
        |scope: &&Scope| client.default_scopes.contains(scope) || client.optional_scopes.contains(scope);
    let mut scopes = Scopes::default();
    for scope in granted.iter().filter(attached) {
        // No more than there were.
        let _ = scopes.insert(scope.clone());
    }
    scopes
}

/// Reads the parameter `scope`; `None` when it is absent or blank.
///
/// # Errors
/// `invalid_scope` when it is malformed.
pub(crate) fn parse_requested(params: &Params<'_>) -> Result<Option<Scopes>, OAuthError> {
    let Some(text) = params.optional("scope")? else { return Ok(None) };
    let scopes: Scopes = text.parse().map_err(|error: obol_token::ScopeError| {
        invalid_scope(format!("The scope is malformed: {error}."))
    })?;
    Ok(Some(scopes).filter(|scopes| !scopes.is_empty()))
}

fn not_attached(scope: &Scope) -> OAuthError {
    let name = scope.as_str();
    invalid_scope(format!(
        "The scope `{name}` is not granted to this client; leave it out or have it attached."
    ))
}

fn invalid_scope(sentence: String) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidScope, sentence)
}

//! The document (§4): client metadata of RFC 7591 §2, as far as it is of use here. What it says besides is ignored.

use obol_keys::{ForeignKeys, KeySetError};
use obol_store::{ApplicationType, ClientAuthMethod, ClientSettings};
use obol_token::{ClientId, Lifetime, Scopes};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::host_of;
use crate::administration::{
    ClientSpec, ClientSpecError, USUAL_ACCESS_TOKEN_TTL_SECS, USUAL_REFRESH_TOKEN_TTL_SECS,
};
use crate::changes_the_line;
use crate::features::authorization::check_redirect_uri;

/// What §8.7 recommends, in bytes.
const MAX_BYTES: usize = 5 * 1024;
const MAX_REDIRECT_URIS: usize = 32;
const MAX_NAME_CHARS: usize = 60;

/// Why a document describes no client. Ends the sentence "The application cannot be let in: …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DocumentError {
    #[error("its description is not a JSON object with `client_id` and `redirect_uris`, or is malformed")]
    Form,
    #[error("its description has more than {MAX_BYTES} bytes")]
    Large,
    #[error("the `client_id` in its description is not the URL at which it stands")]
    OtherClient,
    #[error("its description has a client secret, which everybody can read")]
    Secret,
    #[error("its description has a private or symmetric key, which everybody can read")]
    PrivateKey,
    #[error("its `token_endpoint_auth_method` is neither `none` nor `private_key_jwt`")]
    Authentication,
    #[error("its `grant_types` lack `authorization_code`, or its `response_types` lack `code`")]
    NoCode,
    #[error(
        "its description has none of the redirect URIs that are allowed, or more than {MAX_REDIRECT_URIS}"
    )]
    RedirectUris,
    #[error("{0}")]
    Client(ClientSpecError),
}

#[derive(Deserialize)]
struct Document {
    client_id: String,
    redirect_uris: Vec<String>,
    client_name: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_method: AuthMethod,
    application_type: Option<ApplicationType>,
    client_secret: Option<IgnoredAny>,
    client_secret_expires_at: Option<IgnoredAny>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
}

/// Deviation: RFC 7591 §2 has `client_secret_basic` where nothing is said. §4.1 forbids that one, so nothing is none.
#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum AuthMethod {
    #[default]
    None,
    PrivateKeyJwt,
    #[serde(other)]
    Other,
}

/// The client that the document at `id` describes, with the scopes and resources that such clients may ask for.
///
/// # Errors
/// [`DocumentError`]
pub(super) fn read_document(
    text: &str,
    id: &ClientId,
    scopes: Scopes,
    resources: Vec<String>,
) -> Result<ClientSpec, DocumentError> {
    if text.len() > MAX_BYTES {
        return Err(DocumentError::Large);
    }
    let document: Document = serde_json::from_str(text).map_err(|_| DocumentError::Form)?;
    check(&document, id)?;
    let redirect_uris = usable(&document.redirect_uris)?;
    // RFC 7591 §2: the default of `grant_types` is the code alone.
    let refreshes = lists(document.grant_types.as_deref(), "refresh_token") == Some(true);
    let grants = ["authorization_code"].into_iter().chain(refreshes.then_some("refresh_token"));
    let application_type = document.application_type.unwrap_or_else(|| runs(&redirect_uris));
    Ok(ClientSpec {
        id: id.clone(),
        name: name_of(id, document.client_name.as_deref()),
        secret: None,
        grants: grants.map(str::to_owned).collect(),
        default_scopes: Scopes::default(),
        optional_scopes: scopes,
        redirect_uris,
        access_token_lifetime: Lifetime::from_setting_secs(USUAL_ACCESS_TOKEN_TTL_SECS),
        refresh_token_lifetime: Lifetime::from_setting_secs(USUAL_REFRESH_TOKEN_TTL_SECS),
        may_introspect: false,
        single_family: false,
        settings: ClientSettings {
            application_type,
            from_metadata_document: true,
            resources,
            ..authentication(document.token_endpoint_auth_method, document.jwks, document.jwks_uri)?
        },
    })
}

fn check(document: &Document, id: &ClientId) -> Result<(), DocumentError> {
    // §4: letter by letter.
    if document.client_id != id.as_str() {
        return Err(DocumentError::OtherClient);
    }
    if document.client_secret.is_some() || document.client_secret_expires_at.is_some() {
        return Err(DocumentError::Secret);
    }
    if document.jwks.as_ref().is_some_and(|jwks| matches!(ForeignKeys::read(jwks), Err(KeySetError::Private)))
    {
        return Err(DocumentError::PrivateKey);
    }
    let code = lists(document.grant_types.as_deref(), "authorization_code") != Some(false)
        && lists(document.response_types.as_deref(), "code") != Some(false);
    if code { Ok(()) } else { Err(DocumentError::NoCode) }
}

/// How it authenticates, and with which keys (§8.2).
fn authentication(
    method: AuthMethod,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
) -> Result<ClientSettings, DocumentError> {
    match method {
        AuthMethod::None => Ok(ClientSettings::default()),
        AuthMethod::PrivateKeyJwt => Ok(ClientSettings {
            token_endpoint_auth_method: Some(ClientAuthMethod::PrivateKeyJwt),
            jwks,
            jwks_uri,
            ..ClientSettings::default()
        }),
        AuthMethod::Other => Err(DocumentError::Authentication),
    }
}

/// Whether a list, if there is one, has this.
fn lists(list: Option<&[String]>, wanted: &str) -> Option<bool> {
    list.map(|list| list.iter().any(|one| one == wanted))
}

/// Those that any client might register. Others fit no request, so that one of them (`http://localhost`) does not
/// keep the client out.
fn usable(uris: &[String]) -> Result<Vec<String>, DocumentError> {
    let usable = uris.iter().filter(|uri| check_redirect_uri(uri).is_ok());
    let usable: Vec<String> = usable.cloned().collect();
    match !usable.is_empty() && uris.len() <= MAX_REDIRECT_URIS {
        true => Ok(usable),
        false => Err(DocumentError::RedirectUris),
    }
}

/// Who comes back to a loopback address runs on a person's device, where ports are free (RFC 8252 §7.3).
fn runs(redirect_uris: &[String]) -> ApplicationType {
    match redirect_uris.iter().any(|uri| uri.starts_with("http://")) {
        true => ApplicationType::Native,
        false => ApplicationType::Web,
    }
}

/// The host, which is known, before the name, which anybody can give himself. A name that would change how the line reads,
/// or hide the host, is left out.
fn name_of(id: &ClientId, name: Option<&str>) -> String {
    let host = host_of(id.as_str());
    let plain =
        |char: char| (char.is_alphanumeric() && !changes_the_line(char)) || " .,:;-_+&'!/".contains(char);
    match name
        .map(str::trim)
        .filter(|name| !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS && name.chars().all(plain))
    {
        Some(name) => format!("{host} ({name})"),
        None => host,
    }
}

#[cfg(test)]
mod tests;

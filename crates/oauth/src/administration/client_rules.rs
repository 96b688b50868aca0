//! What is right in a client.

use std::collections::BTreeSet;

use obol_keys::{ForeignKeys, KeySetError};
use obol_store::{
    AccessTokenFormat, Client, ClientAuthMethod, ClientKind, ClientSettings, GrantType, StoreError,
    SubjectType,
};
use obol_token::{ClientId, Lifetime, Scopes, Timestamp};

use super::addresses::{MAX_URL_CHARS, check_addresses};
use super::clients::ClientSpec;
use crate::changes_the_line;
use crate::features::authorization::{
    RedirectUriError, check_redirect_uri, is_claimed, is_resource, sector_of,
};
use crate::features::grant_types;
use crate::features::userinfo::scope_names;

/// Why a description is not a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientSpecError {
    /// A public client without a grant.
    #[error("a public client has no default grant type; name at least one of: {}", known_grants(false))]
    NoGrant,
    /// A name that is not in the list of grants.
    #[error("there is no grant type `{0}`; there are: {known}", known = known_grants(true))]
    UnknownGrant(String),
    /// A grant that only confidential clients may have.
    #[error("the grant type `{0}` is for confidential clients")]
    ConfidentialOnly(String),
    /// A scope in both lists.
    #[error("the scope `{0}` is both a default and an optional one; name it once")]
    ScopeTwice(String),
    /// A redirect URI that may not be one.
    #[error("`{0}` cannot be a redirect URI: {1}")]
    RedirectUri(String, RedirectUriError),
    /// People could not come back.
    #[error("the grant type `authorization_code` needs a redirect URI")]
    NoRedirectUri,
    /// Without a challenge, a code of a public client is good for whoever sees it (RFC 9700 §2.1.1).
    #[error("a public client needs PKCE")]
    PublicPkce,
    /// Anybody may call himself by the id of a public client.
    #[error("people are asked before they are let into a public client")]
    PublicConsent,
    /// OpenID Connect Core §8.1.
    #[error("pairwise subjects need redirect URIs of one host, or the sector named")]
    Sector,
    /// Its way to authenticate does not go with what it is.
    #[error("{0}")]
    AuthMethod(&'static str),
    /// OpenID Connect Core §6.2, RFC 7591 §2.
    #[error("`{0}` cannot be the {1} of a client: it is an https URL of at most {max} characters", max = MAX_URL_CHARS)]
    Address(String, &'static str),
    /// Its keys are none.
    #[error("the JWK set of the client cannot be used: {0}")]
    Jwks(#[from] KeySetError),
    /// OpenID Connect Back-Channel Logout §2.2.
    #[error(
        "`{0}` is not where a client can be told of logouts: that is an https URL without fragment, user name and dot segments"
    )]
    LogoutUri(String),
    /// OpenID Connect Core §8, §12.2.
    #[error("by what a client knows people, its subject type and sector, cannot change; add another client")]
    OtherSubjects,
    /// RFC 8707 §2.
    #[error("the resource `{0}` is not an absolute URI without fragment")]
    Resource(String),
    /// The right to introspect for a public client.
    #[error("a public client cannot introspect: it does not authenticate")]
    PublicIntrospection,
    /// A name over 200 characters, of blanks alone, or with what changes how a line reads.
    #[error(
        "a client's name has at most 200 characters that are seen: no line breaks, other controls, marks of direction or invisible characters"
    )]
    Name,
    /// RFC 7592 §2.2: what it is was settled, or it is disabled.
    #[error("its operator has settled what it is, or disabled it; ask the operator for a change")]
    Settled,
    /// Nothing that a token could be for.
    #[error("a client has at least one scope; name another one first")]
    NoScope,
    /// More scopes than a token can say.
    #[error(
        "the names of all scopes together have at most {0} characters at such a client; attach fewer or shorter ones"
    )]
    Scopes(usize),
    /// A refresh token that does not expire.
    #[error("the lifetime of refresh tokens is at least 1 second")]
    RefreshLifetime,
    /// There is one with this id.
    #[error("there is a client `{0}` already")]
    Taken(ClientId),
    /// There was one with this id.
    #[error("`{0}` was the id of a deleted client, and ids are never given out again; choose another")]
    NeverAgain(ClientId),
    /// As many clients have registered themselves as may.
    #[error("no more clients can be registered")]
    TooMany,
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The most characters of all scopes of a client, so that its tokens stay well under their 4,096.
const fn max_scope_chars(format: AccessTokenFormat) -> usize {
    match format {
        AccessTokenFormat::Opaque => 1_500,
        // It says them twice, once within its seal, and is longer by the rest.
        AccessTokenFormat::Jwt => 600,
    }
}

/// The client that a description is of.
///
/// # Errors
/// [`ClientSpecError`]
pub(crate) fn client_of(
    mut spec: ClientSpec,
    kind: ClientKind,
    created_at: Timestamp,
) -> Result<Client, ClientSpecError> {
    let grants = decide_grants(&spec, kind == ClientKind::Public)?;
    check(&spec, &kind)?;
    fix_sector(&mut spec);
    if spec.default_scopes.is_empty() && spec.optional_scopes.is_empty() {
        return Err(ClientSpecError::NoScope);
    }
    Ok(Client {
        name: if spec.name.is_empty() { spec.id.as_str().to_owned() } else { spec.name },
        id: spec.id,
        kind,
        enabled: true,
        grants,
        default_scopes: spec.default_scopes,
        optional_scopes: spec.optional_scopes,
        redirect_uris: spec.redirect_uris,
        access_token_lifetime: spec.access_token_lifetime,
        refresh_token_lifetime: spec.refresh_token_lifetime,
        may_introspect: spec.may_introspect,
        single_family: spec.single_family,
        settings: spec.settings,
        created_at,
    })
}

/// Gives a new client for which no scope was named those that such clients have.
pub(super) fn name_scopes(spec: &mut ClientSpec) {
    let none = spec.default_scopes.is_empty() && spec.optional_scopes.is_empty();
    match none.then(|| is_for_people(&spec.grants)) {
        Some(true) => spec.optional_scopes = scopes_of_people(),
        Some(false) => spec.default_scopes = usual_scopes(),
        None => {}
    }
}

/// Names the sector of a client with pairwise subjects: the host of its redirect URIs, until another is named (OpenID Connect
/// Core §8.1).
fn fix_sector(spec: &mut ClientSpec) {
    let settings = &mut spec.settings;
    if settings.subject_type == SubjectType::Pairwise && settings.sector_identifier.is_none() {
        settings.sector_identifier = spec.redirect_uris.first().and_then(|uri| sector_of(uri));
    }
}

fn decide_grants(spec: &ClientSpec, public: bool) -> Result<Vec<GrantType>, ClientSpecError> {
    if spec.grants.is_empty() {
        return match public {
            false => Ok(vec![GrantType::new("client_credentials")]),
            true => Err(ClientSpecError::NoGrant),
        };
    }
    let mut grants: Vec<GrantType> = Vec::new();
    for name in &spec.grants {
        let grant = grant_types()
            .find(|grant| grant.name == name)
            .ok_or_else(|| ClientSpecError::UnknownGrant(name.clone()))?;
        if grant.confidential_only && public {
            return Err(ClientSpecError::ConfidentialOnly(name.clone()));
        }
        if !grants.iter().any(|known| known.as_str() == grant.name) {
            grants.push(GrantType::new(grant.name));
        }
    }
    Ok(grants)
}

fn check(spec: &ClientSpec, kind: &ClientKind) -> Result<(), ClientSpecError> {
    let public = *kind == ClientKind::Public;
    if let Some(scope) = spec.default_scopes.iter().find(|scope| spec.optional_scopes.contains(scope)) {
        return Err(ClientSpecError::ScopeTwice(scope.as_str().to_owned()));
    }
    for uri in spec.redirect_uris.iter().chain(&spec.settings.post_logout_redirect_uris) {
        check_redirect_uri(uri).map_err(|error| ClientSpecError::RedirectUri(uri.clone(), error))?;
    }
    check_sign_in(spec, public)?;
    check_authentication(&spec.settings, kind)?;
    check_addresses(&spec.settings)?;
    if spec.may_introspect && public {
        return Err(ClientSpecError::PublicIntrospection);
    }
    if !is_name(&spec.name) {
        return Err(ClientSpecError::Name);
    }
    let most = max_scope_chars(spec.settings.access_token_format);
    if spec.default_scopes.to_string().len() + spec.optional_scopes.to_string().len() > most {
        return Err(ClientSpecError::Scopes(most));
    }
    match spec.refresh_token_lifetime {
        Lifetime::Never => Err(ClientSpecError::RefreshLifetime),
        Lifetime::Secs(_) => Ok(()),
    }
}

/// What people read of it, or nothing.
fn is_name(name: &str) -> bool {
    let blank = !name.is_empty() && name.trim().is_empty();
    name.chars().count() <= 200 && !blank && !name.chars().any(changes_the_line)
}

/// How people sign in at it.
fn check_sign_in(spec: &ClientSpec, public: bool) -> Result<(), ClientSpecError> {
    let settings = &spec.settings;
    if is_for_people(&spec.grants) && spec.redirect_uris.is_empty() {
        return Err(ClientSpecError::NoRedirectUri);
    }
    if public && !settings.require_pkce {
        return Err(ClientSpecError::PublicPkce);
    }
    if public && !settings.ask_consent {
        return Err(ClientSpecError::PublicConsent);
    }
    if let Some(uri) = &settings.backchannel_logout_uri
        && !(is_claimed(uri) && check_redirect_uri(uri).is_ok())
    {
        return Err(ClientSpecError::LogoutUri(uri.clone()));
    }
    if let Some(resource) = settings.resources.iter().find(|resource| !is_resource(resource)) {
        return Err(ClientSpecError::Resource(resource.clone()));
    }
    let sectors: BTreeSet<_> = spec.redirect_uris.iter().map(|uri| sector_of(uri)).collect();
    let sector_known = settings.sector_identifier.is_some() || sectors.len() == 1;
    match settings.subject_type {
        SubjectType::Pairwise if !sector_known => Err(ClientSpecError::Sector),
        SubjectType::Pairwise | SubjectType::Public => Ok(()),
    }
}

/// How it authenticates: with what it has.
fn check_authentication(settings: &ClientSettings, kind: &ClientKind) -> Result<(), ClientSpecError> {
    if let Some(jwks) = &settings.jwks {
        ForeignKeys::read(jwks)?;
    }
    let keys = (settings.jwks.is_some(), settings.jwks_uri.is_some());
    if keys == (true, true) {
        return Err(ClientSpecError::AuthMethod("a client has either `jwks` or `jwks_uri`, not both"));
    }
    if settings.require_signed_request_object && keys == (false, false) {
        let sentence = "signed requests need the keys of the client: `jwks` or `jwks_uri`";
        return Err(ClientSpecError::AuthMethod(sentence));
    }
    let wrong = match (settings.token_endpoint_auth_method, kind) {
        (None | Some(ClientAuthMethod::None), ClientKind::Public) => return Ok(()),
        (Some(_), ClientKind::Public) => "a public client does not authenticate",
        (Some(ClientAuthMethod::None), _) => "a confidential client authenticates; `none` is for public ones",
        (Some(ClientAuthMethod::PrivateKeyJwt), _) if keys == (false, false) => {
            "`private_key_jwt` needs the keys of the client: `jwks` or `jwks_uri`"
        }
        (Some(ClientAuthMethod::ClientSecretJwt), ClientKind::Confidential(secret))
            if secret.sealed.is_none() =>
        {
            "the secret of this client is kept as a hash only; replace it by one that the client can sign with: \
             `obol client rotate-secret --for-signing`"
        }
        (None | Some(_), _) => return Ok(()),
    };
    Err(ClientSpecError::AuthMethod(wrong))
}

fn is_for_people(grants: &[String]) -> bool {
    grants.iter().any(|grant| grant == "authorization_code")
}

/// What a client gets when no scope is attached to it, as in FortiAuthenticator.
fn usual_scopes() -> Scopes {
    "read write".parse().unwrap_or_default()
}

/// What a client in which people sign in may ask for when no scope is attached to it.
fn scopes_of_people() -> Scopes {
    let names: Vec<_> = scope_names().chain(["offline_access", "read", "write"]).collect();
    names.join(" ").parse().unwrap_or_default()
}

/// The grants that a confidential or a public client may be given.
fn known_grants(confidential: bool) -> String {
    let allowed = grant_types().filter(|grant| confidential || !grant.confidential_only);
    allowed.map(|grant| grant.name).collect::<Vec<_>>().join(", ")
}

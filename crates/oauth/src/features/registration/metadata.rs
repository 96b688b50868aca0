//! What a client says of itself (RFC 7591 §2, OpenID Connect Registration §2).
//!
//! A member that is not here is ignored, also one with a language tag: the answer says what counts. What an operator decides is
//! not among them: the password grant, introspection, consent, lifetimes, and scopes beyond those for registered clients.

use obol_keys::is_client_secret;
use obol_store::{ApplicationType, Client, ClientAuthMethod, SubjectType};
use obol_token::{Algorithm, Scopes};
use serde::Deserialize;
use serde_json::Value;

use super::sector::Sector;
use crate::administration::ClientSpec;
use crate::features::authorization::{is_claimed, sector_of};
use crate::{Engine, ErrorCode, OAuthError};

/// The grant types of registered clients. A token that a client has for itself would be one that anybody can have.
const GRANTS: [&str; 2] = ["authorization_code", "refresh_token"];

/// The longest metadata, in bytes: every node keeps them in memory.
const MOST_BYTES: usize = 16 * 1024;

/// A member that is `null` counts as absent (RFC 7592 §2.2).
#[derive(Deserialize)]
struct Members {
    redirect_uris: Option<Vec<String>>,
    token_endpoint_auth_method: Option<ClientAuthMethod>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_name: Option<String>,
    policy_uri: Option<String>,
    tos_uri: Option<String>,
    scope: Option<String>,
    application_type: Option<ApplicationType>,
    subject_type: Option<SubjectType>,
    sector_identifier_uri: Option<String>,
    request_uris: Option<Vec<String>>,
    id_token_signed_response_alg: Option<Algorithm>,
    userinfo_signed_response_alg: Option<Algorithm>,
    default_max_age: Option<u32>,
    post_logout_redirect_uris: Option<Vec<String>>,
    backchannel_logout_uri: Option<String>,
    backchannel_logout_session_required: Option<bool>,
    require_pushed_authorization_requests: Option<bool>,
    require_signed_request_object: Option<bool>,
    request_object_signing_alg: Option<Algorithm>,
    software_statement: Option<Value>,
    // Of an update only.
    client_id: Option<String>,
    client_secret: Option<String>,
    registration_access_token: Option<Value>,
    registration_client_uri: Option<Value>,
    client_id_issued_at: Option<Value>,
    client_secret_expires_at: Option<Value>,
}

/// Metadata that can be registered here, as far as that is decided without the client.
pub(super) struct Metadata {
    members: Members,
    grants: Vec<String>,
    scopes: Scopes,
    auth_method: ClientAuthMethod,
}

impl Metadata {
    /// # Errors
    /// `invalid_client_metadata`, `unapproved_software_statement`, 413
    pub(super) fn read(body: &[u8], engine: &Engine) -> Result<Self, OAuthError> {
        if body.len() > MOST_BYTES {
            let sentence = format!("Client metadata have at most {MOST_BYTES} bytes; send less.");
            return Err(OAuthError::new(ErrorCode::ContentTooLarge, sentence));
        }
        let members: Members = serde_json::from_slice(body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let sentence = format!(
                "The body is a JSON object of client metadata (RFC 7591 §2); see line {line}, column {column}."
            );
            OAuthError::new(ErrorCode::InvalidClientMetadata, sentence).caused_by(error.to_string())
        })?;
        if members.software_statement.is_some() {
            let sentence = "Software statements are not read here; send the metadata themselves.";
            return Err(OAuthError::new(ErrorCode::UnapprovedSoftwareStatement, sentence));
        }
        let auth_method = members.token_endpoint_auth_method.unwrap_or(ClientAuthMethod::ClientSecretBasic);
        let (grants, scopes) = (decide_grants(&members)?, decide_scopes(&members, engine)?);
        let read = Self { members, grants, scopes, auth_method };
        read.refuse_algorithm_without_key(engine)?;
        Ok(read)
    }

    /// Whether this may replace what the client has said of itself before (RFC 7592 §2.2).
    ///
    /// # Errors
    /// `invalid_client_metadata`
    pub(super) fn check_update_of(&self, client: &Client) -> Result<(), OAuthError> {
        let members = &self.members;
        if members.client_id.as_deref() != Some(client.id.as_str()) {
            return Err(invalid("An update says the `client_id` of the client that it is for."));
        }
        let ours = [
            &members.registration_access_token,
            &members.registration_client_uri,
            &members.client_id_issued_at,
            &members.client_secret_expires_at,
        ];
        if ours.into_iter().any(Option::is_some) {
            return Err(invalid(
                "Leave out what the server says of a registration: `registration_access_token`, `registration_client_uri`, \
                 `client_id_issued_at`, `client_secret_expires_at`.",
            ));
        }
        let own = client.kind.secret();
        let is_own = |secret: &String| own.is_some_and(|own| is_client_secret(secret, &own.hash));
        match members.client_secret.as_ref().is_none_or(is_own) {
            true => Ok(()),
            false => Err(invalid("`client_secret` is not the client's; it is chosen by the server.")),
        }
    }

    /// Describes the client by this. What it does not say has its default, and what an operator decides stays.
    pub(super) fn apply(&self, spec: &mut ClientSpec, sector: Option<&Sector>) {
        let members = &self.members;
        spec.name = members.client_name.clone().unwrap_or_default();
        spec.grants = self.grants.clone();
        spec.redirect_uris = self.redirect_uris().to_vec();
        spec.optional_scopes = without(&self.scopes, &spec.default_scopes);
        let (sector_uri, sector) = sector.map(|sector| (sector.uri.clone(), sector.host.clone())).unzip();
        let settings = &mut spec.settings;
        settings.policy_uri = members.policy_uri.clone();
        settings.tos_uri = members.tos_uri.clone();
        settings.application_type = members.application_type.unwrap_or(ApplicationType::Web);
        settings.token_endpoint_auth_method = Some(self.auth_method);
        settings.jwks = members.jwks.clone();
        settings.jwks_uri = members.jwks_uri.clone();
        settings.id_token_signed_response_alg = self.id_token_alg();
        settings.userinfo_signed_response_alg = members.userinfo_signed_response_alg;
        settings.subject_type = members.subject_type.unwrap_or(SubjectType::Public);
        settings.sector_identifier =
            sector.or_else(|| settings.sector_identifier.take().filter(|kept| self.is_at(kept)));
        settings.request_uris = members.request_uris.clone().unwrap_or_default();
        settings.default_max_age_secs = members.default_max_age;
        settings.post_logout_redirect_uris = members.post_logout_redirect_uris.clone().unwrap_or_default();
        settings.backchannel_logout_uri = members.backchannel_logout_uri.clone();
        settings.backchannel_logout_session_required =
            members.backchannel_logout_session_required.unwrap_or(false);
        settings.require_pushed_authorization_requests =
            members.require_pushed_authorization_requests.unwrap_or(false);
        settings.require_signed_request_object = members.require_signed_request_object.unwrap_or(false);
        settings.request_object_signing_alg = members.request_object_signing_alg;
        if let Some(registration) = &mut settings.registration {
            registration.sector_identifier_uri = sector_uri;
        }
    }

    /// Whether it sends people nowhere but to a host that is, or was once with its port, its sector.
    fn is_at(&self, sector: &str) -> bool {
        let host = sector_of(&format!("https://{sector}"));
        self.redirect_uris().iter().all(|uri| is_claimed(uri) && sector_of(uri) == host)
    }

    /// How the client authenticates.
    pub(super) fn auth_method(&self) -> ClientAuthMethod {
        self.auth_method
    }

    pub(super) fn redirect_uris(&self) -> &[String] {
        self.members.redirect_uris.as_deref().unwrap_or_default()
    }

    pub(super) fn has_redirect_uri(&self, uri: &str) -> bool {
        self.redirect_uris().iter().any(|known| known == uri)
    }

    pub(super) fn sector_identifier_uri(&self) -> Option<&str> {
        self.members.sector_identifier_uri.as_deref()
    }

    /// The client's own secret, where an update has repeated it.
    pub(super) fn secret(&self) -> Option<&str> {
        self.members.client_secret.as_deref()
    }

    /// RS256 where nothing is said (OpenID Connect Registration §2).
    fn id_token_alg(&self) -> Algorithm {
        self.members.id_token_signed_response_alg.unwrap_or(Algorithm::Rs256)
    }

    fn refuse_algorithm_without_key(&self, engine: &Engine) -> Result<(), OAuthError> {
        let keys = engine.replica.vouch()?.memory().signing_keys();
        let wanted = [Some(self.id_token_alg()), self.members.userinfo_signed_response_alg];
        match wanted.into_iter().flatten().find(|algorithm| keys.current(*algorithm).is_none()) {
            None => Ok(()),
            Some(algorithm) => {
                let sentence =
                    format!("Nothing is signed with {} here; ask for another algorithm.", algorithm.name());
                Err(OAuthError::new(ErrorCode::InvalidClientMetadata, sentence))
            }
        }
    }
}

/// The grant types, in accord with the response types (RFC 7591 §2.1).
fn decide_grants(members: &Members) -> Result<Vec<String>, OAuthError> {
    let or_code = |listed: &Option<Vec<String>>, code: &str| match listed {
        Some(listed) => listed.clone(),
        None => vec![code.to_owned()],
    };
    let grants = or_code(&members.grant_types, "authorization_code");
    let response_types = or_code(&members.response_types, "code");
    if !grants.iter().all(|grant| GRANTS.contains(&grant.as_str())) {
        return Err(invalid(
            "The grant types of registered clients are authorization_code and refresh_token.",
        ));
    }
    if !grants.iter().any(|grant| grant == "authorization_code") {
        return Err(invalid("`grant_types` holds authorization_code: registered clients are for people."));
    }
    match response_types.as_slice() {
        [only] if only == "code" => Ok(grants),
        _ => Err(invalid("The one response type is code; it goes with the grant type authorization_code.")),
    }
}

/// The scopes that the client may ask for: those that it names, or all that registered clients may have.
fn decide_scopes(members: &Members, engine: &Engine) -> Result<Scopes, OAuthError> {
    let allowed = &engine.settings.registration.scopes;
    let Some(text) = &members.scope else { return Ok(allowed.clone()) };
    let wanted: Scopes = text.parse().map_err(|error: obol_token::ScopeError| {
        invalid("`scope` is malformed; it holds scopes with single blanks between.")
            .caused_by(error.to_string())
    })?;
    let refused = wanted.iter().find(|scope| !allowed.contains(scope)).cloned();
    match refused {
        None if wanted.is_empty() => Ok(allowed.clone()),
        None => Ok(wanted),
        Some(scope) => {
            let sentence =
                format!("Registered clients may not have the scope `{}`; leave it out.", scope.as_str());
            Err(OAuthError::new(ErrorCode::InvalidClientMetadata, sentence))
        }
    }
}

/// These scopes without those that every token of the client has.
fn without(scopes: &Scopes, default: &Scopes) -> Scopes {
    let mut rest = Scopes::default();
    for scope in scopes.iter().filter(|scope| !default.contains(scope)) {
        // No more than there were.
        let _ = rest.insert(scope.clone());
    }
    rest
}

fn invalid(sentence: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, sentence)
}

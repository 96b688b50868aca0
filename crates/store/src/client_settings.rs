//! How people sign in at a client, and how its tokens look: what OpenID Connect Dynamic Client Registration §2 names, and
//! what belongs to it.

use std::num::NonZeroU32;

use obol_token::Algorithm;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Registration;

/// Settings of a client beside its grants and lifetimes. Kept as JSON; what is not there has its default, so that a setting can
/// be added without a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientSettings {
    /// `application_type`.
    pub application_type: ApplicationType,
    /// Whether a code must be bound to a challenge (RFC 7636). Public clients need one in any case.
    pub require_pkce: bool,
    /// Whether it must push its authorization requests (RFC 9126 §6).
    pub require_pushed_authorization_requests: bool,
    /// Whether people are asked before they are let into it. Public clients ask in any case.
    pub ask_consent: bool,
    /// The form of its access tokens.
    pub access_token_format: AccessTokenFormat,
    /// `token_endpoint_auth_method`: how it authenticates, at every endpoint. `None` for either way of presenting its secret, or
    /// none where it has none.
    pub token_endpoint_auth_method: Option<ClientAuthMethod>,
    /// `jwks`: its public keys (RFC 7517 §5).
    pub jwks: Option<Value>,
    /// `jwks_uri`: where its public keys are; an `https` URL.
    pub jwks_uri: Option<String>,
    /// What its assertions name as their audience.
    pub assertion_audience: AssertionAudience,
    /// `require_signed_request_object`: whether its authorization requests count only when it has signed them (RFC 9101 §10.5).
    pub require_signed_request_object: bool,
    /// `request_object_signing_alg`: how it signs them; `None` for any way.
    pub request_object_signing_alg: Option<Algorithm>,
    /// `request_uris`: where its signed authorization requests may be (OpenID Connect Core §6.2); `https` URLs.
    pub request_uris: Vec<String>,
    /// `id_token_signed_response_alg`; its JWT access tokens are signed so as well.
    pub id_token_signed_response_alg: Algorithm,
    /// `userinfo_signed_response_alg`: none is plain JSON.
    pub userinfo_signed_response_alg: Option<Algorithm>,
    /// `subject_type`.
    pub subject_type: SubjectType,
    /// The host that stands for a group of clients which know a person by one pairwise subject; `None` for the host of the
    /// redirect URIs (OpenID Connect Core §8.1).
    pub sector_identifier: Option<String>,
    /// `policy_uri`: the page on which it says what it does with what it is told of people; an `https` URL.
    pub policy_uri: Option<String>,
    /// `tos_uri`: the page with its terms of service; an `https` URL.
    pub tos_uri: Option<String>,
    /// `default_max_age`: how old a sign-in may be, in seconds.
    pub default_max_age_secs: Option<u32>,
    /// `post_logout_redirect_uris`: where a browser may be sent after signing out (OpenID Connect RP-Initiated Logout §3.1).
    pub post_logout_redirect_uris: Vec<String>,
    /// `backchannel_logout_uri`: where it is told that a session has ended (OpenID Connect Back-Channel Logout §2.2); `None` if
    /// it is not.
    pub backchannel_logout_uri: Option<String>,
    /// `backchannel_logout_session_required`. It is told which session in any case.
    pub backchannel_logout_session_required: bool,
    /// The resources for which it may ask tokens (RFC 8707); absolute URIs without fragment.
    pub resources: Vec<String>,
    /// The longest that its access tokens have lived, where that was shortened, in seconds; 0 for those that do not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_access_token_ttl: Option<u32>,
    /// Whether it is not registered, but known by the document at its `client_id`, and is what that says
    /// (draft-ietf-oauth-client-id-metadata-document).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub from_metadata_document: bool,
    /// After so many seconds from its beginning a family ends, however often it was refreshed; `None` for no such end.
    pub family_lifetime_secs: Option<NonZeroU32>,
    /// What belongs to a client that has registered itself (RFC 7591).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
}

impl ClientSettings {
    /// The algorithms by which things are signed for this client.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        [Some(self.id_token_signed_response_alg), self.userinfo_signed_response_alg].into_iter().flatten()
    }
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            application_type: ApplicationType::Web,
            require_pkce: true,
            require_pushed_authorization_requests: false,
            ask_consent: true,
            access_token_format: AccessTokenFormat::Opaque,
            token_endpoint_auth_method: None,
            jwks: None,
            jwks_uri: None,
            assertion_audience: AssertionAudience::Issuer,
            require_signed_request_object: false,
            request_object_signing_alg: None,
            request_uris: Vec::new(),
            id_token_signed_response_alg: Algorithm::Es256,
            userinfo_signed_response_alg: None,
            subject_type: SubjectType::Public,
            sector_identifier: None,
            policy_uri: None,
            tos_uri: None,
            default_max_age_secs: None,
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            backchannel_logout_session_required: false,
            resources: Vec::new(),
            longest_access_token_ttl: None,
            from_metadata_document: false,
            family_lifetime_secs: None,
            registration: None,
        }
    }
}

/// Where a client runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// On a server, or in a browser.
    Web,
    /// On a person's device: the port of its loopback redirect URIs is free (RFC 8252 §7.3).
    Native,
}

/// How a client authenticates (OpenID Connect Core §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMethod {
    /// Not at all.
    None,
    /// Its secret, in the `Authorization` header.
    ClientSecretBasic,
    /// Its secret, in the body.
    ClientSecretPost,
    /// An assertion authenticated with its secret.
    ClientSecretJwt,
    /// An assertion signed with its key.
    PrivateKeyJwt,
}

impl ClientAuthMethod {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::ClientSecretJwt,
        Self::PrivateKeyJwt,
    ];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

/// What the assertions of a client name as their audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssertionAudience {
    /// The issuer.
    Issuer,
    /// The URL of the token endpoint, as RFC 7523 §3 has it and older libraries send, or the issuer: one of them alone.
    TokenEndpoint,
}

impl AssertionAudience {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Issuer, Self::TokenEndpoint];

    /// Its name in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::TokenEndpoint => "token-endpoint",
        }
    }
}

/// How access tokens look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessTokenFormat {
    /// Sealed, to be asked about here.
    Opaque,
    /// Signed, readable by whoever has the key set (RFC 9068).
    Jwt,
}

/// By which subject clients know a person (OpenID Connect Core §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// All by the same.
    Public,
    /// Each sector by another.
    Pairwise,
}

//! The list of features. Adding a grant or an endpoint is a folder here and a line in [`FEATURES`].

pub(crate) mod authorization;
mod authorization_code;
pub(crate) mod backchannel_logout;
mod client_credentials;
pub(crate) mod client_id_metadata;
mod discovery;
pub(crate) mod end_session;
pub(crate) mod forward_auth;
pub(crate) mod id_token;
mod introspection;
mod introspection_batch;
mod key_set;
mod metadata;
pub(crate) mod password;
pub(crate) mod protected_resource;
pub(crate) mod pushed_authorization;
mod refresh;
pub(crate) mod registration;
pub(crate) mod request_object;
mod revocation;
pub(crate) use revocation::rules as revocation_rules;
pub(crate) mod token_endpoint;
pub(crate) mod userinfo;
pub(crate) mod verification;

use std::future::Future;
use std::pin::Pin;

use obol_token::Scratch;
use serde_json::{Map, Value};

use crate::client_authentication::AuthenticatedClient;
use crate::engine::Call;
use crate::{Answer, Engine, OAuthError, Outcome, Request, Surface};

/// Everything that the server can do. Routes, grants and the discovery document are derived from it.
pub static FEATURES: &[Feature] = &[
    authorization::FEATURE,
    request_object::FEATURE,
    pushed_authorization::FEATURE,
    token_endpoint::FEATURE,
    authorization_code::FEATURE,
    client_credentials::FEATURE,
    password::FEATURE,
    refresh::FEATURE,
    revocation::FEATURE,
    introspection::FEATURE,
    introspection_batch::FEATURE,
    verification::FEATURE,
    forward_auth::FEATURE,
    id_token::FEATURE,
    userinfo::FEATURE,
    end_session::FEATURE,
    backchannel_logout::FEATURE,
    key_set::FEATURE,
    metadata::FEATURE,
    discovery::FEATURE,
    protected_resource::FEATURE,
    registration::FEATURE,
    client_id_metadata::FEATURE,
];

/// One specification, as far as it is served.
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// Where it is written.
    pub specification: &'static str,
    /// Its endpoints.
    pub endpoints: &'static [Endpoint],
    /// Its grants, answered at the token endpoint.
    pub grants: &'static [Grant],
    /// Adds its part to the discovery document.
    pub(crate) describe: fn(&Engine, &mut Map<String, Value>),
}

/// Where a feature is asked.
pub struct Endpoint {
    /// Which dialect is spoken there.
    pub surface: Surface,
    /// The methods that it takes.
    pub methods: &'static [Method],
    /// Its path, without the final slash.
    pub path: &'static str,
    /// What happens to a request.
    pub(crate) steps: Steps,
}

impl Endpoint {
    /// For what a browser comes here, if one does: then the pages answer, with what the engine says.
    pub fn page(&self) -> Option<PageKind> {
        match self.steps {
            Steps::Page(kind) => Some(kind),
            _ => None,
        }
    }

    /// Whether gateways come here, with the requests of others: the door answers.
    pub fn is_gateway(&self) -> bool {
        matches!(self.steps, Steps::Gateway)
    }

    /// Whether it has a document for each resource, by host and path: the door asks [`Engine::resource_metadata`].
    pub fn is_resource(&self) -> bool {
        matches!(self.steps, Steps::Resource)
    }

    /// Whether clients register there: the door asks [`Engine::register`], there and below.
    pub fn is_registration(&self) -> bool {
        matches!(self.steps, Steps::Registration)
    }

    /// Whether it takes a JSON object in place of a form, with lists of texts as parameters.
    pub fn takes_lists(&self) -> bool {
        self.path == introspection_batch::PATH
    }
}

/// For what a browser comes to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// To bring a client a code: [`Engine::authorize`].
    Authorize,
    /// To sign out: [`Engine::sign_out`].
    SignOut,
}

/// HTTP methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// Whatever it is.
    Any,
}

/// The steps that a request to an endpoint goes through.
pub(crate) enum Steps {
    /// None: it is a document.
    Document(fn(&Engine) -> Value),
    /// Vouch, request: whoever asks without a client, answered from memory at once. By the policy `on_stale` also after the lease:
    /// what more than tells about access tokens refuses that itself.
    Asked(for<'a> fn(&Call<'a>, &'a mut Scratch) -> Result<Answer<'a>, OAuthError>),
    /// Vouch, request: whoever bears an access token, answered after a look at what is stored.
    Borne(Borne),
    /// A browser's: the pages take the request through the engine, see [`crate::Authorizing`].
    Page(PageKind),
    /// Of a gateway: the door reads the request that it asks about, see [`Engine::admit`].
    Gateway,
    /// A document by host and path, see [`Engine::resource_metadata`].
    Resource,
    /// Of a client that registers itself, see [`Engine::register`].
    Registration,
    /// Vouch, client, request, and what follows.
    Authenticated {
        /// How the client must show itself.
        client: ClientRule,
        /// Whether what it answers at once only tells about access tokens: by the policy `on_stale` also after the lease.
        only_tells: bool,
        /// The feature's part, by what is asked.
        part: fn(&Request<'_>) -> Part,
    },
}

/// How a client must show itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientRule {
    /// It authenticates; a request that names no client is `invalid_client`.
    Authenticated,
    /// It authenticates; a request that names no client is `invalid_request` naming the field.
    Named,
    /// It authenticates, with a secret: public clients are `invalid_client`.
    Confidential,
}

/// The part of a feature after the client is known.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// Answers from memory at once.
    AtOnce(AtOnce),
    /// Waits for storage or for people.
    Waiting(Waiting),
}

pub(crate) type AtOnce =
    for<'a> fn(&Call<'a>, &AuthenticatedClient, &'a mut Scratch) -> Result<Answer<'a>, OAuthError>;
pub(crate) type Waiting = for<'a> fn(&'a Call<'a>, AuthenticatedClient) -> Pending<'a>;

pub(crate) type Borne = for<'a> fn(&'a Call<'a>) -> Pending<'a>;

/// A future of an outcome.
pub(crate) type Pending<'a> = Pin<Box<dyn Future<Output = Result<Outcome<'static>, OAuthError>> + Send + 'a>>;

/// A grant type (RFC 6749 §1.3).
pub struct Grant {
    /// The value of `grant_type`.
    pub name: &'static str,
    /// Where it may be asked for.
    pub surfaces: &'static [Surface],
    /// Whether only a confidential client may have it.
    pub confidential_only: bool,
    /// The feature's part.
    pub(crate) part: Part,
}

/// The names of all grant types.
pub fn grant_types() -> impl Iterator<Item = &'static Grant> {
    FEATURES.iter().flat_map(|feature| feature.grants)
}

/// For a feature that adds nothing to the discovery document.
fn nothing(_: &Engine, _: &mut Map<String, Value>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_and_grants_are_each_listed_once() {
        let mut endpoints: Vec<_> =
            FEATURES.iter().flat_map(|feature| feature.endpoints).map(|e| e.path).collect();
        let mut grants: Vec<_> = grant_types().map(|grant| grant.name).collect();
        for names in [&mut endpoints, &mut grants] {
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }

    #[test]
    fn paths_begin_with_a_slash_and_end_without() {
        for endpoint in FEATURES.iter().flat_map(|feature| feature.endpoints) {
            assert!(endpoint.path.starts_with('/') && !endpoint.path.ends_with('/'), "{}", endpoint.path);
        }
    }
}

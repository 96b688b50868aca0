//! Discovery (OpenID Connect Discovery §4): the same document as that of RFC 8414 at its own path, and those of FortiAuthenticator,
//! which name its own endpoints under its own issuer.

use obol_token::Algorithm;
use serde_json::{Map, Value, json};

use super::{
    Endpoint, Feature, Method, Steps, authorization, key_set, metadata, nothing, token_endpoint, userinfo,
};
use crate::client_authentication::describe_methods;
use crate::{Engine, Surface};

/// OpenID Connect Discovery §4.
pub(super) const FEATURE: Feature = Feature {
    name: "discovery",
    specification: "OpenID Connect Discovery §4, FortiAuthenticator .well-known/",
    endpoints: &[
        Endpoint {
            surface: Surface::Rfc,
            methods: &[Method::Get],
            path: "/.well-known/openid-configuration",
            steps: Steps::Document(metadata::document),
        },
        Endpoint {
            surface: Surface::FortiAuthenticator,
            methods: &[Method::Get],
            path: "/api/v1/oauth/.well-known/openid-configuration",
            steps: Steps::Document(forti_document),
        },
        Endpoint {
            surface: Surface::FortiAuthenticator,
            methods: &[Method::Get],
            path: "/api/v1/oauth/.well-known/oauth-authorization-server",
            steps: Steps::Document(forti_document),
        },
    ],
    grants: &[],
    describe: nothing,
};

/// Its keys, with absolute URLs and what is true here.
fn forti_document(engine: &Engine) -> Value {
    let issuer = &engine.settings.issuer;
    // Its own URLs end in a slash.
    let url = |path: &str| issuer.url(path) + "/";
    let mut document = Map::new();
    describe_methods(&mut document, "token_endpoint", false);
    let own = json!({
        "authorization_endpoint": url(authorization::FORTI_PATH),
        "code_challenge_methods_supported": ["S256"],
        "id_token_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::name),
        "issuer": issuer.of(Surface::FortiAuthenticator),
        "jwks_uri": url(key_set::FORTI_PATH),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public", "pairwise"],
        "token_endpoint": token_endpoint::url(issuer, Surface::FortiAuthenticator),
        "userinfo_endpoint": url(userinfo::FORTI_PATH),
    });
    if let Value::Object(own) = own {
        document.extend(own);
    }
    Value::Object(document)
}

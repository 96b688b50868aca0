//! Authorization server metadata (RFC 8414), put together from what each feature says of itself. Home of RFC 8414.

use serde_json::{Map, Value, json};

use super::{Endpoint, FEATURES, Feature, Method, Steps};
use crate::{Engine, Surface};

/// RFC 8414.
pub(super) const FEATURE: Feature = Feature {
    name: "authorization server metadata",
    specification: "RFC 8414",
    endpoints: &[Endpoint {
        surface: Surface::Rfc,
        methods: &[Method::Get],
        path: "/.well-known/oauth-authorization-server",
        steps: Steps::Document(document),
    }],
    grants: &[],
    describe,
};

pub(super) fn document(engine: &Engine) -> Value {
    let mut document = Map::new();
    for feature in FEATURES {
        (feature.describe)(engine, &mut document);
    }
    Value::Object(document)
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    document.insert("issuer".into(), json!(engine.settings.issuer.as_str()));
}

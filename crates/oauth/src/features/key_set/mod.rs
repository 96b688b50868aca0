//! The key set (RFC 7517 §5): the public halves of the signing keys, for who verifies signatures without asking.
//!
//! A retired key obeys the promise of a revocation, so a node that cannot vouch does not answer here either.

use obol_replica::Stale;
use obol_token::Scratch;
use serde_json::{Map, Value, json};

use super::{Endpoint, Feature, Method, Steps};
use crate::engine::Call;
use crate::{Answer, Engine, KeySet, OAuthError, Surface};

/// RFC 7517.
pub(super) const FEATURE: Feature = Feature {
    name: "key set",
    specification: "RFC 7517",
    endpoints: &[
        Endpoint { surface: Surface::Rfc, methods: &[Method::Get], path: PATH, steps: Steps::Asked(handle) },
        Endpoint {
            surface: Surface::FortiAuthenticator,
            methods: &[Method::Get],
            path: FORTI_PATH,
            steps: Steps::Asked(handle),
        },
    ],
    grants: &[],
    describe,
};

const PATH: &str = "/oauth2/jwks";
pub(super) const FORTI_PATH: &str = "/api/v1/oauth/.well-known/keys";

fn handle<'a>(call: &Call<'a>, _: &'a mut Scratch) -> Result<Answer<'a>, OAuthError> {
    if call.vouched.is_stale() {
        return Err(Stale.into());
    }
    let keys = call.vouched.memory().signing_keys().iter().map(|key| key.jwk().clone()).collect();
    let max_age_secs = call.engine.settings.key_set_max_age_secs;
    Ok(Answer::KeySet(KeySet { keys, max_age_secs }))
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    document.insert("jwks_uri".into(), json!(engine.settings.issuer.url(PATH)));
}

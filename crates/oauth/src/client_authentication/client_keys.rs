//! The keys of a client: registered by value, or published by it at its `jwks_uri`.

use obol_keys::{ForeignJwt, ForeignKeys, JwtClaims, NotSigned};
use obol_store::Client;
use serde_json::Value;

use crate::{Engine, Freshness, NamedBy, OAuthError, OutgoingError};

/// Why it is not known whether a client has signed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeysTrouble {
    /// It is known: it has not.
    NotSigned(NotSigned),
    /// Its keys could not be fetched.
    Unreachable(OutgoingError),
    /// It has no keys, or what it publishes is no set of keys.
    Unusable(String),
}

impl KeysTrouble {
    /// What is answered when the keys could not be fetched: it may be better in a moment.
    pub(crate) fn unreachable(error: OutgoingError) -> OAuthError {
        let sentence = "The keys of this client cannot be had from its `jwks_uri`; see that it answers.";
        error.answered_as(OAuthError::unavailable(sentence, 10))
    }
}

/// What a JWT says, if a key of this client has signed it. A key that is not among those at the `jwks_uri` is looked for there
/// once more: it may be new.
pub(crate) async fn verify_signed_by<'j>(
    engine: &Engine,
    client: &Client,
    jwt: &'j ForeignJwt<'_>,
) -> Result<&'j JwtClaims, KeysTrouble> {
    if let Some(jwks) = &client.settings.jwks {
        return verify(jwt, jwks);
    }
    let Some(uri) = &client.settings.jwks_uri else {
        return Err(KeysTrouble::Unusable("the client has no keys".to_owned()));
    };
    let fetch = async |freshness| fetch(engine, uri, NamedBy::of(client), freshness).await;
    match verify(jwt, &fetch(Freshness::Kept).await?) {
        Err(KeysTrouble::NotSigned(NotSigned::UnknownKey)) => verify(jwt, &fetch(Freshness::Renewed).await?),
        verified => verified,
    }
}

async fn fetch(
    engine: &Engine,
    uri: &str,
    named_by: NamedBy,
    freshness: Freshness,
) -> Result<Value, KeysTrouble> {
    // The same for an address that may not be asked: whoever names addresses must not learn which of them are in our network.
    let fetched = engine.outgoing.fetch(uri, named_by, freshness).await;
    let document = fetched.map_err(KeysTrouble::Unreachable)?;
    serde_json::from_str(&document).map_err(|error| KeysTrouble::Unusable(format!("jwks_uri: {error}")))
}

fn verify<'j>(jwt: &'j ForeignJwt<'_>, jwks: &Value) -> Result<&'j JwtClaims, KeysTrouble> {
    let keys = ForeignKeys::read(jwks).map_err(|error| KeysTrouble::Unusable(error.to_string()))?;
    jwt.verify(&keys).map_err(KeysTrouble::NotSigned)
}

//! What belongs to a client that has registered itself (RFC 7591).

use obol_token::SecretHash;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is kept of a registration beside the client itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Hash of the token with which the client manages itself (RFC 7592 §1.2).
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub access_token: SecretHash,
    /// `sector_identifier_uri` (OpenID Connect Registration §5): from where the sector was taken.
    pub sector_identifier_uri: Option<String>,
    /// Whether it may replace its registration (RFC 7592 §2.2), or its operator has settled what it is.
    #[serde(default = "yes")]
    pub may_update: bool,
}

const fn yes() -> bool {
    true
}

fn to_hex<S: Serializer>(hash: &SecretHash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(hash.as_bytes()))
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretHash, D::Error> {
    let mut bytes = [0; 32];
    let text = String::deserialize(deserializer)?;
    hex::decode_to_slice(text, &mut bytes).map_err(D::Error::custom)?;
    Ok(SecretHash::from_bytes(bytes))
}

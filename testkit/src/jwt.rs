//! JWTs as an application reads them: with nothing but the key set that the server publishes.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::Server;

/// The key set (RFC 7517).
pub const JWKS: &str = "/oauth2/jwks";

/// A JWT, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Jwt {
    /// The JOSE header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
    signed: String,
    signature: Vec<u8>,
}

impl Jwt {
    /// Takes a compact JWT apart.
    #[track_caller]
    pub fn read(text: &str) -> Self {
        let parts: Vec<_> = text.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("three parts: {text}") };
        let json = |part: &str| {
            serde_json::from_slice(&bytes(part)).unwrap_or_else(|error| panic!("{error}: {text}"))
        };
        Self {
            header: json(header),
            claims: json(claims),
            signed: format!("{header}.{claims}"),
            signature: bytes(signature),
        }
    }

    /// The same, if the server's key set has the key that its `kid` names, and that key has signed it.
    #[track_caller]
    pub fn verified(text: &str, server: &Server) -> Self {
        let jwt = Self::read(text);
        assert!(jwt.is_signed_by_published(server), "{text} is not signed by a key that is published");
        jwt
    }

    /// Whether the server's key set has the key that its `kid` names, and that key has signed it.
    #[track_caller]
    pub fn is_signed_by_published(&self, server: &Server) -> bool {
        let set = server.http().get(JWKS).send().expect(200).json();
        let keys = set["keys"].as_array().expect("a list of keys");
        keys.iter().any(|key| key["kid"] == self.header["kid"] && self.is_signed_by(key))
    }

    /// The id by which the command line knows the key that signed it.
    #[track_caller]
    pub fn key_id(&self) -> String {
        let kid = bytes(self.header["kid"].as_str().expect("a text"));
        kid.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    fn is_signed_by(&self, key: &Value) -> bool {
        let member = |name: &str| bytes(key[name].as_str().unwrap_or_default());
        let (signed, signature) = (self.signed.as_bytes(), &self.signature[..]);
        let rsa = |algorithm| {
            let components = PublicKeyComponents { n: member("n"), e: member("e") };
            components.verify(algorithm, signed, signature).is_ok()
        };
        match self.header["alg"].as_str() {
            Some("ES256") => {
                let point = [&[4], &member("x")[..], &member("y")].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
            }
            Some("EdDSA") => UnparsedPublicKey::new(&ED25519, member("x")).verify(signed, signature).is_ok(),
            Some("RS256") => rsa(&RSA_PKCS1_2048_8192_SHA256),
            Some("PS256") => rsa(&RSA_PSS_2048_8192_SHA256),
            _ => false,
        }
    }
}

/// SHA-256 in base64url: a challenge (RFC 7636 §4.2).
pub fn s256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// `at_hash` of an access token where the signature's hash is SHA-256 (OpenID Connect Core §3.1.3.6).
pub fn half_sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

#[track_caller]
fn bytes(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap_or_else(|error| panic!("{error}: {part}"))
}

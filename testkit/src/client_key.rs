//! The keys of clients, and what clients sign with them.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key pair of a client, for one algorithm.
pub struct ClientKey {
    algorithm: &'static str,
    kid: String,
    pair: Pair,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl ClientKey {
    /// The algorithms for which there are keys.
    pub const ALGORITHMS: [&'static str; 4] = ["ES256", "RS256", "PS256", "EdDSA"];

    /// A new key.
    #[track_caller]
    pub fn new(algorithm: &'static str) -> Self {
        let pair = match algorithm {
            "ES256" => Pair::Ec(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("the library makes keys"),
            ),
            "EdDSA" => Pair::Ed(Ed25519KeyPair::generate().expect("the library makes keys")),
            "RS256" | "PS256" => return Self::rsa(algorithm, KeySize::Rsa2048),
            other => panic!("no keys for {other}"),
        };
        Self::of(algorithm, pair)
    }

    /// A new RSA key of this size, for an algorithm with RSA.
    #[track_caller]
    pub fn rsa(algorithm: &'static str, size: KeySize) -> Self {
        Self::of(algorithm, Pair::Rsa(RsaKeyPair::generate(size).expect("the library makes keys")))
    }

    fn of(algorithm: &'static str, pair: Pair) -> Self {
        let mut id = [0; 8];
        aws_lc_rs::rand::fill(&mut id).expect("there is randomness");
        Self { algorithm, kid: encoded(id), pair }
    }

    /// Its `kid`.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// Its public half (RFC 7517 §4).
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y) })
            }
            Pair::Rsa(pair) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let member = |bytes: &[u8]| encoded(bytes);
                json!({
                    "kty": "RSA",
                    "n": member(n.big_endian_without_leading_zero()),
                    "e": member(e.big_endian_without_leading_zero()),
                })
            }
            Pair::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(pair.public_key()) })
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk
    }

    /// The set of this key alone.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// A JWT with these claims, as a library makes it: `alg` and `kid` in its header.
    pub fn jwt(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// The header of [`Self::jwt`].
    pub fn header(&self) -> Value {
        json!({ "alg": self.algorithm, "kid": self.kid })
    }

    /// Any header and payload, signed with this key by its algorithm, whatever they say.
    #[track_caller]
    pub fn sign(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", encoded(header), encoded(payload));
        let signature = encoded(self.signature(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => pair.sign(&random, message).expect("it signs").as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding = if self.algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                pair.sign(padding, &random, message, &mut signature).expect("it signs");
                signature
            }
        }
    }
}

/// Any header and payload, authenticated with a secret (HMAC with SHA-256).
pub fn hs256(secret: &[u8], header: &str, payload: &str) -> String {
    let message = format!("{}.{}", encoded(header), encoded(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", encoded(tag))
}

/// In base64url without padding.
pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

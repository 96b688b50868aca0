//! Public keys in the form of RFC 7517, and their thumbprints. Home of RFC 7517 and RFC 7638.

use std::fmt;
use std::str;

use aws_lc_rs::digest::{self, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use obol_token::KeyId;
use serde::ser::{Serialize, Serializer};

/// A public signing key. Its JSON form has the members that are required of its type, `kid` and `use`, and no private one.
#[derive(Clone, PartialEq, Eq)]
pub struct Jwk {
    public: Public,
    thumbprint: Thumbprint,
}

#[derive(Clone, PartialEq, Eq)]
enum Public {
    EcP256 { x: String, y: String },
    Rsa { n: String, e: String },
    Ed25519 { x: String },
}

impl Jwk {
    /// From an uncompressed point (SEC 1 §2.3.3).
    pub(crate) fn ec_p256(point: &[u8]) -> Option<Self> {
        let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
        if y.len() != 32 {
            return None;
        }
        // RFC 7518 §6.2.1.2: leading zeros stay.
        Some(Self::new(Public::EcP256 { x: encoded(x), y: encoded(y) }))
    }

    /// From big-endian numbers without leading zeros (RFC 7518 §6.3.1).
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        Self::new(Public::Rsa { n: encoded(modulus), e: encoded(exponent) })
    }

    /// From the 32 bytes of RFC 8032.
    pub(crate) fn ed25519(key: &[u8]) -> Self {
        Self::new(Public::Ed25519 { x: encoded(key) })
    }

    fn new(public: Public) -> Self {
        let thumbprint = Thumbprint::of(&public);
        Self { public, thumbprint }
    }

    /// The thumbprint with SHA-256.
    pub fn thumbprint(&self) -> &Thumbprint {
        &self.thumbprint
    }
}

/// Members in alphabetical order.
impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kid = ("kid", self.thumbprint.as_str());
        let sig = ("use", "sig");
        match &self.public {
            Public::EcP256 { x, y } => serializer.collect_map([
                ("alg", "ES256"),
                ("crv", "P-256"),
                kid,
                ("kty", "EC"),
                sig,
                ("x", x),
                ("y", y),
            ]),
            // It is for RS256 and PS256, so it does not say `alg`.
            Public::Rsa { n, e } => {
                serializer.collect_map([("e", e.as_str()), kid, ("kty", "RSA"), ("n", n), sig])
            }
            Public::Ed25519 { x } => serializer.collect_map([
                ("alg", "EdDSA"),
                ("crv", "Ed25519"),
                kid,
                ("kty", "OKP"),
                sig,
                ("x", x),
            ]),
        }
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({})", self.thumbprint().as_str())
    }
}

/// A thumbprint with SHA-256, in base64url: what `kid` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Thumbprint {
    text: [u8; Self::CHARS],
    id: KeyId,
}

impl Thumbprint {
    const CHARS: usize = 43;

    /// RFC 7638 §3; for Ed25519 RFC 8037 §2.
    fn of(key: &Public) -> Self {
        let hashed = digest::digest(&SHA256, required_members(key).as_bytes());
        let mut text = [0; Self::CHARS];
        // 32 bytes are 43 characters.
        let _ = URL_SAFE_NO_PAD.encode_slice(hashed.as_ref(), &mut text);
        let mut id = [0; 4];
        id.iter_mut().zip(hashed.as_ref()).for_each(|(byte, hashed)| *byte = *hashed);
        Self { text, id: KeyId::from_bytes(id) }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.text).unwrap_or_default()
    }

    /// Its first four bytes.
    pub const fn key_id(&self) -> KeyId {
        self.id
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({})", self.as_str())
    }
}

/// The members that RFC 7638 §3.2 names, in lexicographic order without blanks. No value needs to be escaped.
fn required_members(key: &Public) -> String {
    match key {
        Public::EcP256 { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
        Public::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        Public::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
    }
}

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7638_3_1_the_example_has_its_thumbprint() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let key = Jwk::rsa(&URL_SAFE_NO_PAD.decode(n).unwrap(), &[1, 0, 1]);
        let thumbprint = key.thumbprint();
        assert_eq!(thumbprint.as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(thumbprint.key_id().to_string(), "3736cbb1");
    }

    #[test]
    fn rfc8037_a_3_the_example_has_its_thumbprint() {
        let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(Jwk::ed25519(&x).thumbprint().as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn rfc7517_4_a_key_says_its_type_use_kid_and_public_members_and_nothing_else() {
        let point = [&[4][..], &[0; 32], &[1; 32]].concat();
        for (key, expected) in [
            (Jwk::ec_p256(&point).unwrap(), &["alg", "crv", "kid", "kty", "use", "x", "y"][..]),
            (Jwk::rsa(&[9; 256], &[1, 0, 1]), &["e", "kid", "kty", "n", "use"]),
            (Jwk::ed25519(&[7; 32]), &["alg", "crv", "kid", "kty", "use", "x"]),
        ] {
            let json = serde_json::to_value(&key).unwrap();
            let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names, expected);
            assert_eq!((&json["use"], &json["kid"]), (&"sig".into(), &key.thumbprint().as_str().into()));
        }
    }

    #[test]
    fn rfc7518_6_2_1_2_coordinates_keep_their_leading_zeros() {
        let point = [&[4][..], &[0; 32], &[1; 32]].concat();
        let json = serde_json::to_value(Jwk::ec_p256(&point).unwrap()).unwrap();
        assert_eq!(json["x"], "A".repeat(43));
        for other in [&point[1..], &point[..64], &[&point[..], &[0]].concat(), &[]] {
            assert!(Jwk::ec_p256(other).is_none());
        }
    }
}

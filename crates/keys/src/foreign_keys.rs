//! The public keys of a client, as it registers them or publishes them (RFC 7517 §5).

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use obol_token::{Algorithm, KeyKind};
use serde::Deserialize;
use serde_json::Value;

use crate::jws::public_key;

/// The keys of a set that verify signatures here. Others in it are passed over (RFC 7517 §5).
#[derive(Debug)]
pub struct ForeignKeys(Vec<ForeignKey>);

/// Why a document is no set of keys of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not an object with a list `keys`.
    #[error("it is not a JWK set: an object with a list `keys`")]
    NotASet,
    /// More than [`ForeignKeys::MOST`].
    #[error("it holds more than {} keys", ForeignKeys::MOST)]
    TooMany,
    /// With what nobody but the owner of a key may have.
    #[error("it holds a private or secret key; take it out of use and register public keys only")]
    Private,
    /// No key of it verifies anything here.
    #[error(
        "it holds no key for ES256 (EC, P-256), RS256 or PS256 (RSA, 2048 to 8192 bits) or EdDSA (Ed25519)"
    )]
    NoneUsable,
}

/// A key and the algorithms by which it may be used.
#[derive(Debug)]
struct ForeignKey {
    kid: Option<String>,
    verifies: Vec<(Algorithm, ParsedPublicKey)>,
}

impl ForeignKeys {
    /// The most keys in a set.
    pub const MOST: usize = 20;

    /// Reads a JWK set.
    ///
    /// # Errors
    /// [`KeySetError`]
    pub fn read(set: &Value) -> Result<Self, KeySetError> {
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::NotASet)?;
        if keys.len() > Self::MOST {
            return Err(KeySetError::TooMany);
        }
        if keys.iter().any(is_private) {
            return Err(KeySetError::Private);
        }
        let usable: Vec<_> = keys.iter().filter_map(ForeignKey::read).collect();
        if usable.is_empty() { Err(KeySetError::NoneUsable) } else { Ok(Self(usable)) }
    }

    /// The key that a header means. One without `kid` means the only key that fits (OpenID Connect Core §10.1).
    pub(crate) fn find(&self, algorithm: Algorithm, kid: Option<&str>) -> Option<&ParsedPublicKey> {
        let mut fitting = self.0.iter().filter_map(|key| {
            let (_, public) = key.verifies.iter().find(|(verifies, _)| *verifies == algorithm)?;
            (kid.is_none() || key.kid.as_deref() == kid).then_some(public)
        });
        let first = fitting.next()?;
        (kid.is_some() || fitting.next().is_none()).then_some(first)
    }
}

/// Members that only private and secret keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
fn is_private(key: &Value) -> bool {
    ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|member| key.get(member).is_some())
}

/// The members of a JWK that are looked at.
#[derive(Deserialize)]
struct Members {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl ForeignKey {
    /// `None` for a key of another kind, for another use, or that is none.
    fn read(key: &Value) -> Option<Self> {
        let members = Members::deserialize(key).ok()?;
        let verifies = members.usage.as_deref().is_none_or(|usage| usage == "sig")
            && members.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let (kind, public) = members.public().filter(|_| verifies)?;
        let is_for = |algorithm: &Algorithm| {
            algorithm.key_kind() == kind && members.alg.as_deref().is_none_or(|alg| alg == algorithm.name())
        };
        let algorithms = Algorithm::ALL.into_iter().filter(is_for);
        let verifies: Vec<_> = algorithms
            .map(|algorithm| Some((algorithm, public_key(algorithm, &public)?)))
            .collect::<Option<_>>()?;
        (!verifies.is_empty()).then_some(Self { kid: members.kid, verifies })
    }
}

impl Members {
    /// The public key, in the form that the library reads.
    fn public(&self) -> Option<(KeyKind, Vec<u8>)> {
        let decoded = |member: &Option<String>| URL_SAFE_NO_PAD.decode(member.as_ref()?).ok();
        match (self.kty.as_str(), self.crv.as_deref()) {
            // RFC 7518 §6.2.1.2: leading zeros stay.
            ("EC", Some("P-256")) => {
                let (x, y) = (decoded(&self.x)?, decoded(&self.y)?);
                (x.len() == 32 && y.len() == 32).then(|| (KeyKind::EcP256, [&[4], &*x, &*y].concat()))
            }
            ("RSA", None) => {
                let components = RsaPublicKeyComponents { n: decoded(&self.n)?, e: decoded(&self.e)? };
                let der: PublicKeyX509Der<'_> =
                    components.as_der().ok().filter(|_| is_of_taken_size(&components.n))?;
                Some((KeyKind::Rsa, der.as_ref().to_vec()))
            }
            ("OKP", Some("Ed25519")) => {
                Some((KeyKind::Ed25519, decoded(&self.x)?)).filter(|(_, x)| x.len() == 32)
            }
            _ => None,
        }
    }
}

/// 2048 bits (RFC 7518 §3.3) to 8192, which the library would look at only once it verifies.
fn is_of_taken_size(modulus: &[u8]) -> bool {
    match modulus {
        [first, ..] if modulus.len() == 256 => *first >= 0x80,
        _ => (257..=1_024).contains(&modulus.len()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwk::Jwk;

    /// RFC 7515 A.3.
    fn ec() -> Value {
        json!({
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    fn rsa(bytes: usize, first: u8) -> Value {
        let mut modulus = vec![0xa5; bytes];
        modulus[0] = first;
        json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB" })
    }

    fn with(mut key: Value, member: &str, value: Value) -> Value {
        key[member] = value;
        key
    }

    fn read(keys: &[Value]) -> Result<ForeignKeys, KeySetError> {
        ForeignKeys::read(&json!({ "keys": keys }))
    }

    fn finds(keys: &[Value], algorithm: Algorithm, kid: Option<&str>) -> bool {
        read(keys).is_ok_and(|keys| keys.find(algorithm, kid).is_some())
    }

    #[test]
    fn a_key_is_good_for_its_algorithms() {
        let ed = serde_json::to_value(Jwk::ed25519(&[7; 32])).unwrap();
        for (key, good_for) in [
            (ec(), &[Algorithm::Es256][..]),
            (rsa(256, 0x80), &[Algorithm::Rs256, Algorithm::Ps256]),
            (rsa(1_024, 0x80), &[Algorithm::Rs256, Algorithm::Ps256]),
            (with(rsa(256, 0x80), "alg", json!("PS256")), &[Algorithm::Ps256]),
            (ed, &[Algorithm::EdDsa]),
        ] {
            for algorithm in Algorithm::ALL {
                assert_eq!(
                    finds(std::slice::from_ref(&key), algorithm, None),
                    good_for.contains(&algorithm),
                    "{key}"
                );
            }
        }
    }

    #[test]
    fn keys_that_are_none_or_for_something_else_are_passed_over() {
        for key in [
            with(ec(), "use", json!("enc")),
            with(ec(), "key_ops", json!(["encrypt"])),
            with(ec(), "alg", json!("ES384")),
            with(ec(), "alg", json!("ECDH-ES")),
            with(ec(), "crv", json!("P-384")),
            with(ec(), "crv", json!("secp256k1")),
            with(ec(), "x", json!("AAAA")),
            with(ec(), "x", ec()["y"].clone()),
            with(ec(), "x", json!(format!("{}=", ec()["x"].as_str().unwrap()))),
            with(ec(), "y", Value::Null),
            with(ec(), "kid", json!(7)),
            rsa(255, 0xff),
            rsa(256, 0x7f),
            rsa(256, 0),
            rsa(1_025, 0x80),
            with(rsa(256, 0x80), "e", json!("AA")),
            with(rsa(256, 0x80), "e", json!("")),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }),
            json!({ "kty": "OKP", "crv": "X25519", "x": URL_SAFE_NO_PAD.encode([7; 32]) }),
            json!({ "kty": "AKP" }),
            json!({}),
            json!("key"),
        ] {
            assert_eq!(read(std::slice::from_ref(&key)).err(), Some(KeySetError::NoneUsable), "{key}");
            assert!(finds(&[key.clone(), ec()], Algorithm::Es256, None), "beside {key}");
        }
        for more in [("use", json!("sig")), ("key_ops", json!(["verify"])), ("alg", json!("ES256"))] {
            assert!(finds(&[with(ec(), more.0, more.1)], Algorithm::Es256, None), "{}", more.0);
        }
    }

    #[test]
    fn oidc_core_10_1_of_several_keys_the_kid_names_one() {
        let (one, two) = (with(ec(), "kid", json!("1")), with(ec(), "kid", json!("2")));
        let both = [one.clone(), two];
        for (kid, found) in [(Some("1"), true), (Some("2"), true), (Some("3"), false), (Some(""), false)] {
            assert_eq!(finds(&both, Algorithm::Es256, kid), found, "{kid:?}");
        }
        assert!(!finds(&both, Algorithm::Es256, None));
        assert!(finds(&[one.clone(), rsa(256, 0x80)], Algorithm::Es256, None), "the only one of its kind");
        assert!(!finds(&[ec()], Algorithm::Es256, Some("1")), "it has no name");
    }

    #[test]
    fn what_is_no_set_of_public_keys_is_refused() {
        for (set, expected) in [
            (json!([]), KeySetError::NotASet),
            (json!({}), KeySetError::NotASet),
            (json!({ "keys": {} }), KeySetError::NotASet),
            (ec(), KeySetError::NotASet),
            (json!({ "keys": [] }), KeySetError::NoneUsable),
            (json!({ "keys": vec![ec(); 21] }), KeySetError::TooMany),
            (json!({ "keys": [ec(), with(ec(), "d", json!("AAAA"))] }), KeySetError::Private),
            (json!({ "keys": [ec(), { "kty": "oct", "k": "AAAA" }] }), KeySetError::Private),
        ] {
            assert_eq!(ForeignKeys::read(&set).err(), Some(expected), "{set}");
        }
        assert!(read(&vec![ec(); 20]).is_ok());
    }
}

//! The keys that sign what others verify offline (RFC 7515, RFC 7518). Their private half is PKCS#8.

use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use obol_token::{Algorithm, KeyId, KeyKind, Position};
use zeroize::Zeroizing;

use crate::jwk::Jwk;
use crate::jws::{Checker, with_low_s};

/// A signing key, unwrapped. Does not print.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Pair>,
    jwk: Arc<Jwk>,
    checkers: Arc<[Checker]>,
    promoted: Option<Position>,
}

enum Pair {
    EcP256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// The cryptographic library refused to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library refused to sign")]
pub struct SignFailed;

impl SigningKey {
    /// The key of this PKCS#8 form, which signs from this position on, if it does; `None` if it is not one of this kind.
    pub(crate) fn from_pkcs8(kind: KeyKind, pkcs8: &[u8], promoted: Option<Position>) -> Option<Self> {
        let (pair, jwk, public) = match kind {
            KeyKind::Sealing => return None,
            KeyKind::EcP256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
                let public = pair.public_key().as_ref().to_vec();
                (Pair::EcP256(pair), Jwk::ec_p256(&public)?, public)
            }
            KeyKind::Rsa => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
                let key = pair.public_key();
                let (modulus, exponent) = (key.modulus(), key.exponent());
                let jwk = Jwk::rsa(
                    modulus.big_endian_without_leading_zero(),
                    exponent.big_endian_without_leading_zero(),
                );
                let public = key.as_ref().to_vec();
                (Pair::Rsa(pair), jwk, public)
            }
            KeyKind::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
                let public = pair.public_key().as_ref().to_vec();
                (Pair::Ed25519(pair), Jwk::ed25519(&public), public)
            }
        };
        let checkers = Checker::all(kind, jwk.thumbprint().as_str(), &public)?;
        Some(Self { pair: Arc::new(pair), jwk: Arc::new(jwk), checkers, promoted })
    }

    /// Which: the first bytes of its thumbprint, so that a key has one id wherever it comes from.
    pub fn id(&self) -> KeyId {
        self.jwk.thumbprint().key_id()
    }

    /// `kid`: the thumbprint of RFC 7638.
    pub fn kid(&self) -> &str {
        self.jwk.thumbprint().as_str()
    }

    /// What it is for.
    pub fn kind(&self) -> KeyKind {
        match *self.pair {
            Pair::EcP256(_) => KeyKind::EcP256,
            Pair::Rsa(_) => KeyKind::Rsa,
            Pair::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// Its public half.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// What checks its signatures, one for each algorithm.
    pub(crate) fn checkers(&self) -> &[Checker] {
        &self.checkers
    }

    /// The signature of `message`, in the form of RFC 7518 §3: for ES256 R and S one after the other, S in its lower half.
    ///
    /// # Errors
    /// [`SignFailed`] when the key does not sign so, or the library refuses.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, SignFailed> {
        let random = SystemRandom::new();
        match (&*self.pair, algorithm) {
            (Pair::EcP256(pair), Algorithm::Es256) => {
                pair.sign(&random, message).map(|signature| with_low_s(signature.as_ref()))
            }
            (Pair::Ed25519(pair), Algorithm::EdDsa) => {
                pair.try_sign(message).map(|signature| signature.as_ref().to_vec())
            }
            (Pair::Rsa(pair), Algorithm::Rs256 | Algorithm::Ps256) => {
                let padding = match algorithm {
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature).map(|()| signature)
            }
            _ => return Err(SignFailed),
        }
        .map_err(|_| SignFailed)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id())
    }
}

/// The signing keys in use, in the order in which they were promoted; those that wait come first.
#[derive(Debug, Clone, Default)]
pub struct SigningRing(Vec<SigningKey>);

impl SigningRing {
    /// This ring with `key` in it, in place of one with the same id.
    #[must_use]
    pub fn with(&self, key: SigningKey) -> Self {
        let mut ring = self.without(key.id());
        ring.0.push(key);
        ring.0.sort_by_key(|key| (key.promoted, key.id()));
        ring
    }

    /// This ring without the key of this id.
    #[must_use]
    pub fn without(&self, id: KeyId) -> Self {
        Self(self.0.iter().filter(|key| key.id() != id).cloned().collect())
    }

    /// The key that signs so: of those of its kind that were promoted the last.
    pub fn current(&self, algorithm: Algorithm) -> Option<&SigningKey> {
        let of_kind = self.0.iter().rev().find(|key| key.kind() == algorithm.key_kind());
        of_kind.filter(|key| key.promoted.is_some())
    }

    /// All of them: what is published.
    pub fn iter(&self) -> impl Iterator<Item = &SigningKey> {
        self.0.iter()
    }
}

/// The PKCS#8 form of a new key of this kind; `None` if the library makes none. RSA keys have 2048 bits.
pub(crate) fn generate(kind: KeyKind) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = match kind {
        KeyKind::Sealing => return None,
        KeyKind::EcP256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
            pair.to_pkcs8v1().ok()?.as_ref().to_vec()
        }
        KeyKind::Rsa => RsaKeyPair::generate(KeySize::Rsa2048).ok()?.as_der().ok()?.as_ref().to_vec(),
        KeyKind::Ed25519 => Ed25519KeyPair::generate().ok()?.to_pkcs8().ok()?.as_ref().to_vec(),
    };
    Some(Zeroizing::new(bytes))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
        UnparsedPublicKey, VerificationAlgorithm,
    };

    use super::*;

    fn key(kind: KeyKind, promoted: Option<u64>) -> SigningKey {
        SigningKey::from_pkcs8(kind, &generate(kind).unwrap(), promoted.map(Position::new)).unwrap()
    }

    fn public_bytes(key: &SigningKey) -> Vec<u8> {
        match &*key.pair {
            Pair::EcP256(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    #[test]
    fn what_is_signed_verifies_with_its_own_algorithm_only() {
        let verifiers: [(Algorithm, &'static dyn VerificationAlgorithm); 4] = [
            (Algorithm::Es256, &ECDSA_P256_SHA256_FIXED),
            (Algorithm::Rs256, &RSA_PKCS1_2048_8192_SHA256),
            (Algorithm::Ps256, &RSA_PSS_2048_8192_SHA256),
            (Algorithm::EdDsa, &ED25519),
        ];
        for (algorithm, _) in verifiers {
            let key = key(algorithm.key_kind(), Some(1));
            let signature = key.sign(algorithm, b"message").unwrap();
            for (other, verifier) in verifiers {
                let public = UnparsedPublicKey::new(verifier, public_bytes(&key));
                assert_eq!(public.verify(b"message", &signature).is_ok(), other == algorithm, "{other:?}");
                assert!(public.verify(b"massage", &signature).is_err());
                let signs = key.sign(other, b"message").is_ok();
                assert_eq!(signs, other.key_kind() == algorithm.key_kind(), "{algorithm:?} {other:?}");
            }
        }
    }

    #[test]
    fn rfc7518_3_4_an_es256_signature_is_r_and_s_of_32_bytes_each() {
        assert_eq!(key(KeyKind::EcP256, None).sign(Algorithm::Es256, b"x").unwrap().len(), 64);
    }

    #[test]
    fn a_key_of_one_kind_is_read_as_no_other() {
        for made in KeyKind::SIGNING {
            let bytes = generate(made).unwrap();
            for read in KeyKind::ALL {
                assert_eq!(SigningKey::from_pkcs8(read, &bytes, None).is_some(), read == made, "{made:?}");
            }
        }
        assert!(generate(KeyKind::Sealing).is_none());
    }

    #[test]
    fn of_each_kind_the_last_promoted_signs_and_all_are_published() {
        let (old, new, waits) =
            (key(KeyKind::EcP256, Some(3)), key(KeyKind::EcP256, Some(7)), key(KeyKind::EcP256, None));
        let other = key(KeyKind::Ed25519, Some(5));
        let mut ring = SigningRing::default();
        for key in [&new, &waits, &other, &old] {
            ring = ring.with(key.clone());
        }
        let current = |ring: &SigningRing, algorithm| ring.current(algorithm).map(SigningKey::id);
        assert_eq!(current(&ring, Algorithm::Es256), Some(new.id()));
        assert_eq!(current(&ring, Algorithm::EdDsa), Some(other.id()));
        assert_eq!(current(&ring, Algorithm::Ps256), None);
        assert_eq!(ring.iter().count(), 4);

        let promoted = SigningKey { promoted: Some(Position::new(9)), ..waits.clone() };
        let ring = ring.with(promoted).without(old.id());
        assert_eq!(current(&ring, Algorithm::Es256), Some(waits.id()));
        assert_eq!(ring.iter().count(), 3);
        assert_eq!(current(&SigningRing::default().with(waits.clone()), Algorithm::Es256), None, "it waits");
    }

    #[test]
    fn a_key_does_not_print() {
        let key = key(KeyKind::Ed25519, None);
        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.id()));
    }
}

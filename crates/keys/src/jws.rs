//! What is signed, in its compact serialization (RFC 7515 §7.1). Home of RFC 7515.
//!
//! Here no header is ever read: one of ours is, letter for letter, what a key in use writes, and any other is none of ours. So nothing
//! that a header could ask for (`alg`, `jku`, `jwk`, `x5u`, `crit`, `zip`, …) is there to be refused.

use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use obol_token::{Algorithm, KeyKind, SealFailed, Sign, access_token_header};

use crate::signing::{SignFailed, SigningKey, SigningRing};

/// One of the algorithms of a key: its half that checks, and the header of its access tokens.
pub(crate) struct Checker {
    algorithm: Algorithm,
    access_token_header: String,
    public: ParsedPublicKey,
}

impl Checker {
    /// Those of the key with these public bytes; `None` if they are none.
    pub(crate) fn all(kind: KeyKind, kid: &str, public: &[u8]) -> Option<Arc<[Self]>> {
        let algorithms = Algorithm::ALL.into_iter().filter(|algorithm| algorithm.key_kind() == kind);
        algorithms.map(|algorithm| Self::new(algorithm, kid, public)).collect()
    }

    fn new(algorithm: Algorithm, kid: &str, public: &[u8]) -> Option<Self> {
        Some(Self {
            algorithm,
            access_token_header: access_token_header(algorithm, kid),
            public: public_key(algorithm, public)?,
        })
    }

    /// Whether this is a signature of `message` that the key may have written.
    pub(crate) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        (self.algorithm != Algorithm::Es256 || has_low_s(signature))
            && self.public.verify_sig(message, signature).is_ok()
    }
}

/// The half of a key that checks so; `None` if these are no public bytes of such a key.
pub(crate) fn public_key(algorithm: Algorithm, public: &[u8]) -> Option<ParsedPublicKey> {
    let parsed = match algorithm {
        Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public),
        Algorithm::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public),
        Algorithm::Ps256 => ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, public),
        Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, public),
    };
    parsed.ok()
}

/// Whether S of an ES256 signature is in the lower half. If it is not, its counterpart is, which anybody can calculate; with one of
/// the two refused, a signed text has no second form.
pub(crate) fn has_low_s(signature: &[u8]) -> bool {
    signature.last_chunk::<32>().is_some_and(|s| s <= &HALF_OF_P256_ORDER)
}

/// An ES256 signature in its form with S in the lower half: with (R, S) also (R, n − S) is a signature of the same text.
pub(crate) fn with_low_s(signature: &[u8]) -> Vec<u8> {
    let mut signature = signature.to_vec();
    if !has_low_s(&signature)
        && let Some(s) = signature.last_chunk_mut::<32>()
    {
        let mut borrowed = false;
        for (byte, n) in s.iter_mut().zip(P256_ORDER).rev() {
            let (left, first) = n.overflowing_sub(*byte);
            let (left, second) = left.overflowing_sub(borrowed.into());
            (*byte, borrowed) = (left, first || second);
        }
    }
    signature
}

/// n of SEC 2 §2.4.2.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// (n − 1) / 2.
const HALF_OF_P256_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xde,
    0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];

impl SigningKey {
    /// What signs access tokens so; `None` if the key does not.
    pub fn access_token_signer(&self, algorithm: Algorithm) -> Option<AccessTokenSigner<'_>> {
        let checker = self.checkers().iter().find(|checker| checker.algorithm == algorithm)?;
        Some(AccessTokenSigner { key: self, algorithm, header: &checker.access_token_header })
    }

    /// `payload`, signed, with `alg`, `kid` and this `typ` in its header. The type needs no escaping in JSON.
    ///
    /// # Errors
    /// [`SignFailed`] when the key does not sign so, or the library refuses.
    pub fn sign_compact(
        &self,
        algorithm: Algorithm,
        typ: &'static str,
        payload: &[u8],
    ) -> Result<String, SignFailed> {
        let mut text = header(algorithm, self.kid(), typ);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut text);
        let signature = self.sign(algorithm, text.as_bytes())?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(text)
    }
}

fn header(algorithm: Algorithm, kid: &str, typ: &'static str) -> String {
    let algorithm = algorithm.name();
    let mut encoded = String::new();
    let header = format!(r#"{{"alg":"{algorithm}","kid":"{kid}","typ":"{typ}"}}"#);
    URL_SAFE_NO_PAD.encode_string(header, &mut encoded);
    encoded
}

impl SigningRing {
    /// The payload of what [`SigningKey::sign_compact`] of a key in this ring has signed with this `typ`; `None` of anything
    /// else. Says nothing of what the payload says.
    pub fn open_compact(&self, typ: &'static str, presented: &str) -> Option<Vec<u8>> {
        let (message, signature) = presented.rsplit_once('.')?;
        let (found, payload) = message.split_once('.')?;
        let of_key = |key: &SigningKey, checker: &Checker| header(checker.algorithm, key.kid(), typ) == found;
        let checker =
            self.iter().find_map(|key| key.checkers().iter().find(|checker| of_key(key, checker)))?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        checker.accepts(message.as_bytes(), &signature).then_some(())?;
        URL_SAFE_NO_PAD.decode(payload).ok()
    }

    /// What checks the access tokens that have this header.
    pub(crate) fn checker(&self, access_token_header: &str) -> Option<&Checker> {
        let mut checkers = self.iter().flat_map(SigningKey::checkers);
        checkers.find(|checker| checker.access_token_header == access_token_header)
    }
}

/// A signing key and one of its algorithms, for access tokens.
#[derive(Debug, Clone, Copy)]
pub struct AccessTokenSigner<'a> {
    key: &'a SigningKey,
    algorithm: Algorithm,
    header: &'a str,
}

impl Sign for AccessTokenSigner<'_> {
    fn header(&self) -> &str {
        self.header
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SealFailed> {
        self.key.sign(self.algorithm, message).map_err(|SignFailed| SealFailed::Library)
    }
}

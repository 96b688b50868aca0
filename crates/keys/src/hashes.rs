//! The hashes that protocols name.

use aws_lc_rs::digest::{self, SHA256, SHA512};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use obol_token::Algorithm;

/// `S256`: SHA-256 of a code verifier, in base64url (RFC 7636 §4.2).
pub fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&SHA256, verifier.as_bytes()))
}

/// `at_hash`: the left half of the hash that goes with the algorithm, in base64url (OpenID Connect Core §3.1.3.6). Ed25519 goes
/// with SHA-512 (RFC 8032 §5.1).
pub fn half_hash(algorithm: Algorithm, text: &str) -> String {
    let by = match algorithm {
        Algorithm::Es256 | Algorithm::Rs256 | Algorithm::Ps256 => &SHA256,
        Algorithm::EdDsa => &SHA512,
    };
    let hashed = digest::digest(by, text.as_bytes());
    let half = hashed.as_ref().split_at(hashed.as_ref().len() / 2).0;
    URL_SAFE_NO_PAD.encode(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7636_appendix_b_the_example_has_its_hash() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(s256(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn oidc_core_a_3_the_example_has_its_at_hash() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(Algorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(half_hash(Algorithm::EdDsa, token).len(), 43);
    }
}

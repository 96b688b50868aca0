//! Proof Key for Code Exchange. Home of RFC 7636. Only `S256`: `plain` protects from nobody who sees the request (RFC 9700 §2.1.1).

use obol_keys::s256;
use obol_store::{Client, ClientKind};

use crate::{ErrorCode, OAuthError, Params};

/// The challenge of a request; `None` where there is none and the client may do without.
///
/// # Errors
/// `invalid_request`
pub(super) fn parse_challenge(params: &Params<'_>, client: &Client) -> Result<Option<String>, OAuthError> {
    let required = client.settings.require_pkce || client.kind == ClientKind::Public;
    let method = params.optional("code_challenge_method")?;
    match (params.optional("code_challenge")?, method) {
        (None, None) if !required => Ok(None),
        (None, None) => {
            Err(invalid("This client must send `code_challenge` (RFC 7636), with the method S256."))
        }
        (None, Some(_)) => Err(invalid("`code_challenge_method` came without `code_challenge`; send both.")),
        // §4.3: without a method it would be `plain`.
        (Some(_), None) => Err(invalid("Send `code_challenge_method=S256` with the challenge.")),
        (Some(challenge), Some("S256")) if is_s256(challenge) => Ok(Some(challenge.to_owned())),
        (Some(_), Some("S256")) => {
            Err(invalid("`code_challenge` is not the base64url form, without padding, of a SHA-256 hash."))
        }
        (Some(_), Some(_)) => Err(invalid("Only the `code_challenge_method` S256 is taken here.")),
    }
}

/// Whether the verifier belongs to the challenge (§4.6). A verifier without a challenge, and a challenge without a verifier,
/// do not fit (S-29).
pub(crate) fn fits(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => is_verifier(verifier) && s256(verifier) == challenge,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// 43 characters of base64url, the last of which carries four bits.
fn is_s256(challenge: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    challenge.len() == 43 && challenge.bytes().all(letters)
}

/// §4.1: 43 to 128 unreserved characters.
fn is_verifier(verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved)
}

fn invalid(sentence: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn rfc7636_appendix_b_the_example_fits() {
        assert!(fits(Some(CHALLENGE), Some(VERIFIER)));
    }

    #[test]
    fn rfc7636_4_1_a_verifier_has_43_to_128_unreserved_characters() {
        for length in [43, 128] {
            let verifier = "~".repeat(length);
            assert!(fits(Some(&s256(&verifier)), Some(&verifier)), "{length}");
        }
        for verifier in ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(50)), "ä".repeat(40)] {
            assert!(!fits(Some(&s256(&verifier)), Some(&verifier)), "{verifier}");
        }
    }

    #[test]
    fn rfc7636_4_6_another_verifier_and_the_challenge_itself_do_not_fit() {
        for verifier in [CHALLENGE, &VERIFIER.to_lowercase(), &format!("{VERIFIER}A"), &VERIFIER[..42]] {
            assert!(!fits(Some(CHALLENGE), Some(verifier)), "{verifier}");
        }
    }

    #[test]
    fn s_29_neither_comes_alone() {
        assert!(fits(None, None));
        assert!(!fits(None, Some(VERIFIER)));
        assert!(!fits(Some(CHALLENGE), None));
    }
}

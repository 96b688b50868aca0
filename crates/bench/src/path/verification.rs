//! `verify_token/`: tokens that stand, revoked ones, and ones that nobody issued.

use obol_token::{CredentialKind, from_text, to_text};

use super::{Site, Workload, answers, person_tokens, revocation, service_tokens};
use crate::BenchError;
use crate::load::Request;

/// Different tokens in use, so that no single one stays in the nearest cache.
pub(super) const TOKENS: usize = 256;

/// The question about a token.
pub(crate) fn verify(site: &Site<'_>, token: &str) -> Request {
    let client_id: String = form_urlencoded::byte_serialize(site.credentials.client_id.as_bytes()).collect();
    Request::get(format!("/api/v1/oauth/verify_token/?client_id={client_id}")).bearer(token)
}

/// Tokens of a person, which have everything that a deny list can refuse: id, family, subject and client.
///
/// # Errors
/// [`BenchError`]
pub(super) fn valid(site: &Site<'_>) -> Result<Workload, BenchError> {
    Ok(of_tokens(site, &person_tokens(site, TOKENS)?))
}

/// These tokens, which stand.
pub(crate) fn of_tokens(site: &Site<'_>, tokens: &[String]) -> Workload {
    let right = answers::verified(&site.credentials.client_id);
    Workload::cycle(site, &questions(site, tokens), right)
}

/// Tokens that were revoked.
///
/// # Errors
/// [`BenchError`]
pub(super) fn revoked(site: &Site<'_>) -> Result<Workload, BenchError> {
    let tokens = service_tokens(site, TOKENS)?;
    revocation::revoke_all(site, &tokens)?;
    Ok(Workload::cycle(site, &questions(site, &tokens), answers::refused("verify of a revoked token")))
}

/// Tokens with a right checksum and a broken seal: they go as far as a forged one can.
///
/// # Errors
/// [`BenchError`]
pub(super) fn unknown(site: &Site<'_>) -> Result<Workload, BenchError> {
    let tokens: Vec<String> = service_tokens(site, TOKENS)?.iter().map(|token| forge(token)).collect();
    Ok(Workload::cycle(site, &questions(site, &tokens), answers::refused("verify of an unknown token")))
}

fn questions(site: &Site<'_>, tokens: &[String]) -> Vec<Request> {
    tokens.iter().map(|token| verify(site, token)).collect()
}

/// Changes the last byte under the checksum, and mends the checksum. What is no token of obol stays as unknown as
/// it is with an end of its own.
fn forge(token: &str) -> String {
    let mut buffer = vec![0; token.len()];
    match from_text(CredentialKind::AccessToken, token, &mut buffer) {
        Some(payload) => {
            if let Some(last) = payload.last_mut() {
                *last ^= 1;
            }
            to_text(CredentialKind::AccessToken, payload)
        }
        None => format!("{token}x"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_token_keeps_its_form_and_loses_its_seal() {
        let token = to_text(CredentialKind::AccessToken, b"sealed");
        let forged = forge(&token);
        assert_ne!(forged, token);
        let mut buffer = [0; 64];
        assert_eq!(from_text(CredentialKind::AccessToken, &forged, &mut buffer).unwrap(), b"seale\x65");
        assert_eq!(forge("opaque"), "opaquex");
    }
}

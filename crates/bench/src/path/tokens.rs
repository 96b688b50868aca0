//! Tokens to ask about, issued before anything is measured.

use super::{Site, answers, token};
use crate::BenchError;
use crate::ask::ask_all;

const CONNECTIONS: usize = 32;
/// Sign-ins that the tokens of a person come from; the rest by refreshing these.
const FAMILIES: usize = 4;

/// So many access tokens of the client itself.
///
/// # Errors
/// [`BenchError`]
pub(crate) fn service_tokens(site: &Site<'_>, count: usize) -> Result<Vec<String>, BenchError> {
    let request = token::client_credentials_request(site);
    let requests = std::iter::repeat_n(request, count);
    let bodies =
        ask_all(site.target, requests, &answers::issued("client credentials"), CONNECTIONS, site.hands)?;
    Ok(bodies
        .iter()
        .filter_map(|body| Some(answers::Issued::read(body).ok()?.access_token.to_owned()))
        .collect())
}

/// At least so many access tokens of a person, or of the client itself where there is no person.
///
/// # Errors
/// [`BenchError`]
pub(crate) fn person_tokens(site: &Site<'_>, count: usize) -> Result<Vec<String>, BenchError> {
    if site.credentials.person.is_none() {
        return service_tokens(site, count);
    }
    let mut refresh_tokens = sign_in(site, FAMILIES.min(count))?;
    let right = answers::issued_with_refresh("refresh");
    let mut tokens = Vec::new();
    while tokens.len() < count {
        let requests = refresh_tokens.iter().map(|refresh_token| token::refresh_request(site, refresh_token));
        let bodies = ask_all(site.target, requests, &right, FAMILIES, site.hands)?;
        let issued: Vec<_> = bodies.iter().filter_map(|body| answers::Issued::read(body).ok()).collect();
        tokens.extend(issued.iter().map(|issued| issued.access_token.to_owned()));
        refresh_tokens = issued.iter().filter_map(|issued| Some(issued.refresh_token?.to_owned())).collect();
    }
    Ok(tokens)
}

/// Signs a person in so many times; the refresh tokens.
///
/// # Errors
/// [`BenchError`]
pub(super) fn sign_in(site: &Site<'_>, count: usize) -> Result<Vec<String>, BenchError> {
    let request = token::password_request(site)?;
    let right = answers::issued_with_refresh("sign-in by password");
    let bodies = ask_all(site.target, std::iter::repeat_n(request, count), &right, FAMILIES, site.hands)?;
    let refresh_token = |body: &Vec<u8>| Some(answers::Issued::read(body).ok()?.refresh_token?.to_owned());
    Ok(bodies.iter().filter_map(refresh_token).collect())
}

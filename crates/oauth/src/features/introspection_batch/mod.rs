//! Introspection of many tokens in one call: RFC 7662 for each, with the client authenticated once.
//!
//! One answer for each token, in order, and each the very bytes that a single call gives. No specification has such an
//! endpoint; why it looks like this is in `docs/design/decisions.md`.

use obol_keys::RefreshToken;
use obol_token::Scratch;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::introspection::{introspect_access_token, introspect_refresh_token};
use super::{ClientRule, Endpoint, Feature, Method, Part, Pending, Steps};
use crate::client_authentication::AuthenticatedClient;
use crate::engine::Call;
use crate::{Answer, Engine, ErrorCode, OAuthError, Outcome, Request, Surface};

/// Not of a specification.
pub(super) const FEATURE: Feature = Feature {
    name: "token introspection in batches",
    specification: "RFC 7662, many at once",
    endpoints: &[Endpoint {
        surface: Surface::Rfc,
        methods: &[Method::Post],
        path: PATH,
        steps: Steps::Authenticated { client: ClientRule::Confidential, only_tells: true, part },
    }],
    grants: &[],
    describe,
};

/// Where it is.
pub(super) const PATH: &str = "/oauth2/introspect/batch";

/// About the longest answer to one token; texts that are longer make the buffer grow.
const ANSWER_BYTES: usize = 320;

/// From memory, unless there is a refresh token among them.
fn part(request: &Request<'_>) -> Part {
    let tokens = request.body.required_texts("tokens").unwrap_or_default();
    match tokens.iter().any(|token| RefreshToken::parse(token).is_some()) {
        true => Part::Waiting(handle_any),
        false => Part::AtOnce(handle_access_tokens),
    }
}

fn handle_access_tokens<'a>(
    call: &Call<'a>,
    client: &AuthenticatedClient,
    scratch: &'a mut Scratch,
) -> Result<Answer<'a>, OAuthError> {
    let tokens = call.request.body.required_texts("tokens")?;
    let mut results = Results::for_count(tokens.len());
    for token in tokens {
        results.push(&introspect_access_token(call, client, token, scratch)?)?;
    }
    Ok(Answer::Introspections(results.done()))
}

/// Refresh tokens are looked up one after the other, so that a call never has more than one statement in work.
fn handle_any<'a>(call: &'a Call<'a>, client: AuthenticatedClient) -> Pending<'a> {
    Box::pin(async move {
        let tokens = call.request.body.required_texts("tokens")?;
        let mut results = Results::for_count(tokens.len());
        let mut scratch = Box::<Scratch>::default();
        for token in tokens {
            match RefreshToken::parse(token) {
                Some(token) => results.push(&introspect_refresh_token(call, &client, &token).await?)?,
                None => results.push(&introspect_access_token(call, &client, token, &mut scratch)?)?,
            }
        }
        Ok(Outcome::Done(Answer::Introspections(results.done())))
    })
}

/// The body as it is written: a list of the answers, which keep nothing of the tokens that they were read from.
struct Results(Vec<u8>);

impl Results {
    const BEGIN: &[u8] = b"{\"results\":[";

    fn for_count(count: usize) -> Self {
        let mut body = Vec::with_capacity(count.saturating_mul(ANSWER_BYTES).saturating_add(32));
        body.extend_from_slice(Self::BEGIN);
        Self(body)
    }

    fn push(&mut self, result: &impl Serialize) -> Result<(), OAuthError> {
        if self.0.len() > Self::BEGIN.len() {
            self.0.push(b',');
        }
        serde_json::to_writer(&mut self.0, result)
            .map_err(|_| OAuthError::new(ErrorCode::ServerError, "The answer could not be written."))
    }

    fn done(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"]}");
        self.0
    }
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    document.insert("obol_introspection_batch_endpoint".into(), json!(engine.settings.issuer.url(PATH)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Introspection;

    #[test]
    fn results_are_a_list_of_what_single_calls_answer() {
        assert_eq!(Results::for_count(0).done(), br#"{"results":[]}"#);
        let mut results = Results::for_count(2);
        for _ in 0..2 {
            results.push(&Introspection::INACTIVE).unwrap();
        }
        assert_eq!(results.done(), br#"{"results":[{"active":false},{"active":false}]}"#);
    }
}

//! What a browser brings to the authorization endpoint for a pushed request (RFC 9126 §4): the client and the reference.
//! Whatever else stands beside them counts for nothing.

use obol_keys::RequestReference;
use obol_store::{Client, ConsumeOutcome, HoldOutcome};
use obol_token::SecretHash;

use super::{PREFIX, anybody_may_push};
use crate::{Arrival, Authorizing, Engine, ErrorCode, OAuthError, Params, Surface};

/// A pushed request that a browser has brought.
pub(crate) struct Pushed {
    hash: SecretHash,
    form: String,
}

impl Pushed {
    /// The request to which the browser's refers; `None` if that holds its parameters itself.
    ///
    /// # Errors
    /// For a page, because where the client wants its answer is not known: the reference is unknown, used, another client's, or
    /// came too late.
    pub(crate) async fn find(
        engine: &Engine,
        asked: &Authorizing<'_>,
        client: &Client,
    ) -> Result<Option<Self>, OAuthError> {
        let Some(reference) = reference_in(asked)? else { return Ok(None) };
        let reference = RequestReference::parse(reference).ok_or_else(|| not_good("not a reference"))?;
        let (hash, now) = (reference.hash(), asked.arrival.now);
        let found = engine.store.find_pushed_request(hash, &client.id, now).await?;
        let found = found.ok_or_else(|| not_good("unknown, used, expired, or another client's"))?;
        if asked.arrives_first && now.has_reached(found.expires_at) {
            return Err(not_good("expired"));
        }
        Ok(Some(Self { hash, form: found.params }))
    }

    /// Its parameters.
    ///
    /// # Errors
    /// 500 for what was not kept as it should have been.
    pub(crate) fn params(&self) -> Result<Params<'_>, OAuthError> {
        Params::from_form(self.form.as_bytes()).map_err(|error| {
            let sentence = "The pushed request cannot be read; begin again at the application.";
            OAuthError::new(ErrorCode::ServerError, sentence).caused_by(error.to_string())
        })
    }

    /// Holds it for as long as the person may take, who is shown a page. Nobody else is on the way with it, so whatever no browser
    /// brings leaves when it expires.
    ///
    /// # Errors
    /// For a page: another answer was given meanwhile, or it has expired.
    pub(crate) async fn hold(
        &self,
        engine: &Engine,
        client: &Client,
        asked: &Authorizing<'_>,
    ) -> Result<(), OAuthError> {
        if !asked.arrives_first {
            return Ok(());
        }
        let now = asked.arrival.now;
        let leaves_at = now.plus_secs(Authorizing::ON_THE_WAY_SECS);
        match engine.store.hold_pushed_request(self.hash, &client.id, now, leaves_at).await? {
            HoldOutcome::Held => Ok(()),
            HoldOutcome::Gone => Err(not_good("used meanwhile, or expired")),
        }
    }

    /// Consumes it, for the one answer that the client gets.
    ///
    /// # Errors
    /// For a page: another answer was given meanwhile.
    pub(crate) async fn consume(
        &self,
        engine: &Engine,
        client: &Client,
        arrival: &Arrival,
    ) -> Result<(), OAuthError> {
        match engine.store.consume_pushed_request(self.hash, &client.id, arrival.now).await? {
            ConsumeOutcome::Consumed => {
                if anybody_may_push(client) {
                    engine.pushes.forget(arrival);
                }
                Ok(())
            }
            ConsumeOutcome::Gone => Err(not_good("used meanwhile")),
        }
    }
}

/// The reference, if there is one. What else may stand in `request_uri` is an address, and not for us.
fn reference_in<'a>(asked: &'a Authorizing<'_>) -> Result<Option<&'a str>, OAuthError> {
    match asked.surface {
        Surface::Rfc => Ok(asked.params.optional("request_uri")?.and_then(|uri| uri.strip_prefix(PREFIX))),
        Surface::FortiAuthenticator => Ok(None),
    }
}

fn not_good(cause: &'static str) -> OAuthError {
    let sentence = "What the application asked for has expired or was answered before; begin again there.";
    OAuthError::new(ErrorCode::InvalidRequestUri, sentence).caused_by(cause)
}

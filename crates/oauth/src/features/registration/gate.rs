//! Who may register a client, and which client manages itself.

use std::sync::Arc;

use obol_keys::{GuessPolicy, RegistrationToken, same_hash};
use obol_replica::NotVerified;
use obol_store::Client;
use obol_token::{Asked, Scratch};

use super::{RegistrationMode, RegistrationRequest, RegistrationSettings};
use crate::administration::ClientSpecError;
use crate::source_limit::SourceLimit;
use crate::{Engine, ErrorCode, OAuthError};

/// Where anybody may register clients: all that is written counts.
pub(crate) fn registration_limit() -> SourceLimit {
    let policy = GuessPolicy { free_tries: 100, first_delay_secs: 60, ..GuessPolicy::default() };
    SourceLimit::new(policy, "Too much was registered or changed from this address; wait before the next.")
}

/// Lets who registers a client in.
///
/// # Errors
/// 401 or 403 without a good initial access token, 429 over the limit.
pub(super) fn let_in(engine: &Engine, request: &RegistrationRequest<'_>) -> Result<(), OAuthError> {
    if engine.settings.registration.mode != RegistrationMode::Open {
        check_initial_access(engine, request)?;
    }
    slow_down(engine, request)
}

/// Counts what a stranger writes.
///
/// # Errors
/// 429 over the limit.
pub(super) fn slow_down(engine: &Engine, request: &RegistrationRequest<'_>) -> Result<(), OAuthError> {
    match engine.settings.registration.mode {
        RegistrationMode::Open => engine.registrations.count(&request.arrival),
        RegistrationMode::Token | RegistrationMode::Off => Ok(()),
    }
}

/// An initial access token is one that a client has for itself: no person can allow an application to register others.
fn check_initial_access(engine: &Engine, request: &RegistrationRequest<'_>) -> Result<(), OAuthError> {
    let token = presented(request)?;
    let vouched = engine.replica.vouch()?;
    let mut scratch = Box::<Scratch>::default();
    let verified = vouched.verify(token, Asked::AnyClient, request.arrival.now, &mut scratch);
    let claims = verified.map_err(|error| match error {
        NotVerified::Refused(refusal) => not_valid(refusal.reason()),
        NotVerified::Stale(stale) => stale.into(),
    })?;
    let reaches = claims.scopes.split(' ').any(|scope| scope == RegistrationSettings::SCOPE);
    if claims.subject.is_none() && reaches {
        return Ok(());
    }
    let sentence = "Clients are registered with a token for the scope `client_registration` that a client has for itself.";
    Err(OAuthError::new(ErrorCode::InsufficientScope, sentence))
}

/// A client that manages itself, and the token by which it does.
pub(super) struct Managed<'a> {
    pub(super) client: Arc<Client>,
    pub(super) token: &'a str,
}

/// The client of this id, if the token is its own and it is enabled.
///
/// # Errors
/// 401, the same whether there is such a client or not (RFC 7592 §2.1); 403 for one that is disabled (S-93).
pub(super) fn managed<'a>(
    engine: &Engine,
    id: &str,
    request: &'a RegistrationRequest<'_>,
) -> Result<Managed<'a>, OAuthError> {
    let token = presented(request)?;
    let hash = RegistrationToken::parse(token).ok_or_else(|| not_valid("not a registration token"))?.hash();
    let vouched = engine.replica.vouch()?;
    let client = vouched.memory().client(id).filter(|client| {
        let registration = client.settings.registration.as_ref();
        registration.is_some_and(|registration| same_hash(&registration.access_token, &hash))
    });
    let client = client.ok_or_else(|| not_valid("no client with this registration token"))?;
    match client.enabled {
        true => Ok(Managed { client, token }),
        false => {
            let sentence = "This client is disabled; ask the operator.";
            Err(OAuthError::new(ErrorCode::AccessDenied, sentence))
        }
    }
}

/// Whether a client may replace its registration; asked again when it is replaced, of what is stored then.
///
/// # Errors
/// [`ClientSpecError::Settled`]
pub(super) fn may_update(client: &Client) -> Result<(), ClientSpecError> {
    let registration = client.settings.registration.as_ref();
    match client.enabled && registration.is_some_and(|registration| registration.may_update) {
        true => Ok(()),
        false => Err(ClientSpecError::Settled),
    }
}

fn presented<'a>(request: &'a RegistrationRequest<'_>) -> Result<&'a str, OAuthError> {
    let sentence = "Send the token in the header `Authorization: Bearer …`.";
    request.bearer.ok_or_else(|| OAuthError::new(ErrorCode::NoToken, sentence))
}

pub(super) fn not_valid(cause: &'static str) -> OAuthError {
    let sentence = "The token is not valid here: unknown, expired, revoked, or another client's.";
    OAuthError::new(ErrorCode::InvalidToken, sentence).caused_by(cause)
}

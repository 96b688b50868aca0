//! Clients that authenticate with a JWT which they have signed: `private_key_jwt` and `client_secret_jwt` (OpenID Connect Core §9).
//! Home of RFC 7521 and RFC 7523.
//!
//! 1. The request presents one assertion, and nothing else.
//! 2. It names the client, which says with what it must be signed.
//! 3. The signature is verified.
//! 4. What it says is looked at.
//! 5. It is used, once: only now is anything written, so that nobody without a key makes rows.
//! 6. The client is looked up again: what was changed while its keys were waited for counts.

use std::sync::Arc;

use obol_keys::{ForeignJwt, JwtAlgorithm, JwtClaims, NotSigned, assertion_hash, has_generated_form};
use obol_store::{AssertionAudience, Client, ClientAuthMethod, UseOutcome};
use obol_token::Timestamp;

use super::client_keys::{KeysTrouble, verify_signed_by};
use super::{AuthenticatedClient, ClientAuthentication, Guesser, challenge_of};
use crate::engine::Call;
use crate::features::token_endpoint;
use crate::{Authorization, ErrorCode, OAuthError, Params, Request};

/// How far ahead of its arrival an assertion may expire, in seconds.
const MAX_LIFETIME_SECS: i64 = 300;
/// How far a client's clock may be ahead of ours, in seconds.
const CLOCK_SKEW_SECS: i64 = 10;
/// How long a used assertion is known after it has expired, in seconds: a node whose clock is behind takes it for good still.
const KNOWN_AFTER_EXPIRY_SECS: i64 = 60;
/// The most characters of its id.
const MAX_JTI_CHARS: usize = 256;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// `typ` of an assertion; the empty text is none.
const JWT_TYPES: [&str; 3] = ["", "JWT", "client-authentication+jwt"];

/// Whether a request presents an assertion, or a part of one.
pub(crate) fn bears_assertion(body: &Params<'_>) -> bool {
    body.names().any(|name| name.starts_with("client_assertion"))
}

/// The client that an assertion names, which nothing shows yet: for the audit record of a refusal.
pub(crate) fn claimed_client(body: &Params<'_>) -> Option<String> {
    let jwt = ForeignJwt::read(body.optional("client_assertion").ok()??).ok()?;
    jwt.danger_unverified_text("sub").map(str::to_owned)
}

impl ClientAuthentication {
    /// The client of a request that [`bears_assertion`], authenticated.
    ///
    /// # Errors
    /// `invalid_client` (401), `invalid_request` when two methods are used at once, 429 when throttled, 503 when its keys or the
    /// store cannot be reached.
    pub(crate) async fn authenticate_by_assertion(
        &self,
        call: &Call<'_>,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let authenticated = self.by_assertion(call).await;
        authenticated.map_err(|error| error.challenged(challenge_of(call.request)))
    }

    /// Steps 1 to 5.
    async fn by_assertion(&self, call: &Call<'_>) -> Result<AuthenticatedClient, OAuthError> {
        let assertion = presented(call.request)?;
        let jwt = ForeignJwt::read(assertion).map_err(|error| unusable(error.to_string()))?;
        if !jwt.is_of_type(&JWT_TYPES) {
            return Err(unusable("its `typ` is not `client-authentication+jwt` or `JWT`"));
        }
        let client = named_client(call, &jwt)?;
        let claims = self.verified(call, &client, &jwt).await?;
        let audiences = audiences_of(call, &client);
        let used = check_claims(claims, client.id.as_str(), &audiences, call.request.arrival.now)?;
        use_once(call, &client, &used).await?;
        Ok(AuthenticatedClient(client))
    }

    /// What it says, if it is signed as the client is registered to.
    async fn verified<'j>(
        &self,
        call: &Call<'_>,
        client: &Client,
        jwt: &'j ForeignJwt<'_>,
    ) -> Result<&'j JwtClaims, OAuthError> {
        match (client.settings.token_endpoint_auth_method, jwt.algorithm()) {
            (Some(ClientAuthMethod::PrivateKeyJwt), JwtAlgorithm::Signed(_)) => {
                verify_signed_by(call.engine, client, jwt).await.map_err(|trouble| match trouble {
                    KeysTrouble::NotSigned(error) => not_signed(error.to_string()),
                    KeysTrouble::Unreachable(error) => KeysTrouble::unreachable(error),
                    KeysTrouble::Unusable(cause) => not_signed(cause),
                })
            }
            (Some(ClientAuthMethod::ClientSecretJwt), JwtAlgorithm::Hs256) => {
                self.verified_with_secret(call, client, jwt)
            }
            _ => Err(not_signed("signed in another way than the client is registered to")),
        }
    }

    /// Guesses at a secret are counted as those of [`ClientAuthentication::authenticate`] are.
    fn verified_with_secret<'j>(
        &self,
        call: &Call<'_>,
        client: &Client,
        jwt: &'j ForeignJwt<'_>,
    ) -> Result<&'j JwtClaims, OAuthError> {
        let sealed = client.kind.secret().and_then(|secret| secret.sealed.as_deref());
        let memory = call.vouched.memory();
        let secret = sealed.and_then(|sealed| memory.unwrap_client_secret(&client.id, sealed));
        let secret = secret.ok_or_else(|| {
            let sentence = "The secret of this client cannot be read here; have it replaced.";
            OAuthError::new(ErrorCode::ServerError, sentence)
                .caused_by("it does not unwrap with this master key")
        })?;
        let guesser = Guesser::new(client.id.as_str(), &call.request.arrival);
        let guess = !has_generated_form(secret.reveal());
        if guess {
            self.refuse_throttled(&guesser)?;
        }
        let verified = jwt.verify_with_secret(&secret);
        if guess {
            self.count(&guesser, verified.is_ok());
        }
        verified.map_err(|error: NotSigned| not_signed(error.to_string()))
    }
}

/// The one assertion that a request presents (RFC 7521 §4.2).
fn presented<'a>(request: &'a Request<'_>) -> Result<&'a str, OAuthError> {
    let invalid = |sentence| OAuthError::new(ErrorCode::InvalidRequest, sentence);
    let body = &request.body;
    let basic = matches!(request.authorization, Authorization::Basic(_) | Authorization::MalformedBasic);
    if basic || body.optional("client_secret")?.is_some() {
        return Err(invalid("Authenticate the client in one way: with an assertion or with a secret."));
    }
    let assertion = body.required("client_assertion")?;
    match body.required("client_assertion_type")? {
        TYPE => Ok(assertion),
        _ => {
            let sentence = format!("The value of `client_assertion_type` must be `{TYPE}`.");
            Err(OAuthError::new(ErrorCode::InvalidClient, sentence))
        }
    }
}

/// The client that the assertion names. It is nobody's yet, and is looked up only to find its keys.
fn named_client(call: &Call<'_>, jwt: &ForeignJwt<'_>) -> Result<Arc<Client>, OAuthError> {
    let subject = jwt.danger_unverified_text("sub").ok_or_else(|| unusable("`sub` must be the client_id"))?;
    if call.request.body.optional("client_id")?.is_some_and(|client_id| client_id != subject) {
        return Err(unusable("its `sub` is another client than the parameter `client_id`"));
    }
    let client = call.vouched.memory().client(subject).ok_or_else(|| not_signed("unknown client"))?;
    match client.enabled {
        true => Ok(client),
        false => Err(not_signed("disabled client")),
    }
}

/// The client that was authenticated before this call, as it is known at this call.
///
/// # Errors
/// `invalid_client` (401) when it is disabled or deleted, 503 when it authenticates by something else.
pub(crate) fn as_it_is_now(
    call: &Call<'_>,
    before: &AuthenticatedClient,
) -> Result<AuthenticatedClient, OAuthError> {
    let now = call.vouched.memory().client(before.id.as_str()).filter(|client| client.enabled);
    let Some(now) = now else {
        let error = not_signed("disabled or deleted while its keys were fetched");
        return Err(error.challenged(challenge_of(call.request)));
    };
    if authenticates_by(&now) != authenticates_by(before) {
        let sentence =
            "This client was changed while its keys were fetched; ask again, with a new assertion.";
        return Err(OAuthError::unavailable(sentence, 1));
    }
    Ok(AuthenticatedClient(now))
}

/// All that decides whether an assertion is the client's.
fn authenticates_by(client: &Client) -> impl PartialEq + '_ {
    let settings = &client.settings;
    let keys = (&settings.jwks, &settings.jwks_uri);
    (&client.kind, settings.token_endpoint_auth_method, keys, settings.assertion_audience)
}

/// Of any number of times that it is presented, at any node, one succeeds.
async fn use_once(call: &Call<'_>, client: &Client, used: &Used<'_>) -> Result<(), OAuthError> {
    let hash = assertion_hash(client.id.as_str(), used.jti);
    let leaves_at = used.expires_at.plus_secs(KNOWN_AFTER_EXPIRY_SECS);
    match call.engine.store.use_assertion(hash, leaves_at, call.request.arrival.now).await? {
        UseOutcome::First => Ok(()),
        UseOutcome::Again => {
            Err(unusable("it was used before; make a new one, with another `jti`, each time"))
        }
    }
}

/// One of these the assertion must name as its audience.
fn audiences_of(call: &Call<'_>, client: &Client) -> Vec<String> {
    let (issuer, surface) = (call.engine.issuer(), call.request.endpoint.surface);
    let own = issuer.of(surface).into_owned();
    match client.settings.assertion_audience {
        AssertionAudience::Issuer => vec![own],
        AssertionAudience::TokenEndpoint => vec![token_endpoint::url(issuer, surface), own],
    }
}

/// What makes an assertion one of its kind.
#[derive(Debug, PartialEq, Eq)]
struct Used<'a> {
    jti: &'a str,
    expires_at: Timestamp,
}

/// RFC 7523 §3.
fn check_claims<'a>(
    claims: &'a JwtClaims,
    client_id: &str,
    audiences: &[String],
    now: Timestamp,
) -> Result<Used<'a>, OAuthError> {
    if [claims.text("iss"), claims.text("sub")] != [Some(client_id); 2] {
        return Err(unusable("its `iss` and `sub` must both be the client_id"));
    }
    // A request object travels through browsers (RFC 9101 §10.8), and may look like an assertion otherwise.
    if claims.get("response_type").is_some() {
        return Err(unusable("it is a request object: `response_type` is none of its claims"));
    }
    // One text: an assertion for several servers could be carried from one of them to another.
    if !claims.text("aud").is_some_and(|named| audiences.iter().any(|audience| audience == named)) {
        let known = audiences.join("` or `");
        return Err(unusable(format!("its `aud` must be `{known}` alone, as a text")));
    }
    let time = |name| claims.time(name).map_err(|error| unusable(format!("{error}: `{name}`")));
    let expires_at = time("exp")?.ok_or_else(|| unusable("it has no `exp`"))?;
    if now.has_reached(expires_at) {
        return Err(unusable("it has expired"));
    }
    if now.secs_until(expires_at) > MAX_LIFETIME_SECS + CLOCK_SKEW_SECS {
        return Err(unusable(format!("its `exp` is more than {MAX_LIFETIME_SECS} seconds ahead")));
    }
    for name in ["iat", "nbf"] {
        if time(name)?.is_some_and(|at| now.secs_until(at) > CLOCK_SKEW_SECS) {
            return Err(unusable(format!("its `{name}` is in the future")));
        }
    }
    let jti = claims.text("jti").filter(|jti| (1..=MAX_JTI_CHARS).contains(&jti.chars().count()));
    let jti =
        jti.ok_or_else(|| unusable(format!("its `jti` must be a text of 1 to {MAX_JTI_CHARS} characters")))?;
    Ok(Used { jti, expires_at })
}

/// `why` is for the client to read.
fn unusable(why: impl AsRef<str>) -> OAuthError {
    let sentence = format!("The client assertion is not good: {}.", why.as_ref());
    OAuthError::new(ErrorCode::InvalidClient, sentence)
}

/// One answer to who has not shown to be the client, whatever the cause.
fn not_signed(cause: impl Into<std::borrow::Cow<'static, str>>) -> OAuthError {
    let sentence = "The client is not known here, or the assertion is not signed as the client is registered to; check `sub`, `alg`, `kid` and the keys.";
    OAuthError::new(ErrorCode::InvalidClient, sentence).caused_by(cause)
}

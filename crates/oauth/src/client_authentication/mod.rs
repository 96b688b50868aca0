//! Client authentication (RFC 6749 §2.3), once, for every endpoint that asks for it.
//!
//! Methods (OpenID Connect Core §9): `none` for public clients; for confidential ones `client_secret_basic` and
//! `client_secret_post`, from memory at once, and by [`assertion`] `client_secret_jwt` and `private_key_jwt`. Only the method
//! with which a client is registered counts, if it is registered with one.

mod assertion;
pub(crate) mod client_keys;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use obol_keys::{GuessPolicy, Guesses, PlainSecret, has_generated_form, is_client_secret};
use obol_replica::Memory;
use obol_store::{Client, ClientAuthMethod, ClientKind};
use obol_token::{Algorithm, SecretHash, Timestamp};
use serde_json::{Map, Value, json};

pub(crate) use self::assertion::{as_it_is_now, bears_assertion, claimed_client};
use crate::source_limit::too_many;
use crate::{Arrival, Authorization, Challenge, ErrorCode, OAuthError, Params, Request, Surface};

/// A client that is enabled and has shown who it is.
#[derive(Debug, Clone)]
pub(crate) struct AuthenticatedClient(Arc<Client>);

impl std::ops::Deref for AuthenticatedClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

/// Authenticates clients and slows down those who guess secrets, per client and source and per source.
///
/// A throttled source is refused from that source only, so one guesser does not lock a client out; and a secret of
/// the form that we generate is always compared, for it cannot be guessed, and its owner may share the guesser's address.
pub(crate) struct ClientAuthentication {
    by_client_and_source: Guesses,
    by_source: Guesses,
    /// Compared with when there is no client, so that it takes the same time.
    decoy: SecretHash,
}

/// What a request presents.
struct Presented<'a> {
    client_id: &'a str,
    secret: Option<&'a str>,
    method: ClientAuthMethod,
}

impl<'a> Presented<'a> {
    fn new(client_id: &'a str, secret: Option<&'a str>, method: ClientAuthMethod) -> Self {
        // Without a secret it shows nothing, whatever way it goes.
        let method = if secret.is_some() { method } else { ClientAuthMethod::None };
        Self { client_id, secret, method }
    }
}

impl ClientAuthentication {
    pub(crate) fn new() -> Self {
        // Short, for whoever shares the guesser's address or, by chance, a count with it.
        let policy = |free_tries| GuessPolicy {
            free_tries,
            longest_delay_secs: 60,
            forget_after_secs: 600,
            ..GuessPolicy::default()
        };
        Self {
            by_client_and_source: Guesses::new(policy(30), Guesses::SLOTS / 8),
            by_source: Guesses::new(policy(200), Guesses::SLOTS / 8),
            decoy: PlainSecret::generate().hash(),
        }
    }

    /// The client of a request, authenticated.
    ///
    /// # Errors
    /// `invalid_client` (401), `invalid_request` when two methods are used at once, 429 when throttled.
    pub(crate) fn authenticate(
        &self,
        request: &Request<'_>,
        memory: &Memory,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let challenge = challenge_of(request);
        let presented =
            presented(&request.authorization, &request.body).map_err(|error| error.challenged(challenge))?;
        self.check(&presented, memory, &request.arrival).map_err(|error| error.challenged(challenge))
    }

    /// Whether the header shows a secret that the server has made, of a client that is enabled: one that no guess can
    /// be, so that nothing is counted.
    pub(crate) fn is_shown_in_header(&self, authorization: &Authorization<'_>, memory: &Memory) -> bool {
        let Authorization::Basic(basic) = authorization else { return false };
        let secret = basic.client_secret();
        let client = memory.client(basic.client_id());
        let presented = Presented::new(basic.client_id(), Some(secret), ClientAuthMethod::ClientSecretBasic);
        has_generated_form(secret) && is_authentic(client.as_deref(), &presented, &self.decoy).is_ok()
    }

    fn check(
        &self,
        presented: &Presented<'_>,
        memory: &Memory,
        arrival: &Arrival,
    ) -> Result<AuthenticatedClient, OAuthError> {
        // Who sends no secret guesses none.
        let guess = presented.secret.filter(|secret| !has_generated_form(secret)).is_some();
        let guesser = Guesser::new(presented.client_id, arrival);
        if guess {
            self.refuse_throttled(&guesser)?;
        }
        let client = memory.client(presented.client_id);
        let verdict = is_authentic(client.as_deref(), presented, &self.decoy);
        if guess {
            self.count(&guesser, verdict.is_ok());
        }
        match (verdict, client) {
            (Ok(()), Some(client)) => Ok(AuthenticatedClient(client)),
            (verdict, _) => Err(invalid_client().caused_by(verdict.err().unwrap_or("unknown client"))),
        }
    }

    fn count(&self, guesser: &Guesser<'_>, right: bool) {
        let Guesser { keys, now } = guesser;
        if right {
            self.by_client_and_source.succeeded(&keys.0);
        } else {
            self.by_client_and_source.failed(&keys.0, *now);
            self.by_source.failed(&keys.1, *now);
        }
    }

    fn refuse_throttled(&self, Guesser { keys, now }: &Guesser<'_>) -> Result<(), OAuthError> {
        let now = *now;
        let until = self.by_client_and_source.blocked_until(&keys.0, now);
        let until = until.max(self.by_source.blocked_until(&keys.1, now));
        let Some(until) = until else { return Ok(()) };
        let sentence = "Too many wrong client secrets came from this address; wait before the next try.";
        Err(too_many(sentence, now, until))
    }
}

/// Who may be guessing a secret: by client and network, and by network; and when.
struct Guesser<'a> {
    keys: ((&'a str, IpAddr), IpAddr),
    now: Timestamp,
}

impl<'a> Guesser<'a> {
    fn new(client_id: &'a str, arrival: &Arrival) -> Self {
        let source = network_of(arrival.source);
        Self { keys: ((client_id, source), source), now: arrival.since_boot }
    }
}

/// Who has one IPv6 address has its /64 to choose from.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// Whether the client is enabled, the secret is its own, and it may show it so; the error is the private cause.
fn is_authentic(
    client: Option<&Client>,
    presented: &Presented<'_>,
    decoy: &SecretHash,
) -> Result<(), &'static str> {
    let stored = client.and_then(|client| client.kind.secret()).map_or(decoy, |secret| &secret.hash);
    let matches = presented.secret.is_some_and(|secret| is_client_secret(secret, stored));
    let client = client.ok_or("unknown client")?;
    if !client.enabled {
        return Err("disabled client");
    }
    let registered = client.settings.token_endpoint_auth_method;
    match (&client.kind, presented.secret) {
        (ClientKind::Public, None) => Ok(()),
        (ClientKind::Public, Some(_)) => Err("a public client presented a secret"),
        (ClientKind::Keyed, _) => Err("a client with a key presented no assertion"),
        (ClientKind::Confidential(_), None) => Err("no client secret"),
        (ClientKind::Confidential(_), Some(_)) if !matches => Err("wrong client secret"),
        (ClientKind::Confidential(_), Some(_)) => match registered.is_none_or(|m| m == presented.method) {
            true => Ok(()),
            false => Err("the right client secret by another method than the registered one"),
        },
    }
}

/// The one set of credentials that a request presents.
fn presented<'a>(
    authorization: &'a Authorization<'_>,
    body: &'a Params<'_>,
) -> Result<Presented<'a>, OAuthError> {
    let client_id = body.optional("client_id")?;
    let client_secret = body.optional("client_secret")?;
    match authorization {
        Authorization::MalformedBasic => Err(invalid_client().caused_by("malformed Basic credentials")),
        Authorization::Basic(basic) => {
            if client_secret.is_some() || client_id.is_some_and(|id| id != basic.client_id()) {
                let sentence =
                    "Send the client credentials once: in the Authorization header or in the body.";
                return Err(OAuthError::new(ErrorCode::InvalidRequest, sentence));
            }
            let secret = Some(basic.client_secret()).filter(|secret| !secret.is_empty());
            Ok(Presented::new(basic.client_id(), secret, ClientAuthMethod::ClientSecretBasic))
        }
        Authorization::None | Authorization::Bearer(_) => match client_id {
            Some(client_id) => {
                Ok(Presented::new(client_id, client_secret, ClientAuthMethod::ClientSecretPost))
            }
            None => Err(invalid_client().caused_by("no client_id")),
        },
    }
}

fn invalid_client() -> OAuthError {
    let sentence = "The client is not known here or did not authenticate as it is registered to; check client_id, client_secret and the method.";
    OAuthError::new(ErrorCode::InvalidClient, sentence)
}

fn challenge_of(request: &Request<'_>) -> Challenge {
    match (&request.authorization, request.endpoint.surface) {
        (Authorization::Basic(_) | Authorization::MalformedBasic, _) | (_, Surface::Rfc) => Challenge::Basic,
        (Authorization::None | Authorization::Bearer(_), Surface::FortiAuthenticator) => Challenge::Bearer,
    }
}

/// Which methods an endpoint takes (RFC 8414 §2). `public`: whether it is for public clients, too.
pub(crate) fn describe_methods(document: &mut Map<String, Value>, endpoint: &str, public: bool) {
    let taken = |method: &ClientAuthMethod| public || *method != ClientAuthMethod::None;
    let methods: Vec<_> =
        ClientAuthMethod::ALL.into_iter().filter(taken).map(ClientAuthMethod::name).collect();
    let mut algorithms = Algorithm::ALL.map(Algorithm::name).to_vec();
    algorithms.push("HS256");
    document.insert(format!("{endpoint}_auth_methods_supported"), json!(methods));
    document.insert(format!("{endpoint}_auth_signing_alg_values_supported"), json!(algorithms));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_are_one_guesser() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}

//! People at a gateway: how a browser that is signed in here becomes known at the host of an application.
//!
//! Cookies are host-only, so the application's host has one of its own, which opens the session there and nowhere else:
//!
//! 1. `/forward-auth` finds nobody, leaves a random text in a cookie of that host, and names a ticket here.
//! 2. `/continue` with that ticket: the person signs in, or is already, and goes back to the address with a *handover*, good
//!    for a minute.
//! 3. `/forward-auth` sees it in the address, together with the cookie of step 1: it sets the *pass* and leads to the bare
//!    address.
//! 4. From then on the pass opens the session, which is looked up each time: what ends it ends this at once.
//!
//! Handover and pass are sealed. Neither says the session's secret, only its hash.

use http::{HeaderMap, HeaderValue, StatusCode};
use obol_oauth::{Arrival, OAuthError};
use obol_store::Session;
use obol_token::{SecretHash, Timestamp};
use serde::{Deserialize, Serialize};

use super::Pages;
use super::cookies::Cookie;
use super::onward::ContinuePage;
use super::reply::{Forms, redirect};
use super::ticket::{Purpose, Target, Ticket};
use super::trouble::Trouble;
use super::visit::{Visit, new_browser};
use crate::gateway::Address;
use crate::server::Answer;

/// The parameter with the handover, the last of the address.
const PARAM: &str = "obol_handover=";

/// How long a handover is good, in seconds: for a redirect.
const HANDOVER_SECS: i64 = 60;

/// Who is at a gateway.
#[derive(Debug)]
pub(crate) enum AtGateway {
    /// A person who is signed in.
    Person(Session),
    /// A person who comes from signing in, and has to go to the bare address with a cookie.
    Comes(Way),
    /// Nobody is known.
    Nobody,
}

/// Where a browser is to go, with what.
#[derive(Debug)]
pub(crate) struct Way {
    /// The URL.
    pub(crate) location: String,
    /// The value of `Set-Cookie`.
    pub(crate) cookie: Option<HeaderValue>,
}

/// What is sealed for the host of an application. The names of the cases keep the two apart, and from tickets.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum Sealed {
    Handover { url: String, browser: String, secret: String, sealed_at: i64 },
    Pass { origin: String, secret: String },
}

impl Pages {
    /// Whether sign-in may lead back there: a host of the setting, by the scheme of the issuer.
    pub(crate) fn is_gateway_host(&self, address: &Address) -> bool {
        let scheme = if self.origin.starts_with("https:") { "https" } else { "http" };
        address.is_by(scheme) && self.gateway_hosts.iter().any(|host| address.is_at(host))
    }

    /// Who is there. `address` is one for which [`Self::is_gateway_host`] holds, or none.
    ///
    /// # Errors
    /// 503 without a lease, or when storage fails.
    pub(crate) async fn at_gateway(
        &self,
        fields: &HeaderMap,
        address: Option<&Address>,
        arrival: Arrival,
    ) -> Result<AtGateway, OAuthError> {
        // As everywhere: a node that may have missed an end says so, and not that somebody is signed in.
        self.engine.position()?;
        let now = arrival.now;
        if let Some(way) =
            address.map(|address| self.handed_over(fields, address, now)).transpose()?.flatten()
        {
            return Ok(AtGateway::Comes(way));
        }
        let here = self.cookies.session(fields).map(|secret| secret.hash());
        let there = match address {
            Some(address) => self.pass_of(fields, address)?,
            None => None,
        };
        for secret in [here, there].into_iter().flatten() {
            if let Some(session) = self.desk.find_by_hash(secret, now).await? {
                return Ok(AtGateway::Person(session));
            }
        }
        Ok(AtGateway::Nobody)
    }

    /// Where a browser signs in that wants to go to this address.
    ///
    /// # Errors
    /// 503 without a lease.
    pub(crate) fn way_to_sign_in(
        &self,
        fields: &HeaderMap,
        address: &Address,
        arrival: Arrival,
    ) -> Result<Way, OAuthError> {
        let held = self.cookies.read(fields, Cookie::GatewayBrowser);
        let browser = held.map_or_else(new_browser, ToOwned::to_owned);
        let cookie = held.is_none().then(|| self.cookies.set(Cookie::GatewayBrowser, &browser)).flatten();
        // A handover that was no good is not carried on.
        let (bare, _) = split_handover(address.uri());
        let target = Target::Gateway { url: format!("{}{bare}", address.origin()), browser };
        let ticket = Ticket::new(Purpose::Begin, target, arrival.now, "");
        let ticket = self.engine.seal_ticket(ticket.encode())?;
        Ok(Way { location: self.engine.issuer().url(&format!("/continue?ticket={ticket}")), cookie })
    }

    /// Where an address leads that hands a session over: to the bare one, with the pass if the handover is for this address and this
    /// browser. One that is not is not passed on either, for the application to write into its log.
    fn handed_over(
        &self,
        fields: &HeaderMap,
        address: &Address,
        now: Timestamp,
    ) -> Result<Option<Way>, OAuthError> {
        let (bare, Some(handover)) = split_handover(address.uri()) else { return Ok(None) };
        let location = format!("{}{bare}", address.origin());
        let Some(Sealed::Handover { url, browser, secret, sealed_at }) = self.unseal(handover)? else {
            return Ok(None);
        };
        let age = Timestamp::from_secs(sealed_at).secs_until(now);
        let held = self.cookies.read(fields, Cookie::GatewayBrowser);
        if url != location || held != Some(&*browser) || !(-HANDOVER_SECS..HANDOVER_SECS).contains(&age) {
            return Ok(Some(Way { location, cookie: None }));
        }
        let pass = self.seal(&Sealed::Pass { origin: address.origin(), secret })?;
        let cookie = self.cookies.set(Cookie::GatewayPass, &pass);
        Ok(cookie.map(|cookie| Way { location, cookie: Some(cookie) }))
    }

    /// The session that the cookie of this host opens.
    fn pass_of(&self, fields: &HeaderMap, address: &Address) -> Result<Option<SecretHash>, OAuthError> {
        let Some(pass) = self.cookies.read(fields, Cookie::GatewayPass) else { return Ok(None) };
        Ok(match self.unseal(pass)? {
            Some(Sealed::Pass { origin, secret }) if origin == address.origin() => read_hash(&secret),
            _ => None,
        })
    }

    fn seal(&self, sealed: &Sealed) -> Result<String, OAuthError> {
        // Texts and numbers always become JSON.
        self.engine.seal_ticket(serde_json::to_vec(sealed).unwrap_or_default())
    }

    fn unseal(&self, text: &str) -> Result<Option<Sealed>, OAuthError> {
        Ok(self.engine.open_ticket(text)?.and_then(|plain| serde_json::from_slice(&plain).ok()))
    }
}

impl Visit<'_> {
    /// Goes on with a ticket to the host of an application: signs in first, if nobody is.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) fn go_to_gateway(&self, ticket: &Ticket) -> Result<Answer, Trouble> {
        let Target::Gateway { url, browser } = &ticket.target else { return Err(Trouble::Unreadable) };
        let (Some(_), Some(secret)) = (&self.session, &self.secret) else {
            return self.ask_to_sign_in_for(ticket.target.clone(), None);
        };
        let handover = self.pages.seal(&Sealed::Handover {
            url: url.clone(),
            browser: browser.clone(),
            secret: hex::encode(secret.hash().as_bytes()),
            sealed_at: self.arrival.now.as_secs(),
        })?;
        let separator = if url.contains('?') { '&' } else { '?' };
        let location = format!("{url}{separator}{PARAM}{handover}");
        if ticket.purpose == Purpose::Begin {
            return redirect(StatusCode::FOUND, &location).ok_or(Trouble::Unreadable);
        }
        // After a form of ours, as on the way to a client.
        let destination = Address::of_url(url).map(|address| address.origin()).unwrap_or_default();
        self.show(StatusCode::OK, Forms::Here { scheme: None }, &ContinuePage::to(location, destination))
    }
}

/// The address without its handover, and the handover.
fn split_handover(uri: &str) -> (&str, Option<&str>) {
    let found = uri.rfind(PARAM).and_then(|at| {
        let (before, handover) = (uri.get(..at)?, uri.get(at + PARAM.len()..)?);
        let bare = before.strip_suffix(['?', '&'])?;
        (!handover.contains('&')).then_some((bare, Some(handover)))
    });
    found.unwrap_or((uri, None))
}

fn read_hash(text: &str) -> Option<SecretHash> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(SecretHash::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handover_is_the_last_parameter() {
        for (uri, bare, handover) in [
            ("/a", "/a", None),
            ("/a?obol_handover=x", "/a", Some("x")),
            ("/a?b=c&obol_handover=x", "/a?b=c", Some("x")),
            ("/a?obol_handover=x&obol_handover=y", "/a?obol_handover=x", Some("y")),
            ("/a?obol_handover=x&b=c", "/a?obol_handover=x&b=c", None),
            ("/a?bobol_handover=x", "/a?bobol_handover=x", None),
            ("/obol_handover=x", "/obol_handover=x", None),
        ] {
            assert_eq!(split_handover(uri), (bare, handover), "{uri}");
        }
    }

    #[test]
    fn what_is_sealed_for_one_thing_is_not_read_as_another() {
        let target = Target::Gateway { url: "https://a/".to_owned(), browser: "b".to_owned() };
        let ticket = Ticket::new(Purpose::Begin, target, Timestamp::from_secs(0), "").encode();
        assert!(serde_json::from_slice::<Sealed>(&ticket).is_err());
        for sealed in [
            Sealed::Pass { origin: "https://a".to_owned(), secret: String::new() },
            Sealed::Handover {
                url: "https://a/".to_owned(),
                browser: "b".to_owned(),
                secret: String::new(),
                sealed_at: 0,
            },
        ] {
            assert!(Ticket::decode(&serde_json::to_vec(&sealed).unwrap()).is_none(), "{sealed:?}");
        }
    }
}

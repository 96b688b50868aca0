//! What the pages and the engine say to each other about an authorization request (RFC 6749 §4.1.1) on its way.
//!
//! The pages hold nothing between two requests of a browser: they hand in the whole request each time, with what the person has
//! done for it so far, and the engine says what comes next.

use obol_store::{Client, ClientSettings};
use obol_token::{Lifetime, Scopes, SessionId, SubjectId, Timestamp};
use serde::Serialize;

use crate::features::authorization::destination_of;
use crate::{Arrival, Params, Surface};

/// A person signed in with this browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub subject: SubjectId,
    /// The person's name.
    pub username: String,
    /// When the person last signed in.
    pub authenticated_at: Timestamp,
    /// How, blank-separated (`amr`).
    pub methods: String,
}

/// An authorization request, and what was done for it so far.
pub struct Authorizing<'a> {
    /// Where it arrived.
    pub surface: Surface,
    /// Its parameters.
    pub params: &'a Params<'a>,
    /// The request of the browser that hands it in now.
    pub arrival: Arrival,
    /// Whether the browser comes with it from the client, and not again from a page of ours: what the request names must not
    /// have expired then (RFC 9126 §4).
    pub arrives_first: bool,
    /// When it arrived first: who has signed in since has signed in for it.
    pub began_at: Timestamp,
    /// Who is signed in.
    pub person: Option<&'a SignedIn>,
    /// Whether that person chose to go on under this name, where others may be chosen.
    pub account_chosen: bool,
    /// What that person has just answered on the page of consent.
    pub decision: Option<Decision>,
    /// The scopes that this page has named: no others are allowed by the answer.
    pub told: Option<&'a Scopes>,
    /// [`ConsentAsked::shown`] of that page: nothing else is allowed by the answer.
    pub shown: Option<&'a str>,
}

impl Authorizing<'_> {
    /// As long as the pages may take a request from one to the next, in seconds.
    pub const ON_THE_WAY_SECS: i64 = 3_600;
}

/// An answer on the page of consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The client may.
    Allow,
    /// It may not.
    Deny,
}

/// What comes next. What must not go to the client, because client or redirect URI are not good, is an error instead, for a
/// page (RFC 6749 §4.1.2.1).
#[derive(Debug)]
pub enum Authorized {
    /// The browser goes back to the client with this.
    Answer(AuthorizationAnswer),
    /// Somebody must sign in, or choose an account.
    SignIn(SignInAsked),
    /// The person must be asked.
    Consent(ConsentAsked),
}

/// What goes back to the client through the browser (RFC 6749 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationAnswer {
    /// Where to: one of the client's own.
    pub redirect_uri: String,
    /// How.
    pub mode: ResponseMode,
    /// The parameters.
    pub params: Vec<(&'static str, String)>,
}

/// How an answer travels (OAuth 2.0 Multiple Response Types §2.1, OAuth 2.0 Form Post Response Mode).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    Query,
    /// In its fragment.
    Fragment,
    /// In a form that the browser posts there.
    FormPost,
}

impl ResponseMode {
    /// All of them, the default first.
    pub const ALL: [Self; 3] = [Self::Query, Self::Fragment, Self::FormPost];

    /// Its value of `response_mode`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }
}

impl AuthorizationAnswer {
    /// What a person is told of where it goes: a host, or the scheme of an application on the device.
    pub fn destination(&self) -> &str {
        destination_of(&self.redirect_uri)
    }

    /// The URL to which the browser goes; for [`ResponseMode::FormPost`] the one to which the form goes, without parameters.
    pub fn location(&self) -> String {
        let encoded = || {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(&self.params).finish()
        };
        match self.mode {
            _ if self.params.is_empty() => self.redirect_uri.clone(),
            ResponseMode::FormPost => self.redirect_uri.clone(),
            ResponseMode::Fragment => format!("{}#{}", self.redirect_uri, encoded()),
            // RFC 6749 §3.1.2: a query of the redirect URI stays.
            ResponseMode::Query => {
                let joint = if self.redirect_uri.contains('?') { '&' } else { '?' };
                format!("{}{joint}{}", self.redirect_uri, encoded())
            }
        }
    }
}

/// What the page of sign-in needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInAsked {
    /// For which client, by its name for people.
    pub client_name: String,
    /// What it says of itself.
    pub links: ClientLinks,
    /// `login_hint`: which name may stand in the form already.
    pub login_hint: Option<String>,
    /// `ui_locales`: the languages asked for, the best first.
    pub ui_locales: Vec<String>,
    /// Where the client wants its answer.
    pub redirect_uri: String,
    /// The name of who is signed in and may go on without a password, where an account is to be chosen.
    pub go_on_as: Option<String>,
}

/// What a request to sign out comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOutAsked {
    /// Whether the person must be asked before the session ends.
    pub ask: bool,
    /// Which client asks for it, by its name for people, if one is named.
    pub client_name: Option<String>,
    /// Where the browser goes afterwards, if it goes back to the client.
    pub onward: Option<AuthorizationAnswer>,
}

/// What the page of consent needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentAsked {
    /// Which client, by its name for people.
    pub client_name: String,
    /// Its `client_id`.
    pub client_id: String,
    /// The host of its `client_id`, where nobody has registered it, and all that is known is who holds that host.
    pub known_by: Option<String>,
    /// What it says of itself.
    pub links: ClientLinks,
    /// Who is asked.
    pub username: String,
    /// Stands for what the page shows beside the scopes, to be handed in with the answer: client, resource and where the
    /// browser goes may be others when the person has read it.
    pub shown: String,
    /// What it would be granted.
    pub scopes: Vec<String>,
    /// For which resources (RFC 8707).
    pub resources: Vec<String>,
    /// How long an access token lives.
    pub access_token_lifetime: Lifetime,
    /// Whether it may go on without the person, by refresh tokens.
    pub goes_on: bool,
    /// The host to which the browser goes then, or the scheme of an application on the device.
    pub destination: String,
    /// Where the client wants its answer.
    pub redirect_uri: String,
    /// `ui_locales`.
    pub ui_locales: Vec<String>,
}

/// Pages of a client for people (RFC 7591 §2), which the server does not know; `https` URLs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClientLinks {
    /// `policy_uri`: what it does with what it is told of people.
    pub policy_uri: Option<String>,
    /// `tos_uri`: its terms of service.
    pub tos_uri: Option<String>,
}

impl ClientLinks {
    pub(crate) fn of(client: &Client) -> Self {
        let ClientSettings { policy_uri, tos_uri, .. } = &client.settings;
        Self { policy_uri: policy_uri.clone(), tos_uri: tos_uri.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(redirect_uri: &str, mode: ResponseMode) -> AuthorizationAnswer {
        let params = vec![("code", "a b".to_owned()), ("state", "x&y=<>".to_owned())];
        AuthorizationAnswer { redirect_uri: redirect_uri.to_owned(), mode, params }
    }

    #[test]
    fn rfc6749_3_1_2_a_query_of_the_redirect_uri_stays() {
        let sent = "code=a+b&state=x%26y%3D%3C%3E";
        for (uri, mode, expected) in [
            ("https://a/b", ResponseMode::Query, format!("https://a/b?{sent}")),
            ("https://a/b?c=d", ResponseMode::Query, format!("https://a/b?c=d&{sent}")),
            ("https://a/b?c=d", ResponseMode::Fragment, format!("https://a/b?c=d#{sent}")),
            ("https://a/b", ResponseMode::FormPost, "https://a/b".to_owned()),
        ] {
            assert_eq!(answer(uri, mode).location(), expected);
        }
    }
}

//! One request of a browser, with what it brings along.

use std::sync::Arc;

use http::header::{ACCEPT_LANGUAGE, HOST, ORIGIN, USER_AGENT};
use http::{HeaderMap, HeaderName, Method};
use obol_keys::SessionSecret;
use obol_oauth::{Arrival, OAuthError, Params, SignedIn, Surface};
use obol_store::Session;

use super::Pages;
use super::cookies::Cookie;
use super::messages::Catalog;
use super::ticket::{Purpose, Target, Ticket};
use super::trouble::Trouble;
use crate::intake;
use crate::server::Whole;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A request of a browser.
pub(super) struct Visit<'a> {
    pub(super) pages: &'a Pages,
    pub(super) arrival: Arrival,
    /// What was posted, or what stands in the URL.
    pub(super) form: Params<'a>,
    /// The language of its pages.
    pub(super) catalog: Arc<Catalog>,
    /// The secret in its cookie.
    pub(super) secret: Option<SessionSecret>,
    /// The session that the secret opens.
    pub(super) session: Option<Session>,
    /// What binds forms to it: from its cookie, or made now.
    pub(super) browser: String,
    /// Whether `browser` was made now.
    pub(super) is_new: bool,
    fields: &'a HeaderMap,
}

impl<'a> Visit<'a> {
    /// Reads the request and finds the session. Only what is not `foreign` has to come from our own pages.
    ///
    /// # Errors
    /// [`Trouble`] for a form that is malformed or comes from elsewhere, and when storage fails.
    pub(super) async fn read(
        pages: &'a Pages,
        request: &Whole<'a, HeaderMap>,
        arrival: Arrival,
        foreign: bool,
    ) -> Result<Self, Trouble> {
        let fields = request.fields;
        let form = match *request.method {
            Method::POST => {
                if !foreign {
                    pages.refuse_other_sites(fields)?;
                }
                intake::read_body(Surface::Rfc, fields, request.body)?
            }
            _ => {
                Params::from_form(request.query.unwrap_or_default().as_bytes()).map_err(intake::malformed)?
            }
        };
        let secret = pages.cookies.session(fields);
        let session = match &secret {
            Some(secret) => pages.desk.find(secret, arrival.now).await.map_err(OAuthError::from)?,
            None => None,
        };
        let held = pages.cookies.read(fields, Cookie::Browser);
        Ok(Self {
            pages,
            arrival,
            catalog: pages.catalog_for(fields, ""),
            form,
            secret,
            session,
            browser: held.map_or_else(new_browser, ToOwned::to_owned),
            is_new: held.is_none(),
            fields,
        })
    }

    /// Who is signed in.
    pub(super) fn signed_in(&self) -> Option<SignedIn> {
        self.session.as_ref().map(|session| SignedIn {
            session: session.id,
            subject: session.subject,
            username: session.username.as_str().to_owned(),
            authenticated_at: session.authenticated_at,
            methods: session.methods.clone(),
        })
    }

    /// From here on in the best of these languages.
    pub(super) fn speak(&mut self, ui_locales: &str) {
        self.catalog = self.pages.catalog_for(self.fields, ui_locales);
    }

    /// The session, if the form carries its token.
    ///
    /// # Errors
    /// [`Trouble`] when the form is of another session, or of none.
    pub(super) fn session_of_form(&self) -> Result<Option<&Session>, Trouble> {
        let token = self.form.optional("form_token")?.unwrap_or_default();
        match (&self.session, &self.secret) {
            (Some(session), Some(secret)) if secret.is_form_token(token) => Ok(Some(session)),
            (Some(_), _) => Err(Trouble::Expired { again: Some(self.pages.url("/sessions")) }),
            (None, _) => Ok(None),
        }
    }

    /// What the forms of the session carry; empty without one.
    pub(super) fn form_token(&self) -> String {
        self.secret
            .as_ref()
            .filter(|_| self.session.is_some())
            .map(SessionSecret::form_token)
            .unwrap_or_default()
    }

    /// The ticket in the form, if it is for one of these purposes, this browser and this time.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) fn ticket(&mut self, purposes: &[Purpose]) -> Result<Ticket, Trouble> {
        let text = self.form.optional("ticket")?.unwrap_or_default();
        let bytes = self.pages.engine.open_ticket(text)?.ok_or(Trouble::Unreadable)?;
        let ticket = Ticket::decode(&bytes).ok_or(Trouble::Unreadable)?;
        if let Target::Client { query, .. } = &ticket.target {
            self.catalog = self.pages.catalog_for(self.fields, &ui_locales(query));
        }
        if !purposes.contains(&ticket.purpose) {
            return Err(Trouble::Unreadable);
        }
        let again = || Some(self.pages.url_of(&ticket.target));
        if !ticket.is_for(Some(&self.browser).filter(|_| !self.is_new).map(String::as_str)) {
            return Err(Trouble::Elsewhere { again: again() });
        }
        match ticket.has_expired(self.arrival.now) {
            true => Err(Trouble::Expired { again: again() }),
            false => Ok(ticket),
        }
    }

    /// A new ticket for this browser.
    pub(super) fn new_ticket(&self, purpose: Purpose, target: Target) -> Ticket {
        Ticket::new(purpose, target, self.arrival.now, &self.browser)
    }

    /// What the browser calls itself.
    pub(super) fn user_agent(&self) -> &str {
        text(self.fields, &USER_AGENT)
    }
}

impl Pages {
    /// The language for a browser that goes on where these languages are asked for.
    pub(super) fn catalog_for(&self, fields: &HeaderMap, ui_locales: &str) -> Arc<Catalog> {
        self.look.messages.choose(ui_locales, text(fields, &ACCEPT_LANGUAGE))
    }

    /// Only our own pages may post here (a second line behind tickets and form tokens). A browser says `Origin: null` for
    /// forms of pages without referrer, as ours are; then `Sec-Fetch-Site` says more, where it is known.
    fn refuse_other_sites(&self, fields: &HeaderMap) -> Result<(), Trouble> {
        let (site, origin) = (text(fields, &SEC_FETCH_SITE), text(fields, &ORIGIN));
        let known = ["", "null", &*self.origin].contains(&origin) || self.is_host(fields, origin);
        let from_here = known && ["", "same-origin", "none"].contains(&site);
        from_here.then_some(()).ok_or(Trouble::CrossSite)
    }

    /// On loopback, where the issuer is http, people come by several names of this machine.
    fn is_host(&self, fields: &HeaderMap, origin: &str) -> bool {
        let host = text(fields, &HOST);
        self.origin.starts_with("http:") && !host.is_empty() && origin.strip_prefix("http://") == Some(host)
    }
}

/// `ui_locales` of an authorization request.
pub(super) fn ui_locales(query: &str) -> String {
    let params = Params::from_form(query.as_bytes()).unwrap_or_default();
    params.optional("ui_locales").ok().flatten().unwrap_or_default().to_owned()
}

fn text<'a>(fields: &'a HeaderMap, name: &HeaderName) -> &'a str {
    fields.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub(super) fn new_browser() -> String {
    let [one, other] = [obol_keys::random_bytes(), obol_keys::random_bytes()].map(u128::from_be_bytes);
    format!("{one:032x}{other:032x}")
}

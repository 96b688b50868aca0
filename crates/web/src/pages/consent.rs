//! The page of consent, and its form.

use http::StatusCode;
use obol_oauth::{Authorized, ClientLinks, ConsentAsked, Decision, Params};
use obol_store::{AuditEvent, AuditRecord};
use serde::Serialize;

use super::authorize::Going;
use super::look::Shown;
use super::messages::Catalog;
use super::onward::private_scheme;
use super::reply::Forms;
use super::sign_in::sample_links;
use super::ticket::Purpose;
use super::trouble::Trouble;
use super::visit::Visit;
use super::words;
use crate::server::Answer;

/// What the template is told.
#[derive(Debug, Serialize)]
pub(super) struct ConsentPage {
    client_name: String,
    known_by: Option<String>,
    links: ClientLinks,
    username: String,
    scopes: Vec<ShownScope>,
    resources: Vec<String>,
    lasts: Option<String>,
    goes_on: bool,
    destination: String,
    ticket: String,
    form_token: String,
}

/// A scope, and whether there is a message that says what it allows.
#[derive(Debug, Serialize)]
pub(super) struct ShownScope {
    name: String,
    known: bool,
}

impl ShownScope {
    pub(super) fn of(catalog: &Catalog, name: String) -> Self {
        Self { known: catalog.has(&format!("scope.{name}")), name }
    }
}

impl Shown for ConsentPage {
    const TEMPLATE: &'static str = "consent.html";

    fn samples() -> Vec<Self> {
        let sample = |scopes: &[(&str, bool)], lasts: Option<&str>, resources: &[&str], name: &str| Self {
            client_name: name.to_owned(),
            known_by: lasts.map(|_| name.to_owned()),
            links: sample_links(lasts.is_some()),
            username: name.to_owned(),
            scopes: scopes.iter().map(|&(name, known)| ShownScope { name: name.to_owned(), known }).collect(),
            resources: resources.iter().map(|&resource| resource.to_owned()).collect(),
            lasts: lasts.map(ToOwned::to_owned),
            goes_on: lasts.is_some(),
            destination: name.to_owned(),
            ticket: "obt_x".to_owned(),
            form_token: "00".to_owned(),
        };
        vec![
            sample(&[], None, &[], "Example"),
            sample(
                &[("openid", true), ("<b>x</b>", false)],
                Some("<1 h>"),
                &["https://a/\"<>"],
                "<script>alert(1)</script>",
            ),
        ]
    }
}

impl Visit<'_> {
    /// The page.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) fn ask_for_consent(&mut self, going: &Going, asked: ConsentAsked) -> Result<Answer, Trouble> {
        self.speak(&asked.ui_locales.join(" "));
        // Without a session nobody can be asked: the engine has none to ask.
        let session = self.session.as_ref().ok_or(Trouble::Unreadable)?;
        let ticket = self
            .new_ticket(Purpose::Consent, going.target())
            .counting_from(going.counts_from)
            .about(session.id)
            .telling(&asked.scopes, asked.shown);
        let shown = ConsentPage {
            client_name: asked.client_name,
            known_by: asked.known_by,
            links: asked.links,
            username: asked.username,
            scopes: asked.scopes.into_iter().map(|name| ShownScope::of(&self.catalog, name)).collect(),
            resources: asked.resources,
            lasts: words::lifetime(&self.catalog, asked.access_token_lifetime),
            goes_on: asked.goes_on,
            destination: asked.destination,
            ticket: self.pages.engine.seal_ticket(ticket.encode())?,
            form_token: self.form_token(),
        };
        let scheme = private_scheme(&asked.redirect_uri);
        self.show(StatusCode::OK, Forms::Here { scheme }, &shown)
    }

    /// The form of the page. It counts for the person whom the page has named, and for nobody else who is signed in by now.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn consent(&mut self) -> Result<Answer, Trouble> {
        let ticket = self.ticket(&[Purpose::Consent])?;
        let going = Going::of(&ticket).ok_or(Trouble::Unreadable)?;
        let Some(session) = self.session.as_ref().filter(|session| ticket.is_about(session.id)) else {
            return self.ask_who(&going).await;
        };
        let (id, username) = (session.id, session.username.as_str().to_owned());
        if self.session_of_form().is_err() {
            // The person has signed in again since: the secret is another, the session the same.
            let anew = self.new_ticket(Purpose::Continue, going.target()).counting_from(going.counts_from);
            return self.to_next(&anew.about(id));
        }
        let (decision, event) = match self.form.required("decision")? {
            "allow" => (Decision::Allow, AuditEvent::ConsentGiven),
            "deny" => (Decision::Deny, AuditEvent::ConsentDenied),
            "other" => return self.ask_somebody_else(&going).await,
            _ => return Err(Trouble::Unreadable),
        };
        let going = Going {
            decision: Some(decision),
            told: ticket.told(),
            shown: ticket.shown(),
            account_chosen: true,
            ..going
        };
        match self.what_next(&going).await? {
            Authorized::Answer(answer) => {
                // The client may have been changed meanwhile, so that what was allowed was not given.
                let given = answer.params.iter().any(|(name, _)| *name == "code");
                if given || decision == Decision::Deny {
                    let client_id = client_of(&going.query);
                    self.record(AuditRecord { username: Some(username), client_id, ..self.audit(event) });
                }
                self.onward(answer, true)
            }
            Authorized::SignIn(asked) => self.ask_to_sign_in(&going, asked),
            Authorized::Consent(asked) => self.ask_for_consent(&going, asked),
        }
    }

    /// The person is not the one who is signed in.
    async fn ask_somebody_else(&mut self, going: &Going) -> Result<Answer, Trouble> {
        match self.what_next_for_nobody(going).await? {
            Authorized::SignIn(asked) => self.ask_to_sign_in(going, asked),
            Authorized::Answer(answer) => self.onward(answer, true),
            Authorized::Consent(_) => Err(Trouble::Unreadable),
        }
    }
}

fn client_of(query: &str) -> Option<String> {
    let params = Params::from_form(query.as_bytes()).ok()?;
    params.optional("client_id").ok().flatten().map(ToOwned::to_owned)
}

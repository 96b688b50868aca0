//! The authorization endpoint as a browser meets it: each time the whole request goes to the engine, which says what is next.

use http::{Method, StatusCode};
use obol_oauth::{Authorized, Authorizing, Decision, Params, SignedIn, Surface};
use obol_token::{Scopes, Timestamp};

use super::reply::redirect;
use super::ticket::{NOBODY_YET, Purpose, Target, Ticket};
use super::trouble::Trouble;
use super::visit::{Visit, ui_locales};
use crate::intake;
use crate::server::Answer;

/// The longest authorization request, in bytes: sealed, it has to fit into a URL of ours.
const MOST_QUERY_BYTES: usize = 5_632;

/// An authorization request on its way.
#[derive(Debug, Clone)]
pub(super) struct Going {
    pub(super) surface: Surface,
    pub(super) query: String,
    /// Whether the browser comes with it from the client.
    pub(super) arrives_first: bool,
    /// Who has signed in from this moment on has signed in for it.
    pub(super) counts_from: Timestamp,
    /// Whether the person has chosen the account that is signed in.
    pub(super) account_chosen: bool,
    /// What the person has just answered.
    pub(super) decision: Option<Decision>,
    /// The scopes that the page has named on which it was answered.
    pub(super) told: Option<Scopes>,
    /// What stands for the rest that it has shown.
    pub(super) shown: Option<String>,
    /// Whether the browser has come from a form of ours.
    pub(super) after_form: bool,
}

impl Going {
    /// The request that a ticket carries; `None` if the person goes elsewhere.
    pub(super) fn of(ticket: &Ticket) -> Option<Self> {
        let Target::Client { surface, query } = &ticket.target else { return None };
        Some(Self {
            surface: *surface,
            query: query.clone(),
            arrives_first: false,
            counts_from: ticket.counts_from(),
            account_chosen: false,
            decision: None,
            told: None,
            shown: None,
            after_form: true,
        })
    }

    /// Where the person goes.
    pub(super) fn target(&self) -> Target {
        Target::Client { surface: self.surface, query: self.query.clone() }
    }
}

impl Visit<'_> {
    /// The endpoint itself. What is posted there comes without cookies from another site, so the browser is sent to a page of
    /// ours first.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn authorize(
        &mut self,
        surface: Surface,
        method: &Method,
        sent: &[u8],
    ) -> Result<Answer, Trouble> {
        let query = std::str::from_utf8(sent).map_err(|_| Trouble::Unreadable)?.to_owned();
        if query.len() > MOST_QUERY_BYTES {
            return Err(Trouble::TooLong);
        }
        if *method == Method::POST {
            return self.to_next(&self.new_ticket(Purpose::Begin, Target::Client { surface, query }));
        }
        self.speak(&ui_locales(&query));
        self.go(&Going {
            surface,
            query,
            arrives_first: true,
            counts_from: NOBODY_YET,
            account_chosen: false,
            decision: None,
            told: None,
            shown: None,
            after_form: false,
        })
        .await
    }

    /// Goes on with what a ticket carries.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn go_on_by_ticket(&mut self) -> Result<Answer, Trouble> {
        let ticket = self.ticket(&[Purpose::Begin, Purpose::Continue])?;
        if let Target::SignOut { query } = &ticket.target {
            // The same as if it had come by a link; after a form of the client, so that no redirect of ours is held against it.
            return self.log_out_asked(query, true).await;
        }
        if let Target::Gateway { .. } = ticket.target {
            return self.go_to_gateway(&ticket);
        }
        let Some(going) = Going::of(&ticket) else { return self.to_sessions() };
        let begins = ticket.purpose == Purpose::Begin;
        let chosen = self.session.as_ref().is_some_and(|session| ticket.is_about(session.id));
        self.go(&Going {
            arrives_first: begins,
            // Anybody can make one that begins: what it says of the time before counts for nothing.
            counts_from: if begins { NOBODY_YET } else { going.counts_from },
            account_chosen: chosen && !begins,
            after_form: true,
            ..going
        })
        .await
    }

    /// Asks the engine what is next, and does it.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn go(&mut self, going: &Going) -> Result<Answer, Trouble> {
        match self.what_next(going).await? {
            Authorized::Answer(answer) => self.onward(answer, going.after_form),
            Authorized::SignIn(asked) => self.ask_to_sign_in(going, asked),
            Authorized::Consent(asked) => self.ask_for_consent(going, asked),
        }
    }

    /// What the engine says is next.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn what_next(&self, going: &Going) -> Result<Authorized, Trouble> {
        self.ask_engine(going, self.signed_in()).await
    }

    /// What would be next if nobody were signed in.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn what_next_for_nobody(&self, going: &Going) -> Result<Authorized, Trouble> {
        self.ask_engine(going, None).await
    }

    async fn ask_engine(&self, going: &Going, person: Option<SignedIn>) -> Result<Authorized, Trouble> {
        let params = Params::from_form(going.query.as_bytes()).map_err(intake::malformed)?;
        let asked = Authorizing {
            surface: going.surface,
            params: &params,
            arrival: self.arrival,
            arrives_first: going.arrives_first,
            began_at: going.counts_from,
            person: person.as_ref(),
            account_chosen: going.account_chosen,
            decision: going.decision,
            told: going.told.as_ref(),
            shown: going.shown.as_deref(),
        };
        Ok(self.pages.engine.authorize(&asked).await?)
    }

    /// Sends the browser to the page that goes on with this ticket.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) fn to_next(&self, ticket: &Ticket) -> Result<Answer, Trouble> {
        let ticket = self.pages.engine.seal_ticket(ticket.encode())?;
        let location = self.pages.url(&format!("/continue?ticket={ticket}"));
        redirect(StatusCode::SEE_OTHER, &location).ok_or(Trouble::Unreadable)
    }
}

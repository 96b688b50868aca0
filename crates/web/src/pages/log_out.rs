//! The end session endpoint as a browser meets it: the person is asked, or the client is believed, and the browser goes back.

use http::{Method, StatusCode};
use obol_oauth::{Params, SignOutAsked};
use obol_store::SessionEndRevokes;
use serde::Serialize;

use super::look::Shown;
use super::onward::private_scheme;
use super::reply::Forms;
use super::ticket::{Notice, Purpose, Target, Ticket};
use super::trouble::Trouble;
use super::visit::{Visit, ui_locales};
use crate::intake;
use crate::server::Answer;

/// The longest request to sign out, in bytes: with the ID token it carries, sealed, it has to fit into a URL of ours.
const MOST_QUERY_BYTES: usize = 5_632;

/// What the template is told.
#[derive(Debug, Serialize)]
pub(super) struct SignOutPage {
    client_name: Option<String>,
    username: String,
    /// Whether applications that may act while the person is away keep their access.
    online: bool,
    ticket: String,
    form_token: String,
}

impl Shown for SignOutPage {
    const TEMPLATE: &'static str = "sign_out.html";

    fn samples() -> Vec<Self> {
        let sample = |client_name: Option<&str>, username: &str, online| Self {
            online,
            client_name: client_name.map(ToOwned::to_owned),
            username: username.to_owned(),
            ticket: "obt_x".to_owned(),
            form_token: "00".to_owned(),
        };
        vec![
            sample(None, "alice", false),
            sample(Some("<b>Example</b>"), "\"><script>alert(1)</script>", true),
        ]
    }
}

impl Visit<'_> {
    /// The endpoint itself. What is posted there comes without cookies from another site, so the browser is sent to a page of
    /// ours first.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn log_out(&mut self, method: &Method, sent: &[u8]) -> Result<Answer, Trouble> {
        let query = std::str::from_utf8(sent).map_err(|_| Trouble::Unreadable)?.to_owned();
        if query.len() > MOST_QUERY_BYTES {
            return Err(Trouble::TooLong);
        }
        if *method == Method::POST {
            return self.to_next(&self.new_ticket(Purpose::Begin, Target::SignOut { query }));
        }
        self.log_out_asked(&query, false).await
    }

    /// Goes on with a request to sign out.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn log_out_asked(&mut self, query: &str, after_form: bool) -> Result<Answer, Trouble> {
        self.speak(&ui_locales(query));
        let asked = self.what_signing_out_means(query)?;
        let Some(session) = self.session.clone().filter(|_| asked.ask) else {
            return self.log_out_now(asked, after_form).await;
        };
        let target = Target::SignOut { query: query.to_owned() };
        let ticket = self.new_ticket(Purpose::SignOut, target).about(session.id);
        let shown = SignOutPage {
            client_name: asked.client_name,
            username: session.username.as_str().to_owned(),
            online: self.pages.desk.end_revokes() == SessionEndRevokes::Online,
            ticket: self.pages.engine.seal_ticket(ticket.encode())?,
            form_token: self.form_token(),
        };
        let scheme = asked.onward.as_ref().and_then(|onward| private_scheme(&onward.redirect_uri));
        self.show(StatusCode::OK, Forms::Here { scheme }, &shown)
    }

    /// The form of the page, which the person of its session has sent.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn log_out_by_form(&mut self, ticket: &Ticket) -> Result<Answer, Trouble> {
        let Target::SignOut { query } = &ticket.target else { return Err(Trouble::Unreadable) };
        match &self.session {
            // Somebody else has signed in since: that person is asked.
            Some(session) if !ticket.is_about(session.id) => return self.log_out_asked(query, true).await,
            Some(_) => drop(self.session_of_form()?),
            None => {}
        }
        let asked = self.what_signing_out_means(query)?;
        self.log_out_now(asked, true).await
    }

    async fn log_out_now(&self, asked: SignOutAsked, after_form: bool) -> Result<Answer, Trouble> {
        if let Some(session) = &self.session {
            self.end_here(session).await?;
        }
        let answer = match asked.onward {
            Some(onward) => self.onward(onward, after_form)?,
            None => self.to_notice(Notice::SignedOut)?,
        };
        self.forgetting(answer)
    }

    fn what_signing_out_means(&self, query: &str) -> Result<SignOutAsked, Trouble> {
        let params = Params::from_form(query.as_bytes()).map_err(intake::malformed)?;
        Ok(self.pages.engine.sign_out(&params, self.signed_in().as_ref())?)
    }
}

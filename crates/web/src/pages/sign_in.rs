//! The page of sign-in, and its form.
//!
//! A wrong password is answered with 403: 401 would ask for credentials in a header (RFC 9110 §15.5.2, §15.5.4). Unknown,
//! locked and disabled people see the same bytes after the same time.

use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use obol_accounts::{BeginError, Begun, Person, Refused, SignIn};
use obol_keys::PlainPassword;
use obol_oauth::{Authorized, ClientLinks, ErrorCode, OAuthError, SignInAsked};
use obol_store::{AuditEvent, AuditRecord, SessionEndRevokes};
use obol_token::Position;
use serde::Serialize;

use super::authorize::Going;
use super::cookies::Cookie;
use super::look::Shown;
use super::onward::private_scheme;
use super::reply::Forms;
use super::ticket::{Notice, Purpose, Target, Ticket};
use super::trouble::Trouble;
use super::visit::Visit;
use crate::server::Answer;

/// The longest name that stands in the form already.
const MOST_HINT_CHARS: usize = 253;

/// What the template is told.
#[derive(Debug, Serialize)]
pub(super) struct SignInPage {
    client_name: Option<String>,
    links: ClientLinks,
    notice: Option<&'static str>,
    problem: Option<&'static str>,
    go_on_as: Option<String>,
    username: String,
    ticket: String,
    form_token: String,
}

impl Shown for SignInPage {
    const TEMPLATE: &'static str = "sign_in.html";

    fn samples() -> Vec<Self> {
        let sample = |client: &str, problem, go_on_as: Option<&str>, username: &str| Self {
            client_name: (!client.is_empty()).then(|| client.to_owned()),
            links: sample_links(go_on_as.is_some()),
            notice: client.is_empty().then(|| Notice::SignedOut.key(SessionEndRevokes::Everything)),
            problem,
            go_on_as: go_on_as.map(ToOwned::to_owned),
            username: username.to_owned(),
            ticket: "obt_x".to_owned(),
            form_token: "00".to_owned(),
        };
        vec![
            sample("", None, None, ""),
            sample("Example", Some("wrong"), None, "alice"),
            sample("Example", Some("busy"), None, ""),
            sample("<b>Example</b>", Some("missing"), Some("<i>alice</i>"), "\"><script>alert(1)</script>"),
        ]
    }
}

/// Links of a client, or none.
pub(super) fn sample_links(there: bool) -> ClientLinks {
    let uri = |path: &str| there.then(|| format!("https://a.example/{path}?\"><b>x</b>"));
    ClientLinks { policy_uri: uri("policy"), tos_uri: uri("terms") }
}

/// Why the form comes again.
#[derive(Debug, Clone, Copy)]
enum Problem {
    Wrong,
    Missing,
    Busy { retry_after_secs: u32 },
}

impl Problem {
    const fn key(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Missing => "missing",
            Self::Busy { .. } => "busy",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Wrong => StatusCode::FORBIDDEN,
            Self::Missing => StatusCode::BAD_REQUEST,
            Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Visit<'_> {
    /// The page for a client's request.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) fn ask_to_sign_in(&mut self, going: &Going, asked: SignInAsked) -> Result<Answer, Trouble> {
        self.speak(&asked.ui_locales.join(" "));
        let ticket = self.new_ticket(Purpose::SignIn, going.target());
        let ticket = match (&asked.go_on_as, &self.session) {
            (Some(_), Some(session)) => ticket.about(session.id),
            _ => ticket,
        };
        let hint: String = asked.login_hint.unwrap_or_default().chars().take(MOST_HINT_CHARS).collect();
        let shown = self.sign_in_page(&ticket, Some(asked.client_name), asked.go_on_as, hint)?;
        let shown = SignInPage { links: asked.links, ..shown };
        self.show_form(StatusCode::OK, &ticket.target, Some(&asked.redirect_uri), &shown)
    }

    /// The page for who wants to see the own sessions.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) fn ask_to_sign_in_for_sessions(&self, notice: Option<Notice>) -> Result<Answer, Trouble> {
        self.ask_to_sign_in_for(Target::Sessions, notice)
    }

    /// The page for who goes somewhere that is no client.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) fn ask_to_sign_in_for(
        &self,
        target: Target,
        notice: Option<Notice>,
    ) -> Result<Answer, Trouble> {
        let ticket = self.new_ticket(Purpose::SignIn, target);
        let shown = self.sign_in_page(&ticket, None, None, String::new())?;
        let shown = SignInPage { notice: notice.map(|notice| self.notice_key(notice)), ..shown };
        self.show_form(StatusCode::OK, &ticket.target, None, &shown)
    }

    /// The form of the page.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn sign_in(&mut self) -> Result<Answer, Trouble> {
        // Read before the person is looked up: a password changed meanwhile ends the session as well.
        let position = self.pages.engine.position()?;
        let ticket = self.ticket(&[Purpose::SignIn])?;
        if self.form.optional("go_on")?.is_some() {
            return self.go_on(&ticket).await;
        }
        let username = self.form.optional("username")?.unwrap_or_default().to_owned();
        let password = match self.form.optional("password")? {
            Some(password) if !username.is_empty() => PlainPassword::new(password.to_owned()),
            _ => return self.ask_again(&ticket, username, Problem::Missing).await,
        };
        let checked = match password {
            Ok(password) => {
                let since_boot = self.arrival.since_boot;
                self.pages.passwords.check_password(&username, password, None, since_boot).await
            }
            // Too long for any password: nothing about a person is said by saying so at once.
            Err(error) => return self.refuse(&ticket, username, error.to_string()).await,
        };
        match checked {
            Ok(person) => self.begin(&ticket, person, position).await,
            Err(Refused::Credentials { reason }) => {
                self.refuse(&ticket, username, reason.as_str().to_owned()).await
            }
            Err(Refused::Busy { retry_after_secs }) => {
                self.ask_again(&ticket, username, Problem::Busy { retry_after_secs }).await
            }
            Err(Refused::Unavailable(error)) => Err(OAuthError::from(error).into()),
        }
    }

    /// The person goes on under the name that is signed in already, if it is still the one that the page has shown.
    async fn go_on(&mut self, ticket: &Ticket) -> Result<Answer, Trouble> {
        match (self.session_of_form(), Going::of(ticket)) {
            (Ok(Some(session)), _) if ticket.is_about(session.id) => {
                let onward = self.new_ticket(Purpose::Continue, ticket.target.clone());
                self.to_next(&onward.about(session.id))
            }
            (_, Some(going)) => self.ask_who(&going).await,
            (_, None) => self.to_sessions(),
        }
    }

    /// Not the one is signed in whom the page has named: who goes on is asked anew, and nothing is done in anybody's name.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn ask_who(&mut self, going: &Going) -> Result<Answer, Trouble> {
        match self.what_next_for_nobody(going).await? {
            Authorized::SignIn(asked) => {
                let go_on_as = self.session.as_ref().map(|session| session.username.as_str().to_owned());
                self.ask_to_sign_in(going, SignInAsked { go_on_as, ..asked })
            }
            Authorized::Answer(answer) => self.onward(answer, true),
            Authorized::Consent(_) => Err(Trouble::Unreadable),
        }
    }

    async fn begin(
        &mut self,
        ticket: &Ticket,
        person: Person,
        position: Position,
    ) -> Result<Answer, Trouble> {
        let sign_in = SignIn {
            subject: person.subject,
            now: self.arrival.now,
            position,
            user_agent: self.user_agent().to_owned(),
            source: self.arrival.source.to_string(),
        };
        let username = person.username.as_str().to_owned();
        let begun = match self.pages.desk.begin(&sign_in, self.secret.as_ref()).await {
            Ok(begun) => begun,
            Err(BeginError::Gone) => {
                return self.refuse(ticket, username, "disabled or denied meanwhile".to_owned()).await;
            }
            Err(BeginError::Store(error)) => return Err(OAuthError::from(error).into()),
        };
        self.confirm_ended(&begun).await?;
        self.record(AuditRecord { username: Some(username), ..self.audit(AuditEvent::SessionBegun) });
        let onward = self.new_ticket(Purpose::Continue, ticket.target.clone()).counting_from(sign_in.now);
        let answer = self.to_next(&onward.about(begun.session))?;
        let cookie = self.pages.cookies.set(Cookie::Session, &begun.secret.text());
        let cookie = cookie.ok_or_else(|| OAuthError::new(ErrorCode::ServerError, "The cookie is none."))?;
        Ok(answer.with(SET_COOKIE, cookie))
    }

    /// Somebody else was signed in with this browser: that session has ended, everywhere, before this one is told of.
    async fn confirm_ended(&self, begun: &Begun) -> Result<(), Trouble> {
        if let Some((former, ended)) = &begun.ended {
            let position = self.pages.engine.confirm(*ended).await?;
            self.record(AuditRecord {
                username: Some(former.username.as_str().to_owned()),
                reason: Some("somebody else signed in with the browser".into()),
                position: Some(position),
                ..self.audit(AuditEvent::SessionEnded)
            });
        }
        Ok(())
    }

    async fn refuse(&mut self, ticket: &Ticket, username: String, reason: String) -> Result<Answer, Trouble> {
        self.record(AuditRecord {
            done: false,
            reason: Some(reason.into()),
            username: Some(username.clone()),
            ..self.audit(AuditEvent::SignInRefused)
        });
        self.ask_again(ticket, username, Problem::Wrong).await
    }

    /// The form once more. Its ticket is the same, so that the hour is not begun anew by trying.
    async fn ask_again(
        &mut self,
        ticket: &Ticket,
        username: String,
        problem: Problem,
    ) -> Result<Answer, Trouble> {
        let asked = match Going::of(ticket) {
            None => None,
            Some(going) => match self.what_next_for_nobody(&going).await? {
                Authorized::SignIn(asked) => Some(asked),
                Authorized::Answer(answer) => return self.onward(answer, true),
                Authorized::Consent(_) => return Err(Trouble::Unreadable),
            },
        };
        let (client_name, links, redirect_uri) = match asked {
            Some(asked) => {
                self.speak(&asked.ui_locales.join(" "));
                (Some(asked.client_name), asked.links, Some(asked.redirect_uri))
            }
            None => (None, ClientLinks::default(), None),
        };
        let go_on_as = self.session.as_ref().filter(|session| ticket.is_about(session.id));
        let go_on_as = go_on_as.map(|session| session.username.as_str().to_owned());
        let shown = self.sign_in_page(ticket, client_name, go_on_as, username)?;
        let shown = SignInPage { problem: Some(problem.key()), links, ..shown };
        let answer = self.show_form(problem.status(), &ticket.target, redirect_uri.as_deref(), &shown)?;
        Ok(match problem {
            Problem::Busy { retry_after_secs } => {
                answer.with(RETRY_AFTER, HeaderValue::from(retry_after_secs))
            }
            Problem::Wrong | Problem::Missing => answer,
        })
    }

    fn sign_in_page(
        &self,
        ticket: &Ticket,
        client_name: Option<String>,
        go_on_as: Option<String>,
        username: String,
    ) -> Result<SignInPage, Trouble> {
        let form_token = go_on_as.as_ref().map(|_| self.form_token()).unwrap_or_default();
        let ticket = self.pages.engine.seal_ticket(ticket.encode())?;
        Ok(SignInPage {
            client_name,
            links: ClientLinks::default(),
            notice: None,
            problem: None,
            go_on_as,
            username,
            ticket,
            form_token,
        })
    }

    fn show_form(
        &self,
        status: StatusCode,
        target: &Target,
        redirect_uri: Option<&str>,
        shown: &SignInPage,
    ) -> Result<Answer, Trouble> {
        match target {
            Target::Sessions | Target::SignOut { .. } => self.show(status, Forms::Alone, shown),
            Target::Gateway { .. } | Target::Client { .. } => {
                self.show(status, Forms::Here { scheme: redirect_uri.and_then(private_scheme) }, shown)
            }
        }
    }
}

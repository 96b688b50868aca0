//! "My sessions": what is signed in where, what is allowed, and the forms that end it.
//!
//! Each form ends something, waits until every node knows, and leads back to the page with a notice of what was done.

use http::StatusCode;
use http::header::SET_COOKIE;
use obol_oauth::{Application, OAuthError};
use obol_store::{Appended, AuditEvent, AuditRecord, Session, SessionEndRevokes};
use obol_token::{Position, SessionId, Timestamp};
use serde::Serialize;

use super::consent::ShownScope;
use super::cookies::Cookie;
use super::look::Shown;
use super::reply::{Forms, redirect};
use super::ticket::{Notice, Purpose, Target};
use super::trouble::Trouble;
use super::visit::Visit;
use super::{user_agent, words};
use crate::server::Answer;

/// What the template is told.
#[derive(Debug, Serialize)]
pub(super) struct SessionsPage {
    username: String,
    notice: Option<&'static str>,
    sessions: Vec<ShownSession>,
    applications: Vec<ShownApplication>,
    form_token: String,
}

#[derive(Debug, Serialize)]
struct ShownSession {
    id: String,
    /// What the browser seems to be.
    browser: Option<String>,
    here: bool,
    began: String,
    used: String,
    source: String,
    /// Names of the applications that were let in here.
    applications: String,
}

#[derive(Debug, Serialize)]
struct ShownApplication {
    client_id: String,
    name: String,
    given: Option<String>,
    scopes: Vec<ShownScope>,
    families: usize,
}

impl Shown for SessionsPage {
    const TEMPLATE: &'static str = "sessions.html";

    fn samples() -> Vec<Self> {
        let hostile = || "\"><script>alert(1)</script>".to_owned();
        let session = |here: bool| ShownSession {
            id: "00".to_owned(),
            browser: here.then(|| "Firefox on Linux".to_owned()),
            here,
            began: hostile(),
            used: hostile(),
            source: hostile(),
            applications: if here { hostile() } else { String::new() },
        };
        let application = |given: Option<String>| ShownApplication {
            client_id: hostile(),
            name: hostile(),
            given,
            scopes: Vec::new(),
            families: 1,
        };
        let page = |sessions, applications, notice| Self {
            username: hostile(),
            notice,
            sessions,
            applications,
            form_token: "00".to_owned(),
        };
        vec![
            page(vec![session(true)], Vec::new(), None),
            page(
                vec![session(true), session(false)],
                vec![application(None), application(Some(hostile()))],
                Some(Notice::SessionEnded.key(SessionEndRevokes::Online)),
            ),
        ]
    }
}

impl Visit<'_> {
    /// The page; that of sign-in for who is not signed in.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn sessions(&mut self) -> Result<Answer, Trouble> {
        let notice = self.notice();
        let Some(session) = self.session.clone() else { return self.ask_to_sign_in_for_sessions(notice) };
        let now = self.arrival.now;
        let sessions = self.pages.desk.list(session.subject, now).await.map_err(OAuthError::from)?;
        let applications = self.pages.engine.applications(session.subject, now).await?;
        let shown = SessionsPage {
            username: session.username.as_str().to_owned(),
            notice: notice.map(|notice| self.notice_key(notice)),
            sessions: sessions.iter().map(|each| self.shown_session(each, &session, &applications)).collect(),
            applications: applications.into_iter().map(|each| self.shown_application(each)).collect(),
            form_token: self.form_token(),
        };
        self.show(StatusCode::OK, Forms::Alone, &shown)
    }

    /// Ends one session.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn end_session(&self) -> Result<Answer, Trouble> {
        let Some(session) = self.session_of_form()? else { return self.to_sessions() };
        let Ok(id) = self.form.required("session")?.parse::<SessionId>() else {
            return Err(Trouble::Unreadable);
        };
        let here = id == session.id;
        self.end(session, id, if here { Notice::SignedOut } else { Notice::SessionEnded }).await
    }

    /// Ends the session of this browser.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn sign_out(&mut self) -> Result<Answer, Trouble> {
        if self.form.optional("ticket")?.is_some() {
            let ticket = self.ticket(&[Purpose::SignOut])?;
            return self.log_out_by_form(&ticket).await;
        }
        let Some(session) = self.session_of_form()? else { return self.to_sessions() };
        self.end(session, session.id, Notice::SignedOut).await
    }

    /// Takes back what a client was allowed.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn withdraw(&self) -> Result<Answer, Trouble> {
        let Some(session) = self.session_of_form()? else { return self.to_sessions() };
        let client_id = self.form.required("client_id")?;
        let ended = self.pages.engine.withdraw_consent(session.subject, client_id, self.arrival.now).await?;
        let Some(position) = self.confirmed(ended).await? else { return self.to_notice(Notice::Nothing) };
        let record = self.audit(AuditEvent::ConsentWithdrawn);
        self.record_of(session, AuditRecord { client_id: Some(client_id.to_owned()), ..record }, position);
        self.to_notice(Notice::Withdrawn)
    }

    /// Ends everything.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn end_all(&self) -> Result<Answer, Trouble> {
        let Some(session) = self.session_of_form()? else { return self.to_sessions() };
        let ended =
            self.pages.desk.end_all(session.subject, self.arrival.now).await.map_err(OAuthError::from)?;
        let position = self.pages.engine.confirm(ended).await?;
        self.record_of(session, self.audit(AuditEvent::SessionsEnded), position);
        self.forgetting(self.to_notice(Notice::AllEnded)?)
    }

    /// Sends the browser to the page.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) fn to_sessions(&self) -> Result<Answer, Trouble> {
        redirect(StatusCode::SEE_OTHER, &self.pages.url("/sessions")).ok_or(Trouble::Unreadable)
    }

    /// Ends the session of this browser.
    ///
    /// # Errors
    /// [`Trouble`]
    pub(super) async fn end_here(&self, session: &Session) -> Result<(), Trouble> {
        self.end_quietly(session, session.id).await.map(drop)
    }

    /// Ends a session of this person; says whether there was one.
    async fn end_quietly(&self, session: &Session, id: SessionId) -> Result<bool, Trouble> {
        let (desk, now) = (&self.pages.desk, self.arrival.now);
        let ended = desk.end(id, session.subject, now).await.map_err(OAuthError::from)?;
        let Some(position) = self.confirmed(ended).await? else { return Ok(false) };
        self.record_of(session, self.audit(AuditEvent::SessionEnded), position);
        Ok(true)
    }

    async fn end(&self, session: &Session, id: SessionId, notice: Notice) -> Result<Answer, Trouble> {
        if !self.end_quietly(session, id).await? && id != session.id {
            return self.to_notice(Notice::Nothing);
        }
        let answer = self.to_notice(notice)?;
        if id == session.id { self.forgetting(answer) } else { Ok(answer) }
    }

    async fn confirmed(&self, ended: Option<Appended>) -> Result<Option<Position>, Trouble> {
        match ended {
            Some(appended) => Ok(Some(self.pages.engine.confirm(appended).await?)),
            None => Ok(None),
        }
    }

    fn record_of(&self, session: &Session, record: AuditRecord, position: Position) {
        let username = Some(session.username.as_str().to_owned());
        self.record(AuditRecord { username, position: Some(position), ..record });
    }

    pub(super) fn forgetting(&self, answer: Answer) -> Result<Answer, Trouble> {
        Ok(match self.pages.cookies.forget(Cookie::Session) {
            Some(cookie) => answer.with(SET_COOKIE, cookie),
            None => answer,
        })
    }

    pub(super) fn to_notice(&self, notice: Notice) -> Result<Answer, Trouble> {
        let ticket = self.new_ticket(Purpose::Notice(notice), Target::Sessions);
        let ticket = self.pages.engine.seal_ticket(ticket.encode())?;
        let location = self.pages.url(&format!("/sessions?ticket={ticket}"));
        redirect(StatusCode::SEE_OTHER, &location).ok_or(Trouble::Unreadable)
    }

    /// The message of a notice.
    pub(super) fn notice_key(&self, notice: Notice) -> &'static str {
        notice.key(self.pages.desk.end_revokes())
    }

    /// What was done just now; a notice that is too old or not this browser's is not shown.
    fn notice(&mut self) -> Option<Notice> {
        const ALL: [Notice; 5] =
            [Notice::SessionEnded, Notice::Withdrawn, Notice::Nothing, Notice::SignedOut, Notice::AllEnded];
        match self.ticket(&ALL.map(Purpose::Notice)).ok()?.purpose {
            Purpose::Notice(notice) => Some(notice),
            _ => None,
        }
    }

    fn shown_session(&self, session: &Session, here: &Session, applications: &[Application]) -> ShownSession {
        let names = applications
            .iter()
            .filter(|application| application.families.contains(&Some(session.id)))
            .map(|application| &*application.name);
        ShownSession {
            id: session.id.to_string(),
            browser: self.browser_name(&session.user_agent),
            here: session.id == here.id,
            began: self.when(session.authenticated_at),
            used: self.when(self.pages.desk.limits().last_used(session)),
            source: session.source.clone(),
            applications: names.collect::<Vec<_>>().join(", "),
        }
    }

    fn shown_application(&self, application: Application) -> ShownApplication {
        let scopes = application.scopes.into_iter().map(|name| ShownScope::of(&self.catalog, name));
        ShownApplication {
            client_id: application.client_id,
            name: application.name,
            given: application.allowed_at.map(|at| self.when(at)),
            scopes: scopes.collect(),
            families: application.families.len(),
        }
    }

    fn when(&self, moment: Timestamp) -> String {
        words::when(&self.catalog, moment, self.arrival.now)
    }

    fn browser_name(&self, user_agent: &str) -> Option<String> {
        match user_agent::read(user_agent) {
            (Some(browser), Some(system)) => {
                let text = self.catalog.text("browser.on", "browser", browser);
                Some(text.replace("{system}", system))
            }
            (browser, system) => browser.or(system).map(ToOwned::to_owned),
        }
    }
}

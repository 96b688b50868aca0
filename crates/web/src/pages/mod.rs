//! The pages that people see: sign-in, consent, "my sessions", and what went wrong.
//!
//! The server keeps nothing between two requests of a browser. A form carries a ticket (`ticket`), sealed, bound to the
//! browser by a cookie; what ends or gives something also carries the token of the session's form.
//!
//! 1. The client sends the browser to the authorization endpoint (`authorize`); the engine says what is next.
//! 2. Somebody signs in (`sign_in`), and comes back with a session (303, `/continue`).
//! 3. The person allows it or not (`consent`).
//! 4. The browser goes back to the client (`onward`).
//!
//! What must not go back to the client is said on a page (`trouble`).

mod assets;
mod authorize;
mod consent;
mod cookies;
mod gateway;
mod locale;
mod log_out;
mod look;
mod messages;
mod onward;
mod paths;
mod reply;
mod sessions;
mod sign_in;
#[cfg(test)]
mod tests;
mod ticket;
mod trouble;
mod user_agent;
mod visit;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderMap, Method};
use obol_accounts::{PasswordCheck, SessionDesk};
use obol_oauth::{Arrival, Engine, ErrorCode, Issuer, OAuthError, RequestId};
use obol_store::{AuditEvent, AuditRecord};

pub(crate) use self::gateway::{AtGateway, Way};
pub use self::look::LookError;
pub(crate) use self::paths::Page;

use self::consent::ConsentPage;
use self::cookies::Cookies;
use self::log_out::SignOutPage;
use self::look::Look;
use self::onward::{ContinuePage, FormPostPage};
use self::sessions::SessionsPage;
use self::sign_in::SignInPage;
use self::ticket::Target;
use self::trouble::{ErrorPage, Trouble};
use self::visit::Visit;
use crate::server::{Answer, Whole};

/// Settings of the pages.
#[derive(Debug, Clone, Default)]
pub struct PageSettings {
    /// The name of the installation, for people.
    pub display_name: String,
    /// A folder with templates, messages, style and picture in the place of single ones of ours.
    pub templates: Option<PathBuf>,
    /// Hosts, with their ports, of applications behind gateways: sign-in may lead back there.
    pub gateway_hosts: Vec<String>,
}

impl PageSettings {
    /// Tries every page out, as [`Pages::open`] does.
    ///
    /// # Errors
    /// [`LookError`], naming file and line.
    pub fn check(&self) -> Result<(), LookError> {
        self.look("").map(drop)
    }

    fn look(&self, base: &str) -> Result<Look, LookError> {
        let folder = self.templates.as_deref();
        let look = Look::load(folder, &self.display_name, base)?;
        every_page_is_tried_out(&look, folder)?;
        Ok(look)
    }
}

/// All pages.
pub struct Pages {
    engine: Arc<Engine>,
    passwords: Arc<PasswordCheck>,
    desk: SessionDesk,
    look: Look,
    cookies: Cookies,
    /// What stands before our paths: that of the issuer.
    base: String,
    /// Scheme, host and port under which people come.
    origin: String,
    gateway_hosts: Vec<String>,
}

impl Pages {
    /// Reads the operator's folder and tries every page out.
    ///
    /// # Errors
    /// [`LookError`], naming file and line.
    pub fn open(
        engine: Arc<Engine>,
        passwords: Arc<PasswordCheck>,
        desk: SessionDesk,
        settings: &PageSettings,
    ) -> Result<Self, LookError> {
        let issuer = engine.issuer();
        let (cookies, base, origin) = (Cookies::of(issuer), issuer.path().to_owned(), origin_of(issuer));
        let look = settings.look(&base)?;
        let gateway_hosts = settings.gateway_hosts.clone();
        Ok(Self { engine, passwords, desk, look, cookies, base, origin, gateway_hosts })
    }

    /// Answers a request to a page.
    pub(crate) async fn answer(
        &self,
        page: Page,
        request: &Whole<'_, HeaderMap>,
        arrival: Arrival,
    ) -> Answer {
        let mut catalog = self.catalog_for(request.fields, "");
        let answered = match self.read(page, request, arrival).await {
            Err(trouble) => Err(trouble),
            Ok(Read::Answered(answer)) => Ok(answer),
            Ok(Read::Visit(mut visit)) => {
                let answered = visit.answer(page, request).await;
                catalog = Arc::clone(&visit.catalog);
                answered
            }
        };
        answered.unwrap_or_else(|trouble| self.trouble(&catalog, trouble, arrival.request_id))
    }

    async fn read<'a>(
        &'a self,
        page: Page,
        request: &Whole<'a, HeaderMap>,
        arrival: Arrival,
    ) -> Result<Read<'a>, Trouble> {
        if page == Page::Asset {
            let nothing = || OAuthError::new(ErrorCode::NotFound, "There is nothing at this path.");
            return Ok(Read::Answered(self.look.assets.answer(request.path).ok_or_else(nothing)?));
        }
        // Any site may send a browser with a request of its client.
        let foreign = matches!(page, Page::Authorize(_) | Page::LogOut);
        Ok(Read::Visit(Box::new(Visit::read(self, request, arrival, foreign).await?)))
    }

    /// The URL of a path of ours, without scheme and host.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Where to begin again on the way to a target.
    fn url_of(&self, target: &Target) -> String {
        match target {
            Target::Sessions => self.url("/sessions"),
            Target::SignOut { query } => self.url(&format!("{}?{query}", Page::LogOut.name())),
            Target::Gateway { url, .. } => url.clone(),
            Target::Client { surface, query } => {
                self.url(&format!("{}?{query}", Page::Authorize(*surface).name()))
            }
        }
    }

    /// The page for a defect of ours.
    pub(crate) fn failed(&self, error: OAuthError, request_id: RequestId) -> Answer {
        self.trouble(&self.look.messages.choose("", ""), error.into(), request_id)
    }
}

/// A request that was read.
enum Read<'a> {
    Answered(Answer),
    Visit(Box<Visit<'a>>),
}

impl Visit<'_> {
    async fn answer(&mut self, page: Page, request: &Whole<'_, HeaderMap>) -> Result<Answer, Trouble> {
        let posted = *request.method == Method::POST;
        let sent = if posted { request.body } else { request.query.unwrap_or_default().as_bytes() };
        match page {
            Page::Authorize(surface) => self.authorize(surface, request.method, sent).await,
            Page::LogOut => self.log_out(request.method, sent).await,
            Page::Continue => self.go_on_by_ticket().await,
            Page::Sessions => self.sessions().await,
            Page::SignIn if posted => self.sign_in().await,
            Page::Consent if posted => self.consent().await,
            Page::EndSession if posted => self.end_session().await,
            Page::Withdraw if posted => self.withdraw().await,
            Page::EndAll if posted => self.end_all().await,
            Page::SignOut if posted => self.sign_out().await,
            // Somebody has opened the address of a form, or loads it anew.
            Page::SignIn
            | Page::Consent
            | Page::EndSession
            | Page::Withdraw
            | Page::EndAll
            | Page::SignOut => self.to_sessions(),
            Page::Asset => Err(Trouble::Unreadable),
        }
    }

    /// A record of this visit.
    fn audit(&self, event: AuditEvent) -> AuditRecord {
        AuditRecord::new(event, self.arrival.now)
    }

    fn record(&self, record: AuditRecord) {
        self.pages.engine.audit(&self.arrival, record);
    }
}

/// Every page there is, in every language.
fn every_page_is_tried_out(look: &Look, folder: Option<&Path>) -> Result<(), LookError> {
    look.try_out::<SignInPage>(folder)?;
    look.try_out::<ConsentPage>(folder)?;
    look.try_out::<ContinuePage>(folder)?;
    look.try_out::<FormPostPage>(folder)?;
    look.try_out::<SessionsPage>(folder)?;
    look.try_out::<SignOutPage>(folder)?;
    look.try_out::<ErrorPage>(folder)
}

fn origin_of(issuer: &Issuer) -> String {
    let text = issuer.as_str();
    text.strip_suffix(issuer.path()).unwrap_or(text).to_owned()
}

//! A person on the way to an application: signs in, allows, and brings the answer back.

use crate::browser::Form;
use crate::{ALICE, Answer, AuthorizationRequest, Browser, Http, PASSWORD, Page, Server};

/// A person at a browser.
#[derive(Clone)]
pub struct Person {
    http: Http,
    browser: Browser,
    username: String,
    password: String,
}

/// Where the browser came to.
#[derive(Debug)]
pub enum Arrived {
    /// Somebody is to sign in.
    SignIn(Page),
    /// The person is asked what the application may.
    Consent(Page),
    /// The browser leaves for the application.
    Return(Return),
    /// Anything else, as a page of an error.
    Other(Answer),
}

/// What the browser brings to the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    /// Where to, without the parameters.
    pub uri: String,
    /// `query`, `fragment` or `form_post`.
    pub mode: &'static str,
    /// The parameters.
    pub params: Vec<(String, String)>,
}

impl Server {
    /// Alice, at a browser that was never here.
    pub fn person(&self) -> Person {
        self.person_called(ALICE, PASSWORD)
    }

    /// Somebody else.
    pub fn person_called(&self, username: &str, password: &str) -> Person {
        Person {
            http: self.http().clone(),
            browser: Browser::new(self.http()),
            username: username.to_owned(),
            password: password.to_owned(),
        }
    }
}

impl Person {
    /// Follows an application's link.
    #[track_caller]
    pub fn follows(&mut self, request: &AuthorizationRequest) -> Arrived {
        self.opens(&request.path())
    }

    /// Opens a page of the site.
    #[track_caller]
    pub fn opens(&mut self, path: &str) -> Arrived {
        Arrived::at(self.browser.open(path))
    }

    /// Is sent by a form of the application, from another site: no cookies come along (`SameSite=Lax`).
    #[track_caller]
    pub fn is_posted(&mut self, request: &AuthorizationRequest) -> Arrived {
        let form = "application/x-www-form-urlencoded";
        let post = self.http.post(request.endpoint()).header("sec-fetch-site", "cross-site");
        let answer = post.header("origin", "https://app.example").body(form, request.form()).send();
        match answer.header("location").filter(|location| location.starts_with('/')) {
            Some(location) => self.opens(location),
            None => Arrived::Other(answer),
        }
    }

    /// Fills in the page of sign-in.
    #[track_caller]
    pub fn signs_in(&mut self, page: &Page) -> Arrived {
        let (username, password) = (self.username.clone(), self.password.clone());
        self.submits(page, &[("username", &username), ("password", &password)])
    }

    /// Allows what a page of consent asks.
    #[track_caller]
    pub fn allows(&mut self, page: &Page) -> Arrived {
        self.submits(page, &[("decision", "allow")])
    }

    /// Denies it.
    #[track_caller]
    pub fn denies(&mut self, page: &Page) -> Arrived {
        self.submits(page, &[("decision", "deny")])
    }

    /// Submits the form of a page that has these fields.
    #[track_caller]
    pub fn submits(&mut self, page: &Page, fields: &[(&str, &str)]) -> Arrived {
        Arrived::at(self.browser.send(&form_with(page, fields), fields))
    }

    /// The same, without going where the answer leads.
    #[track_caller]
    pub fn submits_and_stays(&mut self, page: &Page, fields: &[(&str, &str)]) -> Answer {
        self.browser.post(&form_with(page, fields), fields, &[("sec-fetch-site", "same-origin")])
    }

    /// Follows the link, signs in and allows, as often as it is asked, until the application has its answer.
    #[track_caller]
    pub fn goes_through(&mut self, request: &AuthorizationRequest) -> Return {
        let mut arrived = self.follows(request);
        for _ in 0..4 {
            arrived = match arrived {
                Arrived::SignIn(page) => self.signs_in(&page),
                Arrived::Consent(page) => self.allows(&page),
                Arrived::Return(answer) => return answer,
                Arrived::Other(answer) => panic!("no way on: {answer:?}"),
            };
        }
        panic!("asked again and again: {arrived:?}");
    }
}

/// Where somebody may go on without a password, that form comes before the one with a name.
#[track_caller]
fn form_with(page: &Page, fields: &[(&str, &str)]) -> Form {
    let is_called = |name: &str| fields.iter().any(|(field, _)| *field == name);
    let action = if is_called("decision") { "/consent" } else { "/sign-in" };
    let mut forms = page.forms().into_iter().filter(|form| form.action == action);
    let found = if is_called("username") { forms.next_back() } else { forms.next() };
    found.unwrap_or_else(|| panic!("no form to {action}: {page:?}"))
}

impl Arrived {
    /// The page of sign-in, which it is.
    #[track_caller]
    pub fn sign_in(self) -> Page {
        match self {
            Self::SignIn(page) => page,
            other => panic!("not the page of sign-in: {other:?}"),
        }
    }

    /// The page of consent, which it is.
    #[track_caller]
    pub fn consent(self) -> Page {
        match self {
            Self::Consent(page) => page,
            other => panic!("not the page of consent: {other:?}"),
        }
    }

    /// What the application gets, to which the browser goes.
    #[track_caller]
    pub fn returns(self) -> Return {
        match self {
            Self::Return(answer) => answer,
            other => panic!("the browser stays here: {other:?}"),
        }
    }

    /// A page of an error with this status: nobody is redirected.
    #[track_caller]
    pub fn refused(self, status: u16) -> Answer {
        match self {
            Self::Other(answer) => answer.expect(status),
            other => panic!("not a page of an error: {other:?}"),
        }
    }

    fn at(page: Page) -> Self {
        if let Some(location) = page.leaves_to() {
            return Self::Return(Return::by_redirect(&location));
        }
        let forms = page.forms();
        let goes_to = |action: &str| forms.iter().any(|form| form.action == action);
        match forms.iter().find(|form| !form.action.starts_with('/')) {
            Some(away) => {
                let (uri, params) = (away.action.clone(), away.hidden.clone());
                Self::Return(Return { uri, mode: "form_post", params })
            }
            None if goes_to("/consent") => Self::Consent(page),
            None if goes_to("/sign-in") => Self::SignIn(page),
            None => Self::Other(page.answer),
        }
    }
}

impl Return {
    /// A parameter that is there once.
    #[track_caller]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.params.iter().filter(|(known, _)| known == name);
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} comes twice: {self:?}");
        first
    }

    /// The code, which was given.
    #[track_caller]
    pub fn code(&self) -> &str {
        self.get("code").unwrap_or_else(|| panic!("no code: {self:?}"))
    }

    /// The error, which came without a code.
    #[track_caller]
    pub fn error(&self) -> &str {
        assert_eq!(self.get("code"), None, "{self:?}");
        self.get("error").unwrap_or_else(|| panic!("no error: {self:?}"))
    }

    /// The names of all parameters, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.params.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    fn by_redirect(location: &str) -> Self {
        let (uri, mode, encoded) = match (location.split_once('#'), location.split_once('?')) {
            (Some((uri, encoded)), _) => (uri, "fragment", encoded),
            (None, Some((uri, encoded))) => (uri, "query", encoded),
            (None, None) => (location, "query", ""),
        };
        let params = form_urlencoded::parse(encoded.as_bytes()).into_owned().collect();
        Self { uri: uri.to_owned(), mode, params }
    }
}

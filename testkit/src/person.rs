//! A person at a browser, who signs in and answers what the pages ask.

use crate::html::Form;
use crate::{ALICE, Answer, AuthorizationRequest, Browser, PASSWORD, Page, Server};

/// A person at a browser.
#[derive(Clone)]
pub struct Person {
    browser: Browser,
    username: String,
    password: String,
}

/// What the browser came to.
#[derive(Debug)]
pub enum Arrival {
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
        Person::at(Browser::new(self.http()), username, password)
    }
}

impl Person {
    /// Somebody at this browser.
    pub fn at(browser: Browser, username: &str, password: &str) -> Self {
        Self { browser, username: username.to_owned(), password: password.to_owned() }
    }

    /// Follows an application's link.
    #[track_caller]
    pub fn follows(&mut self, request: &AuthorizationRequest) -> Arrival {
        self.opens(&request.path())
    }

    /// Is sent by a form of the application, from another site: no cookies come along (`SameSite=Lax`).
    #[track_caller]
    pub fn is_posted(&mut self, request: &AuthorizationRequest) -> Arrival {
        Self::arrives(self.browser.is_posted(request.endpoint(), request.form()))
    }

    /// Opens a page of the site, and follows its redirects.
    #[track_caller]
    pub fn opens(&mut self, path: &str) -> Arrival {
        Self::arrives(self.browser.open(path))
    }

    /// Fills in the page of sign-in.
    #[track_caller]
    pub fn signs_in(&mut self, page: &Page) -> Arrival {
        let (username, password) = (self.username.clone(), self.password.clone());
        self.submits(page, &[("username", &username), ("password", &password)])
    }

    /// Allows what a page of consent asks.
    #[track_caller]
    pub fn allows(&mut self, page: &Page) -> Arrival {
        self.submits(page, &[("decision", "allow")])
    }

    /// Denies it.
    #[track_caller]
    pub fn denies(&mut self, page: &Page) -> Arrival {
        self.submits(page, &[("decision", "deny")])
    }

    /// Submits the form of a page that has these fields.
    #[track_caller]
    pub fn submits(&mut self, page: &Page, fields: &[(&str, &str)]) -> Arrival {
        Self::arrives(self.browser.send(&form_with(page, fields), fields))
    }

    /// The same, without going where the answer leads.
    #[track_caller]
    pub fn submits_and_stays(&mut self, page: &Page, fields: &[(&str, &str)]) -> Answer {
        let from_here = [("origin", "null"), ("sec-fetch-site", "same-origin")];
        self.browser.post(&form_with(page, fields), fields, &from_here)
    }

    /// Submits a form of the page of sessions.
    #[track_caller]
    pub fn ends(&mut self, action: &str) {
        let form = self.browser.open("/sessions").expect(200).form(action);
        self.browser.send(&form, &[]).expect(200);
    }

    /// Signs out on that page.
    #[track_caller]
    pub fn signs_out(&mut self) {
        self.ends("/sign-out");
    }

    /// The browser.
    pub fn browser(&mut self) -> &mut Browser {
        &mut self.browser
    }

    /// Follows the link, signs in and allows, as often as it is asked, until the application has its answer.
    #[track_caller]
    pub fn goes_through(&mut self, request: &AuthorizationRequest) -> Return {
        let mut page = self.follows(request);
        for _ in 0..4 {
            page = match page {
                Arrival::SignIn(shown) => self.signs_in(&shown),
                Arrival::Consent(shown) => self.allows(&shown),
                Arrival::Return(answer) => return answer,
                Arrival::Other(answer) => panic!("no way on: {answer:?}"),
            };
        }
        panic!("asked again and again: {page:?}");
    }

    /// Whether the browser is signed in, as "my sessions" shows.
    #[track_caller]
    pub fn is_signed_in(&mut self) -> bool {
        match self.opens("/sessions") {
            Arrival::SignIn(_) => false,
            Arrival::Other(answer) => {
                answer.expect(200);
                true
            }
            other => panic!("neither the sessions nor a page of sign-in: {other:?}"),
        }
    }

    fn arrives(page: Page) -> Arrival {
        if let Some(target) = page.leaves_to() {
            return Arrival::Return(Return::by_redirect(&target));
        }
        let forms = page.forms();
        if let Some(form) = forms.iter().find(|form| !form.action.starts_with('/')) {
            let params = form.hidden.clone();
            return Arrival::Return(Return { uri: form.action.clone(), mode: "form_post", params });
        }
        let has = |name: &str| forms.iter().any(|form| form.has(&[name]));
        match (has("password"), has("decision")) {
            (true, _) => Arrival::SignIn(page),
            (_, true) => Arrival::Consent(page),
            _ => Arrival::Other(page.answer),
        }
    }
}

#[track_caller]
fn form_with(page: &Page, fields: &[(&str, &str)]) -> Form {
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    page.forms().into_iter().find(|form| form.has(&names)).expect("the page has such a form")
}

impl Arrival {
    /// The page of sign-in, which it is.
    #[track_caller]
    pub fn sign_in(self) -> Page {
        match self {
            Self::SignIn(shown) => shown,
            other => panic!("not the page of sign-in: {other:?}"),
        }
    }

    /// The page of consent, which it is.
    #[track_caller]
    pub fn consent(self) -> Page {
        match self {
            Self::Consent(shown) => shown,
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

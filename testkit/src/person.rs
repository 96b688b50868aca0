//! A person at a browser: a cookie jar, redirects within the site, and forms filled in.

use std::collections::BTreeMap;

use crate::html::{Form, forms, refresh_target};
use crate::{ALICE, Answer, AuthorizationRequest, Http, PASSWORD, Request, Server};

/// More redirects than that within the site are a loop.
const MOST_REDIRECTS: usize = 10;

/// A person at a browser.
#[derive(Clone)]
pub struct Person {
    http: Http,
    site: String,
    cookies: BTreeMap<String, String>,
    username: String,
    password: String,
}

/// What the browser came to.
#[derive(Debug)]
pub enum Page {
    /// Somebody is to sign in.
    SignIn(Shown),
    /// The person is asked what the application may.
    Consent(Shown),
    /// The browser leaves for the application.
    Return(Return),
    /// Anything else, as a page of an error.
    Other(Answer),
}

/// A page with forms.
#[derive(Debug)]
pub struct Shown {
    /// The page itself.
    pub answer: Answer,
    forms: Vec<Form>,
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
            site: self.url().trim_end_matches('/').to_owned(),
            cookies: BTreeMap::new(),
            username: username.to_owned(),
            password: password.to_owned(),
        }
    }
}

impl Person {
    /// Follows an application's link.
    #[track_caller]
    pub fn follows(&mut self, request: &AuthorizationRequest) -> Page {
        self.opens(&request.path())
    }

    /// Is sent by a form of the application, from another site: no cookies come along (`SameSite=Lax`).
    #[track_caller]
    pub fn is_posted(&mut self, request: &AuthorizationRequest) -> Page {
        let form = "application/x-www-form-urlencoded";
        let post = self.http.post(request.endpoint()).header("sec-fetch-site", "cross-site");
        let answer = post.header("origin", "https://app.example").body(form, request.form()).send();
        self.arrives(answer)
    }

    /// Opens a page of the site, and follows its redirects.
    #[track_caller]
    pub fn opens(&mut self, path: &str) -> Page {
        let answer = self.with_cookies(self.http.get(path)).send();
        self.arrives(answer)
    }

    /// Fills in the page of sign-in.
    #[track_caller]
    pub fn signs_in(&mut self, page: &Shown) -> Page {
        let (username, password) = (self.username.clone(), self.password.clone());
        self.submits(page, &[("username", &username), ("password", &password)])
    }

    /// Allows what a page of consent asks.
    #[track_caller]
    pub fn allows(&mut self, page: &Shown) -> Page {
        self.submits(page, &[("decision", "allow")])
    }

    /// Denies it.
    #[track_caller]
    pub fn denies(&mut self, page: &Shown) -> Page {
        self.submits(page, &[("decision", "deny")])
    }

    /// Submits the form of a page that has these fields.
    #[track_caller]
    pub fn submits(&mut self, page: &Shown, fields: &[(&str, &str)]) -> Page {
        let answer = self.submits_and_stays(page, fields);
        self.arrives(answer)
    }

    /// The same, without going where the answer leads.
    #[track_caller]
    pub fn submits_and_stays(&mut self, page: &Shown, fields: &[(&str, &str)]) -> Answer {
        let fits = |form: &&Form| fields.iter().all(|(name, _)| form.names.iter().any(|known| known == name));
        let form = page.forms.iter().find(fits).expect("the page has such a form");
        let mut all: Vec<_> =
            form.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend(fields);
        let path = form.action.strip_prefix(&self.site).unwrap_or(&form.action);
        let request =
            self.http.post(path).header("origin", &self.site).header("sec-fetch-site", "same-origin");
        self.with_cookies(request.form(&all)).send()
    }

    /// Follows the link, signs in and allows, as often as it is asked, until the application has its answer.
    #[track_caller]
    pub fn goes_through(&mut self, request: &AuthorizationRequest) -> Return {
        let mut page = self.follows(request);
        for _ in 0..4 {
            page = match page {
                Page::SignIn(shown) => self.signs_in(&shown),
                Page::Consent(shown) => self.allows(&shown),
                Page::Return(answer) => return answer,
                Page::Other(answer) => panic!("no way on: {answer:?}"),
            };
        }
        panic!("asked again and again: {page:?}");
    }

    #[track_caller]
    fn arrives(&mut self, mut answer: Answer) -> Page {
        for _ in 0..MOST_REDIRECTS {
            self.keep_cookies(&answer);
            let Some(location) = answer.header("location").map(str::to_owned) else {
                return self.page(answer);
            };
            let Some(path) = self.path_here(&location) else {
                return Page::Return(Return::by_redirect(&location));
            };
            answer = self.with_cookies(self.http.get(&path)).send();
        }
        panic!("redirected in a circle: {answer:?}");
    }

    fn page(&self, answer: Answer) -> Page {
        let html = String::from_utf8_lossy(&answer.body).into_owned();
        if let Some(target) = refresh_target(&html) {
            return Page::Return(Return::by_redirect(&target));
        }
        let forms = forms(&html);
        if let Some(form) = forms.iter().find(|form| !self.is_here(&form.action)) {
            let params = form.hidden.clone();
            return Page::Return(Return { uri: form.action.clone(), mode: "form_post", params });
        }
        let has = |name: &str| forms.iter().any(|form| form.names.iter().any(|known| known == name));
        match (has("password"), has("decision")) {
            (true, _) => Page::SignIn(Shown { answer, forms }),
            (_, true) => Page::Consent(Shown { answer, forms }),
            _ => Page::Other(answer),
        }
    }

    fn is_here(&self, url: &str) -> bool {
        self.path_here(url).is_some()
    }

    fn path_here(&self, url: &str) -> Option<String> {
        match url.strip_prefix(&self.site) {
            Some(path) => Some(path.to_owned()),
            None => url.starts_with('/').then(|| url.to_owned()),
        }
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for field in answer.headers.get_all("set-cookie") {
            let text = field.to_str().expect("cookies are ASCII");
            let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            match attributes.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
    }

    fn with_cookies(&self, request: Request) -> Request {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { request } else { request.header("cookie", &pairs.join("; ")) }
    }
}

impl Page {
    /// The page of sign-in, which it is.
    #[track_caller]
    pub fn sign_in(self) -> Shown {
        match self {
            Self::SignIn(shown) => shown,
            other => panic!("not the page of sign-in: {other:?}"),
        }
    }

    /// The page of consent, which it is.
    #[track_caller]
    pub fn consent(self) -> Shown {
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

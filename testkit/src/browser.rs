//! A browser without scripts: a cookie jar, links that are followed on their own site, forms that are filled in and sent.

use std::collections::BTreeMap;

use crate::html::{Form, between, forms, refresh_target, unescaped};
use crate::{Answer, Http};

/// How many redirects are followed.
const MOST_HOPS: usize = 10;

/// A browser.
#[derive(Clone)]
pub struct Browser {
    /// The nodes of the server, one after the other.
    nodes: Vec<Http>,
    turn: usize,
    cookies: BTreeMap<String, String>,
    headers: Vec<(String, String)>,
}

/// What a browser shows.
#[derive(Debug, Clone)]
pub struct Page {
    /// The answer.
    pub answer: Answer,
    /// Where it is: path and query on the server.
    pub at: String,
    html: String,
}

impl Browser {
    /// A new browser, which says nothing of languages.
    pub fn new(http: &Http) -> Self {
        Self::going_round(vec![http.clone()])
    }

    /// The same, whose requests go to one of these after the other, as behind a load balancer.
    pub fn going_round(nodes: Vec<Http>) -> Self {
        Self { nodes, turn: 0, cookies: BTreeMap::new(), headers: Vec::new() }
    }

    fn node(&mut self) -> &Http {
        self.turn = (self.turn + 1) % self.nodes.len();
        &self.nodes[self.turn]
    }

    /// The same with another header in every request.
    #[must_use]
    pub fn saying(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Opens a path of the server, query included.
    #[track_caller]
    pub fn open(&mut self, path: &str) -> Page {
        let request = self.node().get(path);
        let answer = self.exchange(request);
        self.follow(answer, path)
    }

    /// Sends a form of a page, as a page of the server itself would.
    #[track_caller]
    pub fn send(&mut self, form: &Form, fields: &[(&str, &str)]) -> Page {
        let answer = self.post(form, fields, &[("origin", "null"), ("sec-fetch-site", "same-origin")]);
        self.follow(answer, &form.action)
    }

    /// Is sent by a form of another site: no cookies come along (`SameSite=Lax`) until the server sends it on.
    #[track_caller]
    pub fn is_posted(&mut self, path: &str, form: String) -> Page {
        let request = self.node().post(path).header("sec-fetch-site", "cross-site");
        let request = request.header("origin", "https://app.example");
        let held = std::mem::take(&mut self.cookies);
        let answer = self.exchange(request.body("application/x-www-form-urlencoded", form));
        // What was set just now counts.
        self.cookies = held.into_iter().chain(std::mem::take(&mut self.cookies)).collect();
        self.follow(answer, path)
    }

    /// Sends a form with these headers, and follows nothing.
    #[track_caller]
    pub fn post(&mut self, form: &Form, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let mut all: Vec<_> = form.hidden.iter().map(|(name, value)| (&**name, &**value)).collect();
        all.extend(fields);
        let request = self.node().post(&form.action).form(&all);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        self.exchange(request)
    }

    /// The cookies it holds.
    pub fn cookies(&self) -> &BTreeMap<String, String> {
        &self.cookies
    }

    /// Forgets a cookie.
    pub fn forget(&mut self, name: &str) {
        self.cookies.remove(name);
    }

    #[track_caller]
    fn follow(&mut self, answer: Answer, at: &str) -> Page {
        let (mut answer, mut at) = (answer, at.to_owned());
        for _ in 0..MOST_HOPS {
            match answer.header("location").filter(|location| location.starts_with('/')) {
                None => {
                    let html = String::from_utf8_lossy(&answer.body).into_owned();
                    return Page { answer, at, html };
                }
                Some(location) => at = location.to_owned(),
            }
            let request = self.node().get(&at);
            answer = self.exchange(request);
        }
        panic!("more than {MOST_HOPS} redirects, the last to {at}");
    }

    #[track_caller]
    fn exchange(&mut self, request: crate::Request) -> Answer {
        let held: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = request;
        if !held.is_empty() {
            request = request.header("cookie", &held.join("; "));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = request.send();
        for cookie in answer.headers.get_all("set-cookie") {
            let text = cookie.to_str().expect("cookies are ASCII");
            let (pair, attributes) = text.split_once(';').expect("a cookie with attributes");
            let (name, value) = pair.split_once('=').expect("a cookie with a value");
            match attributes.contains("Max-Age=0") {
                true => drop(self.cookies.remove(name)),
                false => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
        answer
    }
}

impl Page {
    /// Fails the test unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.answer.status, status, "{}: {:?}", self.at, self.answer);
        self
    }

    /// Its HTML.
    pub fn html(&self) -> &str {
        &self.html
    }

    /// What stands in its heading.
    #[track_caller]
    pub fn heading(&self) -> String {
        unescaped(between(&self.html, "<h1>", "</h1>").unwrap_or_else(|| panic!("no heading: {self:?}")))
    }

    /// Whether this text stands in it.
    pub fn says(&self, text: &str) -> bool {
        unescaped(&self.html).contains(text)
    }

    /// Its form that goes there.
    #[track_caller]
    pub fn form(&self, action: &str) -> Form {
        let found = self.forms().into_iter().find(|form| form.action == action);
        found.unwrap_or_else(|| panic!("no form to {action}: {self:?}"))
    }

    /// All its forms.
    pub fn forms(&self) -> Vec<Form> {
        forms(&self.html)
    }

    /// Where the browser leaves the server to: by a redirect, or by a page that goes on.
    pub fn leaves_to(&self) -> Option<String> {
        self.answer.header("location").map(str::to_owned).or_else(|| refresh_target(&self.html))
    }

    /// A parameter of the address to which the browser leaves.
    pub fn left_with(&self, name: &str) -> Option<String> {
        let location = self.leaves_to()?;
        let (_, query) = location.split_once(['?', '#'])?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn page(html: &str) -> Page {
        let answer = Answer {
            status: 200,
            headers: http::HeaderMap::new(),
            body: html.to_owned().into(),
            took: Duration::ZERO,
        };
        Page { answer, at: "/".to_owned(), html: html.to_owned() }
    }

    #[test]
    fn a_page_that_goes_on_leaves_the_server() {
        let page = page(
            "<meta http-equiv=\"refresh\" content=\"0; url=https:&#x2f;&#x2f;a?code=x%26&amp;state=y\">",
        );
        assert_eq!(page.leaves_to().unwrap(), "https://a?code=x%26&state=y");
        assert_eq!(page.left_with("code").unwrap(), "x&");
        assert_eq!(page.left_with("nothing"), None);
    }
}

//! A browser without scripts that goes from site to site, unlike the one of the kit: from the application to the server and back.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use obol_testkit::{Answer, Form, Http, Request, between, forms, refresh_target, unescaped};

/// Cookies by name. Like a real browser it tells hosts apart, not ports; here there is one host.
#[derive(Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, String>,
    /// Where it does not go by itself: it shows the address instead.
    pub(crate) stops_before: Option<String>,
}

/// What the browser shows.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: String,
    pub(crate) status: u16,
    pub(crate) html: String,
}

impl Browser {
    /// Follows a link.
    #[track_caller]
    pub(crate) fn open(&mut self, url: &str) -> Page {
        let mut url = url.to_owned();
        for _redirect in 0..20 {
            if self.stops_before.as_ref().is_some_and(|start| url.starts_with(start)) {
                return Page { url, status: 0, html: String::new() };
            }
            let answer = self.send(&url, |http, target| http.get(target));
            match onward(&url, &answer) {
                Some(next) => url = next,
                None => return Page::new(url, &answer),
            }
        }
        panic!("this leads nowhere: {url}")
    }

    /// Sends the form of `page` whose action ends in `action`, with these of its fields filled in.
    #[track_caller]
    pub(crate) fn submit(&mut self, page: &Page, action: &str, filled: &[(&str, &str)]) -> Page {
        let form = page.form(action);
        let hidden = form.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let fields: Vec<(&str, &str)> = hidden.chain(filled.iter().copied()).collect();
        let url = absolute(&page.url, &form.action);
        let (origin, _) = split(&url);
        let answer = self.send(&url, |http, target| {
            let request = http.post(target).header("sec-fetch-site", "same-origin");
            request.header("origin", origin).form(&fields)
        });
        match onward(&url, &answer) {
            Some(next) => self.open(&next),
            None => Page::new(url, &answer),
        }
    }

    #[track_caller]
    fn send(&mut self, url: &str, request: impl FnOnce(&Http, &str) -> Request) -> Answer {
        let (origin, target) = split(url);
        let address: SocketAddr =
            origin.trim_start_matches("http://").parse().unwrap_or_else(|_| panic!("not on loopback: {url}"));
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = request(&Http::at(address), target).header("accept", "text/html");
        if !cookies.is_empty() {
            request = request.header("cookie", &cookies.join("; "));
        }
        let answer = request.send();
        for set in answer.headers.get_all("set-cookie") {
            let set = set.to_str().expect("cookies are ASCII");
            let (pair, attributes) = set.split_once(';').unwrap_or((set, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            match attributes.to_ascii_lowercase().contains("max-age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }
}

impl Page {
    fn new(url: String, answer: &Answer) -> Self {
        Self { url, status: answer.status, html: String::from_utf8_lossy(&answer.body).into_owned() }
    }

    /// Whether the page has such a form.
    pub(crate) fn asks(&self, action: &str) -> bool {
        forms(&self.html).iter().any(|form| form.action.ends_with(action))
    }

    /// What stands in `<dd id="…">`, if it is there.
    pub(crate) fn find(&self, id: &str) -> Option<String> {
        between(&self.html, &format!("<dd id=\"{id}\">"), "</dd>").map(unescaped)
    }

    /// The same, where it has to be.
    #[track_caller]
    pub(crate) fn fact(&self, id: &str) -> String {
        self.find(id).unwrap_or_else(|| panic!("no {id}: {self:?}"))
    }

    #[track_caller]
    fn form(&self, action: &str) -> Form {
        let found = forms(&self.html).into_iter().find(|form| form.action.ends_with(action));
        found.unwrap_or_else(|| panic!("no form for {action}: {self:?}"))
    }
}

/// Where the browser goes by itself: a redirect after which it asks by GET, or a page that goes on.
fn onward(url: &str, answer: &Answer) -> Option<String> {
    if let (301..=303, Some(location)) = (answer.status, answer.header("location")) {
        return Some(absolute(url, location));
    }
    let html = String::from_utf8_lossy(&answer.body);
    refresh_target(&html).map(|location| absolute(url, &location))
}

fn absolute(base: &str, location: &str) -> String {
    match location.starts_with('/') {
        true => format!("{}{location}", split(base).0),
        false => location.to_owned(),
    }
}

/// Origin, and what is asked for there.
fn split(url: &str) -> (&str, &str) {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let path = url[authority..].find('/').map_or(url.len(), |at| authority + at);
    (&url[..path], if path == url.len() { "/" } else { &url[path..] })
}

//! What a person does at an application, while the server's signing key changes.

use std::collections::BTreeSet;

use obol_testkit::{ALICE, Client, ClientSpec, PASSWORD, Server, obol};

use crate::application::{Application, SECRET};
use crate::browser::{Browser, Page};

const EMAIL: &str = "alice@example.com";

/// When a new signing key is published.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewKey {
    /// At the moment in which it begins to sign: who verifies has to ask for the keys again at once.
    AtOnce,
    /// Before the application has asked for the keys, as long before it signs as a server by itself would do it.
    Ahead,
}

/// A person who has come back to the application with tokens signed by a key that did not sign at first.
pub(crate) struct SignedIn {
    pub(crate) browser: Browser,
    pub(crate) page: Page,
}

/// Sign-in and consent, a new signing key, refresh; and with that key a sign-in from another browser.
#[track_caller]
pub(crate) fn journey(
    server: &Server,
    application: &Application,
    algorithm: &str,
    new_key: NewKey,
) -> SignedIn {
    let of_before = published(server);
    if new_key == NewKey::Ahead {
        rotate(server, algorithm, &[]);
    }
    let mut browser = Browser::default();
    let first = sign_in(&mut browser, server, application);
    assert_shows_alice(&first, application);
    assert!(of_before.contains(&first.fact("key")), "the ID token was verified by a published key");

    rotate(server, algorithm, &["--now"]);
    let new: Vec<String> = published(server).difference(&of_before).cloned().collect();

    let page = browser.submit(&first, "/refresh", &[]);
    assert_shows_alice(&page, application);
    assert_eq!([page.fact("key")], *new, "the application knows the new key");
    assert_eq!(page.fact("sub"), first.fact("sub"));

    let mut other = Browser::default();
    let elsewhere = sign_in(&mut other, server, application);
    assert_shows_alice(&elsewhere, application);
    assert_eq!((elsewhere.fact("key"), elsewhere.fact("sub")), (page.fact("key"), first.fact("sub")));
    SignedIn { browser, page }
}

impl SignedIn {
    /// Leaves the application, which revokes its tokens before it says so.
    #[track_caller]
    pub(crate) fn sign_out(mut self, server: &Server, application: &Application, client: &Client) -> Page {
        let page = self.browser.submit(&self.page, "/sign-out", &[]);
        assert_eq!((page.status, page.find("sub")), (200, None), "{page:?}\n{}", application.log());
        server.await_audit("its tokens are revoked", |line| {
            line.event() == "token.revoked" && line.text("client_id") == client.id
        });
        page
    }
}

/// Through the server's pages, and back to the application. People are asked once what it may.
#[track_caller]
pub(crate) fn sign_in(browser: &mut Browser, server: &Server, application: &Application) -> Page {
    sign_in_at(browser, server, &format!("{}/sign-in", application.url))
}

/// The same, where this address of an application sends its people to sign in.
#[track_caller]
pub(crate) fn sign_in_at(browser: &mut Browser, server: &Server, address: &str) -> Page {
    let asked = browser.open(address);
    assert!(asked.url.starts_with(server.url()), "the browser is at the server: {asked:?}");
    let page = browser.submit(&asked, "/sign-in", &[("username", ALICE), ("password", PASSWORD)]);
    match page.asks("/consent") {
        true => browser.submit(&page, "/consent", &[("decision", "allow")]),
        false => page,
    }
}

#[track_caller]
pub(crate) fn assert_shows_alice(page: &Page, application: &Application) {
    assert_eq!(page.url, format!("{}/", application.url), "{page:?}\n{}", application.log());
    assert_eq!((page.fact("username").as_str(), page.fact("email").as_str()), (ALICE, EMAIL));
}

/// A server that knows alice.
pub(crate) fn house() -> Server {
    let server = obol!().server().alice().start();
    server.run(&["user", "set", ALICE, "--email", EMAIL]).exits(0);
    server
}

pub(crate) fn register(server: &Server, application: &Application, algorithm: &str) -> Client {
    server.add_client(&spec(application, algorithm).secret(SECRET))
}

/// The application as a client that has no secret yet.
pub(crate) fn spec(application: &Application, algorithm: &str) -> ClientSpec {
    let callback = format!("{}/callback", application.url);
    let spec = ClientSpec::new("app", "confidential").grants(&["authorization_code", "refresh_token"]);
    spec.option("--redirect-uri", &callback).option("--id-token-alg", algorithm)
}

/// Publishes the next signing key; with `--now` it signs as well.
#[track_caller]
pub(crate) fn rotate(server: &Server, algorithm: &str, more: &[&str]) {
    let rotate = ["keys", "rotate", "--kind", "signing", "--algorithm", algorithm, "--json"];
    server.run(&[&rotate, more].concat()).exits(0);
}

/// The ids of the keys that are published.
#[track_caller]
fn published(server: &Server) -> BTreeSet<String> {
    let set = server.http().get("/oauth2/jwks").send().expect(200).json();
    let keys = set["keys"].as_array().expect("a key set").iter();
    keys.map(|key| key["kid"].as_str().expect("each has an id").to_owned()).collect()
}

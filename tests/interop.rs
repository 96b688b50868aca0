//! Applications that know nothing of obol but its issuer: the example of this repository on the `openidconnect` crate, and one on
//! PyPI's Authlib. Each signs a person in, refreshes and revokes, while the signing key changes.

#[path = "interop/application.rs"]
mod application;
#[path = "interop/browser.rs"]
mod browser;

use std::collections::BTreeSet;

use obol_testkit::{ALICE, Client, ClientSpec, PASSWORD, Server, obol};

use self::application::{Application, SECRET};
use self::browser::{Browser, Page};

const EMAIL: &str = "alice@example.com";

#[test]
fn the_example_application_signs_in_refreshes_and_revokes_while_the_signing_key_changes() {
    for algorithm in ["ES256", "RS256", "PS256", "EdDSA"] {
        let server = house();
        let application = Application::example(server.url(), "app");
        let signed_in = journey(&server, &application, algorithm);
        signed_in.sign_out(&server, &application);
    }
}

#[test]
fn an_application_on_authlib_signs_in_refreshes_and_revokes_while_the_signing_key_changes() {
    for algorithm in ["ES256", "RS256"] {
        let server = house();
        let application = Application::authlib(server.url(), "app");
        let signed_in = journey(&server, &application, algorithm);
        let shown = |page: &Page, name| page.fact(name);
        assert_eq!(shown(&signed_in.page, "algorithm"), algorithm);
        let (access, refresh) =
            (shown(&signed_in.page, "access_token"), shown(&signed_in.page, "refresh_token"));
        let client = signed_in.client.clone();
        assert!(server.stands(&client, &access));
        signed_in.sign_out(&server, &application);
        assert!(!server.stands(&client, &access), "signed out");
        assert_eq!(server.rfc_refresh(&client, &refresh).expect(400).text("error"), "invalid_grant");
    }
}

#[test]
fn an_application_that_is_told_the_issuer_of_fortiauthenticator_signs_in_and_refreshes() {
    let server = house();
    let application = Application::authlib(&format!("{}/api/v1/oauth", server.url()), "app");
    // The discovery document of that dialect has no revocation endpoint.
    let signed_in = journey(&server, &application, "RS256");
    assert!(server.stands(&signed_in.client, &signed_in.page.fact("access_token")));
}

#[test]
fn the_example_application_notices_that_the_server_ended_a_sign_in() {
    let server = house();
    let application = Application::example(server.url(), "app");
    let mut signed_in = journey(&server, &application, "ES256");
    server.run(&["revoke", "--user", ALICE, "--yes"]).exits(0);
    let told = signed_in.browser.open(&application.url);
    assert!(told.html.contains("ended by the provider"), "{told:?}");
    assert_eq!(signed_in.browser.open(&application.url).find("sub"), None, "and it forgot the person");
}

#[test]
fn the_example_application_takes_no_answer_that_this_browser_did_not_ask_for() {
    let server = house();
    let application = Application::example(server.url(), "app");
    register(&server, &application, "ES256");
    let callback = format!("{}/callback", application.url);
    let mut attacker = Browser::default();
    attacker.stops_before = Some(callback);
    let link = sign_in(&mut attacker, &server, &application).url;
    attacker.stops_before = None;
    let refused = Browser::default().open(&link);
    assert_eq!((refused.status, refused.find("sub")), (400, None), "{refused:?}");
    // The attempt is spent: it does not help the attacker either.
    assert_eq!(attacker.open(&link).status, 400);
}

#[test]
fn the_example_application_takes_no_answer_of_another_issuer_and_says_when_a_person_does_not_allow_it() {
    let server = house();
    let application = Application::example(server.url(), "app");
    register(&server, &application, "ES256");
    let mut browser = Browser::default();
    let asked = browser.open(&format!("{}/sign-in", application.url));
    let consent = browser.submit(&asked, "/sign-in", &[("username", ALICE), ("password", PASSWORD)]);
    let denied = browser.submit(&consent, "/consent", &[("decision", "deny")]);
    assert_eq!((denied.status, denied.find("sub")), (400, None), "{denied:?}");
    assert!(denied.html.contains("access_denied"), "{denied:?}");

    for iss in ["", "&iss=https%3A%2F%2Felsewhere.example"] {
        browser.stops_before = Some(format!("{}/callback", application.url));
        let asked = browser.open(&format!("{}/sign-in", application.url));
        let link = match asked.asks("/consent") {
            true => browser.submit(&asked, "/consent", &[("decision", "allow")]).url,
            false => asked.url,
        };
        browser.stops_before = None;
        let (answer, _) = link.split_once("&iss=").expect("RFC 9207: the answer says its issuer");
        let refused = browser.open(&format!("{answer}{iss}"));
        assert_eq!((refused.status, refused.find("sub")), (400, None), "{refused:?}");
        assert!(refused.html.contains("another provider"), "{refused:?}");
    }
}

/// A person who has come back to the application with tokens signed by a key that was not there at first.
struct SignedIn {
    browser: Browser,
    page: Page,
    client: Client,
}

/// Sign-in and consent, a new signing key, refresh; and with that key a sign-in from another browser.
#[track_caller]
fn journey(server: &Server, application: &Application, algorithm: &str) -> SignedIn {
    let client = register(server, application, algorithm);
    let mut browser = Browser::default();
    let first = sign_in(&mut browser, server, application);
    assert_shows_alice(&first, application);
    let before = published(server);
    assert!(before.contains(&first.fact("key")), "the ID token was verified by a published key");

    let rotate = ["keys", "rotate", "--kind", "signing", "--algorithm", algorithm, "--now", "--json"];
    server.run(&rotate).exits(0);
    let new: Vec<String> = published(server).difference(&before).cloned().collect();

    let page = browser.submit(&first, "/refresh", &[]);
    assert_shows_alice(&page, application);
    assert_eq!([page.fact("key")], *new, "the application has asked for the keys again");
    assert_eq!(page.fact("sub"), first.fact("sub"));

    let mut other = Browser::default();
    let elsewhere = sign_in(&mut other, server, application);
    assert_shows_alice(&elsewhere, application);
    assert_eq!((elsewhere.fact("key"), elsewhere.fact("sub")), (page.fact("key"), first.fact("sub")));
    SignedIn { browser, page, client }
}

/// Through the server's pages, and back to the application. People are asked once what it may.
#[track_caller]
fn sign_in(browser: &mut Browser, server: &Server, application: &Application) -> Page {
    let asked = browser.open(&format!("{}/sign-in", application.url));
    assert!(asked.url.starts_with(server.url()), "the browser is at the server: {asked:?}");
    let page = browser.submit(&asked, "/sign-in", &[("username", ALICE), ("password", PASSWORD)]);
    match page.asks("/consent") {
        true => browser.submit(&page, "/consent", &[("decision", "allow")]),
        false => page,
    }
}

#[track_caller]
fn assert_shows_alice(page: &Page, application: &Application) {
    assert_eq!(page.url, format!("{}/", application.url), "{page:?}\n{}", application.log());
    assert_eq!((page.fact("username").as_str(), page.fact("email").as_str()), (ALICE, EMAIL));
}

/// The ids of the keys that are published.
#[track_caller]
fn published(server: &Server) -> BTreeSet<String> {
    let set = server.http().get("/oauth2/jwks").send().expect(200).json();
    let keys = set["keys"].as_array().expect("a key set").iter();
    keys.map(|key| key["kid"].as_str().expect("each has an id").to_owned()).collect()
}

impl SignedIn {
    /// Leaves the application, which revokes its tokens before it says so.
    #[track_caller]
    fn sign_out(mut self, server: &Server, application: &Application) {
        let page = self.browser.submit(&self.page, "/sign-out", &[]);
        assert_eq!((page.status, page.find("sub")), (200, None), "{page:?}\n{}", application.log());
        server.await_audit("its tokens are revoked", |line| {
            line.event() == "token.revoked" && line.text("client_id") == self.client.id
        });
    }
}

/// A server that knows alice.
fn house() -> Server {
    let server = obol!().server().alice().start();
    server.run(&["user", "set", ALICE, "--email", EMAIL]).exits(0);
    server
}

fn register(server: &Server, application: &Application, algorithm: &str) -> Client {
    let spec = ClientSpec::new("app", "confidential").grants(&["authorization_code", "refresh_token"]);
    let callback = format!("{}/callback", application.url);
    let spec = spec.option("--redirect-uri", &callback).option("--id-token-alg", algorithm).secret(SECRET);
    server.add_client(&spec)
}

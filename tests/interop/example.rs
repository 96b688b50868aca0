//! The example of this repository, on the `openidconnect` crate.

use obol_testkit::{ALICE, PASSWORD};

use crate::application::Application;
use crate::browser::Browser;
use crate::journey::{NewKey, house, journey, register, sign_in};

#[test]
fn the_example_application_signs_in_refreshes_and_revokes_while_the_signing_key_changes() {
    for algorithm in ["ES256", "RS256", "PS256", "EdDSA"] {
        let server = house();
        let application = Application::example(server.url(), "app");
        let client = register(&server, &application, algorithm);
        let signed_in = journey(&server, &application, algorithm, NewKey::AtOnce);
        signed_in.sign_out(&server, &application, &client);
    }
}

#[test]
fn the_example_application_notices_that_the_server_ended_a_sign_in() {
    let server = house();
    let application = Application::example(server.url(), "app");
    register(&server, &application, "ES256");
    let mut signed_in = journey(&server, &application, "ES256", NewKey::AtOnce);
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

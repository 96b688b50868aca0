//! Applications on the libraries of others, in Python and JavaScript.

use std::thread;
use std::time::Duration;

use obol_testkit::{ALICE, wait_until};

use crate::application::{Application, Start};
use crate::browser::Browser;
use crate::journey::{NewKey, assert_shows_alice, house, journey, register, rotate, sign_in, spec};

#[test]
fn an_application_on_authlib_goes_the_whole_way() {
    for algorithm in ["ES256", "RS256"] {
        whole_way(Application::authlib, algorithm, NewKey::AtOnce);
    }
}

#[test]
fn an_application_on_requests_oauthlib_goes_the_whole_way() {
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        whole_way(Application::requests_oauthlib, algorithm, NewKey::Ahead);
    }
}

#[test]
fn an_application_on_openid_client_goes_the_whole_way() {
    for algorithm in ["ES256", "RS256", "PS256", "EdDSA"] {
        whole_way(Application::openid_client, algorithm, NewKey::Ahead);
    }
}

#[test]
fn an_application_on_oauth4webapi_goes_the_whole_way() {
    for algorithm in ["ES256", "RS256", "PS256", "EdDSA"] {
        whole_way(Application::oauth4webapi, algorithm, NewKey::Ahead);
    }
}

#[test]
fn applications_in_javascript_push_what_they_ask_for() {
    for start in [Application::openid_client_that_pushes, Application::oauth4webapi_that_pushes] {
        let server = house();
        let application = start(server.url(), "app");
        let client = register(&server, &application, "ES256");
        server.run(&["client", "set", &client.id, "--par", "required"]).exits(0);
        let page = sign_in(&mut Browser::default(), &server, &application);
        assert_shows_alice(&page, &application);
    }
}

#[test]
fn applications_in_javascript_sign_what_they_authenticate_with() {
    for start in [Application::openid_client_with_a_key, Application::oauth4webapi_with_a_key] {
        let server = house();
        let application = start(server.url(), "app");
        let key_set = Browser::default().open(&format!("{}/jwks", application.url)).html;
        let file = server.installation().write("application.jwks", &key_set);
        let client = server.add_client(&spec(&application, "ES256").keyed(&file).flag("--require-par"));
        let signed_in = journey(&server, &application, "ES256", NewKey::Ahead);
        let left = signed_in.sign_out(&server, &application, &client);
        assert_eq!(left.fact("active"), "false", "what introspection told the application");
    }
}

#[test]
fn an_application_that_keeps_the_keys_for_a_minute_heals_from_a_rotation_in_haste() {
    let server = house();
    let application = Application::openid_client(server.url(), "app");
    register(&server, &application, "ES256");
    let mut browser = Browser::default();
    let first = sign_in(&mut browser, &server, &application);
    rotate(&server, "ES256", &["--now"]);
    let page = wait_until("openid-client asks for the keys again", Duration::from_secs(90), || {
        thread::sleep(Duration::from_secs(1));
        let page = browser.open(&format!("{}/sign-in", application.url));
        (page.status == 200).then_some(page)
    });
    assert_shows_alice(&page, &application);
    assert_ne!(page.fact("key"), first.fact("key"));
}

#[test]
fn an_application_that_is_told_the_issuer_of_fortiauthenticator_signs_in_and_refreshes() {
    let server = house();
    let application = Application::authlib(&format!("{}/api/v1/oauth", server.url()), "app");
    let client = register(&server, &application, "RS256");
    // The discovery document of that dialect has no revocation endpoint.
    let signed_in = journey(&server, &application, "RS256", NewKey::AtOnce);
    assert!(server.stands(&client, &signed_in.page.fact("access_token")));
}

/// The journey; signing out, after which its tokens count for nothing; and what the application makes of an end that the server
/// decided, when it asks for the person and when it refreshes.
#[track_caller]
fn whole_way(start: Start, algorithm: &str, new_key: NewKey) {
    let server = house();
    let application = start(server.url(), "app");
    let client = register(&server, &application, algorithm);
    let signed_in = journey(&server, &application, algorithm, new_key);
    assert_eq!(signed_in.page.fact("algorithm"), algorithm);
    let [access, refresh] = ["access_token", "refresh_token"].map(|name| signed_in.page.fact(name));
    assert!(server.stands(&client, &access));

    let left = signed_in.sign_out(&server, &application, &client);
    assert_eq!(left.fact("active").to_lowercase(), "false", "what introspection told the application");
    assert!(!server.stands(&client, &access), "signed out");
    assert_eq!(server.rfc_refresh(&client, &refresh).expect(400).text("error"), "invalid_grant");

    for asks in ["/", "/refresh"] {
        let mut browser = Browser::default();
        let page = sign_in(&mut browser, &server, &application);
        server.run(&["revoke", "--user", ALICE, "--yes"]).exits(0);
        let told = match asks {
            "/" => browser.open(&application.url),
            action => browser.submit(&page, action, &[]),
        };
        assert!(told.html.contains("ended by the provider"), "{told:?}\n{}", application.log());
        assert_eq!(browser.open(&application.url).find("sub"), None, "and it forgot the person");
    }
}

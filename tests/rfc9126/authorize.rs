//! §4: what a browser brings.

use std::time::Duration;

use obol_testkit::{
    Arrival, AuthorizationRequest, ClientSpec, FORTI_AUTHORIZE, REDIRECT_URI, obol, wait_until,
};

#[test]
fn rfc9126_4_the_browser_brings_client_and_reference_and_the_client_gets_its_code() {
    let (server, app) = obol!().application();
    let pushed = || server.pushed(&app, &AuthorizationRequest::of(&app));
    let (mut alice, mut posted) = (server.person(), server.person());
    let answer = alice.goes_through(&pushed());
    assert_eq!((answer.uri.as_str(), answer.get("state")), (REDIRECT_URI, Some("a state")));
    assert_eq!(answer.get("iss"), Some(server.url()));
    assert!(!server.redeem(&app, answer.code()).expect(200).text("id_token").is_empty());
    let page = posted.is_posted(&pushed()).sign_in();
    assert!(!posted.signs_in(&page).returns().code().is_empty(), "she has allowed it before");
}

#[test]
fn rfc9126_4_what_stands_beside_the_reference_counts_for_nothing() {
    let (server, app) = obol!().application();
    server.run(&[
        "client",
        "set",
        "app",
        "--redirect-uri",
        REDIRECT_URI,
        "--redirect-uri",
        "https://b.example/",
    ]);
    let pushed = server.pushed(&app, &AuthorizationRequest::of(&app));
    let bent = pushed
        .with("state", "another")
        .with("redirect_uri", "https://b.example/")
        .with("scope", "read")
        .with("prompt", "none")
        .with("response_mode", "fragment")
        .with("response_type", "token")
        .with("request", "x");
    let answer = server.person().goes_through(&bent);
    assert_eq!(
        (answer.uri.as_str(), answer.mode, answer.get("state")),
        (REDIRECT_URI, "query", Some("a state"))
    );
    assert_eq!(server.redeem(&app, answer.code()).expect(200).text("scope"), "openid");
}

#[test]
fn rfc9126_2_2_the_reference_is_bound_to_the_client() {
    let (server, app) = obol!().application();
    let other = server.add_client(&ClientSpec::application("other"));
    let pushed = server.pushed(&app, &AuthorizationRequest::of(&app));
    server.person().follows(&pushed.clone().with("client_id", &other.id)).refused(400);
    server.person().follows(&pushed.clone().with("client_id", "nobody")).refused(400);
    server.person().follows(&pushed.clone().without("client_id")).refused(400);
    assert!(!server.person().goes_through(&pushed).code().is_empty(), "and was not used by that");
}

#[test]
fn rfc9126_4_a_reference_that_is_none_is_told_the_person_and_nobody_is_redirected() {
    let (server, app) = obol!().application();
    let pushed = server.http().push(&app, &AuthorizationRequest::of(&app)).expect(201).text("request_uri");
    let (most, last) = pushed.split_at(pushed.len() - 1);
    let bent = format!("{most}{}", if last == "A" { "B" } else { "A" });
    let urn = "urn:ietf:params:oauth:request_uri:";
    for uri in [&*bent, most, urn, &format!("{urn}x"), &format!("{pushed}%00")] {
        let request = AuthorizationRequest::of(&app).with("request_uri", uri);
        let answer = server.person().follows(&request).refused(400);
        assert!(String::from_utf8_lossy(&answer.body).contains("invalid_request_uri"), "{uri}");
    }
}

#[test]
fn rfc9126_4_an_expired_reference_is_rejected_but_who_came_in_time_may_take_longer() {
    let server = obol!().server().alice().option("--pushed-request-ttl", "5");
    let app = server.add_client(&ClientSpec::application("app"));
    let server = server.start();
    let pushed = server.pushed(&app, &AuthorizationRequest::of(&app));
    let mut alice = server.person();
    let page = alice.follows(&pushed).sign_in();
    wait_until("the reference has expired", Duration::from_secs(30), || {
        matches!(server.person().follows(&pushed), Arrival::Other(_)).then_some(())
    });
    server.person().is_posted(&pushed).refused(400);
    let page = alice.signs_in(&page).consent();
    assert!(!alice.allows(&page).returns().code().is_empty());
}

#[test]
fn rfc9126_4_the_request_is_checked_again_when_it_is_brought() {
    let (server, app) = obol!().application();
    let pushed = server.pushed(&app, &AuthorizationRequest::of(&app));
    server.run(&["client", "set", "app", "--redirect-uri", "https://moved.example/"]).exits(0);
    server.person().follows(&pushed).refused(400);
    server
        .run(&["client", "set", "app", "--redirect-uri", REDIRECT_URI, "--grant", "refresh_token"])
        .exits(0);
    assert_eq!(server.person().follows(&pushed).returns().error(), "unauthorized_client");
}

#[test]
fn the_pages_know_what_was_pushed() {
    let (server, _) = obol!().application();
    let uri = "com.example.app:/cb";
    let spec = ClientSpec::new("phone", "public").grants(&["authorization_code"]);
    let phone = server.add_client(&spec.option("--redirect-uri", uri).option("--application-type", "native"));
    let request = AuthorizationRequest::of(&phone).with("redirect_uri", uri);
    let request = request.with("ui_locales", "de").with("login_hint", "somebody");
    let mut alice = server.person();
    let page = alice.follows(&server.pushed(&phone, &request)).sign_in();
    let wrong = alice.submits(&page, &[("username", "alice"), ("password", "wrong")]).sign_in();
    let consent = alice.signs_in(&wrong).consent();
    for page in [&page, &wrong, &consent] {
        assert_eq!(page.answer.header("content-language"), Some("de"));
        let policy = page.answer.header("content-security-policy").unwrap();
        assert!(policy.contains("form-action 'self' com.example.app:"), "{policy}");
    }
    assert!(page.says("somebody"));
    assert_eq!(alice.allows(&consent).returns().uri, uri);
}

#[test]
fn a_request_that_no_url_holds_can_be_pushed() {
    let (server, app) = obol!().application();
    let hint = "x".repeat(12_000);
    let pushed = server.pushed(&app, &AuthorizationRequest::of(&app).with("login_hint", &hint));
    assert!(!server.person().goes_through(&pushed).code().is_empty());
}

#[test]
fn the_endpoints_of_fortiauthenticator_know_no_references() {
    let (server, app) = obol!().application();
    let pushed = server.pushed(&app, &AuthorizationRequest::of(&app)).to(FORTI_AUTHORIZE);
    let answer = server.person().follows(&pushed.with("redirect_uri", REDIRECT_URI)).returns();
    assert_eq!(answer.error(), "request_uri_not_supported");
}

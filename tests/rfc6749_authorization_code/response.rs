//! §4.1.1 to §4.1.2.1: what goes back to the client through the browser.

use obol_testkit::{AuthorizationRequest, ClientSpec, REDIRECT_URI, obol};

#[test]
fn rfc6749_4_1_2_the_state_comes_back_as_it_was_sent() {
    let (server, app) = obol!().application();
    let long = "s".repeat(512);
    for state in ["x", "a b+c%20", "<>&=?#/\\\"'", "\u{e4}\u{1f511}", &long] {
        let request = AuthorizationRequest::of(&app).with("state", state);
        assert_eq!(server.person().goes_through(&request).get("state"), Some(state));
        let refused = server.person().follows(&request.with("prompt", "none")).returns();
        assert_eq!((refused.error(), refused.get("state")), ("login_required", Some(state)));
    }
}

#[test]
fn rfc6749_4_1_2_an_answer_has_a_code_and_nothing_that_is_not_said_anywhere() {
    let (server, app) = obol!().application();
    let answer = server.person().goes_through(&AuthorizationRequest::of(&app));
    assert_eq!((answer.uri.as_str(), answer.mode), (REDIRECT_URI, "query"));
    assert_eq!(answer.names(), ["code", "iss", "state"]);
}

/// 128 bits are 22 characters of base64url.
#[test]
fn rfc6749_10_10_s_30_codes_cannot_be_guessed() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    let mut codes: Vec<_> =
        (0..5).map(|_| person.goes_through(&AuthorizationRequest::of(&app)).code().to_owned()).collect();
    assert!(codes.iter().all(|code| code.len() >= 22 + "obc_".len()), "{codes:?}");
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), 5);
}

#[test]
fn rfc6749_4_1_2_1_a_person_who_denies_is_told_to_the_client() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    let page = person.follows(&AuthorizationRequest::of(&app)).sign_in();
    let page = person.signs_in(&page).consent();
    let answer = person.denies(&page).returns();
    assert_eq!((answer.error(), answer.get("state")), ("access_denied", Some("a state")));
}

#[test]
fn rfc6749_4_1_2_1_errors_go_to_the_redirect_uri_with_the_code_of_the_rfc_and_the_state() {
    let (server, app) = obol!().application();
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "openid root", "invalid_scope"),
        ("scope", "open\"id", "invalid_scope"),
        ("prompt", "none", "login_required"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "sometimes", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("claims", "[]", "invalid_request"),
        ("response_mode", "web_message", "invalid_request"),
        ("resource", "https://api.example/", "invalid_target"),
        ("request", "e30.e30.", "invalid_request_object"),
        ("request_uri", "https://app.example/request", "request_uri_not_supported"),
        ("registration", "{}", "registration_not_supported"),
    ] {
        let request = AuthorizationRequest::of(&app).with(name, value);
        let answer = server.person().follows(&request).returns();
        assert_eq!((answer.error(), answer.uri.as_str()), (error, REDIRECT_URI), "{name}={value}");
        assert_eq!(answer.names(), ["error", "error_description", "iss", "state"], "{name}");
        let without = server.person().follows(&request.without("state")).returns();
        assert_eq!((without.error(), without.get("state")), (error, None), "{name}");
    }
}

#[test]
fn rfc6749_4_1_2_1_a_client_without_the_grant_is_unauthorized() {
    let server = obol!().server().alice();
    let spec = ClientSpec::new("app", "confidential").grants(&["client_credentials"]);
    let app = server.add_client(&spec.option("--redirect-uri", REDIRECT_URI));
    let server = server.start();
    let answer = server.person().follows(&AuthorizationRequest::of(&app)).returns();
    assert_eq!(answer.error(), "unauthorized_client");
}

#[test]
fn rfc6749_4_1_2_1_a_description_holds_only_the_characters_that_it_may() {
    let (server, app) = obol!().application();
    let odd = "\"\\\r\n\t\u{e4}<";
    for name in [
        "response_type",
        "scope",
        "prompt",
        "max_age",
        "claims",
        "response_mode",
        "resource",
        "id_token_hint",
    ] {
        let answer = server.person().follows(&AuthorizationRequest::of(&app).with(name, odd)).returns();
        let description = answer.get("error_description").unwrap();
        let may = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(description.bytes().all(may), "{name}: {description}");
    }
}

#[test]
fn s_04_after_a_form_with_credentials_the_redirect_is_303() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    let page = person.follows(&AuthorizationRequest::of(&app)).sign_in();
    let answer =
        person.submits_and_stays(&page, &[("username", "alice"), ("password", obol_testkit::PASSWORD)]);
    answer.expect(303);
}

#[test]
fn s_46_a_scope_that_is_not_the_clients_is_never_granted() {
    let (server, app) =
        obol!().application_of(|app| app.option("--default-scope", "read").option("--scope", "write"));
    let request = AuthorizationRequest::of(&app);
    let answer = server.person().follows(&request.clone().with("scope", "read openid")).returns();
    assert_eq!(answer.error(), "invalid_scope");
    for (asked, granted) in [("read write", "read write"), ("read", "read"), ("write", "read write")] {
        let code = server.person().goes_through(&request.clone().with("scope", asked)).code().to_owned();
        assert_eq!(server.redeem(&app, &code).expect(200).text("scope"), granted);
    }
}

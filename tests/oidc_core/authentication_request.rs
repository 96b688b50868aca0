//! §3.1.2.1, §3.1.2.6, §6: the parameters that are understood, ignored or refused.

use obol_testkit::{AuthorizationRequest, obol};

use super::id_token_of;

#[test]
fn oidc_core_3_1_2_1_the_redirect_uri_must_be_there_where_openid_is_asked_for() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).without("redirect_uri");
    server.person().follows(&request.clone().with("scope", "read openid")).refused(400);
    server.person().follows(&request.without("scope")).sign_in();
}

#[test]
fn oidc_core_3_1_2_1_get_and_post_are_alike() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    let page = person.is_posted(&AuthorizationRequest::of(&app)).sign_in();
    let page = person.signs_in(&page).consent();
    let answer = person.allows(&page).returns();
    server.tokens_for(&app, answer.code());
    // Somebody who is signed in is known also after a form of another site, which brings no cookies along.
    person.is_posted(&AuthorizationRequest::of(&app)).returns().code();
}

#[test]
fn oidc_core_3_1_2_1_the_order_of_parameters_and_scopes_does_not_matter() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).with("scope", "email openid").reversed();
    let answer = server.person().goes_through(&request);
    let given = server.redeem(&app, answer.code()).expect(200);
    assert!(!given.text("id_token").is_empty());
}

#[test]
fn oidc_core_3_1_2_1_what_need_only_not_be_an_error_is_none() {
    let (server, app) = obol!().application();
    for (name, value) in [
        ("display", "page"),
        ("display", "popup"),
        ("display", "touch"),
        ("display", "wap"),
        ("display", "hologram"),
        ("ui_locales", "se"),
        ("ui_locales", "de-CH-1996 en"),
        ("claims_locales", "se"),
        ("acr_values", "1 2"),
        ("acr_values", "urn:mace:incommon:iap:silver"),
        ("login_hint", "buffy@example.org"),
        ("extra", "foobar"),
    ] {
        let request = AuthorizationRequest::of(&app).with(name, value);
        assert!(!server.person().goes_through(&request).code().is_empty(), "{name}={value}");
    }
}

#[test]
fn oidc_core_3_1_2_1_ui_locales_choose_the_language_of_the_page() {
    let (server, app) = obol!().application();
    for (locales, language) in [("de en", "de"), ("en de", "en"), ("xx de-CH", "de"), ("se", "en")] {
        let request = AuthorizationRequest::of(&app).with("ui_locales", locales);
        let page = server.person().follows(&request).sign_in();
        assert_eq!(page.answer.header("content-language"), Some(language), "{locales}");
    }
}

#[test]
fn oidc_core_3_1_2_1_a_login_hint_stands_in_the_form() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).with("login_hint", "alice");
    let page = server.person().follows(&request).sign_in();
    assert!(String::from_utf8_lossy(&page.answer.body).contains("value=\"alice\""));
}

#[test]
fn oidc_core_3_1_2_1_the_nonce_is_in_the_id_token_as_it_was_sent_and_need_not_be_sent() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    let long = "n".repeat(255);
    for nonce in ["n-0S6_WzA2Mj", "a b+c%20\u{e4}\"\\", &long] {
        let request = AuthorizationRequest::of(&app).with("nonce", nonce);
        assert_eq!(id_token_of(&server, &app, &mut person, &request).claims["nonce"], nonce);
    }
    let without = id_token_of(&server, &app, &mut person, &AuthorizationRequest::of(&app));
    assert_eq!(without.claims.get("nonce"), None);
}

#[test]
fn oidc_core_6_request_objects_that_are_not_read_are_refused_by_name_and_not_ignored() {
    let (server, app) = obol!().application();
    for (name, value, error) in [
        ("request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported"),
        ("request_uri", "https://app.example/request.jwt", "request_uri_not_supported"),
        ("registration", "{}", "registration_not_supported"),
    ] {
        let answer = server.person().follows(&AuthorizationRequest::of(&app).with(name, value)).returns();
        assert_eq!(answer.error(), error);
    }
    let document = server.http().get("/.well-known/openid-configuration").send().expect(200).json();
    let algorithms = document["request_object_signing_alg_values_supported"].as_array().unwrap();
    assert!(!algorithms.contains(&"none".into()), "unsigned ones are not");
    assert_eq!(document["request_uri_parameter_supported"], true);
}

/// A redirect URI inside a request object that nobody has signed does not make up for a bad one beside it.
#[test]
fn oidc_core_6_1_a_request_object_does_not_bring_its_own_redirect_uri() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).with("request", "eyJhbGciOiJub25lIn0.e30.");
    server.person().follows(&request.with("redirect_uri", "https://app.example/other")).refused(400);
}

//! §3.1.2.3, §3.1.2.4: who signs in when, and who is asked what (S-74).

use obol_testkit::{ALICE, Arrival, AuthorizationRequest, PASSWORD, obol, until_a_later_second};

use super::id_token_of;

const BOB: &str = "bob";

#[test]
fn oidc_core_3_1_2_3_s_74_prompt_none_shows_no_page_whatever_is_missing() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).with("prompt", "none");
    let mut person = server.person();
    assert_eq!(person.follows(&request).returns().error(), "login_required");
    let page = person.follows(&AuthorizationRequest::of(&app)).sign_in();
    person.signs_in(&page).consent();
    assert_eq!(person.follows(&request).returns().error(), "consent_required");
    person.goes_through(&AuthorizationRequest::of(&app));
    person.follows(&request).returns().code();
    let more = request.clone().with("scope", "openid email");
    assert_eq!(person.follows(&more).returns().error(), "consent_required", "more than was allowed");
}

#[test]
fn oidc_core_3_1_2_1_prompt_none_stands_alone() {
    let (server, app) = obol!().application();
    for prompt in ["none login", "none consent", "select_account none", "none none login"] {
        let request = AuthorizationRequest::of(&app).with("prompt", prompt);
        assert_eq!(server.person().follows(&request).returns().error(), "invalid_request", "{prompt}");
    }
}

#[test]
fn oidc_core_3_1_2_3_a_person_who_is_signed_in_is_not_asked_again_and_auth_time_stays() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    let request = AuthorizationRequest::of(&app);
    let first = id_token_of(&server, &app, &mut person, &request);
    until_a_later_second();
    for prompt in [None, Some("none")] {
        let again = prompt.map_or(request.clone(), |prompt| request.clone().with("prompt", prompt));
        let code = person.follows(&again).returns().code().to_owned();
        let second =
            obol_testkit::Jwt::verified(&server.redeem(&app, &code).expect(200).text("id_token"), &server);
        assert_eq!(second.claims["auth_time"], first.claims["auth_time"]);
        assert_eq!(second.claims["sub"], first.claims["sub"]);
        assert!(second.claims["iat"].as_i64() > first.claims["iat"].as_i64());
    }
}

#[test]
fn oidc_core_3_1_2_3_prompt_login_asks_for_the_password_again_and_auth_time_is_later() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    let first = id_token_of(&server, &app, &mut person, &AuthorizationRequest::of(&app));
    until_a_later_second();
    let request = AuthorizationRequest::of(&app).with("prompt", "login");
    person.follows(&request).sign_in();
    let second = id_token_of(&server, &app, &mut person, &request);
    assert!(second.claims["auth_time"].as_i64() > first.claims["auth_time"].as_i64());
}

#[test]
fn oidc_core_3_1_2_1_max_age_asks_who_signed_in_longer_ago_and_nobody_else() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    let first =
        id_token_of(&server, &app, &mut person, &AuthorizationRequest::of(&app).with("max_age", "15000"));
    until_a_later_second();
    let young =
        id_token_of(&server, &app, &mut person, &AuthorizationRequest::of(&app).with("max_age", "10000"));
    assert_eq!(young.claims["auth_time"], first.claims["auth_time"]);
    let request = AuthorizationRequest::of(&app).with("max_age", "1");
    let refused = person.follows(&request.clone().with("prompt", "none")).returns();
    assert_eq!(refused.error(), "login_required");
    person.follows(&request).sign_in();
    let old = id_token_of(&server, &app, &mut person, &request);
    assert!(old.claims["auth_time"].as_i64() > first.claims["auth_time"].as_i64());
}

#[test]
fn oidc_core_3_1_2_1_max_age_0_is_a_new_sign_in_which_is_then_enough() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    person.goes_through(&AuthorizationRequest::of(&app));
    until_a_later_second();
    let request = AuthorizationRequest::of(&app).with("max_age", "0");
    let page = person.follows(&request).sign_in();
    person.signs_in(&page).returns().code();
}

#[test]
fn oidc_core_2_the_default_max_age_of_a_client_counts_where_a_request_says_none() {
    let (server, app) = obol!().application_of(|app| app.option("--default-max-age", "1"));
    let mut person = server.person();
    person.goes_through(&AuthorizationRequest::of(&app));
    until_a_later_second();
    person.follows(&AuthorizationRequest::of(&app).with("max_age", "10000")).returns().code();
    person.follows(&AuthorizationRequest::of(&app)).sign_in();
}

#[test]
fn oidc_core_3_1_2_1_prompt_consent_asks_again_what_was_allowed_before() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    person.goes_through(&AuthorizationRequest::of(&app));
    person.follows(&AuthorizationRequest::of(&app)).returns().code();
    person.follows(&AuthorizationRequest::of(&app).with("prompt", "consent")).consent();
}

/// Also within the same second: a sign-in counts for what it was made for.
#[test]
fn oidc_core_3_1_2_1_no_earlier_sign_in_counts_for_prompt_login() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    person.goes_through(&AuthorizationRequest::of(&app));
    let request = AuthorizationRequest::of(&app).with("prompt", "login");
    let page = person.follows(&request).sign_in();
    person.signs_in(&page).returns().code();
    person.follows(&request).sign_in();
}

#[test]
fn oidc_core_3_1_2_1_prompt_select_account_lets_go_on_without_a_password_or_as_somebody_else() {
    let (server, app) = obol!().application();
    server.add_user(BOB, PASSWORD);
    let mut person = server.person();
    person.goes_through(&AuthorizationRequest::of(&app));
    let request = AuthorizationRequest::of(&app).with("prompt", "select_account");
    let page = person.follows(&request).sign_in();
    person.submits(&page, &[("go_on", "yes")]).returns().code();
    let page = person.follows(&request).sign_in();
    let page = person.submits(&page, &[("username", BOB), ("password", PASSWORD)]).consent();
    person.allows(&page).returns().code();
}

#[test]
fn oidc_core_3_1_2_2_an_id_token_hint_says_who_is_meant() {
    let (server, app) = obol!().application();
    server.add_user(BOB, PASSWORD);
    let mut alice = server.person();
    let code = alice.goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let hint = server.redeem(&app, &code).expect(200).text("id_token");
    let request = AuthorizationRequest::of(&app).with("prompt", "none").with("id_token_hint", &hint);
    alice.follows(&request).returns().code();
    let mut bob = server.person_called(BOB, PASSWORD);
    bob.goes_through(&AuthorizationRequest::of(&app));
    assert_eq!(bob.follows(&request).returns().error(), "login_required");
    let nobody = server.person().follows(&request).returns();
    assert_eq!(nobody.error(), "login_required");
}

#[test]
fn oidc_core_3_1_2_1_who_signs_in_in_place_of_the_one_who_is_meant_goes_back_with_an_error() {
    let (server, app) = obol!().application();
    server.add_user(BOB, PASSWORD);
    let mut alice = server.person();
    let code = alice.goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let hint = server.redeem(&app, &code).expect(200).text("id_token");
    let request = AuthorizationRequest::of(&app).with("id_token_hint", &hint);
    let mut bob = server.person_called(BOB, PASSWORD);
    let page = bob.follows(&request).sign_in();
    assert_eq!(bob.signs_in(&page).returns().error(), "login_required");
    let page = bob.follows(&request).sign_in();
    bob.submits(&page, &[("username", ALICE), ("password", PASSWORD)]).returns().code();
}

#[test]
fn oidc_core_3_1_2_2_s_50_an_id_token_hint_that_is_not_ours_is_refused() {
    let (server, app) = obol!().application();
    let code = server.person().goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let given = server.redeem(&app, &code).expect(200);
    let hint = given.text("id_token");
    let (body, _signature) = hint.rsplit_once('.').unwrap();
    for hint in [
        "x",
        &format!("{body}."),
        &format!("{body}.AAAA"),
        &given.text("access_token"),
        "eyJhbGciOiJub25lIn0.e30.",
    ] {
        let request = AuthorizationRequest::of(&app).with("prompt", "none").with("id_token_hint", hint);
        assert_eq!(server.person().follows(&request).returns().error(), "invalid_request", "{hint}");
    }
}

#[test]
fn oidc_core_3_1_2_4_s_35_the_person_sees_who_asks_for_what_and_where_it_goes() {
    let (server, app) =
        obol!().application_of(|app| app.option("--name", "Example Shop").option("--scope", "orders"));
    let mut person = server.person();
    let page = person.follows(&AuthorizationRequest::of(&app).with("scope", "orders")).sign_in();
    let page = person.signs_in(&page).consent();
    let html = String::from_utf8_lossy(&page.answer.body).into_owned();
    for told in ["Example Shop", "orders", "app.example", ALICE] {
        assert!(html.contains(told), "{told}: {html}");
    }
}

#[test]
fn s_35_a_public_client_of_a_device_is_never_approved_silently() {
    let server = obol!().server().alice();
    let native = obol_testkit::ClientSpec::new("native", "public").grants(&["authorization_code"]);
    let native =
        native.option("--application-type", "native").option("--redirect-uri", "http://127.0.0.1/cb");
    let native = server.add_client(&native);
    let server = server.start();
    let request = AuthorizationRequest::of(&native).with("redirect_uri", "http://127.0.0.1:5000/cb");
    let mut person = server.person();
    person.goes_through(&request);
    person.follows(&request).consent();
    assert_eq!(person.follows(&request.with("prompt", "none")).returns().error(), "consent_required");
}

#[test]
fn s_34_a_form_that_another_browser_was_given_or_another_site_sends_does_nothing() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app);
    let (mut victim, mut attacker) = (server.person(), server.person());
    victim.goes_through(&request);
    let page = attacker.follows(&request.clone().with("prompt", "consent")).sign_in();
    let consent = attacker.signs_in(&page).consent();
    for (form, field) in [(&page, ("username", ALICE)), (&consent, ("decision", "allow"))] {
        let fields = [field];
        let Arrival::Other(answer) = victim.submits(form, &fields) else { panic!("{fields:?}") };
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
}

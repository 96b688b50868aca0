//! §4.1.3, §4.1.4: a code is exchanged, once, by the client to which it was given.

use std::time::{Duration, Instant};

use obol_testkit::{
    Answer, AuthorizationRequest, Client, ClientSpec, REDIRECT_URI, Server, VERIFIER, at_once, obol,
    wait_until,
};

fn code(server: &Server, app: &Client) -> String {
    server.person().goes_through(&AuthorizationRequest::of(app)).code().to_owned()
}

#[test]
fn rfc6749_4_1_4_a_good_code_gives_tokens_that_nobody_may_keep() {
    let (server, app) = obol!().application();
    let answer = server.redeem(&app, &code(&server, &app)).expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    assert_eq!((answer.text("token_type").as_str(), answer.integer("expires_in")), ("Bearer", 3_600));
    for key in ["access_token", "refresh_token", "id_token", "scope"] {
        assert!(!answer.text(key).is_empty(), "{key}");
    }
}

#[test]
fn rfc6749_4_1_3_a_confidential_client_authenticates_and_fails_without_using_up_the_code() {
    let (server, app) = obol!().application();
    let code = code(&server, &app);
    let wrong = app.with_secret("another secret that is long");
    for client in [&app.without_secret(), &wrong, &Client::bare("nobody")] {
        server.redeem(client, &code).expect_error(401, "invalid_client");
    }
    server.tokens_for(&app, &code);
}

#[test]
fn rfc6749_4_1_3_secrets_may_come_in_the_body_and_a_public_client_says_its_id() {
    let server = obol!().server().alice();
    let app = server.add_client(&ClientSpec::application("app"));
    let public = ClientSpec::new("public", "public").grants(&["authorization_code"]);
    let public = server.add_client(&public.option("--redirect-uri", REDIRECT_URI));
    let server = server.start();
    for client in [&app, &public] {
        let code = code(&server, client);
        let rest = [("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER)];
        let fields = [&[("grant_type", "authorization_code"), ("code", code.as_str())][..], &rest].concat();
        server.http().post("/oauth2/token").form(&fields).send().expect_error(401, "invalid_client");
        server.post_form("/oauth2/token", client, &fields).expect(200);
    }
}

#[test]
fn rfc6749_4_1_3_s_22_the_redirect_uri_is_repeated() {
    let (server, app) = obol!().application();
    let code = code(&server, &app);
    let verifier = ("code_verifier", VERIFIER);
    let refused = |fields: &[(&str, &str)]| {
        server.redeem_with(&app, &[&[("code", code.as_str()), verifier], fields].concat())
    };
    for uri in ["https://app.example/cb/", "https://app.example/other", "https://APP.example/cb"] {
        refused(&[("redirect_uri", uri)]).expect_error(400, "invalid_grant");
    }
    refused(&[]).expect_error(400, "invalid_grant");
    server.tokens_for(&app, &code);
}

#[test]
fn rfc6749_4_1_3_s_27_a_code_is_good_for_its_client_only_and_another_uses_nothing_up() {
    let server = obol!().server().alice();
    let app = server.add_client(&ClientSpec::application("app"));
    let other = server.add_client(&ClientSpec::application("other"));
    let server = server.start();
    let code = code(&server, &app);
    server.redeem(&other, &code).expect_error(400, "invalid_grant");
    let tokens = server.tokens_for(&app, &code);
    server.redeem(&other, &code).expect_error(400, "invalid_grant");
    server.userinfo(&tokens.access).expect(200);
}

#[test]
fn rfc6749_4_1_3_what_is_no_code_is_invalid_grant_and_a_missing_one_invalid_request() {
    let (server, app) = obol!().application();
    let good = code(&server, &app);
    for code in ["x", "oba_AAAA", &good[..good.len() - 1], &format!("{good}A"), &good.to_uppercase()] {
        server.redeem(&app, code).expect_error(400, "invalid_grant");
    }
    server.redeem(&app, "").expect_error(400, "invalid_request");
    server.tokens_for(&app, &good);
}

#[test]
fn rfc6749_4_1_2_s_26_a_code_that_is_too_old_is_refused() {
    let server = obol!().server().alice().option("--code-ttl", "1");
    let app = server.add_client(&ClientSpec::application("app"));
    let server = server.start();
    let code = code(&server, &app);
    let given = Instant::now();
    wait_until("the code is too old", Duration::from_secs(5), || {
        (given.elapsed() > Duration::from_millis(2_100)).then_some(())
    });
    server.redeem(&app, &code).expect_error(400, "invalid_grant");
}

/// The same request sent twice at once ends nothing; so each try is one that may be the first to come late enough.
fn replayed_late(server: &Server, app: &Client, code: &str, access: &str) -> Answer {
    wait_until("a late replay ends the family", Duration::from_secs(10), || {
        let answer = server.redeem(app, code).expect_error(400, "invalid_grant");
        (server.userinfo(access).status == 401).then_some(answer)
    })
}

#[test]
fn rfc6749_4_1_2_s_24_s_25_a_code_works_once_and_a_valid_replay_ends_what_it_gave() {
    let (server, app) = obol!().application();
    let code = code(&server, &app);
    let tokens = server.tokens_for(&app, &code);
    server.userinfo(&tokens.access).expect(200);
    replayed_late(&server, &app, &code, &tokens.access);
    server.rfc_refresh(&app, tokens.refresh()).expect_error(400, "invalid_grant");
    assert!(!server.is_active(&app, &tokens.access));
}

#[test]
fn s_24_of_50_uses_at_once_one_succeeds_and_what_it_gave_stands() {
    let (server, app) = obol!().application();
    let good = wait_until("fifty uses at once", Duration::from_secs(60), || {
        let (code, began) = (code(&server, &app), Instant::now());
        let answers = at_once(50, |_| server.redeem(&app, &code));
        let took = began.elapsed();
        let (good, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(good.len(), 1, "{good:?}");
        for answer in refused {
            answer.expect_error(400, "invalid_grant");
        }
        // The last of a slow machine may come late enough to be a replay, which ends what the first was given.
        (took < Duration::from_secs(1)).then_some(good)
    });
    server.userinfo(&good[0].text("access_token")).expect(200);
    server.rfc_refresh(&app, &good[0].text("refresh_token")).expect(200);
}

#[test]
fn s_25_a_replay_that_shows_not_all_of_it_ends_nothing() {
    let server = obol!().server().alice();
    let app = server.add_client(&ClientSpec::application("app"));
    let other = server.add_client(&ClientSpec::application("other"));
    let server = server.start();
    let (first, second) = (code(&server, &app), code(&server, &app));
    let kept = server.tokens_for(&app, &first);
    let witness = server.tokens_for(&app, &second);
    let wrong = "a".repeat(43);
    let with = |uri: &str, verifier: &str| {
        let fields = [("code", first.as_str()), ("redirect_uri", uri), ("code_verifier", verifier)];
        server.redeem_with(&app, &fields).expect_error(400, "invalid_grant");
    };
    // By then also these come late.
    wait_until("a late replay ends the other family", Duration::from_secs(10), || {
        with(REDIRECT_URI, &wrong);
        with("https://app.example/other", VERIFIER);
        server.redeem(&other, &first).expect_error(400, "invalid_grant");
        server.redeem(&app, &second).expect_error(400, "invalid_grant");
        (server.userinfo(&witness.access).status == 401).then_some(())
    });
    server.userinfo(&kept.access).expect(200);
}

#[test]
fn rfc6749_4_1_3_a_code_given_at_one_surface_is_good_at_the_other() {
    let (server, app) = obol!().application();
    let code = code(&server, &app);
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    server.http().post(obol_testkit::TOKEN).json(&app.fields(&fields)).send().expect(200);
}

#[test]
fn rfc6749_4_1_2_1_a_store_that_takes_nothing_is_told_as_such_and_uses_nothing_up() {
    let server = obol!().server().alice().storage_can_fail();
    let app = server.add_client(&ClientSpec::application("app"));
    let server = server.start();
    let mut person = server.person();
    let request = AuthorizationRequest::of(&app);
    let code = person.goes_through(&request).code().to_owned();
    server.refuse_writes();
    let answer = server.redeem(&app, &code).expect_error(503, "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    // RFC 6749 §4.1.2.1: a 503 cannot be brought by a redirect.
    assert_eq!(person.follows(&request).returns().error(), "temporarily_unavailable");
    server.allow_writes();
    server.tokens_for(&app, &code);
    person.follows(&request).returns().code();
}

#[test]
fn rfc6749_3_3_where_no_scope_is_asked_for_and_none_is_given_always_none_is_said() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).without("scope");
    let code = server.person().goes_through(&request).code().to_owned();
    let answer = server.redeem(&app, &code).expect(200);
    assert_eq!(answer.json().get("scope"), None, "an empty text is no scope");
    assert!(server.is_active(&app, &answer.text("access_token")));
}

#[test]
fn s_54_expires_in_is_what_introspection_enforces() {
    let (server, app) = obol!().application_of(|app| app.access_ttl(600));
    let answer = server.redeem(&app, &code(&server, &app)).expect(200);
    let told = server.introspect(&app, &answer.text("access_token")).expect(200);
    assert_eq!(answer.integer("expires_in"), 600);
    assert_eq!(told.integer("exp") - told.integer("iat"), 600);
}

#[test]
fn s_46_a_code_gives_no_scope_that_was_taken_from_the_client_meanwhile() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).with("scope", "openid email read");
    let code = server.person().goes_through(&request).code().to_owned();
    server.run(&["client", "set", "app", "--scope", "openid", "--scope", "read"]).exits(0);
    assert_eq!(server.redeem(&app, &code).expect(200).text("scope"), "openid read");
}

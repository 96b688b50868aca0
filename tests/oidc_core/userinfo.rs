//! §5.3: the userinfo endpoint (S-75), and RFC 6750 there.

use obol_testkit::{
    ALICE, AuthorizationRequest, Client, ClientSpec, Jwt, PASSWORD, Server, USERINFO, obol, wait_until,
};

fn given(server: &Server, app: &Client) -> obol_testkit::Answer {
    let code = server.person().goes_through(&AuthorizationRequest::of(app)).code().to_owned();
    server.redeem(app, &code).expect(200)
}

#[test]
fn oidc_core_5_3_1_get_and_post_with_the_header_and_a_form_with_the_token_are_alike() {
    let (server, app) = obol!().application();
    let access = given(&server, &app).text("access_token");
    let by_get = server.userinfo(&access).expect(200);
    let post = || server.http().post(USERINFO);
    let by_post = post().bearer(&access).send().expect(200);
    let by_empty_form = post().bearer(&access).form(&[]).send().expect(200);
    let by_body = post().form(&[("access_token", &access)]).send().expect(200);
    for answer in [by_post, by_empty_form, by_body] {
        assert_eq!(answer.essence(), by_get.essence());
    }
}

#[test]
fn oidc_core_5_3_2_s_75_the_subject_is_there_and_is_that_of_the_id_token() {
    let server = obol!().server().alice();
    let apps = ["public", "pairwise"]
        .map(|kind| server.add_client(&ClientSpec::application(kind).option("--subject-type", kind)));
    let server = server.start();
    for app in &apps {
        let answer = given(&server, app);
        let id_token = Jwt::verified(&answer.text("id_token"), &server);
        let userinfo = server.userinfo(&answer.text("access_token")).expect(200);
        assert_eq!(userinfo.text("sub"), id_token.claims["sub"], "{}", app.id);
    }
}

#[test]
fn oidc_core_5_3_2_s_05_the_answer_is_json_that_nobody_keeps() {
    let (server, app) = obol!().application();
    let answer = server.userinfo(&given(&server, &app).text("access_token")).expect(200);
    assert!(answer.header("content-type").unwrap().starts_with("application/json"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn oidc_core_5_3_2_a_client_may_have_it_signed_and_then_it_says_by_whom_and_for_whom() {
    let (server, app) = obol!().application_of(|app| app.option("--userinfo-alg", "RS256"));
    let answer = given(&server, &app);
    let userinfo = server.userinfo(&answer.text("access_token")).expect(200);
    assert_eq!(userinfo.header("content-type"), Some("application/jwt"));
    let jwt = Jwt::verified(std::str::from_utf8(&userinfo.body).unwrap(), &server);
    assert_eq!(jwt.header["alg"], "RS256");
    assert_eq!((&jwt.claims["iss"], &jwt.claims["aud"]), (&server.url().into(), &"app".into()));
    assert_eq!(jwt.claims["sub"], Jwt::read(&answer.text("id_token")).claims["sub"]);
}

#[test]
fn oidc_core_5_3_s_75_a_token_without_openid_reaches_nothing_here() {
    let (server, app) = obol!().application();
    let code =
        server.person().goes_through(&AuthorizationRequest::of(&app).without("scope")).code().to_owned();
    let access = server.tokens_for(&app, &code).access;
    let answer = server.userinfo(&access).expect_error(403, "insufficient_scope");
    assert!(
        answer.header("www-authenticate").unwrap().contains("error=\"insufficient_scope\""),
        "{answer:?}"
    );
}

#[test]
fn oidc_core_5_3_a_token_of_a_client_alone_is_about_nobody() {
    let server = obol!().server().alice();
    let spec = ClientSpec::confidential("machine").option("--default-scope", "openid");
    let machine = server.add_client(&spec);
    let server = server.start();
    let access = server.token_by_client_credentials(&machine).access;
    server.userinfo(&access).expect_error(403, "insufficient_scope");
}

#[test]
fn rfc6750_3_without_a_token_there_is_a_bare_challenge_and_with_a_bad_one_its_error() {
    let (server, _app) = obol!().application();
    let none = server.http().get(USERINFO).send().expect(401);
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    let odd = server.http().get(USERINFO).basic("app", "x").send().expect(401);
    assert!(odd.header("www-authenticate").is_some(), "{odd:?}");
    for token in ["x", "oba_AAAA", &"o".repeat(5_000)] {
        let bad = server.userinfo(token).expect_error(401, "invalid_token");
        assert_eq!(bad.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    }
}

#[test]
fn rfc6750_2_one_way_at_a_time_and_s_53_never_the_query() {
    let (server, app) = obol!().application();
    let access = given(&server, &app).text("access_token");
    let both = server.http().post(USERINFO).bearer(&access).form(&[("access_token", &access)]).send();
    both.expect_error(400, "invalid_request");
    server.http().get(&format!("{USERINFO}?access_token={access}")).send().expect(401);
    let body = format!("access_token={access}");
    let in_get = server.http().get(USERINFO).body("application/x-www-form-urlencoded", body).send();
    assert_eq!(in_get.status, 401, "{in_get:?}");
}

#[test]
fn oidc_core_5_3_s_44_only_the_exact_token_is_good() {
    let (server, app) = obol!().application();
    let answer = given(&server, &app);
    let access = answer.text("access_token");
    let cut = &access[..access.len() - 1];
    for token in [cut, &format!("{access}A"), &access.to_uppercase(), &answer.text("refresh_token")] {
        server.userinfo(token).expect_error(401, "invalid_token");
    }
}

#[test]
fn oidc_core_5_3_s_43_what_has_ended_is_refused_at_once() {
    let (server, app) = obol!().application();
    let revoked = given(&server, &app).text("access_token");
    server.rfc_revoke(&app, &revoked).expect(200);
    server.userinfo(&revoked).expect_error(401, "invalid_token");
    let held = given(&server, &app).text("access_token");
    server.userinfo(&held).expect(200);
    server.run(&["user", "disable", ALICE]).exits(0);
    server.userinfo(&held).expect_error(401, "invalid_token");
}

#[test]
fn oidc_core_5_3_a_token_that_expired_is_refused() {
    let (server, app) = obol!().application_of(|app| app.access_ttl(1));
    let access = given(&server, &app).text("access_token");
    wait_until("the token expires", std::time::Duration::from_secs(10), || {
        let answer = server.userinfo(&access);
        (answer.status == 401).then_some(answer)
    })
    .expect_error(401, "invalid_token");
}

#[test]
fn oidc_core_5_3_a_password_grant_with_openid_may_ask_here_too() {
    let server = obol!().server().alice();
    let app = server.add_client(&ClientSpec::public("fcare").option("--default-scope", "openid"));
    let server = server.start();
    let access = server.rfc_token_by_password(&app, ALICE, PASSWORD).access;
    let shown = server.run(&["user", "show", ALICE, "--json"]).exits(0).json()["subject"].clone();
    assert_eq!(server.userinfo(&access).expect(200).text("sub"), shown);
}

#[test]
fn s_75_the_other_surfaces_userinfo_says_no_more_than_was_granted_here() {
    let (server, app) = obol!().application();
    server.run(&["user", "set", "alice", "--email", "alice@example.org", "--group", "staff"]).exits(0);
    let told = |scope: &str| {
        let request = AuthorizationRequest::of(&app).with("scope", scope);
        let code = server.person().goes_through(&request).code().to_owned();
        let access = server.tokens_for(&app, &code).access;
        let answer = server.http().get("/api/v1/oauth/userinfo/").bearer(&access).send().expect(200);
        (answer.text("email"), answer.text("groups"))
    };
    assert_eq!(told("openid"), (String::new(), String::new()));
    assert_eq!(told("openid email"), ("alice@example.org".to_owned(), String::new()));
    assert_eq!(told("openid groups"), (String::new(), "staff".to_owned()));
}

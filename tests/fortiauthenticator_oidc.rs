//! The OpenID Connect side of FortiAuthenticator's surface: `authorize/`, `userinfo/`, `.well-known/…` and the grant
//! `authorization_code` at `token/`, one section per row of what is known of it.

use std::collections::BTreeSet;

use obol_testkit::{
    ALICE, Answer, AuthorizationRequest, BodyType, Client, FORTI_AUTHORIZE, Jwt, PASSWORD, REDIRECT_URI,
    Return, Server, TOKEN, VERIFIER, for_each_slash, obol,
};
use serde_json::json;

const BASE: &str = "/api/v1/oauth/";
const USERINFO: &str = "/api/v1/oauth/userinfo/";
const KEYS: &str = "/api/v1/oauth/.well-known/keys/";
const DISCOVERY: &str = "/api/v1/oauth/.well-known/openid-configuration/";

fn request(app: &Client) -> AuthorizationRequest {
    AuthorizationRequest::of(app).to(FORTI_AUTHORIZE)
}

fn redeem(server: &Server, app: &Client, body_type: BodyType, answer: &Return) -> Answer {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    server.http().post(TOKEN).fields(body_type, &app.fields(&fields)).send()
}

fn access_token(server: &Server, app: &Client) -> String {
    let answer = server.person().goes_through(&request(app));
    redeem(server, app, BodyType::Json, &answer).expect(200).text("access_token")
}

// authorize/

#[test]
fn authorize_takes_get_with_and_without_the_final_slash_and_nothing_else() {
    let (server, app) = obol!().application();
    for_each_slash(FORTI_AUTHORIZE, |path| {
        let query = request(&app).form();
        server.person().opens(&format!("{path}?{query}")).sign_in();
        let post =
            server.http().post(path).body("application/x-www-form-urlencoded", query).send().expect(405);
        assert_eq!(post.header("allow"), Some("GET"));
    });
}

#[test]
fn response_type_is_code_and_required() {
    let (server, app) = obol!().application();
    for (response_type, error) in [
        ("token", "unsupported_response_type"),
        ("id_token", "unsupported_response_type"),
        ("", "invalid_request"),
    ] {
        let answer = server.person().follows(&request(&app).with("response_type", response_type)).returns();
        assert_eq!(answer.error(), error, "{response_type}");
        assert!(answer.get("error_description").is_some());
    }
}

#[test]
fn a_bad_client_or_redirect_uri_is_shown_and_not_redirected() {
    let (server, app) = obol!().application();
    for bad in [
        request(&app).with("client_id", "nobody"),
        request(&app).without("client_id"),
        request(&app).with("redirect_uri", "https://evil.example/"),
        request(&app).without("redirect_uri"),
    ] {
        let answer = server.person().follows(&bad).refused(400);
        assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{answer:?}");
    }
}

#[test]
fn the_scope_may_be_left_out_and_comes_back_with_the_code() {
    let (server, app) =
        obol!().application_of(|app| app.option("--default-scope", "read").option("--scope", "openid"));
    let answer = server.person().goes_through(&request(&app).without("scope"));
    assert_eq!(answer.get("scope"), Some("read"));
    let answer = server.person().goes_through(&request(&app));
    assert_eq!(
        answer.get("scope").map(|scope| scope.split(' ').collect::<BTreeSet<_>>()),
        Some(["openid", "read"].into())
    );
    let refused = server.person().follows(&request(&app).with("scope", "root")).returns();
    assert_eq!((refused.error(), refused.get("scope")), ("invalid_scope", None));
}

#[test]
fn state_comes_back_and_nonce_reaches_the_id_token() {
    let (server, app) = obol!().application();
    let answer = server.person().goes_through(&request(&app).with("nonce", "n1").with("state", "s 1"));
    assert_eq!(answer.get("state"), Some("s 1"));
    let id_token = redeem(&server, &app, BodyType::Form, &answer).expect(200).text("id_token");
    assert_eq!(Jwt::verified(&id_token, &server).claims["nonce"], "n1");
}

#[test]
fn only_s256_is_taken_and_a_challenge_is_required() {
    let (server, app) = obol!().application();
    for bad in [
        request(&app).without_challenge(),
        request(&app).with("code_challenge_method", "plain"),
        request(&app).without("code_challenge_method"),
    ] {
        assert_eq!(server.person().follows(&bad).returns().error(), "invalid_request");
    }
}

#[test]
fn approval_prompt_auto_skips_what_was_allowed_and_force_always_asks() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    person.goes_through(&request(&app));
    for (prompt, asks) in [(None, false), (Some("auto"), false), (Some("force"), true)] {
        let request = prompt.map_or(request(&app), |prompt| request(&app).with("approval_prompt", prompt));
        match person.follows(&request) {
            obol_testkit::Arrival::Return(answer) => {
                assert!(!asks && !answer.code().is_empty(), "{prompt:?}")
            }
            other => assert!(asks && other.consent().answer.status == 200, "{prompt:?}"),
        }
    }
    let odd = person.follows(&request(&app).with("approval_prompt", "never")).returns();
    assert_eq!(odd.error(), "invalid_request");
}

#[test]
fn approval_prompt_means_nothing_at_the_other_surface() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    person.goes_through(&AuthorizationRequest::of(&app));
    person.follows(&AuthorizationRequest::of(&app).with("approval_prompt", "force")).returns().code();
}

#[test]
fn prompt_none_fails_where_somebody_would_be_asked_and_login_and_consent_ask() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    assert_eq!(person.follows(&request(&app).with("prompt", "none")).returns().error(), "login_required");
    person.goes_through(&request(&app));
    person.follows(&request(&app).with("prompt", "none")).returns().code();
    person.follows(&request(&app).with("prompt", "consent")).consent();
    person.follows(&request(&app).with("prompt", "login")).sign_in();
}

// token/

#[test]
fn the_grant_authorization_code_answers_in_both_body_types_in_this_dialect() {
    let (server, app) = obol!().application();
    for body_type in [BodyType::Json, BodyType::Form] {
        let answer = server.person().goes_through(&request(&app));
        let given = redeem(&server, &app, body_type, &answer).expect(200);
        let keys = [
            "access_token",
            "expires_in",
            "id_token",
            "message",
            "refresh_token",
            "scope",
            "status",
            "token_type",
        ];
        assert_eq!(given.keys(), keys, "alphabetical, as every answer here");
        assert_eq!(
            (given.text("status"), given.text("message")),
            ("success".into(), "successfully authenticated".into())
        );
        assert_eq!(given.integer("expires_in"), 3_600);
        assert!(server.stands(&app, &given.text("access_token")));
    }
}

#[test]
fn a_code_that_is_not_good_is_400_invalid_grant_with_the_sentence_twice() {
    let (server, app) = obol!().application();
    let mut answer = server.person().goes_through(&request(&app));
    redeem(&server, &app, BodyType::Json, &answer).expect(200);
    let used = redeem(&server, &app, BodyType::Json, &answer).expect_error(400, "invalid_grant");
    assert_eq!(used.text("message"), used.text("error_description"));
    assert_eq!(used.text("status"), "error");
    answer
        .params
        .iter_mut()
        .filter(|(name, _)| name == "code")
        .for_each(|(_, code)| *code = "unknown".to_owned());
    redeem(&server, &app, BodyType::Json, &answer).expect_error(400, "invalid_grant");
    redeem(&server, &app.without_secret(), BodyType::Json, &answer).expect_error(401, "invalid_client");
}

#[test]
fn verify_and_revoke_take_what_a_code_gave() {
    let (server, app) = obol!().application();
    let access = access_token(&server, &app);
    let verified = server.verify(&app, &access).expect(200);
    assert_eq!(verified.text("username"), ALICE);
    server.revoke(&app, &access).expect(200);
    server.verify(&app, &access).expect(401);
    server.http().get(USERINFO).bearer(&access).send().expect_error(401, "invalid_token");
}

// userinfo/

#[test]
fn userinfo_has_the_four_keys_with_groups_as_one_text() {
    let (server, app) = obol!().application();
    let line =
        ["user", "set", ALICE, "--email", "alice@example.org", "--group", "staff", "--group", "admins"];
    server.run(&line).exits(0);
    let access = access_token(&server, &app);
    let subject = server.run(&["user", "show", ALICE, "--json"]).exits(0).json()["subject"].clone();
    for_each_slash(USERINFO, |path| {
        let answer =
            server.http().get(path).bearer(&access).header("content-type", "application/json").send();
        let told = answer.expect(200);
        assert_eq!(told.keys(), ["email", "groups", "sub", "username"]);
        let expected = json!({ "email": "alice@example.org", "groups": "staff,admins", "sub": subject, "username": ALICE });
        assert_eq!(told.json(), expected);
        assert_eq!(told.header("cache-control"), Some("no-store"));
    });
}

#[test]
fn userinfo_keys_are_there_also_when_nothing_is_known() {
    let (server, app) = obol!().application();
    let told = server.http().get(USERINFO).bearer(&access_token(&server, &app)).send().expect(200).json();
    assert_eq!((&told["email"], &told["groups"]), (&json!(""), &json!("")));
}

#[test]
fn userinfo_needs_a_good_token_with_openid() {
    let (server, app) = obol!().application();
    let none = server.http().get(USERINFO).send().expect(401);
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    let bad = server.http().get(USERINFO).bearer("unknown").send().expect_error(401, "invalid_token");
    assert_eq!(bad.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    assert_eq!(bad.text("message"), bad.text("error_description"));
    let answer = server.person().goes_through(&request(&app).without("scope"));
    let access = redeem(&server, &app, BodyType::Json, &answer).expect(200).text("access_token");
    server.http().get(USERINFO).bearer(&access).send().expect_error(403, "insufficient_scope");
    server.http().post(USERINFO).json(&[]).bearer(&access).send().expect(405);
}

// .well-known/keys/

#[test]
fn keys_are_those_that_sign_and_rsa_keys_say_rs256() {
    let (server, app) = obol!().application_of(|app| app.option("--id-token-alg", "RS256"));
    let answer = server.person().goes_through(&request(&app));
    let id_token = redeem(&server, &app, BodyType::Json, &answer).expect(200).text("id_token");
    let header = Jwt::verified(&id_token, &server).header;
    for_each_slash(KEYS, |path| {
        let set = server.http().get(path).send().expect(200).json();
        let key =
            set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).expect("the key");
        let members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
        assert_eq!((&key["alg"], &key["kty"], &key["use"]), (&json!("RS256"), &json!("RSA"), &json!("sig")));
    });
}

// .well-known/openid-configuration/

#[test]
fn discovery_has_its_keys_with_absolute_urls_below_its_own_issuer_in_both_spellings() {
    let (server, _app) = obol!().application();
    let base = format!("{}{BASE}", server.url());
    for_each_slash(DISCOVERY, |path| {
        let document = server.http().get(path).send().expect(200).json();
        assert_eq!(
            document["issuer"],
            base.trim_end_matches('/'),
            "as a real one says it, without a final slash"
        );
        for (name, end) in [
            ("authorization_endpoint", "authorize/"),
            ("token_endpoint", "token/"),
            ("userinfo_endpoint", "userinfo/"),
            ("jwks_uri", ".well-known/keys/"),
        ] {
            assert_eq!(document[name], format!("{base}{end}"), "not doubled, as its bug was");
        }
        assert_eq!(document["response_types_supported"], json!(["code"]));
        assert!(document["subject_types_supported"].as_array().unwrap().contains(&json!("public")));
        assert!(
            document["id_token_signing_alg_values_supported"].as_array().unwrap().contains(&json!("RS256"))
        );
        let methods =
            json!(["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"]);
        assert_eq!(document["token_endpoint_auth_methods_supported"], methods);
    });
}

#[test]
fn what_the_document_names_answers_and_its_issuer_is_that_of_the_id_token() {
    let (server, app) = obol!().application();
    let document = server.http().get(DISCOVERY).send().expect(200).json();
    let answer = server.person().goes_through(&request(&app));
    let given = redeem(&server, &app, BodyType::Json, &answer).expect(200);
    assert_eq!(Jwt::verified(&given.text("id_token"), &server).claims["iss"], document["issuer"]);
    assert_eq!(answer.get("iss"), document["issuer"].as_str());
    let path = document["userinfo_endpoint"].as_str().unwrap().strip_prefix(server.url()).unwrap();
    server.http().get(path).bearer(&given.text("access_token")).send().expect(200);
}

// Both surfaces

#[test]
fn a_token_given_here_is_good_at_the_other_surface_and_the_other_way_about() {
    let (server, app) = obol!().application();
    server.userinfo(&access_token(&server, &app)).expect(200);
    let code = server.person().goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let access = server.tokens_for(&app, &code).access;
    server.http().get(USERINFO).bearer(&access).send().expect(200);
}

#[test]
fn a_refreshed_id_token_keeps_the_issuer_under_which_it_began() {
    let (server, app) = obol!().application();
    let answer = server.person().goes_through(&request(&app));
    let given = redeem(&server, &app, BodyType::Json, &answer).expect(200);
    let refreshed = server.refresh(&app, &given.text("refresh_token")).expect(200);
    let issuer = |answer: &Answer| Jwt::verified(&answer.text("id_token"), &server).claims["iss"].clone();
    assert_eq!(issuer(&given), issuer(&refreshed));
}

#[test]
fn the_password_grant_beside_it_gives_no_id_token() {
    let server = obol!().server().alice();
    let spec = obol_testkit::ClientSpec::public("fcare").option("--default-scope", "openid");
    let fcare = server.add_client(&spec);
    let server = server.start();
    let answer = server.ask_by_password(&fcare, ALICE, PASSWORD).expect(200).json();
    assert_eq!(answer.get("id_token"), None, "{answer}");
}

#[test]
fn userinfo_says_nothing_behind_a_scope_that_the_client_does_not_have_and_no_name_to_one_of_pairwise_subjects()
 {
    let (server, app) =
        obol!().application_of(|app| app.option("--scope", "openid").option("--subject-type", "pairwise"));
    server.run(&["user", "set", ALICE, "--email", "alice@example.org", "--group", "staff"]).exits(0);
    let told = server.http().get(USERINFO).bearer(&access_token(&server, &app)).send().expect(200);
    assert_eq!((told.text("email"), told.text("groups")), (String::new(), String::new()));
    assert_eq!(told.text("username"), told.text("sub"));
    assert!(!String::from_utf8_lossy(&told.body).contains(ALICE), "{told:?}");
}

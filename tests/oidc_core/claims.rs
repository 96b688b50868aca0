//! §5.1, §5.4, §5.5: scopes and the parameter `claims`, and what userinfo and ID token say then.

use std::collections::BTreeSet;

use obol_testkit::{AuthorizationRequest, Client, ClientSpec, Jwt, Server, obol};
use serde_json::{Value, json};

/// A server whose Alice has told all that can be told, with an application.
fn house() -> (Server, Client) {
    let (server, app) = obol!().application();
    let claims = [
        "name=Alice Adams",
        "given_name=Alice",
        "family_name=Adams",
        "middle_name=Amy",
        "nickname=Ally",
        "profile=https://example.org/alice",
        "picture=https://example.org/alice.png",
        "website=https://alice.example.org/",
        "gender=female",
        "birthdate=1990-02-28",
        "zoneinfo=Europe/Berlin",
        "locale=de-DE",
        "email_verified=true",
        "phone_number=+49 228 123456",
        "phone_number_verified=false",
        "address={\"formatted\":\"1 High St\",\"locality\":\"Bonn\",\"country\":\"DE\"}",
    ];
    let mut line =
        vec!["user", "set", "alice", "--email", "alice@example.org", "--group", "staff", "--group", "admins"];
    line.extend(claims.iter().flat_map(|claim| ["--claim", claim]));
    server.run(&line).exits(0);
    (server, app)
}

#[track_caller]
fn told(server: &Server, app: &Client, request: &AuthorizationRequest) -> (Value, Value) {
    let code = server.person().goes_through(request).code().to_owned();
    let answer = server.redeem(app, &code).expect(200);
    let userinfo = server.userinfo(&answer.text("access_token")).expect(200).json();
    (userinfo, Jwt::verified(&answer.text("id_token"), server).claims)
}

fn names(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

const PROFILE: [&str; 14] = [
    "birthdate",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "picture",
    "preferred_username",
    "profile",
    "updated_at",
    "website",
    "zoneinfo",
];

#[test]
fn oidc_core_5_4_each_scope_stands_for_its_claims_and_no_others() {
    let (server, app) = house();
    for (scope, claims) in [
        ("openid", &[][..]),
        ("openid profile", &PROFILE),
        ("openid email", &["email", "email_verified"]),
        ("openid address", &["address"]),
        ("openid phone", &["phone_number", "phone_number_verified"]),
        ("openid groups", &["groups"]),
    ] {
        let (userinfo, _) = told(&server, &app, &AuthorizationRequest::of(&app).with("scope", scope));
        let expected: BTreeSet<_> = claims.iter().copied().chain(["sub"]).collect();
        assert_eq!(names(&userinfo), expected, "{scope}");
    }
}

#[test]
fn oidc_core_5_4_all_scopes_together_stand_for_all_claims() {
    let (server, app) = house();
    let request = AuthorizationRequest::of(&app).with("scope", "openid profile email address phone");
    let (userinfo, _) = told(&server, &app, &request);
    let others = ["address", "email", "email_verified", "phone_number", "phone_number_verified", "sub"];
    assert_eq!(names(&userinfo), PROFILE.into_iter().chain(others).collect());
}

#[test]
fn oidc_core_5_1_claims_have_their_types() {
    let (server, app) = house();
    let request = AuthorizationRequest::of(&app).with("scope", "openid profile email address phone groups");
    let (userinfo, _) = told(&server, &app, &request);
    for name in ["email_verified", "phone_number_verified"] {
        assert!(userinfo[name].is_boolean(), "{name}");
    }
    assert!(userinfo["updated_at"].is_i64());
    assert_eq!(userinfo["address"], json!({ "country": "DE", "formatted": "1 High St", "locality": "Bonn" }));
    assert_eq!(userinfo["groups"], json!(["staff", "admins"]));
    let texts = PROFILE.iter().filter(|name| **name != "updated_at").chain(&["email", "phone_number", "sub"]);
    for name in texts {
        assert!(userinfo[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {userinfo}");
    }
}

#[test]
fn oidc_core_5_3_2_what_is_not_known_of_a_person_is_left_out() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).with("scope", "openid profile email address phone");
    let (userinfo, _) = told(&server, &app, &request);
    assert_eq!(names(&userinfo), ["preferred_username", "sub"].into());
}

#[test]
fn oidc_core_5_5_a_claim_asked_for_by_name_is_said_where_it_was_asked_for() {
    let (server, app) = house();
    let asked = AuthorizationRequest::of(&app)
        .with("claims", r#"{"userinfo":{"name":{"essential":true}},"id_token":{"email":null,"auth_time":{"essential":true}}}"#);
    let (userinfo, id_token) = told(&server, &app, &asked);
    assert_eq!(names(&userinfo), ["name", "sub"].into());
    assert_eq!(id_token["email"], "alice@example.org");
    assert!(id_token["auth_time"].is_i64());
    assert_eq!(id_token.get("name"), None, "that was for userinfo");
}

#[test]
fn oidc_core_5_5_claims_that_are_not_understood_are_ignored_also_essential_ones() {
    let (server, app) = obol!().application();
    let claims = r#"{"userinfo":{"shoe_size":{"essential":true},"http://x.example/y":null},"id_token":{"q":{"values":[1]}},"z":3}"#;
    let (userinfo, _) = told(&server, &app, &AuthorizationRequest::of(&app).with("claims", claims));
    assert_eq!(names(&userinfo), ["sub"].into());
}

#[test]
fn oidc_core_5_5_1_a_subject_asked_for_by_value_is_who_must_be_signed_in() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    let code = person.goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let subject = Jwt::read(&server.redeem(&app, &code).expect(200).text("id_token")).claims["sub"].clone();
    let wanting = |subject: &Value| {
        let claims = json!({ "id_token": { "sub": { "value": subject } } }).to_string();
        AuthorizationRequest::of(&app).with("prompt", "none").with("claims", &claims)
    };
    person.follows(&wanting(&subject)).returns().code();
    assert_eq!(person.follows(&wanting(&json!("somebody else"))).returns().error(), "login_required");
}

#[test]
fn oidc_core_5_5_1_1_an_essential_acr_that_cannot_be_met_is_refused_and_others_are_not() {
    let (server, app) = obol!().application();
    let with = |acr: Value| {
        let claims = json!({ "id_token": { "acr": acr } }).to_string();
        AuthorizationRequest::of(&app).with("claims", &claims)
    };
    let unmet = with(json!({ "essential": true, "values": ["2", "3"] }));
    assert_eq!(server.person().follows(&unmet).returns().error(), "unmet_authentication_requirements");
    for met in [json!({ "essential": true, "values": ["1"] }), json!({ "values": ["2"] }), json!(null)] {
        let (_, id_token) = told(&server, &app, &with(met));
        assert_eq!(id_token["acr"], "1");
    }
}

#[test]
fn oidc_core_5_5_1_1_acr_values_are_wishes_and_what_was_met_is_said() {
    let (server, app) = obol!().application();
    let document = server.http().get("/.well-known/openid-configuration").send().expect(200).json();
    let supported = document["acr_values_supported"].as_array().expect("a list").clone();
    let values = supported.iter().map(|value| value.as_str().unwrap()).collect::<Vec<_>>().join(" ");
    let (_, id_token) = told(&server, &app, &AuthorizationRequest::of(&app).with("acr_values", &values));
    assert!(supported.contains(&id_token["acr"]), "{id_token}");
}

#[test]
fn oidc_core_5_5_a_client_gets_no_claim_by_name_whose_scope_it_does_not_have() {
    let (server, _) = house();
    let narrow = server.add_client(&ClientSpec::application("narrow").option("--scope", "openid"));
    let claims = r#"{"userinfo":{"email":null,"phone_number":null,"groups":null,"preferred_username":null},"id_token":{"name":null}}"#;
    let (userinfo, id_token) =
        told(&server, &narrow, &AuthorizationRequest::of(&narrow).with("claims", claims));
    assert_eq!(names(&userinfo), BTreeSet::from(["sub"]));
    assert_eq!(id_token.get("name"), None);
}

#[test]
fn oidc_core_5_5_s_35_a_claim_by_name_is_asked_about_as_its_scope_is() {
    let (server, app) = house();
    let request = AuthorizationRequest::of(&app);
    let mut alice = server.person();
    alice.goes_through(&request);
    let by_name = request.with("claims", r#"{"userinfo":{"email":null}}"#);
    let silent = alice.follows(&by_name.clone().with("prompt", "none")).returns();
    assert_eq!(silent.error(), "consent_required", "she has allowed openid and no more");
    let page = alice.follows(&by_name).consent();
    assert!(page.html().contains("mail"), "{page:?}");
    alice.allows(&page).returns().code();
    alice.follows(&by_name.with("prompt", "none")).returns().code();
}

#[test]
fn oidc_core_5_5_a_claim_by_name_goes_with_its_scope_when_that_is_taken_from_the_client() {
    let (server, app) = house();
    let claims = r#"{"userinfo":{"email":null},"id_token":{"email":null}}"#;
    let request = AuthorizationRequest::of(&app).with("scope", "openid").with("claims", claims);
    let code = server.person().goes_through(&request).code().to_owned();
    let given = server.tokens_for(&app, &code);
    let told = |access: &str| server.userinfo(access).expect(200).json();
    assert_eq!(told(&given.access)["email"], "alice@example.org");
    server.run(&["client", "set", "app", "--default-scope", "openid", "--scope", "read"]).exits(0);
    let refreshed = server.rfc_refresh(&app, given.refresh()).expect(200);
    assert_eq!(Jwt::read(&refreshed.text("id_token")).claims.get("email"), None);
    for access in [&given.access, &refreshed.text("access_token")] {
        assert_eq!(names(&told(access)), BTreeSet::from(["sub"]));
    }
}

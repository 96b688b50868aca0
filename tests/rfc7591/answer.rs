//! §3.2: what a client is told, and what it can do then.

use obol_testkit::{
    ALICE, Answer, AuthorizationRequest, Client, ClientKey, INTROSPECT, PASSWORD, REDIRECT_URI, RFC_TOKEN,
    Server, ServerBuilder, VERIFIER, hs256, now_secs,
};
use serde_json::{Value, json};

use crate::house::{open, open_with, shop, with};

#[test]
fn rfc7591_3_2_1_the_answer_is_201_with_id_secret_and_all_that_is_registered() {
    let server = open();
    let answer = server.http().register(&shop()).expect(201);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let told = answer.json();
    for name in ["client_id", "client_secret", "registration_access_token"] {
        // 22 letters of base64 hold 128 bits.
        assert!(told[name].as_str().is_some_and(|text| text.len() >= 22), "{name}: {told}");
    }
    assert_eq!(told["client_secret_expires_at"], 0);
    assert!(answer.integer("client_id_issued_at") > 1_700_000_000);
    let uri = format!("{}/oauth2/register/{}", server.url(), answer.text("client_id"));
    assert_eq!(told["registration_client_uri"], uri.as_str());
    for (name, expected) in [
        ("redirect_uris", json!([REDIRECT_URI])),
        ("client_name", json!("The shop")),
        ("grant_types", json!(["authorization_code"])),
        ("response_types", json!(["code"])),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("scope", json!("openid profile email address phone offline_access")),
    ] {
        assert_eq!(told[name], expected, "{name}");
    }
    let other = server.registered(&shop());
    assert_ne!(told["client_id"], other.told["client_id"]);
    assert_ne!(told["client_secret"], other.told["client_secret"]);
}

#[test]
fn rfc7591_3_2_1_a_public_client_gets_no_secret() {
    let told = open().registered(&with("token_endpoint_auth_method", "none")).told;
    assert_eq!(told["token_endpoint_auth_method"], "none");
    assert!(told.get("client_secret").is_none() && told.get("client_secret_expires_at").is_none(), "{told}");
}

#[test]
fn rfc7591_2_what_is_not_known_is_ignored_and_not_told() {
    let server = open();
    let mut metadata = shop();
    let ignored = json!({
        "client_name#de": "Der Laden", "client_uri": "https://shop.example", "logo_uri": "javascript:x",
        "contacts": ["a@example"], "initiate_login_uri": 7, "policy_uri": null, "software_id": "x", "software_version": {},
        "may_introspect": true, "default_scopes": ["admin"], "ask_consent": false, "enabled": false,
        "access_token_lifetime": 0, "response_modes": ["query"],
    });
    for (name, value) in ignored.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    let registered = server.registered(&metadata);
    for name in ignored.as_object().unwrap().keys() {
        assert!(registered.told.get(name).is_none(), "{name}: {}", registered.told);
    }
    let shown = show(&server, &registered.client);
    assert_eq!((&shown["introspection"], &shown["ask_consent"]), (&json!(false), &json!(true)));
    assert_eq!((&shown["default_scopes"], &shown["enabled"]), (&json!([]), &json!(true)));
}

#[test]
fn rfc7591_2_id_and_secret_are_chosen_by_the_server() {
    let server = open();
    let mut metadata = shop();
    metadata["client_id"] = "mine".into();
    metadata["client_secret"] = "a-secret-that-the-client-chose".into();
    let registered = server.registered(&metadata);
    assert_ne!(registered.client.id, "mine");
    assert_ne!(registered.client.own_secret(), "a-secret-that-the-client-chose");
}

#[test]
fn a_registered_client_signs_people_in_who_are_asked() {
    let server = open();
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let client = server.registered(&with("token_endpoint_auth_method", method)).client;
        let request = AuthorizationRequest::of(&client).with("scope", "openid email");
        let mut alice = server.person();
        let page = alice.follows(&request).sign_in();
        let page = alice.signs_in(&page).consent();
        assert!(page.says("The shop"));
        let code = alice.allows(&page).returns().code().to_owned();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        let given = match method {
            "client_secret_basic" => server.redeem(&client, &code),
            _ => server.post_form(RFC_TOKEN, &client, &fields),
        };
        assert!(!given.expect(200).text("id_token").is_empty(), "{method}");
    }
}

#[test]
fn a_registered_client_authenticates_with_what_it_has() {
    let server = open();
    let key = ClientKey::new("EdDSA");
    let mut keyed = with("token_endpoint_auth_method", "private_key_jwt");
    keyed["jwks"] = key.jwks();
    let keyed = server.registered(&keyed);
    assert_eq!((keyed.told.get("client_secret"), keyed.told.get("client_secret_expires_at")), (None, None));
    let signing = server.registered(&with("token_endpoint_auth_method", "client_secret_jwt"));
    for (registered, signer) in [(&keyed, None), (&signing, Some(signing.client.own_secret().to_owned()))] {
        let claims = claims(&server, &registered.client);
        let assertion = match signer {
            None => key.jwt(&claims),
            Some(secret) => hs256(secret.as_bytes(), r#"{"alg":"HS256"}"#, &claims.to_string()),
        };
        redeem_by(&server, &registered.client, &assertion).expect(200);
    }
}

/// A code of Alice is redeemed with this assertion.
fn redeem_by(server: &Server, client: &Client, assertion: &str) -> Answer {
    let code = server.person().goes_through(&AuthorizationRequest::of(client)).code().to_owned();
    let fields = [
        ("client_id", &*client.id),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    server.http().post(RFC_TOKEN).form(&fields).send()
}

#[test]
fn rfc7523_3_s_39_the_operator_says_what_assertions_of_registered_clients_name_as_their_audience() {
    let older = |server: ServerBuilder| server.option("--registration-assertion-audience", "token-endpoint");
    let key = ClientKey::new("ES256");
    let mut metadata = with("token_endpoint_auth_method", "private_key_jwt");
    metadata["jwks"] = key.jwks();
    for (server, endpoint_is_taken) in [(open(), false), (open_with(older), true)] {
        let client = server.registered(&metadata).client;
        let ask = |audience: String, jti: &str| {
            let mut claims = claims(&server, &client);
            (claims["aud"], claims["jti"]) = (json!(audience), json!(jti));
            redeem_by(&server, &client, &key.jwt(&claims))
        };
        ask(server.url().to_owned(), "1").expect(200);
        match ask(format!("{}{RFC_TOKEN}", server.url()), "2") {
            taken if endpoint_is_taken => drop(taken.expect(200)),
            refused => drop(refused.expect_error(401, "invalid_client")),
        }
    }
}

/// A good assertion of this client.
fn claims(server: &Server, client: &Client) -> Value {
    let expires_at = now_secs() + 60;
    json!({ "iss": client.id, "sub": client.id, "aud": server.url(), "jti": client.id, "exp": expires_at })
}

#[test]
fn rfc7591_5_what_an_operator_decides_a_registered_client_never_gets() {
    let server = open();
    let client = server.registered(&with("token_endpoint_auth_method", "client_secret_post")).client;
    let password = [("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)];
    server.post_form(RFC_TOKEN, &client, &password).expect_error(400, "unauthorized_client");
    let alone = [("grant_type", "client_credentials")];
    server.post_form(RFC_TOKEN, &client, &alone).expect_error(400, "unauthorized_client");
    let request = AuthorizationRequest::of(&client).with("scope", "openid read");
    assert_eq!(server.person().follows(&request).returns().error(), "invalid_scope");

    let app = server.add_client(&obol_testkit::ClientSpec::application("app"));
    let code = server.person().goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let access = server.tokens_for(&app, &code).access;
    let told = server.post_form(INTROSPECT, &client, &[("token", &access)]).expect(200).json();
    assert_eq!(told, json!({ "active": false }), "it may ask about its own tokens only");
}

#[test]
fn pkce_is_the_houses_and_the_operators_choice() {
    let strict = open();
    let client = strict.registered(&shop()).client;
    let bare = |client: &Client| AuthorizationRequest::of(client).without_challenge();
    assert_eq!(strict.person().follows(&bare(&client)).returns().error(), "invalid_request");
    let lax = open_with(|server| server.environment("OBOL_REGISTRATION_PKCE", "false"));
    let client = lax.registered(&shop()).client;
    assert!(!lax.person().goes_through(&bare(&client)).code().is_empty());
    let public = lax.registered(&with("token_endpoint_auth_method", "none")).client;
    assert_eq!(lax.person().follows(&bare(&public)).returns().error(), "invalid_request");
}

#[test]
fn the_operator_sees_that_a_client_has_registered_itself_and_no_secret_of_it() {
    let server = open();
    let registered = server.registered(&shop());
    let added = server.await_audit("the registration", |line| line.event() == "client.added");
    assert_eq!(added.text("client_id"), registered.client.id);
    server.http().register(&json!({})).expect(400);
    server.await_audit("the refusal", |line| line.event() == "client.added" && line.value()["done"] == false);
    let shown = show(&server, &registered.client);
    assert_eq!((&shown["registered"], &shown["name"]), (&json!(true), &json!("The shop")));
    assert!(shown.get("registration").is_none(), "{shown}");
    let text = server.run(&["client", "show", &registered.client.id]).exits(0).stdout;
    assert!(text.contains("registered itself at"), "{text}");
    let listed = server.run(&["client", "list", "--json"]).exits(0).json();
    assert_eq!(listed[0]["registered"], true, "{listed}");
}

fn show(server: &Server, client: &Client) -> Value {
    server.run(&["client", "show", &client.id, "--json"]).exits(0).json()
}

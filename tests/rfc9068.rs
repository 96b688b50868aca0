//! RFC 9068 (JWT access tokens): one test per MUST that this server meets, and that such a token is revoked like any other.
//!
//! What must not verify is a table: `crates/keys/tests/forged_jwt`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use obol_testkit::{ALICE, Client, ClientSpec, Jwt, METADATA, PASSWORD, RFC_TOKEN, Server, obol, wait_until};
use serde_json::{Value, json};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
const ALGORITHMS: [&str; 4] = ["ES256", "RS256", "PS256", "EdDSA"];

#[test]
fn rfc9068_2_1_tokens_are_signed_with_a_published_key_and_say_their_type() {
    let (server, clients) = house_of_all_algorithms();
    for (algorithm, client) in ALGORITHMS.iter().zip(&clients) {
        let token = server.token_by_client_credentials(client).access;
        let Jwt { header, .. } = Jwt::read(&token);
        let expected = json!({ "alg": algorithm, "kid": header["kid"], "typ": "at+jwt" });
        assert_eq!(header, expected);
        assert!(verifies_offline(&server, &token), "{algorithm}: {token}");
        assert!(server.stands(client, &token), "{algorithm}");
    }
}

#[test]
fn rfc9068_2_1_rs256_is_among_the_algorithms_and_none_is_not() {
    let server = obol!().server().start();
    let add = |algorithm: &str| {
        let line = ["client", "add", "--id", "app", "--type", "confidential", "--access-token-format", "jwt"];
        server.run(&[&line[..], &["--id-token-alg", algorithm]].concat())
    };
    for refused in ["none", "HS256", "RS512"] {
        add(refused).exits(2);
    }
    add("RS256").exits(0);
}

#[test]
fn rfc9068_2_2_what_is_required_is_there_and_is_what_introspection_says() {
    let (server, app) = house();
    let tokens = server.rfc_token_by_password(&app, ALICE, PASSWORD);
    let Jwt { claims: payload, .. } = Jwt::read(&tokens.access);
    let members: Vec<_> = payload.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["aud", "client_id", "exp", "iat", "iss", "jti", "obol", "scope", "sub"]);
    let told = server.introspect(&app, &tokens.access).expect(200).json();
    for name in ["client_id", "exp", "iat", "iss", "jti", "scope", "sub"] {
        assert_eq!(payload[name], told[name], "{name}");
    }
    assert_eq!(payload["client_id"], "app");
    assert_eq!(payload["exp"].as_i64().unwrap() - payload["iat"].as_i64().unwrap(), 3_600);
}

#[test]
fn rfc9068_2_2_each_token_has_its_own_jti() {
    let (server, app) = house();
    let jti = || Jwt::read(&server.token_by_client_credentials(&app).access).claims["jti"].clone();
    assert_ne!(jti(), jti());
}

#[test]
fn rfc9068_2_2_the_subject_is_the_person_or_the_client_and_one_is_never_the_other() {
    let (server, app) = house();
    let alice = server.run(&["user", "show", ALICE, "--json"]).exits(0).json()["subject"].clone();
    let of_person = Jwt::read(&server.rfc_token_by_password(&app, ALICE, PASSWORD).access);
    assert_eq!(of_person.claims["sub"], alice);
    let of_client = Jwt::read(&server.token_by_client_credentials(&app).access);
    assert_eq!(of_client.claims["sub"], "service-account-app");
}

#[test]
fn rfc9068_2_2_3_the_scope_is_what_was_granted() {
    let (server, app) = house();
    let fields = [("grant_type", "client_credentials"), ("scope", "read")];
    let answer = server.post_form(RFC_TOKEN, &app, &fields).expect(200);
    assert_eq!(answer.text("scope"), "read write", "default scopes are given in any case");
    let Jwt { claims: payload, .. } = Jwt::read(&answer.text("access_token"));
    assert_eq!(payload["scope"], answer.json()["scope"]);
}

#[test]
fn rfc9068_2_2_a_token_that_does_not_expire_says_a_time_all_the_same() {
    let server = obol!().server().alice();
    let app = server.add_client(&jwt_client("app").access_ttl(0));
    let server = server.start();
    let token = server.token_by_client_credentials(&app).access;
    let Jwt { claims: payload, .. } = Jwt::read(&token);
    assert_eq!(payload["exp"].as_i64().unwrap() - payload["iat"].as_i64().unwrap(), 315_360_000);
    assert!(server.stands(&app, &token));
}

#[test]
fn rfc9068_3_without_a_resource_the_audience_is_the_default_one_and_4_the_issuer_is_that_of_the_metadata() {
    let (server, app) = house();
    let document = server.http().get(METADATA).send().expect(200).json();
    let Jwt { claims: payload, .. } = Jwt::read(&server.token_by_client_credentials(&app).access);
    assert_eq!(payload["iss"], document["issuer"]);
    assert_eq!(payload["aud"], document["issuer"]);
    assert!(document["jwks_uri"].is_string(), "where its keys are");
    assert_ne!(payload["aud"], "app", "§5: no ID token has this audience");
}

#[test]
fn rfc9068_4_another_type_algorithm_or_content_is_refused() {
    let (server, app) = house();
    let token = server.token_by_client_credentials(&app).access;
    assert!(server.stands(&app, &token));
    let Jwt { header, claims: payload, .. } = Jwt::read(&token);
    let parts: Vec<&str> = token.split('.').collect();
    let with = |what: &Value, name: &str, value: &str| {
        let mut changed = what.clone();
        changed[name] = value.into();
        URL_SAFE_NO_PAD.encode(changed.to_string())
    };
    for changed in [
        format!("{}.{}.{}", with(&header, "typ", "JWT"), parts[1], parts[2]),
        format!("{}.{}.{}", with(&header, "typ", "application/at+jwt"), parts[1], parts[2]),
        format!("{}.{}.", with(&header, "alg", "none"), parts[1]),
        format!("{}.{}.{}", with(&header, "alg", "HS256"), parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], with(&payload, "sub", "admin"), parts[2]),
        format!("{}.{}.{}", parts[0], with(&payload, "iss", "https://evil.example"), parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        payload["obol"].as_str().expect("sealed claims").to_owned(),
        payload["obol"].as_str().expect("sealed claims").replacen("obj_", "oba_", 1),
    ] {
        server.verify(&app, &changed).expect_error(401, "invalid_token");
        assert!(!server.is_active(&app, &changed), "{changed}");
        server.rfc_revoke(&app, &changed).expect(200);
    }
    assert!(server.stands(&app, &token), "what is forged revokes nothing");
}

#[test]
fn rfc9068_4_a_token_is_refused_when_its_time_is_over() {
    let server = obol!().server();
    let app = server.add_client(&jwt_client("app").access_ttl(1));
    let server = server.start();
    let token = server.token_by_client_credentials(&app).access;
    wait_until("it has expired", PATIENCE, || (!server.stands(&app, &token)).then_some(()));
    assert!(!server.is_active(&app, &token));
}

#[test]
fn a_token_that_was_verified_before_is_refused_at_once_after_whatever_ends_it() {
    type Act = fn(&Server, &Client, &str, &str);
    let acts: [(&str, Act); 8] = [
        ("revoke_token/ with the access token", |server, app, access, _| {
            server.revoke(app, access).expect(200);
        }),
        ("revocation with the access token", |server, app, access, _| {
            server.rfc_revoke(app, access).expect(200);
        }),
        ("revocation with the refresh token", |server, app, _, refresh| {
            server.rfc_revoke(app, refresh).expect(200);
        }),
        ("the operator", |server, _, access, _| {
            server.run(&["token", "revoke", access]).exits(0);
        }),
        ("the person is disabled", |server, _, _, _| {
            server.run(&["user", "disable", ALICE]).exits(0);
        }),
        ("the client is disabled", |server, app, _, _| {
            server.run(&["client", "disable", &app.id]).exits(0);
        }),
        ("the key that signed is retired", |server, _, access, _| {
            let old = Jwt::read(access).key_id();
            server.run(&["keys", "rotate", "--kind", "signing", "--now"]).exits(0);
            assert!(server.run(&["token", "explain", access, "--json"]).exits(0).json()["stands"] == true);
            server.run(&["keys", "retire", &old, "--yes"]).exits(0);
        }),
        ("the key that sealed is retired", |server, _, _, _| {
            let keys = server.run(&["keys", "list", "--json"]).exits(0).json();
            let list = keys.as_array().or_else(|| keys["keys"].as_array()).expect("a list");
            let seals = list.iter().find(|key| key["state"] == "seals").expect("one seals");
            server.run(&["keys", "rotate"]).exits(0);
            server.run(&["keys", "retire", seals["key_id"].as_str().expect("its id"), "--yes"]).exits(0);
        }),
    ];
    for (what, act) in acts {
        let (server, app) = house();
        let gateway = server.add_client(&ClientSpec::confidential("gateway").introspection());
        let tokens = server.rfc_token_by_password(&app, ALICE, PASSWORD);
        let access = tokens.access.as_str();
        for _ in 0..2 {
            assert!(server.stands(&app, access) && server.is_active(&gateway, access), "before {what}");
        }
        act(&server, &app, access, tokens.refresh());
        server.verify(&app, access).expect_error(401, "invalid_token");
        assert!(!server.is_active(&gateway, access), "{what}");
        assert!(verifies_offline(&server, access) || what == "the key that signed is retired", "{what}");
    }
}

#[test]
fn a_refresh_gives_a_token_of_the_same_form_and_ends_with_its_family() {
    let (server, app) = house();
    let first = server.rfc_token_by_password(&app, ALICE, PASSWORD);
    let answer = server.rfc_refresh(&app, first.refresh()).expect(200);
    let second = answer.text("access_token");
    assert!(verifies_offline(&server, &second));
    assert!(server.stands(&app, &second));
    server.rfc_revoke(&app, &first.access).expect(200);
    for access in [&first.access, &second] {
        assert!(!server.stands(&app, access));
    }
    server.rfc_refresh(&app, &answer.text("refresh_token")).expect_error(400, "invalid_grant");
}

#[test]
fn the_command_line_explains_verifies_and_revokes_it() {
    let (server, app) = house();
    let access = server.token_by_client_credentials(&app).access;
    let explained = server.run(&["token", "explain", &access, "--json"]).exits(0).json();
    assert_eq!((&explained["stands"], &explained["client_id"]), (&json!(true), &json!("app")));
    assert_eq!(explained["token_id"], Jwt::read(&access).claims["jti"]);
    server.run(&["token", "verify", &access, "--client", "app"]).exits(0);
    server.run(&["token", "revoke", &access]).exits(0);
    server.run(&["token", "verify", &access, "--client", "app"]).exits(1);
    let explained = server.run(&["token", "explain", &access, "--json"]).exits(0).json();
    assert_eq!(explained["stands"], false);
    server.run(&["token", "explain", &access[..access.len() - 1]]).exits(1);
}

#[test]
fn the_longest_names_fit_a_token_and_longer_scopes_are_refused_when_the_client_is_added() {
    let server = obol!().server();
    let id = "c".repeat(128);
    let scopes =
        |characters: usize| (0..10).map(move |number| format!("{number}{}", "s".repeat(characters - 1)));
    let spec = scopes(59).fold(jwt_client(&id), |spec, scope| spec.option("--default-scope", &scope));
    let app = server.add_client(&spec.option("--id-token-alg", "RS256"));
    let server = server.start();
    let person = "p".repeat(253);
    server.add_user(&person, PASSWORD);
    let line =
        "client add --id b --type confidential --access-token-format jwt".split(' ').map(str::to_owned);
    let line: Vec<_> = line.chain(scopes(60).flat_map(|scope| ["--scope".to_owned(), scope])).collect();
    let refused = server.run(&line.iter().map(String::as_str).collect::<Vec<_>>()).exits(1);
    assert!(refused.stderr.contains("at most 600 characters"), "{}", refused.stderr);
    let token = server.rfc_token_by_password(&app, &person, PASSWORD).access;
    assert!((3_500..=4_096).contains(&token.len()), "{}", token.len());
    assert!(server.stands(&app, &token) && verifies_offline(&server, &token));
}

#[test]
fn who_adds_a_client_of_another_algorithm_needs_no_key_first() {
    let server = obol!().server();
    let before = server.add_client(&jwt_client("before").option("--id-token-alg", "EdDSA"));
    let server = server.start();
    let after = server.add_client(&jwt_client("after").option("--id-token-alg", "RS256"));
    for client in [before, after] {
        let token = server.token_by_client_credentials(&client).access;
        assert!(server.stands(&client, &token) && verifies_offline(&server, &token), "{}", client.id);
    }
}

fn jwt_client(id: &str) -> ClientSpec {
    ClientSpec::confidential(id).introspection().option("--access-token-format", "jwt")
}

/// A server, and a client that gets JWT access tokens.
fn house() -> (Server, Client) {
    let server = obol!().server().alice();
    let app = server.add_client(&jwt_client("app"));
    (server.start(), app)
}

/// A client for each of [`ALGORITHMS`].
fn house_of_all_algorithms() -> (Server, Vec<Client>) {
    let server = obol!().server();
    let add = |algorithm: &&str| {
        server.add_client(&jwt_client(&algorithm.to_lowercase()).option("--id-token-alg", algorithm))
    };
    let clients = ALGORITHMS.iter().map(add).collect();
    (server.start(), clients)
}

/// As an API does it that has nothing but the published keys.
#[track_caller]
fn verifies_offline(server: &Server, token: &str) -> bool {
    Jwt::read(token).is_signed_by_published(server)
}

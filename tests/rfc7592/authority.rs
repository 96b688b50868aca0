//! §2, §3: by what a client manages itself.

use std::fs;

use http::Method;
use obol_testkit::{Answer, ClientSpec, REGISTER, RFC_TOKEN, Registered, Tokens, obol};
use serde_json::json;

use crate::house::{open, shop, with};

/// Every way to manage a client.
fn ways(server: &obol_testkit::Server, registered: &Registered) -> [Answer; 3] {
    [
        registered.read(server),
        registered.update(server, &with("client_name", "Another")),
        registered.delete(server),
    ]
}

#[test]
fn rfc7592_2_nothing_is_told_or_changed_without_the_clients_own_token() {
    let server = open();
    let (one, other) = (server.registered(&shop()), server.registered(&shop()));
    let before = one.read(&server).expect(200).json();
    let with_token = |token: &str| Registered { token: token.to_owned(), ..one.clone() };
    let secret = one.client.own_secret();
    let longer = format!("{}A", one.token);
    for token in [&*other.token, secret, "x", &one.token[..40], &longer, "obg_"] {
        for answer in ways(&server, &with_token(token)) {
            let answer = answer.expect_error(401, "invalid_token");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        }
    }
    for method in [Method::GET, Method::DELETE] {
        let none = server.http().request(method, &one.path).send().expect_error(401, "invalid_token");
        assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(one.read(&server).expect(200).json(), before);
}

#[test]
fn rfc7592_2_1_of_a_client_that_is_not_there_as_much_is_told_as_of_another() {
    let server = open();
    let one = server.registered(&shop());
    let gone = Registered { path: format!("{REGISTER}/reg_0123456789abcdef"), ..one.clone() };
    let others = Registered { token: server.registered(&shop()).token, ..one };
    for (unknown, wrong) in ways(&server, &gone).into_iter().zip(ways(&server, &others)) {
        assert_eq!(unknown.expect(401).json(), wrong.expect(401).json());
    }
}

#[test]
fn rfc7592_2_a_client_of_the_operators_is_not_managed_so() {
    let server = open();
    let app = server.add_client(&ClientSpec::application("app"));
    let registered = server.registered(&shop());
    let path = format!("{REGISTER}/{}", app.id);
    for answer in ways(&server, &Registered { path, client: app, ..registered }) {
        answer.expect_error(401, "invalid_token");
    }
}

#[test]
fn rfc7592_1_2_an_initial_access_token_registers_and_does_not_manage() {
    let server = obol!().server().option("--registration", "token");
    let spec = ClientSpec::confidential("registrar").option("--scope", "client_registration");
    let registrar = server.add_client(&spec);
    let server = server.start();
    let fields = [("grant_type", "client_credentials"), ("scope", "client_registration")];
    let initial = Tokens::of(server.post_form(RFC_TOKEN, &registrar, &fields)).access;
    let body = shop().to_string();
    let request = server.http().post(REGISTER).bearer(&initial).body("application/json", body.clone());
    let registered = Registered::of(&request.send().expect(201));
    for answer in ways(&server, &Registered { token: initial, ..registered.clone() }) {
        answer.expect_error(401, "invalid_token");
    }
    let request = server.http().post(REGISTER).bearer(&registered.token).body("application/json", body);
    request.send().expect_error(401, "invalid_token");
    registered.read(&server).expect(200);
}

#[test]
fn rfc7592_5_the_token_is_stored_as_a_hash() {
    let server = open();
    let registered = server.registered(&with("client_name", "a-name-to-be-found"));
    let mut stored = Vec::new();
    for file in ["obol.db", "obol.db-wal"] {
        stored.extend(fs::read(server.data().join(file)).unwrap_or_default());
    }
    let holds = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("a-name-to-be-found"), "the client is looked for where it is");
    assert!(!holds(&registered.token) && !holds(registered.client.own_secret()));
}

#[test]
fn s_93_a_disabled_client_cannot_read_change_delete_or_enable_itself() {
    let server = open();
    let registered = server.registered(&shop());
    server.run(&["client", "disable", &registered.client.id]).exits(0);
    for answer in ways(&server, &registered) {
        answer.expect_error(403, "access_denied");
    }
    let shown = server.run(&["client", "show", &registered.client.id, "--json"]).exits(0).json();
    assert_eq!((&shown["enabled"], &shown["name"]), (&false.into(), &"The shop".into()));
    server.run(&["client", "enable", &registered.client.id]).exits(0);
    registered.read(&server).expect(200);
}

#[test]
fn rfc7592_2_1_reading_tells_all_that_is_registered_again() {
    let server = open();
    let registered = server.registered(&with("default_max_age", 60));
    let answer = registered.read(&server).expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let mut expected = registered.told.clone();
    // Only its hash is kept.
    expected.as_object_mut().unwrap().remove("client_secret");
    assert_eq!(answer.json(), expected);
    let slash = Registered { path: format!("{}/", registered.path), ..registered };
    assert_eq!(slash.read(&server).expect(200).json(), expected);
}

#[test]
fn rfc7592_2_other_methods_are_405() {
    let server = open();
    let registered = server.registered(&shop());
    for method in [Method::POST, Method::PATCH] {
        let request = server.http().request(method, &registered.path).bearer(&registered.token);
        assert_eq!(request.send().expect(405).header("allow"), Some("GET, PUT, DELETE"));
    }
    let below = format!("{}/x", registered.path);
    server.http().get(&below).bearer(&registered.token).send().expect_error(404, "not_found");
}

#[test]
fn rfc7592_2_2_what_the_operator_has_settled_the_client_does_not_change() {
    let server = open();
    let registered = server.registered(&with("scope", "openid email"));
    let id = &*registered.client.id;
    let set = |changes: &[&str]| server.run(&[&["client", "set", id, "--json"], changes].concat());
    let shown = set(&["--scope", "openid", "--registration-updates", "refused"]).exits(0).json();
    assert_eq!(
        (&shown["optional_scopes"], &shown["registration_updates"]),
        (&json!(["openid"]), &json!(false))
    );
    let refused =
        registered.update(&server, &with("scope", "openid email")).expect_error(403, "access_denied");
    assert!(refused.text("error_description").contains("operator"), "{refused:?}");
    assert_eq!(registered.read(&server).expect(200).json()["scope"], "openid");

    set(&["--registration-updates", "allowed"]).exits(0);
    let updated = registered.update(&server, &with("scope", "openid email")).expect(200).json();
    assert_eq!(updated["scope"], "openid email");
    set(&["--registration-updates", "refused"]).exits(0);
    registered.delete(&server).expect(204);

    let other = server.add_client(&ClientSpec::public("operators"));
    let refused = server.run(&["client", "set", &other.id, "--registration-updates", "refused"]).exits(1);
    assert!(refused.stderr.contains("has not registered itself"), "{}", refused.stderr);
}

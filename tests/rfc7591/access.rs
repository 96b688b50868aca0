//! §1.2, §3: who may register clients.

use obol_testkit::{
    AuthorizationRequest, Client, ClientSpec, METADATA, REGISTER, RFC_TOKEN, Server, Tokens, obol,
};
use serde_json::json;

use crate::house::{open, shop};

fn announced(server: &Server) -> bool {
    let of = |path: &str| server.http().get(path).send().expect(200).json()["registration_endpoint"].clone();
    let (rfc, openid) = (of(METADATA), of("/.well-known/openid-configuration"));
    assert_eq!(rfc, openid);
    rfc == format!("{}{REGISTER}", server.url())
}

#[test]
fn rfc7591_3_nobody_registers_clients_unless_the_operator_wants_it() {
    let server = obol!().server().start();
    let answer = server.http().register(&shop()).expect_error(404, "not_found");
    assert!(!announced(&server), "{answer:?}");
    let path = format!("{REGISTER}/reg_x");
    server.http().get(&path).bearer("x").send().expect_error(404, "not_found");
}

#[test]
fn rfc7591_3_where_anybody_may_it_is_announced() {
    let server = open();
    assert!(announced(&server));
    server.http().register(&shop()).expect(201);
}

/// A server whose clients are registered with a token, and a client that may have one.
fn gated() -> (Server, Client) {
    let server = obol!().server().alice().option("--registration", "token");
    let spec = ClientSpec::confidential("registrar").option("--scope", "client_registration");
    let registrar = server.add_client(&spec.option("--scope", "read"));
    (server.start(), registrar)
}

fn token(server: &Server, registrar: &Client, scope: &str) -> Tokens {
    let fields = [("grant_type", "client_credentials"), ("scope", scope)];
    Tokens::of(server.post_form(RFC_TOKEN, registrar, &fields))
}

fn register(server: &Server, token: &str) -> obol_testkit::Answer {
    let request = server.http().post(REGISTER).bearer(token);
    request.body("application/json", shop().to_string()).send()
}

#[test]
fn rfc7591_3_1_who_has_an_initial_access_token_may_and_nobody_else() {
    let (server, registrar) = gated();
    assert!(announced(&server));
    let none = server.http().register(&shop()).expect_error(401, "invalid_token");
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    let wrong = register(&server, "x").expect_error(401, "invalid_token");
    assert!(wrong.header("www-authenticate").unwrap().starts_with("Bearer"));
    let good = token(&server, &registrar, "client_registration");
    for _ in 0..2 {
        register(&server, &good.access).expect(201);
    }
    let other = token(&server, &registrar, "read");
    register(&server, &other.access).expect_error(403, "insufficient_scope");
}

#[test]
fn rfc7591_5_an_initial_access_token_ends_like_any_other() {
    let (server, registrar) = gated();
    let [one, other] = [(); 2].map(|()| token(&server, &registrar, "client_registration").access);
    server.rfc_revoke(&registrar, &one).expect(200);
    register(&server, &one).expect_error(401, "invalid_token");
    register(&server, &other).expect(201);
    server.run(&["client", "disable", "registrar"]).exits(0);
    register(&server, &other).expect_error(401, "invalid_token");
}

#[test]
fn no_person_can_let_an_application_register_others() {
    let server = obol!().server().alice().option("--registration", "token");
    let spec = ClientSpec::application("app").option("--scope", "client_registration");
    let app = server.add_client(&spec);
    let server = server.start();
    let request = AuthorizationRequest::of(&app).with("scope", "client_registration");
    let tokens = server.tokens_for(&app, server.person().goes_through(&request).code());
    register(&server, &tokens.access).expect_error(403, "insufficient_scope");
}

#[test]
fn the_scope_of_an_initial_access_token_is_not_for_registered_clients() {
    let ran =
        obol!().installation().run(&["config", "check", "--registration-scopes", "client_registration"]);
    assert!(ran.exits(2).stderr.contains("client_registration"));
    obol!().installation().run(&["config", "check", "--registration-scopes", ""]).exits(2);
    let server = open();
    let metadata = json!({ "redirect_uris": ["https://app.example/cb"], "scope": "client_registration" });
    server.http().register(&metadata).expect_error(400, "invalid_client_metadata");
}

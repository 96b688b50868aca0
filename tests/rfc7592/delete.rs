//! §2.3: a client deletes itself.

use obol_testkit::{AuthorizationRequest, Client, REDIRECT_URI, RFC_TOKEN, Server, Tokens, VERIFIER, VERIFY};
use serde_json::json;

use crate::house::{open, shop, with};

#[test]
fn rfc7592_2_3_the_answer_is_204_and_the_token_is_good_for_nothing_any_more() {
    let server = open();
    let registered = server.registered(&shop());
    let answer = registered.delete(&server).expect(204);
    assert!(answer.body.is_empty());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for again in [registered.read(&server), registered.update(&server, &shop()), registered.delete(&server)] {
        again.expect_error(401, "invalid_token");
    }
    server.await_audit("the deletion", |line| line.event() == "client.deleted");
}

#[test]
fn rfc7592_2_3_all_that_the_client_was_given_ends() {
    let server = open();
    let mut metadata = with("grant_types", json!(["authorization_code", "refresh_token"]));
    metadata["token_endpoint_auth_method"] = "client_secret_post".into();
    let registered = server.registered(&metadata);
    let client = &registered.client;
    let mut alice = server.person();
    let code = alice.goes_through(&AuthorizationRequest::of(client)).code().to_owned();
    let tokens = redeem(&server, client, &code);
    let unused = alice.goes_through(&AuthorizationRequest::of(client)).code().to_owned();
    let verify = |token: &str| {
        server.http().get(&format!("{VERIFY}?client_id={}", client.id)).bearer(token).send().status
    };
    assert_eq!(verify(&tokens.access), 200);
    registered.delete(&server).expect(204);
    assert_eq!(verify(&tokens.access), 401);
    server.rfc_refresh(client, tokens.refresh()).expect_error(401, "invalid_client");
    server.redeem(client, &unused).expect_error(401, "invalid_client");
    alice.follows(&AuthorizationRequest::of(client)).refused(400);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
    let other = server.registered(&metadata).client;
    server.post_form(RFC_TOKEN, &other, &fields).expect_error(400, "invalid_grant");
}

/// By a client whose secret goes into the body.
fn redeem(server: &Server, client: &Client, code: &str) -> Tokens {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    Tokens::of(server.post_form(RFC_TOKEN, client, &fields))
}

//! OpenID Connect Dynamic Client Registration 1.0: what it adds to RFC 7591. One test per MUST, on create and update.

#[path = "registration/both.rs"]
mod both;
#[path = "registration/house.rs"]
mod house;
#[path = "oidc_registration/sector.rs"]
mod sector;

use obol_testkit::{AuthorizationRequest, Client, Jwt, REDIRECT_URI, Server};
use serde_json::{Value, json};

use crate::both::Both;
use crate::house::{open, shop, with};

const METADATA: &str = "invalid_client_metadata";

fn id_token(server: &Server, client: &Client) -> Jwt {
    let code = server.person().goes_through(&AuthorizationRequest::of(client)).code().to_owned();
    Jwt::read(&server.redeem(client, &code).expect(200).text("id_token"))
}

#[test]
fn oidc_registration_2_the_defaults_are_those_of_the_text() {
    let [registered, updated] = Both::of(open()).take(&shop());
    for told in [registered, updated] {
        for (name, expected) in [
            ("application_type", json!("web")),
            ("grant_types", json!(["authorization_code"])),
            ("id_token_signed_response_alg", json!("RS256")),
            ("response_types", json!(["code"])),
            ("token_endpoint_auth_method", json!("client_secret_basic")),
        ] {
            assert_eq!(told[name], expected, "{name}");
        }
        for name in ["userinfo_signed_response_alg", "default_max_age", "sector_identifier_uri"] {
            assert!(told.get(name).is_none(), "{name}");
        }
    }
}

#[test]
fn oidc_registration_2_id_tokens_are_signed_by_what_was_registered() {
    let both = Both::of(open());
    for algorithm in ["RS256", "ES256", "PS256", "EdDSA"] {
        both.keep("id_token_signed_response_alg", algorithm);
        let client = both.server.registered(&with("id_token_signed_response_alg", algorithm)).client;
        assert_eq!(id_token(&both.server, &client).header["alg"], algorithm);
    }
    for wrong in ["none", "HS256", "rs256", "", "RS512"] {
        both.refuse(&with("id_token_signed_response_alg", wrong), METADATA);
        both.refuse(&with("userinfo_signed_response_alg", wrong), METADATA);
    }
}

#[test]
fn oidc_registration_2_userinfo_is_signed_where_that_was_registered() {
    let both = Both::of(open());
    both.keep("userinfo_signed_response_alg", "PS256");
    let client = both.server.registered(&with("userinfo_signed_response_alg", "PS256")).client;
    let code = both.server.person().goes_through(&AuthorizationRequest::of(&client)).code().to_owned();
    let told = both.server.userinfo(&both.server.tokens_for(&client, &code).access).expect(200);
    assert_eq!(told.header("content-type"), Some("application/jwt"));
}

#[test]
fn oidc_registration_2_the_port_of_a_native_clients_loopback_address_is_free() {
    let both = Both::of(open());
    let native = |value: &str| {
        let mut metadata = with("redirect_uris", json!(["http://127.0.0.1/cb"]));
        metadata["application_type"] = value.into();
        metadata
    };
    let at_a_port =
        |client: &Client| AuthorizationRequest::of(client).with("redirect_uri", "http://127.0.0.1:7777/cb");
    let client = both.server.registered(&native("native")).client;
    assert!(!both.server.person().goes_through(&at_a_port(&client)).code().is_empty());
    let client = both.server.registered(&native("web")).client;
    both.server.person().follows(&at_a_port(&client)).refused(400);
    both.keep("application_type", "native");
    for wrong in ["desktop", "WEB", ""] {
        both.refuse(&with("application_type", wrong), METADATA);
    }
}

#[test]
fn oidc_registration_2_default_max_age_counts_where_a_request_says_none() {
    let both = Both::of(open());
    both.keep("default_max_age", 7);
    for wrong in [json!(-1), json!(1.5), json!(4_294_967_296_u64)] {
        both.refuse(&with("default_max_age", wrong), METADATA);
    }
    let client = both.server.registered(&with("default_max_age", 0)).client;
    let mut alice = both.server.person();
    alice.goes_through(&AuthorizationRequest::of(&client));
    alice.follows(&AuthorizationRequest::of(&client)).sign_in();
}

#[test]
fn oidc_registration_2_every_id_token_says_when_the_person_signed_in() {
    let server = open();
    for wanted in [json!(true), json!(false), Value::Null] {
        let registered = server.registered(&with("require_auth_time", wanted));
        assert_eq!(registered.told["require_auth_time"], true);
        assert!(id_token(&server, &registered.client).claims["auth_time"].is_i64());
    }
}

#[test]
fn rp_initiated_logout_3_1_post_logout_redirect_uris_are_checked() {
    let both = Both::of(open());
    both.keep("post_logout_redirect_uris", json!(["https://app.example/bye", "com.example.app:/bye"]));
    for uri in ["http://app.example/bye", "javascript:alert(1)", "https://app.example/#x", "x"] {
        both.refuse(&with("post_logout_redirect_uris", json!([uri])), METADATA);
    }
    both.refuse(&with("post_logout_redirect_uris", "https://app.example/bye"), METADATA);
}

#[test]
fn oidc_registration_2_subject_type_is_public_or_pairwise() {
    let both = Both::of(open());
    both.keep("subject_type", "public");
    both.refuse(&with("subject_type", "secret"), METADATA);
    let sub = |metadata: &Value| {
        let client = both.server.registered(metadata).client;
        id_token(&both.server, &client).claims["sub"].clone()
    };
    let pairwise = with("subject_type", "pairwise");
    assert_eq!(both.server.registered(&pairwise).told["subject_type"], "pairwise");
    assert_eq!(sub(&pairwise), sub(&pairwise), "one host");
    assert_ne!(sub(&pairwise), sub(&shop()));
    let mut hosts = pairwise.clone();
    hosts["redirect_uris"] = json!([REDIRECT_URI, "https://other.example/cb"]);
    both.refuse(&hosts, METADATA);
}

#[test]
fn oidc_core_8_an_update_does_not_change_by_what_a_client_knows_people() {
    let server = open();
    let pairwise = with("subject_type", "pairwise");
    let mut elsewhere = pairwise.clone();
    elsewhere["redirect_uris"] = json!(["https://victim.example/cb"]);
    let known = server.registered(&pairwise);
    let sub = id_token(&server, &known.client).claims["sub"].clone();
    for other in [&elsewhere, &shop()] {
        known.update(&server, other).expect_error(400, METADATA);
    }
    // The tokens of a public client stay as well.
    server.registered(&shop()).update(&server, &pairwise).expect_error(400, METADATA);
    let mut renamed = pairwise.clone();
    renamed["client_name"] = json!("Another name");
    known.update(&server, &renamed).expect(200);
    assert_eq!(id_token(&server, &known.client).claims["sub"], sub);
}

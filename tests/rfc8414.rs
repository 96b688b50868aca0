//! RFC 8414 (authorization server metadata) at `/.well-known/oauth-authorization-server`. One test per MUST.

use obol_testkit::{ALICE, House, METADATA, PASSWORD, obol};
use serde_json::Value;

fn document(issuer: Option<&str>) -> (House, Value) {
    let house = obol!().house_with(|server| match issuer {
        Some(issuer) => server.option("--issuer", issuer),
        None => server,
    });
    let answer = house.server.http().get(METADATA).send().expect(200);
    let document = answer.json();
    (house, document)
}

#[test]
fn rfc8414_2_issuer_is_a_url_without_query_or_fragment() {
    let (_house, document) = document(Some("https://id.example.test"));
    let issuer = document["issuer"].as_str().unwrap();
    assert!(issuer.starts_with("https://") && !issuer.contains(['?', '#']), "{issuer}");
}

#[test]
fn rfc8414_2_an_issuer_with_query_or_fragment_is_refused() {
    for issuer in
        ["https://id.example.test?x=1", "https://id.example.test#x", "not a url", "http://id.example.test"]
    {
        let installation = obol!().installation();
        let refused = installation.run(&["serve", "--listen", "127.0.0.1:0", "--issuer", issuer]);
        assert!(matches!(refused.code, Some(1 | 2)), "{issuer}: {refused:?}");
        assert!(refused.stderr.contains("issuer"), "{issuer}: {refused:?}");
    }
}

#[test]
fn rfc8414_2_token_endpoint_and_the_required_lists_are_there() {
    let (_house, document) = document(None);
    assert!(document["token_endpoint"].is_string());
    let grants = document["grant_types_supported"].as_array().unwrap();
    for grant in ["authorization_code", "client_credentials", "password", "refresh_token"] {
        assert!(grants.contains(&grant.into()), "{grant}");
    }
    assert!(!grants.contains(&"implicit".into()), "what is not offered is not promised");
    assert_eq!(document["response_types_supported"], serde_json::json!(["code"]));
    assert!(document["authorization_endpoint"].is_string());
}

#[test]
fn rfc8414_2_the_endpoints_are_those_that_answer() {
    let (house, document) = document(None);
    let House { server, fcare, gateway } = house;
    let path = |key: &str| document[key].as_str().unwrap().strip_prefix(server.url()).unwrap().to_owned();
    let grant = [("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)];
    let access = server.post_form(&path("token_endpoint"), &fcare, &grant).expect(200).text("access_token");
    let token = [("token", access.as_str())];
    let active = server.post_form(&path("introspection_endpoint"), &gateway, &token).expect(200);
    assert_eq!(active.json()["active"], true);
    server.post_form(&path("revocation_endpoint"), &fcare, &token).expect(200);
    assert!(!server.stands(&fcare, &access));
}

#[test]
fn rfc8414_2_the_methods_of_client_authentication_are_told_for_each_endpoint() {
    let (_house, document) = document(None);
    let confidential = ["client_secret_basic", "client_secret_jwt", "client_secret_post", "private_key_jwt"];
    let mut all = [&confidential[..], &["none"]].concat();
    all.sort_unstable();
    for (key, methods) in [
        ("token_endpoint_auth_methods_supported", &all[..]),
        ("revocation_endpoint_auth_methods_supported", &all),
        ("introspection_endpoint_auth_methods_supported", &confidential),
    ] {
        let mut told: Vec<&str> =
            document[key].as_array().unwrap().iter().map(|m| m.as_str().unwrap()).collect();
        told.sort_unstable();
        assert_eq!(told, methods, "{key}");
    }
}

#[test]
fn rfc8414_3_the_document_is_found_by_get_at_the_well_known_path() {
    let (house, _) = document(None);
    let answer = house.server.http().get(METADATA).send().expect(200);
    assert!(
        answer.header("content-type").is_some_and(|value| value.starts_with("application/json")),
        "{answer:?}"
    );
    house.server.http().post(METADATA).form(&[]).send().expect(405);
}

#[test]
fn rfc8414_3_2_claims_with_zero_elements_are_omitted() {
    let (_house, document) = document(None);
    for (key, value) in document.as_object().unwrap() {
        // Required by §2, and empty without an authorization endpoint: the two sections contradict each other here.
        if key == "response_types_supported" {
            continue;
        }
        assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{key}");
        assert!(!value.is_null() && value != "", "{key}");
    }
}

#[test]
fn rfc8414_3_3_issuer_is_identical_to_the_one_from_which_the_url_was_made() {
    let (house, document) = document(None);
    assert_eq!(document["issuer"], house.server.url());
}

#[test]
fn rfc8414_3_3_a_configured_issuer_is_told_as_configured() {
    let (_house, document) = document(Some("https://id.example.test"));
    assert_eq!(document["issuer"], "https://id.example.test");
    for key in ["token_endpoint", "revocation_endpoint", "introspection_endpoint"] {
        assert!(document[key].as_str().unwrap().starts_with("https://id.example.test/"), "{key}");
    }
}

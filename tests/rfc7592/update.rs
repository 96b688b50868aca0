//! §2.2: an update replaces what was registered.

use obol_testkit::{AuthorizationRequest, REDIRECT_URI};
use serde_json::{Value, json};

use crate::house::{open, shop, with};

#[test]
fn rfc7592_2_2_what_is_left_out_or_null_has_its_default_again() {
    let server = open();
    let rich = json!({
        "redirect_uris": [REDIRECT_URI, "https://app.example/other"],
        "client_name": "Before",
        "scope": "openid email",
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_post",
        "application_type": "native",
        "id_token_signed_response_alg": "EdDSA",
        "userinfo_signed_response_alg": "ES256",
        "default_max_age": 10,
        "post_logout_redirect_uris": ["https://app.example/bye"],
        "backchannel_logout_uri": "https://app.example/told",
        "backchannel_logout_session_required": true,
        "require_pushed_authorization_requests": true,
    });
    let plain = server.registered(&json!({ "redirect_uris": [REDIRECT_URI] })).told;
    let mut nulls = rich.clone();
    nulls.as_object_mut().unwrap().values_mut().for_each(|value| *value = Value::Null);
    nulls["redirect_uris"] = json!([REDIRECT_URI]);
    for bare in [json!({ "redirect_uris": [REDIRECT_URI] }), nulls] {
        let registered = server.registered(&rich);
        for (name, value) in rich.as_object().unwrap() {
            assert_eq!(registered.told[name], *value, "{name}");
        }
        let updated = registered.update(&server, &bare).expect(200).json();
        for name in rich.as_object().unwrap().keys().filter(|name| *name != "client_name") {
            assert_eq!(updated.get(name), plain.get(name), "{name}");
        }
        assert_eq!(updated["client_name"], registered.client.id.as_str());
    }
}

#[test]
fn rfc7592_2_2_the_update_counts_from_its_answer_on() {
    let server = open();
    let registered = server.registered(&shop());
    let (client, moved) = (&registered.client, "https://moved.example/cb");
    registered.update(&server, &with("redirect_uris", json!([moved]))).expect(200);
    server.person().follows(&AuthorizationRequest::of(client)).refused(400);
    let request = AuthorizationRequest::of(client).with("redirect_uri", moved);
    assert_eq!(server.person().goes_through(&request).uri, moved);
}

#[test]
fn rfc7592_2_2_an_update_names_its_client() {
    let server = open();
    let (one, other) = (server.registered(&shop()), server.registered(&shop()));
    one.put(&server, &shop()).expect_error(400, "invalid_client_metadata");
    for id in [other.client.id.as_str(), "", "x"] {
        one.put(&server, &with("client_id", id)).expect_error(400, "invalid_client_metadata");
    }
    one.put(&server, &with("client_id", one.client.id.as_str())).expect(200);
}

#[test]
fn rfc7592_2_2_an_update_leaves_out_what_the_server_says() {
    let server = open();
    let registered = server.registered(&shop());
    for name in [
        "registration_access_token",
        "registration_client_uri",
        "client_id_issued_at",
        "client_secret_expires_at",
    ] {
        let metadata = with(name, registered.told[name].clone());
        registered.update(&server, &metadata).expect_error(400, "invalid_client_metadata");
    }
}

#[test]
fn rfc7592_2_2_a_secret_in_an_update_is_the_clients_own() {
    let server = open();
    let registered = server.registered(&shop());
    let secret = registered.client.own_secret();
    let repeated = registered.update(&server, &with("client_secret", secret)).expect(200).json();
    assert_eq!(repeated["client_secret"], secret);
    for other in ["", "a-secret-that-the-client-chose", &secret[..20]] {
        let metadata = with("client_secret", other);
        registered.update(&server, &metadata).expect_error(400, "invalid_client_metadata");
    }
    let public = server.registered(&with("token_endpoint_auth_method", "none"));
    let mut metadata = with("token_endpoint_auth_method", "none");
    metadata["client_secret"] = secret.into();
    public.update(&server, &metadata).expect_error(400, "invalid_client_metadata");
    assert!(!server.person().goes_through(&AuthorizationRequest::of(&registered.client)).code().is_empty());
}

#[test]
fn a_client_stays_public_or_confidential() {
    let server = open();
    let public = with("token_endpoint_auth_method", "none");
    server.registered(&shop()).update(&server, &public).expect_error(400, "invalid_client_metadata");
    server.registered(&public).update(&server, &shop()).expect_error(400, "invalid_client_metadata");
    // Of its secret only a hash is kept, with which nothing can be verified.
    let signing = with("token_endpoint_auth_method", "client_secret_jwt");
    server.registered(&shop()).update(&server, &signing).expect_error(400, "invalid_client_metadata");
}

#[test]
fn rfc7592_3_the_token_stays_the_same() {
    let server = open();
    let registered = server.registered(&shop());
    for _ in 0..2 {
        let told = registered.update(&server, &shop()).expect(200).json();
        assert_eq!(told["registration_access_token"], registered.token.as_str());
    }
    let restored = registered.read(&server).expect(200).json();
    assert_eq!(restored["registration_access_token"], registered.token.as_str());
}

#[test]
fn what_the_operator_has_decided_stays() {
    let server = open();
    let registered = server.registered(&shop());
    let id = registered.client.id.as_str();
    let set = [
        "--consent",
        "skip",
        "--access-token-ttl",
        "60",
        "--default-scope",
        "read",
        "--default-scope",
        "openid",
        "--scope",
        "email",
        "--pkce",
        "optional",
    ];
    server.run(&[&["client", "set", id][..], &set].concat()).exits(0);
    let told = registered.update(&server, &shop()).expect(200).json();
    assert_eq!(told["scope"], "read openid profile email address phone offline_access");
    let shown = server.run(&["client", "show", id, "--json"]).exits(0).json();
    assert_eq!((&shown["ask_consent"], &shown["require_pkce"]), (&false.into(), &false.into()));
    assert_eq!(shown["access_token_ttl"], 60);
}

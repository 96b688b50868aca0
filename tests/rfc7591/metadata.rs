//! §2, §3.2.2: every member, when a client is registered and when it is updated (S-93).

use obol_testkit::{ClientKey, REDIRECT_URI};
use serde_json::{Value, json};

use crate::both::Both;
use crate::house::{open, shop, with};

const METADATA: &str = "invalid_client_metadata";

#[test]
fn rfc7591_2_s_21_redirect_uris_are_checked() {
    let both = Both::of(open());
    for uri in [
        "https://app.example/cb#fragment",
        "https://user:password@app.example/cb",
        "https://*.example/cb",
        "https://app.example/*",
        "https://app.example/a/../cb",
        "https://app.example/%2e%2e/cb",
        "https:///cb",
        "/cb",
        "app.example/cb",
        "",
        "http://app.example/cb",
        "http://localhost/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "myapp:/cb",
        "file:///etc/passwd",
        &format!("https://app.example/{}", "x".repeat(2_000)),
    ] {
        both.refuse(&with("redirect_uris", json!([uri])), "invalid_redirect_uri");
        both.refuse(&with("redirect_uris", json!([REDIRECT_URI, uri])), "invalid_redirect_uri");
    }
    both.refuse(&with("redirect_uris", json!([])), "invalid_redirect_uri");
    both.refuse(&json!({ "client_name": "x" }), "invalid_redirect_uri");
    both.keep("redirect_uris", json!([REDIRECT_URI, "http://127.0.0.1/cb", "com.example.app:/cb"]));
}

#[test]
fn rfc7591_2_1_grant_types_and_response_types_are_served_ones_and_agree() {
    let both = Both::of(open());
    for grants in [
        json!(["implicit"]),
        json!(["password"]),
        json!(["authorization_code", "password"]),
        json!(["client_credentials"]),
        json!(["authorization_code", "client_credentials"]),
        json!(["urn:ietf:params:oauth:grant-type:device_code"]),
        json!(["refresh_token"]),
        json!([""]),
        json!([]),
    ] {
        both.refuse(&with("grant_types", grants), METADATA);
    }
    let types =
        [json!(["token"]), json!(["code", "token"]), json!(["code id_token"]), json!(["none"]), json!([])];
    for types in types {
        both.refuse(&with("response_types", types), METADATA);
    }
    both.keep("grant_types", json!(["authorization_code", "refresh_token"]));
    both.keep("response_types", json!(["code"]));
}

#[test]
fn rfc7591_2_token_endpoint_auth_method_is_a_served_one() {
    let both = Both::of(open());
    for method in ["tls_client_auth", "CLIENT_SECRET_BASIC", "", "x"] {
        both.refuse(&with("token_endpoint_auth_method", method), METADATA);
    }
    for method in ["client_secret_basic", "client_secret_post"] {
        both.keep("token_endpoint_auth_method", method);
    }
}

#[test]
fn rfc7591_2_jwks_are_public_keys_that_verify_here_and_stand_here_or_elsewhere() {
    let both = Both::of(open());
    let key = ClientKey::new("ES256");
    let of = |jwks: Value, uri: Value| {
        let mut metadata = with("token_endpoint_auth_method", "private_key_jwt");
        (metadata["jwks"], metadata["jwks_uri"]) = (jwks, uri);
        metadata
    };
    let uri = json!("https://app.example/keys.json");
    for told in both.take(&of(key.jwks(), Value::Null)) {
        assert_eq!((&told["jwks"], told.get("jwks_uri")), (&key.jwks(), None));
    }
    for told in both.take(&of(Value::Null, uri.clone())) {
        assert_eq!((told.get("jwks"), &told["jwks_uri"]), (None, &uri));
    }
    let mut private = key.jwks();
    private["keys"][0]["d"] = "AA".into();
    for (jwks, uri) in [
        (Value::Null, Value::Null),
        (key.jwks(), uri.clone()),
        (private, Value::Null),
        (json!({ "keys": [] }), Value::Null),
        (json!([]), Value::Null),
        (json!("x"), Value::Null),
        (Value::Null, json!("http://app.example/keys.json")),
        (Value::Null, json!("x")),
    ] {
        both.refuse(&of(jwks, uri), METADATA);
    }
}

#[test]
fn oidc_registration_2_request_uris_are_short_https_urls() {
    let both = Both::of(open());
    for uri in ["http://app.example/r", "x", "", "https:///r", "https://u:p@app.example/r"] {
        both.refuse(&with("request_uris", json!(["https://app.example/good", uri])), METADATA);
    }
    let long = format!("https://app.example/{}", "r".repeat(500));
    both.refuse(&with("request_uris", json!([long])), METADATA);
    both.refuse(&with("request_uris", "https://app.example/r"), METADATA);
    both.keep("request_uris", json!(["https://app.example/r#1", "https://app.example/r?x=1#2"]));
}

#[test]
fn rfc7591_2_pages_for_people_are_https_urls_and_a_picture_is_not_taken() {
    let both = Both::of(open());
    for name in ["policy_uri", "tos_uri"] {
        both.keep(name, "https://app.example/page?x=1");
        for uri in ["http://app.example/page", "javascript:alert(1)", "data:text/html,x", "/page", ""] {
            both.refuse(&with(name, uri), METADATA);
        }
    }
    for told in both.take(&with("logo_uri", "https://app.example/logo.png")) {
        assert_eq!(told.get("logo_uri"), None);
    }
}

#[test]
fn rfc7591_2_client_name_is_short_and_seen_and_on_one_line() {
    let both = Both::of(open());
    for name in [
        &*"x".repeat(201),
        "a\nb",
        "\u{7}",
        "\u{2028}b",
        "knab\u{202e}",
        "\u{2067}bank\u{2069}",
        "\u{61c}bank",
        "ba\u{200b}nk",
        "\u{feff}bank",
        "bank\u{e0041}",
        "\u{3164}",
        "  ",
    ] {
        both.refuse(&with("client_name", name), METADATA);
    }
    both.keep("client_name", "Schöne Dinge <b>\"&");
    both.keep("client_name", "مثال");
    for told in both.take(&json!({ "redirect_uris": [REDIRECT_URI] })) {
        assert_eq!(told["client_name"], told["client_id"]);
    }
}

#[test]
fn rfc7591_2_scope_holds_only_what_the_operator_allows_registered_clients() {
    let both = Both::of(crate::house::open_with(|server| {
        server.option("--registration-scopes", "openid").option("--registration-scopes", "shop:read")
    }));
    for scope in ["email", "openid email", "admin", "read", "a\"b", "shop:read\topenid"] {
        both.refuse(&with("scope", scope), METADATA);
    }
    both.keep("scope", "openid");
    both.keep("scope", "shop:read");
    for metadata in [shop(), with("scope", "")] {
        for told in both.take(&metadata) {
            assert_eq!(told["scope"], "openid shop:read");
        }
    }
}

#[test]
fn rfc7591_2_members_have_their_types() {
    let both = Both::of(open());
    for (name, value) in [
        ("redirect_uris", json!("https://app.example/cb")),
        ("redirect_uris", json!([7])),
        ("grant_types", json!("authorization_code")),
        ("response_types", json!({})),
        ("client_name", json!(["x"])),
        ("scope", json!(["openid"])),
        ("token_endpoint_auth_method", json!(1)),
        ("default_max_age", json!("10")),
        ("require_pushed_authorization_requests", json!("true")),
    ] {
        both.refuse(&with(name, value), METADATA);
    }
    for name in ["client_name", "scope", "grant_types", "response_types", "token_endpoint_auth_method"] {
        let [registered, updated] = both.take(&with(name, Value::Null));
        assert!(registered[name] == updated[name] || name == "client_name", "null is no value: {name}");
    }
}

#[test]
fn rfc9126_6_a_client_may_bind_itself_to_pushed_requests() {
    let both = Both::of(open());
    both.keep("require_pushed_authorization_requests", true);
    let mut metadata = with("require_pushed_authorization_requests", true);
    metadata["token_endpoint_auth_method"] = "client_secret_post".into();
    let client = both.server.registered(&metadata).client;
    let request = obol_testkit::AuthorizationRequest::of(&client);
    assert_eq!(both.server.person().follows(&request).returns().error(), "invalid_request");
    let pushed = both.server.pushed(&client, &request);
    assert!(!both.server.person().goes_through(&pushed).code().is_empty());
}

#[test]
fn bclo_2_2_a_client_may_ask_to_be_told_of_logouts_at_an_https_url_without_fragment() {
    let both = Both::of(open());
    both.keep("backchannel_logout_uri", "https://app.example:8443/told?at=once");
    both.keep("backchannel_logout_session_required", true);
    for uri in
        ["http://app.example/told", "https://app.example/told#here", "/told", "com.example.app:/told", ""]
    {
        both.refuse(&with("backchannel_logout_uri", uri), METADATA);
    }
    both.refuse(&with("backchannel_logout_session_required", "yes"), METADATA);
}

#[test]
fn rfc9101_10_5_a_client_with_keys_may_bind_itself_to_signed_requests() {
    let both = Both::of(open());
    both.keep("request_object_signing_alg", "PS256");
    for wrong in ["none", "HS256", ""] {
        both.refuse(&with("request_object_signing_alg", wrong), METADATA);
    }
    both.refuse(&with("require_signed_request_object", true), METADATA);
    let mut metadata = with("require_signed_request_object", true);
    metadata["jwks"] = ClientKey::new("ES256").jwks();
    for told in both.take(&metadata) {
        assert_eq!(told["require_signed_request_object"], true);
    }
    let request = obol_testkit::AuthorizationRequest::of(&both.server.registered(&metadata).client);
    assert_eq!(both.server.person().follows(&request).returns().error(), "invalid_request");
}

#[test]
fn rfc7591_2_3_software_statements_are_not_approved() {
    let both = Both::of(open());
    both.refuse(&with("software_statement", "eyJhbGciOiJub25lIn0.e30."), "unapproved_software_statement");
    both.refuse(&with("software_statement", json!({})), "unapproved_software_statement");
}

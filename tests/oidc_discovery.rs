//! OpenID Connect Discovery 1.0, §3 and §4, and the key set that it names. One test per MUST.

use std::collections::BTreeSet;

use obol_testkit::{ALICE, AuthorizationRequest, Jwt, METADATA, Server, obol};
use serde_json::Value;

const DISCOVERY: &str = "/.well-known/openid-configuration";

fn document(server: &Server) -> Value {
    server.http().get(DISCOVERY).send().expect(200).json()
}

fn list<'a>(document: &'a Value, name: &str) -> Vec<&'a str> {
    let list = document[name].as_array().unwrap_or_else(|| panic!("{name}: {document}"));
    list.iter().map(|value| value.as_str().expect("a text")).collect()
}

#[test]
fn oidc_discovery_3_what_is_required_is_there_and_true() {
    let (server, app) = obol!().application();
    let document = document(&server);
    for name in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "issuer"] {
        assert!(document[name].as_str().unwrap().starts_with(server.url()), "{name}");
    }
    assert_eq!(list(&document, "response_types_supported"), ["code"]);
    assert_eq!(list(&document, "subject_types_supported"), ["public", "pairwise"]);
    assert!(list(&document, "id_token_signing_alg_values_supported").contains(&"RS256"));
    assert!(!list(&document, "id_token_signing_alg_values_supported").contains(&"none"));
    assert!(list(&document, "scopes_supported").contains(&"openid"));
    assert!(list(&document, "grant_types_supported").contains(&"authorization_code"));
    for method in ["client_secret_basic", "client_secret_post"] {
        assert!(list(&document, "token_endpoint_auth_methods_supported").contains(&method));
    }
    // The endpoints are where they are said to be.
    let path = |name: &str| document[name].as_str().unwrap().strip_prefix(server.url()).unwrap().to_owned();
    assert_eq!(path("authorization_endpoint"), AuthorizationRequest::of(&app).endpoint());
    let code = server.person().goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", obol_testkit::REDIRECT_URI),
        ("code_verifier", obol_testkit::VERIFIER),
    ];
    let given = server.post_form(&path("token_endpoint"), &app, &fields).expect(200);
    server.http().get(&path("userinfo_endpoint")).bearer(&given.text("access_token")).send().expect(200);
    assert!(server.http().get(&path("jwks_uri")).send().expect(200).json()["keys"].is_array());
}

#[test]
fn oidc_discovery_3_every_claim_and_scope_that_is_listed_can_be_had() {
    let (server, app) = obol!().application();
    let document = document(&server);
    let scopes = list(&document, "scopes_supported").join(" ");
    let set =
        ["name=A", "given_name=A", "family_name=A", "middle_name=A", "nickname=A", "profile=https://a/"];
    let more = [
        "picture=https://a/",
        "website=https://a/",
        "gender=x",
        "birthdate=1990",
        "zoneinfo=UTC",
        "locale=en",
    ];
    let rest = [
        "phone_number=+1",
        "phone_number_verified=true",
        "email_verified=true",
        "address={\"country\":\"DE\"}",
    ];
    let mut line = vec!["user", "set", ALICE, "--email", "a@example.org", "--group", "staff"];
    line.extend(set.iter().chain(&more).chain(&rest).flat_map(|claim| ["--claim", claim]));
    server.run(&line).exits(0);
    let request = AuthorizationRequest::of(&app).with("scope", &scopes).with("nonce", "n");
    let code = server.person().goes_through(&request).code().to_owned();
    let given = server.redeem(&app, &code).expect(200);
    let userinfo = server.userinfo(&given.text("access_token")).expect(200).json();
    let id_token = Jwt::verified(&given.text("id_token"), &server).claims;
    let said = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let listed: BTreeSet<_> = list(&document, "claims_supported").into_iter().map(str::to_owned).collect();
    assert_eq!(listed, said(&userinfo).union(&said(&id_token)).cloned().collect());
}

#[test]
fn oidc_discovery_4_1_the_document_is_below_an_issuer_with_a_path() {
    let server = obol!().server().option("--issuer", "https://id.example.test/tenant").start();
    for path in ["/tenant/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/tenant"]
    {
        let answer = server.http().get(path).send().expect(200);
        assert_eq!(answer.text("issuer"), "https://id.example.test/tenant", "{path}");
    }
}

#[test]
fn oidc_discovery_4_2_the_answer_is_json_without_empty_members() {
    let (server, _app) = obol!().application();
    let answer = server.http().get(DISCOVERY).send().expect(200);
    assert!(answer.header("content-type").unwrap().starts_with("application/json"), "{answer:?}");
    for (name, value) in answer.json().as_object().unwrap() {
        assert!(value.as_array().is_none_or(|list| !list.is_empty()) && !value.is_null(), "{name}");
    }
    server.http().post(DISCOVERY).form(&[]).send().expect(405);
}

#[test]
fn oidc_discovery_4_3_s_10_the_issuer_is_the_one_that_was_asked_and_that_of_id_tokens() {
    let (server, app) = obol!().application();
    assert_eq!(document(&server)["issuer"], server.url());
    let code = server.person().goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let id_token = server.redeem(&app, &code).expect(200).text("id_token");
    assert_eq!(Jwt::verified(&id_token, &server).claims["iss"], server.url());
    let spoofed = server.http().get(DISCOVERY).header("x-forwarded-host", "evil.example").send().expect(200);
    assert_eq!(spoofed.text("issuer"), server.url());
}

#[test]
fn oidc_discovery_3_all_urls_are_https_where_the_issuer_is() {
    let server = obol!().server().option("--issuer", "https://id.example.test").start();
    let document = server.http().get(DISCOVERY).send().expect(200).json();
    let urls = document
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.ends_with("_endpoint") || name.ends_with("_uri"));
    let urls: Vec<_> = urls.collect();
    assert!(urls.len() >= 6, "{urls:?}");
    assert!(
        urls.iter().all(|(_, url)| url.as_str().unwrap().starts_with("https://id.example.test/")),
        "{urls:?}"
    );
}

#[test]
fn rfc8414_the_two_documents_are_the_same() {
    let (server, _app) = obol!().application();
    assert_eq!(server.http().get(METADATA).send().expect(200).json(), document(&server));
}

#[test]
fn s_76_the_key_set_has_public_members_and_kids_that_differ() {
    let (server, _app) = obol!().application_of(|app| app.option("--id-token-alg", "RS256"));
    let set = server.http().get("/oauth2/jwks").send().expect(200).json();
    let keys = set["keys"].as_array().expect("a list");
    let kids: BTreeSet<_> = keys.iter().map(|key| key["kid"].as_str().expect("a kid")).collect();
    assert_eq!(kids.len(), keys.len());
    assert!(keys.len() >= 2, "one for ES256 and one for RS256: {set}");
    for key in keys {
        assert_eq!(key["use"], "sig");
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert_eq!(key.get(private), None, "{private}");
        }
    }
}

#[test]
fn s_76_what_a_former_key_signed_still_verifies() {
    let (server, app) = obol!().application();
    let id_token = |server: &Server| {
        let code = server.person().goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
        server.redeem(&app, &code).expect(200).text("id_token")
    };
    let before = id_token(&server);
    server.run(&["keys", "rotate", "--kind", "signing", "--now"]).exits(0);
    let after = id_token(&server);
    let (before, after) = (Jwt::verified(&before, &server), Jwt::verified(&after, &server));
    assert_ne!(before.header["kid"], after.header["kid"]);
}

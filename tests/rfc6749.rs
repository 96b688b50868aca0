//! RFC 6749 at `/oauth2/token`: §2.3 and §3.2 client authentication and parameters, §4.3, §4.4, §5, §6. One test per MUST.
//!
//! §3.1 and §4.1 (authorization endpoint, codes) wait for that endpoint; TLS (§2.3.1, §3.2) is in `server_manners.rs`.

use http::Method;
use obol_testkit::{ALICE, Answer, Client, ClientSpec, House, PASSWORD, RFC_TOKEN, Tokens, obol};

const BY_PASSWORD: [(&str, &str); 3] =
    [("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)];
const FOR_ITSELF: [(&str, &str); 1] = [("grant_type", "client_credentials")];

#[track_caller]
fn expect_error(answer: Answer, status: u16, error: &str) -> Answer {
    let answer = answer.expect_error(status, error);
    let keys = answer.keys();
    assert!(keys.iter().all(|key| ["error", "error_description"].contains(&key.as_str())), "{answer:?}");
    answer
}

// §2.3, §2.3.1: client authentication

#[test]
fn rfc6749_2_3_more_than_one_method_of_client_authentication_in_a_request_is_refused() {
    let House { server, gateway, .. } = obol!().house();
    let request = server.http().post(RFC_TOKEN).form(&gateway.fields(&FOR_ITSELF));
    expect_error(request.basic(&gateway.id, gateway.own_secret()).send(), 400, "invalid_request");
}

#[test]
fn rfc6749_2_3_1_http_basic_is_supported_for_clients_with_a_secret() {
    let House { server, gateway, .. } = obol!().house();
    let request = server.http().post(RFC_TOKEN).form(&FOR_ITSELF);
    Tokens::of(request.basic(&gateway.id, gateway.own_secret()).send());
}

#[test]
fn rfc6749_2_3_1_id_and_secret_in_basic_are_form_encoded() {
    let server = obol!().server();
    let secret = "p%2B+ss:/word/with=odd&characters?0123456789";
    let odd = server.add_client(&ClientSpec::confidential("odd+id").secret(secret));
    let server = server.start();
    let request = server.http().post(RFC_TOKEN).form(&FOR_ITSELF);
    Tokens::of(request.basic(&odd.id, secret).send());
}

#[test]
fn rfc6749_2_3_1_credentials_in_the_body_are_supported() {
    let House { server, gateway, .. } = obol!().house();
    server.token_by_client_credentials(&gateway);
}

#[test]
fn rfc6749_2_3_1_credentials_are_not_taken_from_the_request_uri() {
    let House { server, gateway, .. } = obol!().house();
    let path = format!("{RFC_TOKEN}?client_id=gateway&client_secret={}", gateway.own_secret());
    let answer = server.http().post(&path).form(&FOR_ITSELF).send();
    assert!([400, 401].contains(&answer.status), "{answer:?}");
}

#[test]
fn rfc6749_2_3_1_guessing_a_client_secret_is_slowed_down() {
    let House { server, gateway, .. } = obol!().house();
    let wrong = gateway.with_secret("wrong");
    let statuses: Vec<u16> =
        (0..32).map(|_| server.post_form(RFC_TOKEN, &wrong, &FOR_ITSELF).status).collect();
    assert_eq!(statuses[0], 401);
    assert_eq!(statuses[31], 429, "{statuses:?}");
}

// §3.2: token endpoint

#[test]
fn rfc6749_3_2_the_client_must_use_post() {
    let House { server, gateway, .. } = obol!().house();
    let query = format!("{RFC_TOKEN}?grant_type=client_credentials");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let request = server.http().request(method, &query);
        let answer = request.basic(&gateway.id, gateway.own_secret()).send().expect(405);
        assert_eq!(answer.header("allow"), Some("POST"), "{answer:?}");
    }
}

#[test]
fn rfc6749_3_2_parameters_come_in_a_form_and_nothing_else() {
    let House { server, .. } = obol!().house();
    let json = r#"{"grant_type":"password","client_id":"fcare","username":"alice","password":"x"}"#;
    for content_type in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
        expect_error(server.http().post(RFC_TOKEN).body(content_type, json).send(), 400, "invalid_request");
    }
}

#[test]
fn rfc6749_3_2_a_parameter_without_a_value_is_treated_as_omitted() {
    let House { server, fcare, .. } = obol!().house();
    let fields = [&BY_PASSWORD[..], &[("scope", ""), ("client_secret", "")]].concat();
    Tokens::of(server.post_form(RFC_TOKEN, &fcare, &fields));
    let empty = [("grant_type", ""), ("username", ALICE), ("password", PASSWORD)];
    expect_error(server.post_form(RFC_TOKEN, &fcare, &empty), 400, "invalid_request");
}

#[test]
fn rfc6749_3_2_an_unrecognized_parameter_is_ignored() {
    let House { server, fcare, .. } = obol!().house();
    let fields = [&BY_PASSWORD[..], &[("colour", "blue"), ("realm[x]", "1")]].concat();
    Tokens::of(server.post_form(RFC_TOKEN, &fcare, &fields));
}

#[test]
fn rfc6749_3_2_a_parameter_must_not_be_included_more_than_once() {
    let House { server, fcare, .. } = obol!().house();
    for twice in [("grant_type", "password"), ("client_id", "fcare"), ("username", ALICE), ("scope", "read")]
    {
        let fields = [&BY_PASSWORD[..], &[("scope", "read"), twice]].concat();
        expect_error(server.post_form(RFC_TOKEN, &fcare, &fields), 400, "invalid_request");
    }
}

#[test]
fn rfc6749_3_2_1_confidential_clients_must_authenticate() {
    let House { server, gateway, .. } = obol!().house();
    let tokens = server.rfc_token_by_password(&gateway, ALICE, PASSWORD);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
    for fields in [&BY_PASSWORD[..], &FOR_ITSELF, &refresh] {
        for client in [gateway.without_secret(), gateway.with_secret(""), gateway.with_secret("wrong")] {
            expect_error(server.post_form(RFC_TOKEN, &client, fields), 401, "invalid_client");
        }
    }
    server.rfc_refresh(&gateway, tokens.refresh()).expect(200);
}

// §3.3: scope

#[test]
fn rfc6749_3_3_the_scope_issued_is_told_where_it_differs_from_the_one_asked() {
    let server = obol!().server().alice();
    let spec = ClientSpec::public("scoped").option("--default-scope", "basic").option("--scope", "extra");
    let client = server.add_client(&spec);
    let server = server.start();
    let fields = [&BY_PASSWORD[..], &[("scope", "extra")]].concat();
    let scope = server.post_form(RFC_TOKEN, &client, &fields).expect(200).text("scope");
    assert!(scope.split(' ').any(|granted| granted == "basic"), "{scope}");
}

#[test]
fn rfc6749_3_3_without_a_scope_asked_the_default_is_granted() {
    let House { server, fcare, .. } = obol!().house();
    let answer = server.post_form(RFC_TOKEN, &fcare, &BY_PASSWORD).expect(200);
    assert_eq!(answer.text("scope"), "read write");
}

// §4.3: password

#[test]
fn rfc6749_4_3_2_the_password_is_validated() {
    let House { server, fcare, .. } = obol!().house();
    for (username, password) in [(ALICE, "wrong"), ("nobody", PASSWORD)] {
        let fields = [("grant_type", "password"), ("username", username), ("password", password)];
        expect_error(server.post_form(RFC_TOKEN, &fcare, &fields), 400, "invalid_grant");
    }
}

#[test]
fn rfc6749_4_3_2_passwords_are_protected_against_brute_force() {
    let House { server, fcare, .. } = obol!().house();
    for _ in 0..10 {
        let fields = [("grant_type", "password"), ("username", ALICE), ("password", "wrong")];
        expect_error(server.post_form(RFC_TOKEN, &fcare, &fields), 400, "invalid_grant");
    }
    expect_error(server.post_form(RFC_TOKEN, &fcare, &BY_PASSWORD), 400, "invalid_grant");
}

// §4.4: client credentials

#[test]
fn rfc6749_4_4_client_credentials_are_for_confidential_clients_only() {
    let installation = obol!().installation();
    let arguments = ["client", "add", "--id", "open", "--type", "public", "--grant", "client_credentials"];
    let refused = installation.run(&arguments).exits(1);
    assert!(refused.stderr.starts_with("error: "), "{refused:?}");
}

#[test]
fn rfc6749_4_4_2_the_client_must_be_authenticated() {
    let House { server, gateway, fcare } = obol!().house();
    expect_error(server.post_form(RFC_TOKEN, &gateway.without_secret(), &FOR_ITSELF), 401, "invalid_client");
    expect_error(server.post_form(RFC_TOKEN, &fcare, &FOR_ITSELF), 400, "unauthorized_client");
}

#[test]
fn rfc6749_4_4_3_no_refresh_token_is_included() {
    let House { server, gateway, .. } = obol!().house();
    assert_eq!(server.token_by_client_credentials(&gateway).refresh, None);
}

// §5.1: successful response

#[test]
fn rfc6749_5_1_success_has_access_token_token_type_and_expires_in_at_the_top_level_with_200() {
    let House { server, fcare, .. } = obol!().house();
    let answer = server.post_form(RFC_TOKEN, &fcare, &BY_PASSWORD).expect(200);
    assert_eq!(answer.keys(), ["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
    assert_eq!(answer.text("token_type"), "Bearer");
    assert_eq!(answer.integer("expires_in"), 3600);
    assert!(!answer.text("access_token").is_empty());
}

#[test]
fn rfc6749_5_1_parameters_are_json_with_the_application_json_media_type() {
    let House { server, fcare, .. } = obol!().house();
    let answer = server.post_form(RFC_TOKEN, &fcare, &BY_PASSWORD).expect(200);
    assert!(
        answer.header("content-type").is_some_and(|value| value.starts_with("application/json")),
        "{answer:?}"
    );
}

#[test]
fn rfc6749_5_1_answers_with_tokens_carry_cache_control_no_store_and_pragma_no_cache() {
    let House { server, fcare, gateway } = obol!().house();
    let by_password = server.post_form(RFC_TOKEN, &fcare, &BY_PASSWORD).expect(200);
    let refreshed = server.rfc_refresh(&fcare, &by_password.text("refresh_token")).expect(200);
    let for_itself = server.post_form(RFC_TOKEN, &gateway, &FOR_ITSELF).expect(200);
    let refused = server.post_form(RFC_TOKEN, &fcare, &[]).expect(400);
    for answer in [by_password, refreshed, for_itself, refused] {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        assert_eq!(answer.header("pragma"), Some("no-cache"), "{answer:?}");
    }
}

#[test]
fn rfc6749_5_1_an_access_token_that_never_expires_promises_no_life_that_it_does_not_have() {
    let server = obol!().server();
    let never = server.add_client(&ClientSpec::confidential("never").access_ttl(0));
    let server = server.start();
    let answer = server.post_form(RFC_TOKEN, &never, &FOR_ITSELF).expect(200);
    // RECOMMENDED, so it may be left out; where it stands it is a number of seconds that is kept.
    let expires_in = answer.json().get("expires_in").cloned();
    assert!(expires_in.is_none_or(|secs| secs == 315_360_000), "{answer:?}");
}

// §5.2: error response

#[test]
fn rfc6749_5_2_invalid_request_for_a_missing_parameter_is_400() {
    let House { server, fcare, .. } = obol!().house();
    for missing in ["grant_type", "username", "password"] {
        let fields: Vec<_> = BY_PASSWORD.into_iter().filter(|(name, _)| *name != missing).collect();
        let answer = expect_error(server.post_form(RFC_TOKEN, &fcare, &fields), 400, "invalid_request");
        assert!(answer.text("error_description").contains(missing), "{answer:?}");
    }
    let refresh = [("grant_type", "refresh_token")];
    expect_error(server.post_form(RFC_TOKEN, &fcare, &refresh), 400, "invalid_request");
}

#[test]
fn rfc6749_5_2_invalid_client_by_basic_is_401_with_www_authenticate_basic() {
    let House { server, gateway, .. } = obol!().house();
    for (id, secret) in [("gateway", "wrong"), ("nobody", gateway.own_secret()), ("gateway", "")] {
        let answer = server.http().post(RFC_TOKEN).form(&FOR_ITSELF).basic(id, secret).send();
        let answer = expect_error(answer, 401, "invalid_client");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(challenge.starts_with("Basic"), "{answer:?}");
    }
}

#[test]
fn rfc6749_5_2_a_malformed_basic_header_is_refused() {
    let House { server, .. } = obol!().house();
    for value in [
        "Basic",
        "Basic !",
        "Basic Zm9v",
        "Basic /////w==",
        "Basic Z2F0ZXdheTp3cm9uZw== x",
        "Basic OnNlY3JldA==",
    ] {
        let answer = server.http().post(RFC_TOKEN).form(&FOR_ITSELF).header("authorization", value).send();
        let error = answer.json()["error"].clone();
        assert!(
            (answer.status, &error) == (401, &"invalid_client".into())
                || (answer.status, &error) == (400, &"invalid_request".into()),
            "{value}: {answer:?}"
        );
    }
}

#[test]
fn rfc6749_5_2_invalid_client_for_an_unknown_client_and_for_no_client_authentication() {
    let House { server, .. } = obol!().house();
    expect_error(server.post_form(RFC_TOKEN, &Client::bare("nobody"), &BY_PASSWORD), 401, "invalid_client");
    let none = server.http().post(RFC_TOKEN).form(&BY_PASSWORD).send();
    let error = none.json()["error"].clone();
    assert!(
        [400, 401].contains(&none.status) && (error == "invalid_client" || error == "invalid_request"),
        "{none:?}"
    );
}

#[test]
fn rfc6749_5_2_invalid_grant_for_refresh_tokens_that_are_unknown_revoked_or_of_another_client() {
    let House { server, fcare, gateway } = obol!().house();
    let live = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    let revoked = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    server.rfc_revoke(&fcare, revoked.refresh()).expect(200);
    expect_error(server.rfc_refresh(&fcare, "unknown"), 400, "invalid_grant");
    expect_error(server.rfc_refresh(&fcare, revoked.refresh()), 400, "invalid_grant");
    expect_error(server.rfc_refresh(&gateway, live.refresh()), 400, "invalid_grant");
}

#[test]
fn rfc6749_5_2_unauthorized_client_for_a_grant_that_the_client_may_not_use() {
    let server = obol!().server().alice();
    let client = server.add_client(&ClientSpec::public("only-password").grants(&["password"]));
    let server = server.start();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    expect_error(server.post_form(RFC_TOKEN, &client, &refresh), 400, "unauthorized_client");
}

#[test]
fn rfc6749_5_2_unsupported_grant_type_for_a_grant_that_does_not_exist() {
    let House { server, gateway, .. } = obol!().house();
    for grant in ["unheard_of", "implicit", "urn:ietf:params:oauth:grant-type:device_code"] {
        let fields = [("grant_type", grant)];
        expect_error(server.post_form(RFC_TOKEN, &gateway, &fields), 400, "unsupported_grant_type");
    }
}

#[test]
fn rfc6749_5_2_invalid_scope_for_a_scope_that_is_unknown_malformed_or_not_the_clients() {
    let House { server, gateway, .. } = obol!().house();
    for scope in ["admin", "read admin", "re\"ad", "read\\", "r\u{e9}ad"] {
        let fields = [("grant_type", "client_credentials"), ("scope", scope)];
        expect_error(server.post_form(RFC_TOKEN, &gateway, &fields), 400, "invalid_scope");
    }
}

#[test]
fn rfc6749_5_2_error_and_error_description_hold_only_the_allowed_characters() {
    let House { server, gateway, .. } = obol!().house();
    let odd = "\"<script>\\\u{7f}\u{1b}[31m\u{e4}\r\n";
    let answers = [
        server.post_form(RFC_TOKEN, &gateway, &[("grant_type", odd)]),
        server.post_form(RFC_TOKEN, &gateway, &[("grant_type", "client_credentials"), ("scope", odd)]),
        server.post_form(RFC_TOKEN, &Client::bare(odd), &FOR_ITSELF),
        server.post_form(RFC_TOKEN, &gateway, &[(odd, odd), (odd, odd)]),
        server.rfc_refresh(&gateway, odd),
    ];
    for answer in answers {
        for key in ["error", "error_description"] {
            let text = answer.text(key);
            let allowed = |c: char| matches!(c, '\x20'..='\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e');
            assert!(!text.is_empty() && text.chars().all(allowed), "{answer:?}");
            assert!(!text.contains("<script>"), "nothing of the request is reflected: {answer:?}");
        }
    }
}

#[test]
fn rfc6749_5_2_errors_are_json_without_the_keys_of_the_other_dialect() {
    let House { server, fcare, .. } = obol!().house();
    let answer = expect_error(server.post_form(RFC_TOKEN, &fcare, &[]), 400, "invalid_request");
    assert!(
        answer.header("content-type").is_some_and(|value| value.starts_with("application/json")),
        "{answer:?}"
    );
    assert!(!answer.text("error_description").is_empty());
}

// §6: refreshing

#[test]
fn rfc6749_6_the_refresh_token_must_have_been_issued_to_the_authenticated_client() {
    let House { server, fcare, gateway } = obol!().house();
    let tokens = server.rfc_token_by_password(&gateway, ALICE, PASSWORD);
    expect_error(server.rfc_refresh(&fcare, tokens.refresh()), 400, "invalid_grant");
    server.rfc_refresh(&gateway, tokens.refresh()).expect(200);
}

#[test]
fn rfc6749_6_the_scope_asked_must_not_include_any_that_was_not_granted() {
    let server = obol!().server().alice();
    let spec = ClientSpec::public("scoped").option("--default-scope", "basic").option("--scope", "extra");
    let client = server.add_client(&spec);
    let server = server.start();
    let tokens = server.rfc_token_by_password(&client, ALICE, PASSWORD);
    let wider =
        [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh()), ("scope", "basic extra")];
    expect_error(server.post_form(RFC_TOKEN, &client, &wider), 400, "invalid_scope");
    server.rfc_refresh(&client, tokens.refresh()).expect(200);
}

#[test]
fn rfc6749_6_the_new_refresh_token_keeps_the_scope_of_the_one_in_the_request() {
    let House { server, fcare, .. } = obol!().house();
    let first = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    let narrowed = [("grant_type", "refresh_token"), ("refresh_token", first.refresh()), ("scope", "read")];
    let answer = server.post_form(RFC_TOKEN, &fcare, &narrowed).expect(200);
    assert_eq!(answer.text("scope"), "read");
    let verified = server.verify(&fcare, &answer.text("access_token")).expect(200);
    assert_eq!(verified.text("scope"), "read");

    let whole = server.rfc_refresh(&fcare, &answer.text("refresh_token")).expect(200);
    assert_eq!(whole.text("scope"), "read write");
}

#[test]
fn rfc6749_10_10_tokens_cannot_be_guessed_and_never_repeat() {
    let House { server, gateway, .. } = obol!().house();
    let mut seen: Vec<String> =
        (0..50).map(|_| server.token_by_client_credentials(&gateway).access).collect();
    assert!(seen.iter().all(|token| token.len() >= 40));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 50);
}

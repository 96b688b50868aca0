//! Surface, "Rules for every call under `/api/v1/oauth/`": one section below per row of the table.
//!
//! "Discovery, keys, userinfo, authorize" are in `fortiauthenticator_oidc.rs`.

use http::Method;
use obol_testkit::{
    ALICE, Answer, House, PASSWORD, REVOKE, Server, TOKEN, Tokens, VERIFY, for_each_shape, for_each_slash,
    obol,
};
use serde_json::{Value, json};

// Final slash

#[test]
fn each_path_answers_with_and_without_the_final_slash_directly_never_by_a_redirect() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    for_each_slash(VERIFY, |path| {
        let path = format!("{path}?client_id=fcare");
        server.http().get(&path).bearer(&access).send().expect(200);
    });
    for_each_shape(|shape| {
        shape.post(&server, TOKEN, &password_grant("fcare")).expect(200);
        shape.post(&server, REVOKE, &[("client_id", "fcare"), ("token", "unknown")]).expect(200);
    });
}

#[test]
fn both_spellings_of_a_path_give_the_same_answer_to_a_bad_call() {
    let House { server, .. } = obol!().house();
    for path in [TOKEN, REVOKE] {
        let mut answers = Vec::new();
        for_each_shape(|shape| answers.push(shape.post(&server, path, &[("client_id", "nobody")]).essence()));
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
    }
}

// Body

#[test]
fn json_and_form_are_read_alike_also_with_parameters_and_any_case_in_the_content_type() {
    let House { server, .. } = obol!().house();
    let json = r#"{"client_id":"fcare","token":"unknown"}"#;
    let form = "client_id=fcare&token=unknown";
    for (content_type, body) in [
        ("application/json", json),
        ("application/json; charset=utf-8", json),
        ("Application/JSON", json),
        ("application/x-www-form-urlencoded", form),
        ("application/x-www-form-urlencoded; charset=UTF-8", form),
        ("Application/X-WWW-Form-Urlencoded", form),
    ] {
        let answer = server.http().post(REVOKE).body(content_type, body).send();
        assert_eq!(answer.status, 200, "{content_type}: {answer:?}");
    }
}

#[test]
fn another_body_type_is_415() {
    let House { server, .. } = obol!().house();
    let json = r#"{"client_id":"fcare","token":"unknown"}"#;
    for path in [TOKEN, REVOKE] {
        for_each_slash(path, |path| {
            for content_type in
                ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonp"]
            {
                let answer = server.http().post(path).body(content_type, json).send();
                expect_error_body(&answer.expect(415));
            }
        });
    }
}

#[test]
fn malformed_json_is_400() {
    let House { server, .. } = obol!().house();
    let deep = format!(r#"{{"client_id":"fcare","x":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    for path in [TOKEN, REVOKE] {
        for body in
            ["", "{", "null", "[]", "\"fcare\"", r#"{"client_id":"fcare""#, r#"{"client_id":fcare}"#, &deep]
        {
            let answer = server.http().post(path).body("application/json", body.to_owned()).send();
            expect_error_body(&answer.expect_error(400, "invalid_request"));
        }
        let bad_utf8 = b"{\"client_id\":\"fc\xffre\"}".as_slice();
        let answer = server.http().post(path).body("application/json", bad_utf8).send();
        expect_error_body(&answer.expect_error(400, "invalid_request"));
    }
}

#[test]
fn malformed_form_is_400() {
    let House { server, .. } = obol!().house();
    for path in [TOKEN, REVOKE] {
        for body in [
            &b"client_id=%zz&token=x"[..],
            b"client_id=%f",
            b"client_id=%ff&token=x",
            b"client_id=\xff&token=x",
        ] {
            let answer = server.http().post(path).body("application/x-www-form-urlencoded", body).send();
            expect_error_body(&answer.expect_error(400, "invalid_request"));
        }
    }
}

// Fields

#[test]
fn unknown_fields_are_ignored() {
    let House { server, .. } = obol!().house();
    for_each_shape(|shape| {
        let fields = [("client_id", "fcare"), ("colour", "blue"), ("token", "unknown"), ("nested[a]", "b")];
        shape.post(&server, REVOKE, &fields).expect(200);
    });
    let odd =
        json!({"client_id": "fcare", "token": "unknown", "colour": {"deep": [1, null, true]}, "n": 1.5});
    server.http().post(REVOKE).body("application/json", odd.to_string()).send().expect(200);
}

#[test]
fn an_empty_string_counts_as_absent() {
    let House { server, .. } = obol!().house();
    for_each_shape(|shape| {
        let empty = shape.post(&server, REVOKE, &[("client_id", "fcare"), ("token", "")]);
        let absent = shape.post(&server, REVOKE, &[("client_id", "fcare")]);
        assert_eq!(empty.essence(), absent.essence());

        let mut fields = password_grant("fcare");
        fields.extend([("scope", ""), ("client_secret", ""), ("realm", ""), ("refresh_token", "")]);
        shape.post(&server, TOKEN, &fields).expect(200);

        fields.retain(|(name, _)| *name != "username");
        let absent = shape.post(&server, TOKEN, &fields);
        fields.push(("username", ""));
        assert_eq!(shape.post(&server, TOKEN, &fields).essence(), absent.essence());
    });
    let null = json!({"client_id": "fcare", "token": "unknown", "client_secret": null});
    server.http().post(REVOKE).body("application/json", null.to_string()).send().expect(200);
}

#[test]
fn the_same_parameter_twice_is_400_invalid_request() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    for_each_slash(REVOKE, |path| {
        let twice = format!("client_id=fcare&token={access}&token={access}");
        let form = server.http().post(path).body("application/x-www-form-urlencoded", twice).send();
        form.expect_error(400, "invalid_request");
        let twice = format!(r#"{{"client_id":"fcare","token":"{access}","token":"{access}"}}"#);
        let json = server.http().post(path).body("application/json", twice).send();
        json.expect_error(400, "invalid_request");
    });
    for_each_slash(VERIFY, |path| {
        let answer =
            server.http().get(&format!("{path}?client_id=fcare&client_id=fcare")).bearer(&access).send();
        answer.expect_error(400, "invalid_request");
    });
    assert!(server.stands(&fcare, &access), "nothing was revoked");
}

// Content-Type on GET

#[test]
fn content_type_on_get_is_ignored() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    for_each_slash(VERIFY, |path| {
        for content_type in
            ["application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"]
        {
            let request = server.http().get(&format!("{path}?client_id=fcare")).bearer(&access);
            request.header("content-type", content_type).send().expect(200);
        }
    });
}

// Client credentials

#[test]
fn client_credentials_in_the_body_or_by_http_basic() {
    let House { server, gateway, .. } = obol!().house();
    for_each_shape(|shape| {
        let grant = [("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)];
        Tokens::of(shape.post(&server, TOKEN, &gateway.fields(&grant)));

        let request = server.http().post(shape.path(TOKEN)).fields(shape.body, &grant);
        let tokens = Tokens::of(request.basic(&gateway.id, gateway.own_secret()).send());
        let request = server.http().post(shape.path(REVOKE)).fields(shape.body, &[("token", &tokens.access)]);
        request.basic(&gateway.id, gateway.own_secret()).send().expect(200);
        assert!(!server.stands(&gateway, &tokens.access));
    });
}

#[test]
fn both_kinds_of_client_credentials_at_once_are_400() {
    let House { server, gateway, .. } = obol!().house();
    let access = server.token_by_password(&gateway, ALICE, PASSWORD).access;
    for_each_shape(|shape| {
        let fields = gateway.fields(&[("token", &access)]);
        let request = server.http().post(shape.path(REVOKE)).fields(shape.body, &fields);
        request.basic(&gateway.id, gateway.own_secret()).send().expect_error(400, "invalid_request");

        let fields =
            gateway.fields(&[("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)]);
        let request = server.http().post(shape.path(TOKEN)).fields(shape.body, &fields);
        request.basic(&gateway.id, gateway.own_secret()).send().expect_error(400, "invalid_request");
    });
    assert!(server.stands(&gateway, &access));
}

#[test]
fn client_credentials_are_never_taken_from_the_query_string() {
    let House { server, gateway, .. } = obol!().house();
    let access = server.token_by_password(&gateway, ALICE, PASSWORD).access;
    let query = format!("?client_id=gateway&client_secret={}", gateway.own_secret());
    for_each_shape(|shape| {
        let path = format!("{}{query}", shape.path(REVOKE));
        let answer = server.http().post(&path).fields(shape.body, &[("token", &access)]).send();
        assert!([400, 401].contains(&answer.status), "{answer:?}");

        let path = format!("{}{query}", shape.path(TOKEN));
        let grant = [("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)];
        let answer = server.http().post(&path).fields(shape.body, &grant).send();
        assert!([400, 401].contains(&answer.status), "{answer:?}");
    });
    assert!(server.stands(&gateway, &access));
}

// Answers

#[test]
fn answers_are_application_json_with_keys_in_alphabetical_order_and_are_not_stored() {
    let House { server, .. } = obol!().house();
    for answer in all_kinds_of_answers(&server) {
        let content_type = answer.header("content-type").unwrap_or_default();
        assert!(content_type.starts_with("application/json"), "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        assert_eq!(answer.header("pragma"), Some("no-cache"), "{answer:?}");
        assert!(answer.keys().is_sorted(), "{answer:?}");
    }
}

// Errors

#[test]
fn errors_say_code_sentence_message_and_a_status_that_is_never_success() {
    let House { server, .. } = obol!().house();
    let errors: Vec<Answer> = all_kinds_of_answers(&server).into_iter().filter(|a| a.status != 200).collect();
    assert!(errors.len() > 10, "the rule is tried on many errors");
    errors.iter().for_each(expect_error_body);
}

#[test]
fn a_401_of_verify_carries_www_authenticate_bearer() {
    let House { server, fcare, .. } = obol!().house();
    let answer = server.verify(&fcare, "unknown").expect(401);
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("Bearer ") && challenge.contains(r#"error="invalid_token""#), "{answer:?}");
}

#[test]
fn a_401_carries_basic_where_basic_was_tried_else_bearer_invalid_client() {
    let House { server, gateway, .. } = obol!().house();
    for path in [TOKEN, REVOKE] {
        for_each_shape(|shape| {
            let fields = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("token", "x")];
            let request = server.http().post(shape.path(path)).fields(shape.body, &fields);
            let basic = request.basic(&gateway.id, "wrong").send().expect_error(401, "invalid_client");
            let challenge = basic.header("www-authenticate").unwrap_or_default();
            assert!(challenge.starts_with("Basic"), "{basic:?}");

            let wrong = gateway.with_secret("wrong");
            let body = shape.post(&server, path, &wrong.fields(&fields)).expect_error(401, "invalid_client");
            assert_eq!(body.header("www-authenticate"), Some(r#"Bearer error="invalid_client""#), "{body:?}");
        });
    }
}

// Method

#[test]
fn any_other_method_is_405_with_allow() {
    let House { server, .. } = obol!().house();
    for (path, allowed) in [(TOKEN, "POST"), (REVOKE, "POST"), (VERIFY, "GET")] {
        for_each_slash(path, |path| {
            for method in
                [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS]
            {
                if method == allowed {
                    continue;
                }
                let answer = server.http().request(method.clone(), path).send();
                assert_eq!(answer.status, 405, "{method}: {answer:?}");
                let allow = answer.header("allow").unwrap_or_default();
                assert!(allow.split(',').any(|listed| listed.trim() == allowed), "{method}: {answer:?}");
                expect_error_body(&answer);
            }
        });
    }
}

// Size

#[test]
fn a_body_over_64_kib_is_413() {
    let House { server, .. } = obol!().house();
    for path in [TOKEN, REVOKE] {
        for_each_shape(|shape| {
            let padding = "x".repeat(64 * 1024);
            let answer = shape.post(&server, path, &[("client_id", "fcare"), ("padding", &padding)]);
            expect_error_body(&answer.expect(413));
        });
    }
}

#[test]
fn a_body_of_64_kib_is_read() {
    let House { server, .. } = obol!().house();
    let start = "client_id=fcare&token=unknown&padding=";
    let body = format!("{start}{}", "x".repeat(64 * 1024 - start.len()));
    assert_eq!(body.len(), 64 * 1024);
    server.http().post(REVOKE).body("application/x-www-form-urlencoded", body).send().expect(200);
}

#[test]
fn a_header_block_over_16_kib_is_431() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    let with_header = |length: usize| {
        let request = server.http().get(&format!("{VERIFY}?client_id=fcare")).bearer(&access);
        request.header("x-padding", &"x".repeat(length)).send()
    };
    with_header(17 * 1024).expect(431);
    with_header(200 * 1024).expect(431);
    with_header(14 * 1024).expect(200);
}

#[test]
fn a_token_over_4_kib_gets_the_answer_of_an_invalid_token() {
    let House { server, fcare, .. } = obol!().house();
    let long = server.verify(&fcare, &format!("oba_{}", "A".repeat(5_000)));
    assert_eq!(long.essence(), server.verify(&fcare, "unknown").expect(401).essence());
    for_each_shape(|shape| {
        let token = "x".repeat(5_000);
        shape.post(&server, REVOKE, &[("client_id", "fcare"), ("token", &token)]).expect(200);
        let fields = [("grant_type", "refresh_token"), ("client_id", "fcare"), ("refresh_token", &token)];
        shape.post(&server, TOKEN, &fields).expect_error(400, "invalid_grant");
    });
}

// Storage not reachable

#[test]
fn storage_not_reachable_is_503_with_retry_after_never_an_untrue_200_never_a_401_out_of_ignorance() {
    let House { server, fcare, .. } = obol!().house_with(|server| server.storage_can_fail());
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    server.refuse_writes();
    for_each_shape(|shape| {
        let revoke = shape.post(&server, REVOKE, &[("client_id", "fcare"), ("token", &tokens.access)]);
        expect_unavailable(revoke);
        expect_unavailable(shape.post(&server, TOKEN, &password_grant("fcare")));
        let refresh =
            [("client_id", "fcare"), ("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
        expect_unavailable(shape.post(&server, TOKEN, &refresh));
    });
    assert!(server.stands(&fcare, &tokens.access), "verify goes on, and nothing was revoked");
    server.allow_writes();
}

fn expect_unavailable(answer: Answer) {
    let answer = answer.expect(503);
    let retry_after = answer.header("retry-after").and_then(|secs| secs.parse::<u32>().ok());
    assert!(retry_after.is_some_and(|secs| secs >= 1), "{answer:?}");
    expect_error_body(&answer);
}

fn expect_error_body(answer: &Answer) {
    let body = answer.json();
    for key in ["error", "error_description", "message", "status"] {
        assert!(body[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {answer:?}");
    }
    assert_eq!(body["message"], body["error_description"], "{answer:?}");
    assert_eq!(body["status"], "error", "{answer:?}");
    assert_eq!(body.get("access_token"), None::<&Value>, "{answer:?}");
}

fn password_grant(client_id: &str) -> Vec<(&str, &str)> {
    vec![("client_id", client_id), ("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)]
}

/// One answer of each kind that the surface can give without a fault, good and bad.
fn all_kinds_of_answers(server: &Server) -> Vec<Answer> {
    let http = server.http();
    let fcare = obol_testkit::Client::bare("fcare");
    let granted = http.post(TOKEN).form(&password_grant("fcare")).send().expect(200);
    let access = granted.text("access_token");
    let refreshed = server.refresh(&fcare, &granted.text("refresh_token")).expect(200);
    let post = |path: &str, fields: &[(&str, &str)]| http.post(path).json(fields).send();
    vec![
        granted,
        refreshed,
        server.verify(&fcare, &access).expect(200),
        server.revoke(&fcare, &access).expect(200),
        server.verify(&fcare, &access).expect(401),
        http.get(&format!("{VERIFY}?client_id=fcare")).send().expect(401),
        http.get(VERIFY).bearer(&access).send().expect(400),
        http.get(TOKEN).send().expect(405),
        http.post(TOKEN).body("text/plain", "x").send().expect(415),
        http.post(TOKEN).body("application/json", "{").send().expect(400),
        post(TOKEN, &[("padding", &"x".repeat(70_000))]).expect(413),
        post(TOKEN, &[("client_id", "fcare")]).expect(400),
        post(TOKEN, &[("client_id", "nobody"), ("grant_type", "password")]).expect(401),
        post(TOKEN, &[("client_id", "fcare"), ("grant_type", "unheard_of")]).expect(400),
        server.ask_by_password(&fcare, ALICE, "wrong").expect(401),
        server.refresh(&fcare, "unknown").expect(400),
        post(REVOKE, &[("token", "x")]).expect(401),
        post(REVOKE, &[("client_id", "fcare")]).expect(400),
        http.get("/api/v1/oauth/nothing_here/").send().expect(404),
    ]
}

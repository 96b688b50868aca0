//! `POST /oauth2/introspect/batch`: many tokens in one call, each answered as by a call of its own.

use std::collections::BTreeSet;

use obol_testkit::{
    ALICE, Answer, Client, ClientSpec, House, INTROSPECT, METADATA, PASSWORD, Request, Server, obol,
};
use serde_json::{Value, json};

const BATCH: &str = "/oauth2/introspect/batch";

fn asks(server: &Server, client: &Client, body: impl Into<Vec<u8>>) -> Request {
    let request = server.http().post(BATCH).basic(&client.id, client.own_secret());
    request.body("application/json", body.into())
}

fn ask<S: AsRef<str>>(server: &Server, client: &Client, tokens: &[S]) -> Answer {
    let tokens: Vec<_> = tokens.iter().map(AsRef::as_ref).collect();
    asks(server, client, json!({ "tokens": tokens }).to_string()).send()
}

fn body_of(answers: &[Answer]) -> Vec<u8> {
    let texts: Vec<_> = answers.iter().map(|answer| String::from_utf8_lossy(&answer.body)).collect();
    format!("{{\"results\":[{}]}}", texts.join(",")).into()
}

#[test]
fn each_answer_is_the_very_bytes_of_a_single_call_in_the_order_of_the_tokens() {
    let House { server, fcare, gateway } = obol!().house();
    let [one, two] = [(); 2].map(|()| server.rfc_token_by_password(&fcare, ALICE, PASSWORD));
    let own = server.token_by_client_credentials(&gateway).access;
    let revoked = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    server.rfc_revoke(&fcare, &revoked.access).expect(200);
    let access = [&*one.access, &own, &revoked.access, "unknown", "", "\u{e4}\"\\", &two.access, &one.access];
    // Without refresh tokens it is answered from memory, with them from the store.
    let all = [&access[..], &[one.refresh(), revoked.refresh(), "obr_x", two.refresh()]].concat();
    for tokens in [&access[..], &all, &[], &[one.refresh()], &[&*own]] {
        let singles: Vec<_> = tokens.iter().map(|token| single(&server, &gateway, token)).collect();
        let answer = ask(&server, &gateway, tokens).expect(200);
        assert_eq!(answer.body, body_of(&singles), "{tokens:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let active = |answer: Answer| -> Vec<bool> {
        let results = answer.json()["results"].as_array().cloned().unwrap_or_default();
        results.iter().map(|result| result["active"] == true).collect()
    };
    let expected = [true, true, false, false, false, false, true, true, true, false, false, true];
    assert_eq!(active(ask(&server, &gateway, &all)), expected);
}

/// What a single call says; an empty token is no token there.
fn single(server: &Server, client: &Client, token: &str) -> Answer {
    server.introspect(client, if token.is_empty() { "none" } else { token }).expect(200)
}

#[test]
fn a_client_that_may_not_introspect_others_sees_their_tokens_inactive() {
    let builder = obol!().server().alice();
    let fcare = builder.add_client(&ClientSpec::public("fcare"));
    let other = builder.add_client(&ClientSpec::confidential("other"));
    let server = builder.start();
    let foreign = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    let own = server.rfc_token_by_password(&other, ALICE, PASSWORD);
    let answer = ask(&server, &other, &[&foreign.access, foreign.refresh(), &own.access, own.refresh()]);
    let active: Vec<_> =
        answer.json()["results"].as_array().unwrap().iter().map(|result| result["active"].clone()).collect();
    assert_eq!(active, [false, false, true, true]);
}

#[test]
fn the_client_is_authenticated_as_for_a_single_call() {
    let House { server, fcare, gateway } = obol!().house();
    let token = server.token_by_client_credentials(&gateway).access;
    let with = |fields: &[(&str, &str)]| {
        let mut body = json!({ "tokens": [&token] });
        for (name, value) in fields {
            body[*name] = Value::from(*value);
        }
        server.http().post(BATCH).body("application/json", body.to_string())
    };
    let body = with(&[("client_id", "gateway"), ("client_secret", gateway.own_secret())]).send().expect(200);
    assert_eq!(body.json()["results"][0]["active"], true);
    let both = with(&[("client_secret", gateway.own_secret())]).basic("gateway", gateway.own_secret());
    both.send().expect_error(400, "invalid_request");
    for (request, name) in [
        (with(&[]), "nobody"),
        (with(&[("client_id", "gateway")]), "without its secret"),
        (with(&[("client_id", "gateway"), ("client_secret", "wrong")]), "with a wrong secret"),
        (with(&[("client_id", &fcare.id)]), "a public client"),
        (with(&[]).basic("gateway", "wrong"), "with a wrong secret in the header"),
    ] {
        let answer = request.send();
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
        assert_eq!(answer.text("error"), "invalid_client", "{name}");
        assert!(!answer.json().as_object().unwrap().contains_key("results"), "{name}");
    }
    let in_url = server.http().post(&format!("{BATCH}?token={token}"));
    let in_url = in_url.basic("gateway", gateway.own_secret()).body("application/json", r#"{"tokens":[]}"#);
    in_url.send().expect_error(400, "invalid_request");
}

#[test]
fn a_body_that_is_no_list_of_texts_is_refused() {
    let House { server, gateway, .. } = obol!().house();
    for body in [
        "",
        "{}",
        "[]",
        r#"["x"]"#,
        r#"{"tokens":"x"}"#,
        r#"{"tokens":{"0":"x"}}"#,
        r#"{"tokens":[["x"]]}"#,
        r#"{"tokens":["x",{}]}"#,
        r#"{"tokens":null}"#,
        r#"{"tokens":[],"tokens":[]}"#,
        r#"{"token":"x"}"#,
        r#"{"tokens":["x"]"#,
    ] {
        let answer = asks(&server, &gateway, body).send();
        assert_eq!((answer.status, answer.text("error")), (400, "invalid_request".to_owned()), "{body}");
    }
    let not_utf8 = asks(&server, &gateway, *b"{\"tokens\":[\"\xff\"]}").send();
    not_utf8.expect_error(400, "invalid_request");
    let form = server.http().post(BATCH).basic("gateway", gateway.own_secret()).form(&[("tokens", "x")]);
    form.send().expect_error(415, "invalid_request");
    server.http().get(BATCH).basic("gateway", gateway.own_secret()).send().expect(405);
}

#[test]
fn a_thousand_tokens_are_answered_and_one_more_is_refused() {
    let House { server, gateway, .. } = obol!().house();
    let token = server.token_by_client_credentials(&gateway).access;
    let single = server.introspect(&gateway, &token).expect(200);
    let answer = ask(&server, &gateway, &vec![&token; 1_000]).expect(200);
    assert_eq!(answer.body, body_of(&vec![single; 1_000]));
    ask(&server, &gateway, &vec![&token; 1_001]).expect_error(400, "invalid_request");
}

#[test]
fn a_body_over_64_kib_needs_a_generated_secret_in_the_header_and_ends_at_1_mib() {
    let builder = obol!().server().alice();
    let gateway = builder.add_client(&ClientSpec::confidential("gateway"));
    let chosen = builder.add_client(&ClientSpec::confidential("chosen").secret("chosen-by-an-operator"));
    let server = builder.start();
    let body = |bytes: usize| {
        let list = r#"{"tokens":["x"]}"#;
        format!("{list}{}", " ".repeat(bytes - list.len()))
    };
    let (kib_64, mib) = (64 * 1024, 1024 * 1024);
    asks(&server, &gateway, body(mib)).send().expect(200);
    asks(&server, &gateway, body(mib + 1)).send().expect(413);
    for (client, secret) in
        [(&chosen, chosen.own_secret()), (&gateway, "wrong"), (&Client::bare("x"), "obs_x")]
    {
        asks(&server, &client.with_secret(secret), body(kib_64 + 1)).send().expect(413);
    }
    asks(&server, &chosen, body(kib_64)).send().expect(200);
    let elsewhere = server.http().post(INTROSPECT).basic("gateway", gateway.own_secret());
    let elsewhere = elsewhere.body("application/x-www-form-urlencoded", body(kib_64 + 1));
    elsewhere.send().expect(413);
}

#[test]
fn what_is_revoked_is_inactive_in_the_next_batch_and_all_others_stay() {
    let House { server, fcare, gateway } = obol!().house();
    let tokens: Vec<_> = (0..20).map(|_| server.token_by_client_credentials(&gateway).access).collect();
    let person = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    let all = [&tokens[..], &[person.access.clone(), person.refresh().to_owned()]].concat();
    let mut ended = BTreeSet::new();
    for (at, client) in [(3, &gateway), (17, &gateway), (20, &fcare)] {
        server.rfc_revoke(client, &all[at]).expect(200);
        // A revoked access token ends its family, so its refresh token as well.
        ended.extend(if at == 20 { vec![20, 21] } else { vec![at] });
        let answer = ask(&server, &gateway, &all).expect(200).json();
        for (at, result) in answer["results"].as_array().unwrap().iter().enumerate() {
            assert_eq!(result["active"] == false, ended.contains(&at), "{at}: {result}");
        }
    }
}

#[test]
fn the_metadata_names_the_endpoint() {
    let server = obol!().server().start();
    let document = server.http().get(METADATA).send().expect(200).json();
    assert_eq!(document["obol_introspection_batch_endpoint"], format!("{}{BATCH}", server.url()));
}

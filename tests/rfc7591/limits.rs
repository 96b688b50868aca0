//! §5: what strangers can make the server keep.

use obol_testkit::REGISTER;
use serde_json::json;

use crate::house::{open, open_with, shop};

#[test]
fn rfc7591_5_there_are_so_many_registered_clients_and_no_more() {
    let server = open_with(|server| server.option("--registration-most", "2"));
    let first = server.registered(&shop());
    server.registered(&shop());
    server.http().register(&shop()).expect_error(503, "temporarily_unavailable");
    first.delete(&server).expect(204);
    server.http().register(&shop()).expect_error(503, "temporarily_unavailable");
    server.run(&["client", "add", "--id", "app", "--type", "confidential"]).exits(0);
}

#[test]
fn rfc7591_5_who_registers_a_hundred_clients_is_slowed_down_and_nobody_else() {
    let server = open();
    for _ in 0..100 {
        server.http().register(&json!({})).expect(400);
    }
    let refused = server.http().register(&shop()).expect_error(429, "temporarily_unavailable");
    let wait_secs: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait_secs), "{wait_secs}");
    server.http().from([127, 0, 0, 2]).register(&shop()).expect(201);
}

#[test]
fn rfc7591_5_who_changes_a_client_again_and_again_is_slowed_down_too() {
    let server = open();
    let registered = server.registered(&shop());
    for _ in 1..100 {
        registered.update(&server, &shop()).expect(200);
    }
    registered.update(&server, &shop()).expect_error(429, "temporarily_unavailable");
    registered.read(&server).expect(200);
    registered.delete(&server).expect(204);
}

#[test]
fn rfc7591_3_1_the_body_is_a_json_object_and_says_so() {
    let server = open();
    let send = |content_type: &str, body: &str| {
        server.http().post(REGISTER).body(content_type, body.to_owned()).send()
    };
    let good = shop().to_string();
    send("application/json; charset=utf-8", &good).expect(201);
    send("application/x-www-form-urlencoded", &good).expect_error(415, "invalid_request");
    server.http().post(REGISTER).send().expect_error(415, "invalid_request");
    let twice = server.http().post(REGISTER).body("application/json", good.clone());
    twice.header("Content-Type", "text/plain").send().expect_error(400, "invalid_request");
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for body in ["", "{", "[]", "\"x\"", "null", "{\"redirect_uris\":[]}{}", &deep] {
        send("application/json", body).expect_error(400, "invalid_client_metadata");
    }
    let twice = r#"{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}"#;
    send("application/json", twice).expect_error(400, "invalid_client_metadata");
    for bytes in [17_000, 70_000] {
        let large = json!({ "redirect_uris": ["https://a.example/"], "x": "x".repeat(bytes) }).to_string();
        send("application/json", &large).expect_error(413, "invalid_request");
    }
}

#[test]
fn rfc7591_3_other_methods_are_405() {
    let server = open();
    for method in [http::Method::GET, http::Method::PUT, http::Method::DELETE] {
        let answer = server.http().request(method, REGISTER).send().expect(405);
        assert_eq!(answer.header("allow"), Some("POST"));
    }
}

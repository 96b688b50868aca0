//! Assertions of clients at several nodes: each is good at one of them, once.

use obol_testkit::{ClientKey, RFC_TOKEN, at_once, now_secs, obol};
use serde_json::json;

use crate::alone::Alone;

const ISSUER: &str = "https://id.example.test";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// S-40.
#[test]
fn an_assertion_that_was_used_at_one_node_is_refused_at_every_node_and_after_a_restart() {
    let _alone = Alone::on_this_machine();
    let cluster = obol!().cluster().option("--issuer", ISSUER).start();
    let key = ClientKey::new("ES256");
    let file = cluster.administration().write("keys.json", &key.jwks().to_string());
    let add =
        ["client", "add", "--id", "service", "--type", "confidential", "--auth-method", "private_key_jwt"];
    cluster.command(&[&add[..], &["--jwks", &file]].concat()).exits(0);
    let now = now_secs();
    let assertion = |jti: &str| {
        let (iss, sub) = ("service", "service");
        key.jwt(&json!({ "iss": iss, "sub": sub, "aud": ISSUER, "exp": now + 240, "jti": jti }))
    };
    let nodes = cluster.nodes();
    let status = |node: usize, assertion: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion),
        ];
        nodes[node].http().post(RFC_TOKEN).form(&form).send().status
    };
    let used = assertion("one after the other");
    assert_eq!((0..nodes.len()).map(|node| status(node, &used)).collect::<Vec<_>>(), [200, 401, 401]);

    let raced = assertion("at once");
    let statuses = at_once(30, |number| status(number % nodes.len(), &raced));
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 29, "{statuses:?}");

    nodes[1].kill();
    nodes[1].start();
    nodes[1].await_ready();
    for assertion in [&used, &raced] {
        assert_eq!(status(1, assertion), 401);
    }
    assert_eq!(status(1, &assertion("another")), 200);
}

//! Clients that register themselves at one node, and are known to all before they are told (RFC 7591, RFC 7592).

use http::Method;
use obol_testkit::{AuthorizationRequest, REDIRECT_URI, Registered, obol};
use serde_json::json;

use crate::alone::Alone;

#[test]
fn a_client_that_one_node_has_registered_or_deleted_is_known_or_refused_at_every_node_at_once() {
    let _alone = Alone::on_this_machine();
    let cluster = obol!().cluster().option("--issuer", "https://id.example.test");
    let cluster = cluster.option("--registration", "open").start();
    let metadata = json!({ "redirect_uris": [REDIRECT_URI] });
    for at in cluster.nodes() {
        let registered = Registered::of(&at.http().register(&metadata).expect(201));
        let asked = AuthorizationRequest::of(&registered.client).path();
        let manages = |node: &obol_testkit::cluster::Node, method: Method| {
            node.http().request(method, &registered.path).bearer(&registered.token).send()
        };
        for node in cluster.nodes() {
            node.http().get(&asked).send().expect(200);
            manages(node, Method::GET).expect(200);
        }
        manages(at, Method::DELETE).expect(204);
        for node in cluster.nodes() {
            node.http().get(&asked).send().expect(400);
            manages(node, Method::GET).expect_error(401, "invalid_token");
        }
    }
}

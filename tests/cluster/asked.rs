//! One question at a time, to a node that the test chooses.

use std::time::{Duration, Instant};

use obol_testkit::checker::Outcome;
use obol_testkit::cluster::{Calls, Cluster, Node};
use obol_testkit::{Client, wait_until};

/// A token for the first service, given by this node.
#[track_caller]
pub(crate) fn issue(cluster: &Cluster, node: &Node) -> String {
    wait_until("a token is given", Duration::from_secs(20), || {
        let service = &cluster.services()[0];
        let fields = service.fields(&[("grant_type", "client_credentials")]);
        let answer = node.http().post(obol_testkit::RFC_TOKEN).form(&fields).send();
        (answer.status == 200).then(|| answer.text("access_token"))
    })
}

/// What a node says of a token; `None` without an answer.
pub(crate) fn verify(node: &Node, client: &Client, token: &str) -> Option<Outcome> {
    Calls::default().verify(node.address()?, client, token)
}

/// Revokes at this node and gives how long the answer took. Fails the test unless it is 200.
#[track_caller]
pub(crate) fn revoke(cluster: &Cluster, node: &Node, token: &str) -> Duration {
    let address = node.address().expect("it runs");
    let began = Instant::now();
    let outcome = Calls::default().revoke(address, &cluster.services()[0], token);
    let took = began.elapsed();
    assert_eq!(outcome, Some(Outcome::Done(())), "after {took:?}\n{}", node.log().all().join("\n"));
    took
}

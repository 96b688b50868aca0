//! Requests that are pushed to one node and brought to others (RFC 9126).

use obol_testkit::cluster::Cluster;
use obol_testkit::{
    Arrival, AuthorizationRequest, Browser, Client, PASSWORD, Person, REDIRECT_URI, at_once, obol,
};

use crate::alone::Alone;

#[test]
fn s_77_of_fifty_browsers_at_three_nodes_one_gets_the_code_of_a_request_that_was_pushed_to_one() {
    let _alone = Alone::on_this_machine();
    let cluster = obol!().cluster().option("--issuer", "https://id.example.test").start();
    cluster.command_with_input(&["user", "add", "alice", "--password-stdin"], PASSWORD).exits(0);
    let app = application(&cluster);
    let at = |nodes: Vec<_>| Person::at(Browser::going_round(nodes), "alice", PASSWORD);
    let mut alice = at(cluster.nodes().iter().map(|node| node.http()).collect());
    for (pushing, node) in cluster.nodes().iter().enumerate() {
        let pushed = node.http().push(&app, &AuthorizationRequest::of(&app)).expect(201);
        let request = AuthorizationRequest::by_reference(&app, &pushed.text("request_uri"));
        if pushing == 0 {
            // Each of her requests goes to another node.
            assert!(!alice.goes_through(&request).code().is_empty());
        } else {
            let arrivals = at_once(50, |number| {
                let mut alice = alice.clone();
                for _ in 0..number % 3 {
                    // Her next request goes to the next node.
                    alice.browser().open("/healthz");
                }
                alice.follows(&request)
            });
            assert_eq!(codes(arrivals), 1);
        }
        for node in cluster.nodes() {
            at(vec![node.http()]).follows(&request).refused(400);
        }
    }
}

fn application(cluster: &Cluster) -> Client {
    let line = ["client", "add", "--id", "app", "--type", "confidential", "--json"];
    let more = ["--grant", "authorization_code", "--redirect-uri", REDIRECT_URI];
    let added = cluster.command(&[&line[..], &more].concat()).exits(0).json();
    Client::bare("app").with_secret(added["client_secret"].as_str().expect("a secret"))
}

/// How many got a code; all others were refused on a page.
fn codes(arrivals: Vec<Arrival>) -> usize {
    let of = |arrival| match arrival {
        Arrival::Return(answer) => usize::from(!answer.code().is_empty()),
        other => {
            other.refused(400);
            0
        }
    };
    arrivals.into_iter().map(of).sum()
}

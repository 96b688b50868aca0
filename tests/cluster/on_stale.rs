//! The policy `on_stale`: what a node that cannot read the change log goes on telling, for how long, and how it says so.

use std::thread;
use std::time::{Duration, Instant};

use obol_testkit::checker::Outcome;
use obol_testkit::cluster::{Calls, Cluster, LEASE, Node};
use obol_testkit::{Answer, Client, INTROSPECT, RFC_REVOKE, RFC_TOKEN, VERIFY, obol, wait_until};
use serde_json::Value;

use crate::alone::Alone;
use crate::asked::{issue, revoke, verify};

/// What a fault may cost beyond the lease or the age.
const MARGIN: Duration = Duration::from_millis(100);
/// How old the last reading may be when a fault strikes, and what a busy machine may add.
const EARLIER: Duration = Duration::from_secs(2);
/// Long enough for two revocations and a rotation that wait for the node.
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_secs(6);

const AT_START: &str = "on_stale is serve";
const BEGINS: &str = "gives stale answers";
const ENDS: &str = "gives no stale answers any more";

#[test]
fn a_node_that_is_cut_off_and_serves_what_is_stale_tells_what_it_knew_and_changes_nothing() {
    let _alone = Alone::on_this_machine();
    let cluster = serving(3, LONG);
    let ([first, second, third], service) = (cluster.nodes(), &cluster.services()[0]) else {
        panic!("three nodes")
    };
    let [kept, known, unheard] = [(); 3].map(|()| issue(&cluster, first));
    revoke(&cluster, first, &known);
    let readiness = third.http().get("/readyz").send().expect(200).json();
    assert_eq!((&readiness["stale"], &readiness["promise"]), (&false.into(), &"not held".into()));

    let struck = Instant::now();
    third.route().order(|proxy| proxy.refuse());
    await_stale(third);
    let revoked = post(first, RFC_REVOKE, service, &[("token", &unheard)]).expect(200);
    let position = revoked.header("obol-position").expect("a revocation says where it stands").to_owned();
    for node in [first, second] {
        assert_eq!(verify(node, service, &unheard), Some(Outcome::Refused), "{}", node.name());
    }
    // The price.
    expect_told(third, service, &[(&kept, true), (&known, false), (&unheard, true)]);
    ask(third, service, &kept).header("obol-min-position", &position).send().expect(503);
    expect_nothing_changed(third, service, &kept);
    expect_said(third);

    // It has not heard of the key, so it does not say that the token is none.
    cluster.command(&["keys", "rotate"]).exits(0);
    let of_new_key = issue(&cluster, first);
    ask(third, service, &of_new_key).send().expect(503);
    post(third, INTROSPECT, service, &[("token", &of_new_key)]).expect(503);

    let (first_silent, last_accepted) = accepted(third, service, (&kept, &known), struck);
    println!("cut off it accepted for the last time after {last_accepted:.3?}");
    assert!(
        last_accepted <= LONG + MARGIN && first_silent >= LONG - EARLIER,
        "{last_accepted:?} {first_silent:?}"
    );
    let readiness = third.http().get("/readyz").send().expect(503).json();
    assert_eq!((&readiness["stale"], &readiness["status"]), (&false.into(), &"not ready".into()));
    expect_logged(third, &[(AT_START, 1), (BEGINS, 1), (ENDS, 1)]);

    third.route().pass();
    third.await_ready();
    assert_eq!(verify(third, service, &unheard), Some(Outcome::Refused));
    assert_eq!(verify(third, service, &of_new_key), Some(Outcome::Done(())));
    expect_logged(third, &[(AT_START, 1), (BEGINS, 1), (ENDS, 1)]);
}

#[test]
fn a_node_without_its_database_answers_for_a_lease_or_by_its_policy_until_that_age() {
    let _alone = Alone::on_this_machine();
    for (cluster, bound) in [(obol!().cluster().nodes(1).start(), LEASE), (serving(1, SHORT), SHORT)] {
        let (node, service) = (&cluster.nodes()[0], &cluster.services()[0]);
        let (kept, known) = (issue(&cluster, node), issue(&cluster, node));
        revoke(&cluster, node, &known);
        if bound != LEASE {
            // Back before the age: the policy has carried it over.
            cluster.database().with_primary(|primary| primary.stop());
            await_stale(node);
            expect_told(node, service, &[(&kept, true), (&known, false)]);
            expect_nothing_changed(node, service, &kept);
            cluster.database().with_primary(|primary| primary.start_server());
            wait_until("it vouches again", Duration::from_secs(20), || {
                (readiness(node)["lease_left_ms"].as_u64()? > 0).then_some(())
            });
            expect_logged(node, &[(AT_START, 1), (BEGINS, 1), (ENDS, 1)]);
        }
        cluster.database().with_primary(|primary| primary.stop());
        let (first_silent, last_accepted) = accepted(node, service, (&kept, &known), Instant::now());
        println!("without its database it accepted for the last time after {last_accepted:.3?}");
        assert!(last_accepted <= bound + MARGIN, "{last_accepted:?}");
        // How long the database took to stop counts, too.
        assert!(bound == LEASE || first_silent > LEASE + MARGIN, "{first_silent:?}");
        node.http().get("/readyz").send().expect(503);
        cluster.database().with_primary(|primary| primary.start_server());
        node.await_ready();
        assert_eq!(verify(node, service, &kept), Some(Outcome::Done(())));
        assert_eq!(verify(node, service, &known), Some(Outcome::Refused));
    }
}

fn serving(nodes: usize, max_age: Duration) -> Cluster {
    let builder = obol!().cluster().nodes(nodes).option("--on-stale", "serve");
    builder.option("--on-stale-max-age-ms", &max_age.as_millis().to_string()).start()
}

fn readiness(node: &Node) -> Value {
    node.http().get("/readyz").send().json()
}

#[track_caller]
fn await_stale(node: &Node) {
    wait_until("it says that its answers are stale", LEASE + EARLIER, || {
        (readiness(node)["stale"] == true).then_some(())
    });
}

/// A request to verify that takes the short way.
fn ask(node: &Node, client: &Client, token: &str) -> obol_testkit::Request {
    node.http().get(&format!("{VERIFY}?client_id={}", client.id)).bearer(token)
}

fn post(node: &Node, path: &str, client: &Client, fields: &[(&str, &str)]) -> Answer {
    node.http().post(path).form(&client.fields(fields)).send()
}

/// The short way, the long one and introspection say of each token whether it stands.
#[track_caller]
fn expect_told(node: &Node, client: &Client, tokens: &[(&str, bool)]) {
    for (token, stands) in tokens {
        let status = if *stands { 200 } else { 401 };
        ask(node, client, token).send().expect(status);
        let long = format!("{VERIFY}?x=1&client_id={}", client.id);
        node.http().get(&long).bearer(token).send().expect(status);
        let introspection = post(node, INTROSPECT, client, &[("token", token)]).expect(200);
        assert_eq!(introspection.json()["active"], *stands);
    }
}

#[track_caller]
fn expect_nothing_changed(node: &Node, client: &Client, token: &str) {
    post(node, RFC_TOKEN, client, &[("grant_type", "client_credentials")]).expect(503);
    post(node, RFC_REVOKE, client, &[("token", token)]).expect(503);
    ask(node, client, token).send().expect(200);
}

#[track_caller]
fn expect_said(node: &Node) {
    let said = node.http().get("/readyz").send().expect(200).json();
    assert_eq!(
        (&said["stale"], &said["promise"], &said["status"]),
        (&true.into(), &"not held".into(), &"ready".into())
    );
    assert_eq!(said["lease_left_ms"], 0);
    let age = Duration::from_millis(said["age_ms"].as_u64().expect("a number"));
    assert!(age > LEASE - MARGIN && age < LONG, "{said}");
    assert!(said["promise_reasons"].to_string().contains("cannot read the change log"), "{said}");
    expect_logged(node, &[(AT_START, 1), (BEGINS, 1), (ENDS, 0)]);
}

/// So many lines of its log say this.
#[track_caller]
fn expect_logged(node: &Node, counts: &[(&str, usize)]) {
    wait_until(&format!("its log says {counts:?}"), EARLIER, || {
        let lines = node.log().all();
        let count = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
        counts.iter().all(|(what, times)| count(what) == *times).then_some(())
    });
}

/// Asks until nothing is answered any more. Gives when that began, and when the token was accepted for the last time; the
/// revoked one never is.
#[track_caller]
fn accepted(node: &Node, client: &Client, tokens: (&str, &str), struck: Instant) -> (Duration, Duration) {
    let (address, mut calls) = (node.address().expect("it runs"), Calls::default());
    let (mut last_accepted, mut first_silent, mut silent) = (Duration::ZERO, None, 0_u32);
    while silent < 100 {
        let called = struck.elapsed();
        assert!(called < 2 * LONG, "it still accepts");
        assert_ne!(calls.verify(address, client, tokens.1), Some(Outcome::Done(())), "it was revoked");
        match calls.verify(address, client, tokens.0) {
            Some(Outcome::Done(())) => (last_accepted, first_silent, silent) = (called, None, 0),
            Some(Outcome::Unknown) => {
                first_silent.get_or_insert(called);
                silent += 1;
            }
            other => panic!("it knows of no revocation: {other:?}"),
        }
        thread::sleep(Duration::from_millis(2));
    }
    (first_silent.expect("it was silent"), last_accepted)
}

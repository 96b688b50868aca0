//! Sealing keys of several nodes: no node refuses what another has sealed, and none accepts what a retired key has.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use obol_testkit::checker::Outcome;
use obol_testkit::cluster::{Calls, Cluster, LEASE, Node};
use obol_testkit::{obol, wait_until};
use serde_json::Value;

use crate::alone::Alone;
use crate::asked::{issue, verify};
use crate::failovers::hold_standby_back;

/// What a machine that is busy with other tests may add.
const BUSY: Duration = Duration::from_secs(2);

#[test]
fn a_rotation_waits_for_a_node_that_is_paused_or_cut_off_and_no_node_refuses_what_another_has_sealed() {
    let _alone = Alone::on_this_machine();
    let cluster = obol!().cluster().start();
    let [_, second, third] = cluster.nodes() else { panic!("three nodes") };
    let load = Loaded::new(&cluster);
    let before = issue(&cluster, third);
    let took = thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|at| {
                scope.spawn({
                    let load = &load;
                    move || load.work(at)
                })
            })
            .collect();
        for _ in 0..3 {
            cluster.command(&["keys", "rotate"]).exits(0);
        }
        third.pause();
        let began = Instant::now();
        cluster.command(&["keys", "rotate"]).exits(0);
        let took = began.elapsed();
        // It goes on with what it knew, before anything is sealed with a key it has not heard of: it answers nothing.
        let newest: Vec<String> =
            load.given.lock().expect("no panic").iter().rev().take(20).cloned().collect();
        third.resume();
        for token in newest.iter().chain([&before]) {
            let said = verify(third, &cluster.services()[0], token);
            assert_ne!(said, Some(Outcome::Refused), "it was paused");
        }
        third.await_ready();
        for token in newest.iter().chain([&before]) {
            let said = wait_until("it vouches", Duration::from_secs(20), || {
                verify(third, &cluster.services()[0], token).filter(|said| *said != Outcome::Unknown)
            });
            assert_eq!(said, Outcome::Done(()));
        }
        // A node that does not hear of the new key answers for the rest of its lease, also about tokens of the others.
        second.route().drop_all();
        cluster.command(&["keys", "rotate"]).exits(0);
        second.route().pass();
        second.await_ready();
        load.stopping.store(true, Ordering::SeqCst);
        workers.into_iter().for_each(|worker| worker.join().expect("no node was wrong"));
        took
    });
    let asked = load.asked.load(Ordering::SeqCst);
    println!("5 rotations, {asked} questions; beside a paused node one took {took:.1?}");
    assert!(asked > 100, "{asked}");
    assert!(took >= LEASE / 2, "it waited for what the paused node could still have answered: {took:?}");
    assert!(took <= 2 * LEASE + BUSY, "{took:?}");
    assert_eq!(states(&cluster), ["opens", "opens", "opens", "opens", "opens", "seals"]);
}

#[test]
fn a_retired_key_is_refused_by_every_node_when_the_command_has_returned() {
    let _alone = Alone::on_this_machine();
    let cluster = obol!().cluster().start();
    for _ in 0..5 {
        let key = sealing(&cluster);
        let old: Vec<_> = cluster.nodes().iter().map(|node| issue(&cluster, node)).collect();
        cluster.command(&["keys", "rotate"]).exits(0);
        let new: Vec<_> = cluster.nodes().iter().map(|node| issue(&cluster, node)).collect();
        for node in cluster.nodes() {
            for token in old.iter().chain(&new) {
                assert_ne!(said(&cluster, node, token), Outcome::Refused);
            }
        }
        cluster.command(&["keys", "retire", &key, "--yes"]).exits(0);
        for node in cluster.nodes() {
            for token in &old {
                assert_ne!(verify(node, &cluster.services()[0], token), Some(Outcome::Done(())));
                assert_eq!(said(&cluster, node, token), Outcome::Refused, "{}", node.name());
            }
            for token in &new {
                assert_eq!(said(&cluster, node, token), Outcome::Done(()), "{}", node.name());
            }
        }
    }
}

#[test]
fn what_an_asynchronous_standby_never_had_of_keys_is_put_back() {
    let _alone = Alone::on_this_machine();
    let cluster = obol!().cluster().spare(1).start();
    let (database, service) = (cluster.database(), &cluster.services()[0]);
    database.add_standby();
    let [first, .., late] = cluster.nodes() else { panic!("three nodes and a spare one") };
    let (old, key) = (issue(&cluster, first), sealing(&cluster));
    hold_standby_back(database);
    cluster.command(&["keys", "rotate"]).exits(0);
    let new = issue(&cluster, first);
    let newer = sealing(&cluster);
    cluster.command(&["keys", "retire", &key, "--yes"]).exits(0);
    database.fail_over();
    for node in cluster.running() {
        wait_until("a node is ready after the failover", Duration::from_secs(30), || {
            let found = verify(node, service, &old);
            assert_ne!(
                found,
                Some(Outcome::Done(())),
                "{} accepts what a retired key has sealed",
                node.name()
            );
            (found == Some(Outcome::Refused) && node.is_ready()).then_some(())
        });
    }
    late.start();
    late.await_ready();
    for node in cluster.nodes() {
        assert_eq!(said(&cluster, node, &old), Outcome::Refused, "{}", node.name());
        assert_eq!(said(&cluster, node, &new), Outcome::Done(()), "{}", node.name());
    }
    assert_eq!(
        (states(&cluster), sealing(&cluster)),
        (vec!["retired".to_owned(), "seals".to_owned()], newer)
    );
}

/// Tokens are given by one node and shown to all, until it stops.
struct Loaded<'a> {
    cluster: &'a Cluster,
    given: Mutex<Vec<String>>,
    asked: AtomicUsize,
    stopping: AtomicBool,
}

impl<'a> Loaded<'a> {
    fn new(cluster: &'a Cluster) -> Self {
        Self {
            cluster,
            given: Mutex::default(),
            asked: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        }
    }

    /// Fails the test when a node refuses what it should accept.
    fn work(&self, worker: usize) {
        let (mut calls, service) = (Calls::default(), &self.cluster.services()[0]);
        let mut turn = worker;
        while !self.stopping.load(Ordering::SeqCst) {
            turn += 1;
            let nodes = self.cluster.nodes();
            let giver = &nodes[turn % nodes.len()];
            if giver.is_paused() {
                continue;
            }
            let Some(address) = giver.address() else { continue };
            let Some(Outcome::Done(token)) = calls.issue(address, service) else { continue };
            let old = {
                let mut given = self.given.lock().expect("no panic");
                given.push(token.clone());
                given[turn * 7919 % given.len()].clone()
            };
            for node in nodes.iter().filter(|node| !node.is_paused()) {
                for shown in [&token, &old] {
                    let said = calls.verify(node.address().expect("it runs"), service, shown);
                    assert_ne!(said, Some(Outcome::Refused), "{} refuses {}'s", node.name(), giver.name());
                    self.asked.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    }
}

/// What a node says once it vouches.
#[track_caller]
fn said(cluster: &Cluster, node: &Node, token: &str) -> Outcome {
    wait_until("it vouches", Duration::from_secs(20), || {
        verify(node, &cluster.services()[0], token).filter(|said| *said != Outcome::Unknown)
    })
}

fn keys(cluster: &Cluster) -> Vec<Value> {
    let listed = cluster.command(&["keys", "list", "--json"]).exits(0).json();
    listed.as_array().expect("a list").iter().filter(|key| key["kind"] == "sealing").cloned().collect()
}

/// In the order in which the keys were made; those of one second, by id.
fn states(cluster: &Cluster) -> Vec<String> {
    let mut states: Vec<_> =
        keys(cluster).iter().map(|key| key["state"].as_str().expect("a word").to_owned()).collect();
    states.sort();
    states
}

#[track_caller]
fn sealing(cluster: &Cluster) -> String {
    let listed = keys(cluster);
    let seals = listed.iter().find(|key| key["state"] == "seals").expect("one seals");
    seals["key_id"].as_str().expect("its id").to_owned()
}

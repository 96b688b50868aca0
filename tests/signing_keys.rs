//! Signing keys: made at the first start, changed by command and by themselves, and imported.

use std::fs;

use obol_testkit::{Server, at_once, obol, wait_until};
use serde_json::Value;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
const DAY_SECS: i64 = 86_400;

#[test]
fn the_first_start_makes_one_es256_key_that_signs() {
    let mut server = obol!().server().start();
    let keys = signing(&server);
    assert_eq!(states(&server), [("ES256", "signs")].map(own));
    server.stop();
    server.start_again();
    assert_eq!(signing(&server), keys, "a later start makes no other");
}

#[test]
fn a_new_key_waits_until_who_keeps_the_published_keys_must_have_asked_again() {
    let mut server = obol!().server().start();
    let rotated = server.run(&["keys", "rotate", "--kind", "signing", "--json"]).exits(0).json();
    assert_eq!(rotated["state"], "waits");
    assert!(
        rotated["signs_from"].as_str().expect("a moment") > rotated["created_at"].as_str().expect("a moment")
    );
    assert_eq!(states(&server), [("ES256", "signs"), ("ES256", "waits")].map(own));
    let again = server.run(&["keys", "rotate", "--kind", "signing", "--json"]).exits(0).json();
    assert_eq!(again["key_id"], rotated["key_id"], "it goes on with the one that waits");

    started_after(&mut server, "UPDATE keys SET created_at = created_at - 7200 WHERE kind = 2");
    wait_until("it signs", PATIENCE, || {
        (states(&server) == [("ES256", "verifies"), ("ES256", "signs")].map(own)).then_some(())
    });
    let reason = wait_until("it is recorded", PATIENCE, || {
        let acts = server.installation().audit();
        let act = acts.iter().find(|line| line.event() == "key.rotated" && line.text("source") == "schedule");
        act.map(|act| act.text("reason").to_owned())
    });
    assert_eq!(reason, format!("key {}", rotated["key_id"].as_str().expect("its id")));
}

#[test]
fn with_now_a_new_key_signs_when_the_command_has_returned() {
    let server = obol!().server().start();
    for (algorithm, shown) in [("ES256", "ES256"), ("PS256", "RS256, PS256"), ("EdDSA", "EdDSA")] {
        let line = ["keys", "rotate", "--kind", "signing", "--algorithm", algorithm, "--now", "--json"];
        let rotated = server.run(&line).exits(0).json();
        assert_eq!((&rotated["state"], &rotated["algorithm"]), (&"signs".into(), &shown.into()));
    }
    let mut found = states(&server);
    found.sort();
    let expected =
        [("ES256", "signs"), ("ES256", "verifies"), ("EdDSA", "signs"), ("RS256, PS256", "signs")].map(own);
    assert_eq!(found, expected);
    for wrong in [&["--now"][..], &["--algorithm", "ES256"], &["--kind", "signing", "--algorithm", "HS256"]] {
        server.run(&[&["keys", "rotate"], wrong].concat()).exits(2);
    }
}

#[test]
fn a_key_that_has_signed_for_its_time_is_replaced_and_retired_when_its_tokens_are_over() {
    let mut server = obol!().server().start();
    let first = id(&signing(&server)[0]);
    let age = |secs: i64| {
        format!(
            "UPDATE keys SET created_at = created_at - {secs}, promoted_at = promoted_at - {secs} WHERE kind = 2"
        )
    };
    started_after(&mut server, &age(90 * DAY_SECS));
    wait_until("the next is published", PATIENCE, || (signing(&server).len() == 2).then_some(()));
    assert_eq!(states(&server), [("ES256", "signs"), ("ES256", "waits")].map(own));
    started_after(&mut server, &age(7_200));
    wait_until("it signs", PATIENCE, || (state(&server, &first) == "verifies").then_some(()));
    started_after(&mut server, &age(DAY_SECS + 7_200));
    wait_until("the first is retired", PATIENCE, || (state(&server, &first) == "retired").then_some(()));
    assert_eq!(signing(&server).len(), 2, "and no other was made");
}

#[test]
fn without_a_schedule_keys_change_by_command_only() {
    let mut server = obol!().server().option("--signing-key-rotation-days", "0").start();
    let old = "UPDATE keys SET created_at = 0, promoted_at = 0 WHERE kind = 2";
    started_after(&mut server, old);
    let rotated = server.run(&["keys", "rotate", "--kind", "signing", "--now", "--json"]).exits(0).json();
    let left = states(&server);
    assert_eq!(
        left,
        [("ES256", "verifies"), ("ES256", "signs")].map(own),
        "no other was added beside {rotated}"
    );
}

#[test]
fn of_rotations_at_once_each_ends_well_and_one_key_signs() {
    let server = obol!().server().start();
    at_once(4, |_| server.run(&["keys", "rotate", "--kind", "signing"]).exits(0));
    assert_eq!(states(&server), [("ES256", "signs"), ("ES256", "waits")].map(own));
    at_once(4, |_| server.run(&["keys", "rotate", "--kind", "signing", "--now"]).exits(0));
    let states = states(&server);
    assert_eq!(states.iter().filter(|(_, state)| state == "signs").count(), 1, "{states:?}");
    assert!(states.iter().all(|(_, state)| state != "waits"), "{states:?}");
}

#[test]
fn an_imported_key_waits_and_is_taken_in_once() {
    let server = obol!().server().start();
    let file = server.data().join("imported.pem");
    let path = file.display().to_string();
    fs::write(&file, PRIVATE_KEY).expect("the folder is there");
    let imported = server.run(&["keys", "import", &path, "--json"]).exits(0).json();
    assert_eq!((&imported["key_id"], &imported["state"]), (&"90facafe".into(), &"waits".into()));
    let again = server.run(&["keys", "import", &path]).exits(1);
    assert!(again.stderr.contains("already"), "{}", again.stderr);
    server.run(&["keys", "retire", "90facafe"]).exits(0);
    server.run(&["keys", "import", &path]).exits(1);
    fs::write(&file, "no key").expect("the folder is there");
    let refused = server.run(&["keys", "import", &path]).exits(1);
    assert!(refused.stderr.contains("PKCS#8"), "{}", refused.stderr);
    server.run(&["keys", "import", "/nowhere/key.pem"]).exits(1);
}

#[test]
fn the_one_key_that_signs_is_not_retired() {
    let server = obol!().server().start();
    let refused = server.run(&["keys", "retire", &id(&signing(&server)[0]), "--yes"]).exits(1);
    assert!(refused.stderr.contains("obol keys rotate"), "{}", refused.stderr);
}

#[test]
fn of_three_nodes_that_start_at_once_one_makes_the_first_key_and_one_takes_each_step() {
    let cluster = obol!().cluster().start();
    let keys = || signing_in(&cluster.command(&["keys", "list", "--json"]).exits(0).json());
    let states = || -> Vec<String> {
        let mut states: Vec<_> =
            keys().iter().map(|key| key["state"].as_str().expect("a word").to_owned()).collect();
        states.sort();
        states
    };
    let restart_after = |statement: &str| {
        cluster.nodes().iter().for_each(|node| node.stop());
        cluster.database().sql(statement);
        at_once(cluster.nodes().len(), |at| cluster.nodes()[at].start());
        cluster.await_ready();
    };
    // As if there had never been one.
    let none = "DELETE FROM obol.change_log WHERE kind = 7 AND id IN (SELECT id FROM obol.keys WHERE kind = 2); \
        DELETE FROM obol.keys WHERE kind = 2";
    restart_after(none);
    assert_eq!(states(), ["signs"]);

    let age = |secs: i64| {
        format!(
            "UPDATE obol.keys SET created_at = created_at - {secs}, promoted_at = promoted_at - {secs} WHERE kind = 2"
        )
    };
    restart_after(&age(90 * DAY_SECS));
    wait_until("the next is published", PATIENCE, || (states() == ["signs", "waits"]).then_some(()));
    restart_after(&age(7_200));
    wait_until("it signs", PATIENCE, || (states() == ["signs", "verifies"]).then_some(()));
    restart_after(&age(30 * DAY_SECS));
    wait_until("the first is retired", PATIENCE, || (states() == ["retired", "signs"]).then_some(()));
    assert_eq!(keys().len(), 2);
}

/// The private key of RFC 8037 §A.1, in PKCS#8: its thumbprint is known (§A.3).
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";

fn own((algorithm, state): (&str, &str)) -> (String, String) {
    (algorithm.to_owned(), state.to_owned())
}

fn signing(server: &Server) -> Vec<Value> {
    signing_in(&server.run(&["keys", "list", "--json"]).exits(0).json())
}

fn signing_in(listed: &Value) -> Vec<Value> {
    listed.as_array().expect("a list").iter().filter(|key| key["kind"] == "signing").cloned().collect()
}

/// Algorithm and state of each signing key, in the order in which they came into use; those that wait are last.
fn states(server: &Server) -> Vec<(String, String)> {
    let mut keys = signing(server);
    let word = |key: &Value, name: &str| key[name].as_str().unwrap_or("~").to_owned();
    keys.sort_by_key(|key| (word(key, "in_use_since"), word(key, "state") != "verifies"));
    keys.iter().map(|key| (word(key, "algorithm"), word(key, "state"))).collect()
}

fn state(server: &Server, id: &str) -> String {
    let keys = signing(server);
    let key = keys.iter().find(|key| key["key_id"] == id).expect("it is listed");
    key["state"].as_str().expect("a word").to_owned()
}

fn id(key: &Value) -> String {
    key["key_id"].as_str().expect("its id").to_owned()
}

/// Starts the server again, as if time had passed.
fn started_after(server: &mut Server, statement: &str) {
    server.stop();
    let database = rusqlite::Connection::open(server.data().join("obol.db")).expect("it is there");
    database.execute_batch(statement).expect("it is well formed");
    drop(database);
    server.start_again();
}

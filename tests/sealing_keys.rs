//! Sealing keys are changed beside a running server: no token is refused because of it, and what a retired key has sealed is
//! refused when the command has returned.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use obol_testkit::{ClientSpec, House, PASSWORD, Server, at_once, obol, wait_until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

/// So long that no stall of a busy machine ends it: then every answer but 200 would be the rotation's doing.
const LONG_LEASE: [&str; 2] = ["--lease-ms", "60000"];

#[test]
fn no_token_is_refused_because_of_a_rotation() {
    let House { server, gateway, .. } =
        obol!().house_with(|server| server.option(LONG_LEASE[0], LONG_LEASE[1]));
    let rotated = AtomicBool::new(false);
    let asked = thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut tokens, mut asked) = (Vec::new(), 0_u32);
                    while !rotated.load(Ordering::SeqCst) {
                        tokens.push(server.token_by_client_credentials(&gateway).access);
                        for token in [tokens.first(), tokens.get(tokens.len() / 2), tokens.last()] {
                            let token = token.expect("one was given");
                            server.verify(&gateway, token).expect(200);
                            assert!(server.is_active(&gateway, token));
                            asked += 1;
                        }
                    }
                    asked
                })
            })
            .collect();
        for _ in 0..8 {
            let before = sealing(&server);
            let rotated = server.run(&["keys", "rotate", "--json"]).exits(0).json();
            assert_eq!((&rotated["kind"], &rotated["state"]), (&"sealing".into(), &"seals".into()));
            assert_ne!(rotated["key_id"], before.as_str());
            assert_eq!(state(&server, &before), "opens");
        }
        rotated.store(true, Ordering::SeqCst);
        workers.into_iter().map(|worker| worker.join().expect("no answer was wrong")).sum::<u32>()
    });
    println!("8 rotations, {asked} tokens asked about, none refused");
    assert_eq!(keys(&server).len(), 9);
}

#[test]
fn what_a_retired_key_has_sealed_is_refused_when_the_command_has_returned() {
    let House { server, fcare, gateway } = obol!().house();
    let first = sealing(&server);
    let pair = server.token_by_password(&fcare, "alice", PASSWORD);
    let old = server.token_by_client_credentials(&gateway).access;
    let refused = server.run(&["keys", "retire", &first, "--yes"]).exits(1);
    assert!(refused.stderr.contains("obol keys rotate"), "it seals: {}", refused.stderr);
    server.run(&["keys", "rotate"]).exits(0);
    let new = server.token_by_client_credentials(&gateway).access;
    assert!(server.stands(&gateway, &old) && server.stands(&gateway, &new));

    let asked = server.run(&["keys", "retire", &first]).exits(2);
    assert!(asked.stderr.contains("--yes"), "tokens of it live: {}", asked.stderr);
    assert!(server.stands(&gateway, &old));
    let retired = server.run(&["keys", "retire", &first, "--yes", "--json"]).exits(0).json();
    assert_eq!((&retired["key_id"], &retired["retired"]), (&first.as_str().into(), &true.into()));
    for (client, token) in [(&gateway, &old), (&fcare, &pair.access)] {
        server.verify(client, token).expect(401);
        assert!(!server.is_active(&gateway, token));
    }
    assert!(server.stands(&gateway, &new));
    let again = server.refresh(&fcare, pair.refresh()).expect(200).text("access_token");
    assert!(server.stands(&fcare, &again), "people need not sign in again");

    server.run(&["keys", "retire", &first]).exits(0);
    let unknown = server.run(&["keys", "retire", "00000000"]).exits(1);
    assert!(unknown.stderr.contains("no key 00000000"), "{}", unknown.stderr);
    server.run(&["keys", "retire", "first"]).exits(2);
    let position = retired["position"].as_u64().expect("a number");
    let acts: Vec<_> = server.installation().audit();
    let events = ["key.added", "key.rotated", "key.retired"];
    for event in events {
        let done = acts.iter().find(|line| line.event() == event && line.value()["done"] == true);
        assert!(done.is_some_and(|line| line.text("reason").starts_with("key ")), "{event}");
    }
    let told = acts.iter().find(|line| line.event() == "key.retired" && line.value()["done"] == true);
    assert_eq!(told.and_then(|line| line.value()["position"].as_u64()), Some(position));
    let refused = acts.iter().find(|line| line.event() == "key.retired" && line.value()["done"] == false);
    assert!(refused.is_some(), "what was refused is recorded too");
}

#[test]
fn when_the_tokens_of_a_key_have_expired_it_is_retired_without_a_question() {
    let server = obol!().server().start();
    let client = server.add_client(&ClientSpec::confidential("service").access_ttl(60));
    let first = sealing(&server);
    server.run(&["keys", "rotate"]).exits(0);
    let until = |server: &Server| {
        let key = key(server, &first);
        let until = key["tokens_until"].as_str().expect("it has sealed").to_owned();
        (until, key["in_use_since"].as_str().expect("it began").to_owned())
    };
    let (soon, since) = until(&server);
    assert!(soon > since, "{soon}: a minute of its tokens, and what clocks may differ");
    server.run(&["keys", "retire", &first]).exits(2);
    let forever = server.add_client(&ClientSpec::confidential("forever").access_ttl(0));
    assert_eq!(until(&server).0, "never");
    server.run(&["client", "delete", &forever.id]).exits(0);
    assert_eq!(until(&server).0, soon, "the tokens of who is gone are refused in any case");
    // As if that was an hour ago.
    in_database(&server, "UPDATE keys SET promoted_at = promoted_at - 3600");
    server.run(&["keys", "retire", &first]).exits(0);
    assert!(server.stands(&client, &server.token_by_client_credentials(&client).access));
}

#[test]
fn a_rotation_that_was_killed_leaves_a_key_that_waits_and_the_next_goes_on_with_it() {
    let House { server, gateway, .. } = obol!().house();
    let first = sealing(&server);
    let old = server.token_by_client_credentials(&gateway).access;
    let killed = || {
        server.pause();
        let mut rotation = spawn_rotation(&server);
        // It is stored, and the server cannot say that it has applied it.
        let waiting = wait_until("a key waits", PATIENCE, || {
            keys(&server).into_iter().find(|key| key["state"] == "waits")
        });
        rotation.kill().expect("an own child can be killed");
        rotation.wait().expect("an own child can be waited for");
        server.resume();
        waiting["key_id"].as_str().expect("its id").to_owned()
    };
    let waiting = killed();
    wait_until("the server answers again", PATIENCE, || {
        (server.verify(&gateway, &old).status == 200).then_some(())
    });
    assert_eq!((sealing(&server), state(&server, &waiting)), (first.clone(), "waits".to_owned()));
    let meanwhile = server.token_by_client_credentials(&gateway).access;

    let rotated = server.run(&["keys", "rotate", "--json"]).exits(0);
    assert!(rotated.stderr.contains("an earlier rotation"), "{}", rotated.stderr);
    assert_eq!(rotated.json()["key_id"], waiting.as_str(), "no second one is made");
    assert_eq!((sealing(&server), state(&server, &first)), (waiting.clone(), "opens".to_owned()));
    for token in [&old, &meanwhile] {
        assert!(server.stands(&gateway, token));
    }
    // One that waits has sealed nothing: there is nothing to ask about.
    let third = killed();
    server.run(&["keys", "retire", &third]).exits(0);
    assert_eq!((sealing(&server), state(&server, &third)), (waiting, "retired".to_owned()));
}

#[test]
fn of_rotations_at_once_each_ends_well_and_one_key_seals() {
    let House { server, gateway, .. } = obol!().house();
    for round in 1..=3 {
        let ended = at_once(4, |_| server.run(&["keys", "rotate", "--json"]).exits(0).json());
        let listed = keys(&server);
        let seals: Vec<_> = listed.iter().filter(|key| key["state"] == "seals").collect();
        assert_eq!(seals.len(), 1, "{listed:#?}");
        assert!(listed.iter().all(|key| key["state"] != "waits"), "{listed:#?}");
        assert!(ended.iter().any(|rotated| rotated["key_id"] == seals[0]["key_id"]), "{ended:#?}");
        let token = server.token_by_client_credentials(&gateway).access;
        assert!(server.stands(&gateway, &token), "round {round}");
        for key in listed.iter().filter(|key| key["state"] == "opens") {
            server.run(&["keys", "retire", key["key_id"].as_str().expect("its id"), "--yes"]).exits(0);
        }
    }
}

#[test]
fn before_the_first_start_there_is_no_key_to_rotate_and_with_another_master_key_none_is_made() {
    let place = obol!().installation();
    place.run(&["keys", "list"]).exits(1);
    place.add_user("alice", PASSWORD);
    assert_eq!(place.run(&["keys", "list", "--json"]).exits(0).json(), Value::Array(Vec::new()));
    let refused = place.run(&["keys", "rotate"]).exits(1);
    assert!(refused.stderr.contains("obol serve"), "{}", refused.stderr);

    let (server, other) = (place.serve(), obol!().installation().serve());
    let foreign = other.data().join("master.key").display().to_string();
    let before = keys(&server);
    let refused = server.run(&["keys", "rotate", "--master-key-file", &foreign]).exits(1);
    assert!(refused.stderr.contains("--master-key-file"), "{}", refused.stderr);
    assert_eq!(keys(&server), before);
}

#[test]
fn an_installation_of_the_version_before_keeps_its_tokens_and_can_rotate() {
    let House { mut server, gateway, .. } = obol!().house();
    let old = server.token_by_client_credentials(&gateway).access;
    let first = sealing(&server);
    server.stop();
    in_database(
        &server,
        "DROP TABLE assertions; DROP TABLE pushed_requests; DROP TABLE session_clients; DROP TABLE logout_notices; \
         DROP TABLE codes; DROP TABLE consents; DROP TABLE sessions; DROP INDEX families_session; \
         ALTER TABLE families DROP COLUMN session; ALTER TABLE families DROP COLUMN details; \
         ALTER TABLE users DROP COLUMN profile; ALTER TABLE clients DROP COLUMN settings; \
         ALTER TABLE clients DROP COLUMN sealed_secret; \
         DELETE FROM change_log WHERE id IN (SELECT id FROM keys WHERE kind > 1); DELETE FROM keys WHERE kind > 1; \
         ALTER TABLE keys RENAME TO sealing_keys; ALTER TABLE sealing_keys DROP COLUMN promoted_position; \
         ALTER TABLE sealing_keys DROP COLUMN promoted_at; ALTER TABLE sealing_keys DROP COLUMN kind; \
         DELETE FROM migrations WHERE number >= 3",
    );
    server.start_again();
    assert_eq!(sealing(&server), first);
    assert!(server.stands(&gateway, &old));
    server.run(&["keys", "rotate"]).exits(0);
    let new = server.token_by_client_credentials(&gateway).access;
    assert!(server.stands(&gateway, &old) && server.stands(&gateway, &new));
}

fn keys(server: &Server) -> Vec<Value> {
    let listed = server.run(&["keys", "list", "--json"]).exits(0).json();
    listed.as_array().expect("a list").iter().filter(|key| key["kind"] == "sealing").cloned().collect()
}

#[track_caller]
fn key(server: &Server, id: &str) -> Value {
    keys(server).into_iter().find(|key| key["key_id"] == id).expect("it is listed")
}

fn state(server: &Server, id: &str) -> String {
    key(server, id)["state"].as_str().expect("a word").to_owned()
}

/// The id of the key that seals, of which there is one.
#[track_caller]
fn sealing(server: &Server) -> String {
    let listed = keys(server);
    let mut seals = listed.iter().filter(|key| key["state"] == "seals");
    let (Some(one), None) = (seals.next(), seals.next()) else { panic!("one key seals: {listed:#?}") };
    one["key_id"].as_str().expect("its id").to_owned()
}

fn spawn_rotation(server: &Server) -> Child {
    let mut command = Command::new(server.installation().program().path());
    command.args(["keys", "rotate", "--data"]).arg(server.data());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the program starts")
}

fn in_database(server: &Server, statements: &str) {
    let database = rusqlite::Connection::open(server.data().join("obol.db")).expect("it is there");
    database.execute_batch(statements).expect("they are well formed");
}

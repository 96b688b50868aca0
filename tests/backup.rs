//! a backup is taken while the server runs, and once it is put back nothing that was revoked is accepted.

use std::fs;

use obol_testkit::{ClientSpec, Server, obol};

#[test]
fn r63_after_a_restore_nothing_from_before_is_accepted_and_new_tokens_stand() {
    let mut server = obol!().server().alice().start();
    let client = server.add_client(&ClientSpec::confidential("service"));
    let token = |server: &Server| server.token_by_client_credentials(&client).access;
    let (kept, revoked_later) = (token(&server), token(&server));
    let folder = server.installation().folder().to_owned();
    let backup = folder.join("backup.db").display().to_string();
    server.run(&["backup", &backup]).exits(0);
    // Positions go on: what is issued from here on carries later ones than the backup knows.
    for _ in 0..20 {
        server.rfc_revoke(&client, &token(&server)).expect(200);
    }
    server.rfc_revoke(&client, &revoked_later).expect(200);
    let issued_later = token(&server);
    let refused = server.run(&["backup", &backup]).exits(1);
    assert!(refused.stderr.contains("is there already"), "{}", refused.stderr);
    server.stop();

    let refused = server.run(&["restore", &backup]).exits(1);
    assert!(refused.stderr.contains("is there already"), "{}", refused.stderr);
    let data = server.data();
    for name in ["obol.db", "obol.db-wal", "obol.db-shm"] {
        let _ = fs::remove_file(data.join(name));
    }
    server.run(&["restore", &backup]).exits(0);
    server.start_again();
    for old in [&kept, &revoked_later, &issued_later] {
        assert!(!server.stands(&client, old));
        assert!(!server.is_active(&client, old));
    }
    let new = server.token_by_client_credentials(&client).access;
    assert!(server.stands(&client, &new));
    server.await_audit("the restore", |line| {
        line.event() == "token.revoked" && line.text("reason").contains("backup")
    });
}

#[test]
fn r63_a_key_that_was_retired_after_the_backup_does_not_open_again() {
    let mut server = obol!().server().start();
    let client = server.add_client(&ClientSpec::confidential("service"));
    let backup = server.installation().folder().join("backup.db").display().to_string();
    server.run(&["backup", &backup]).exits(0);
    server.run(&["keys", "rotate"]).exits(0);
    let old = keys_that(&server, "opens").remove(0);
    server.run(&["keys", "retire", &old, "--yes"]).exits(0);
    server.stop();
    for name in ["obol.db", "obol.db-wal", "obol.db-shm"] {
        let _ = fs::remove_file(server.data().join(name));
    }
    server.run(&["restore", &backup]).exits(0);
    assert_eq!(keys_that(&server, "retired"), [old.as_str()]);
    assert!(keys_that(&server, "seals").is_empty());
    server.start_again();
    assert_eq!(keys_that(&server, "retired"), [old.as_str()]);
    assert_eq!(keys_that(&server, "seals").len(), 1);
    let token = server.token_by_client_credentials(&client).access;
    assert!(server.stands(&client, &token));
}

#[test]
fn r63_where_the_database_was_put_back_by_other_means_all_keys_are_replaced() {
    let server = obol!().server().start();
    let client = server.add_client(&ClientSpec::confidential("service"));
    server.run(&["keys", "rotate"]).exits(0);
    let before: Vec<String> = ["opens", "seals"].iter().flat_map(|state| keys_that(&server, state)).collect();
    let old = server.token_by_client_credentials(&client).access;
    server.run(&["keys", "rotate", "--kind", "signing"]).exits(0);
    let published = || -> Vec<serde_json::Value> {
        let set = server.http().get("/oauth2/jwks").send().expect(200).json();
        set["keys"].as_array().expect("a list").clone()
    };
    let signing = published();
    assert_eq!(signing.len(), 2, "one waits");
    server.run(&["restore", "--yes"]).exits(0);
    let signing_now = published();
    assert_eq!(signing_now.len(), 1);
    assert!(!signing.contains(&signing_now[0]), "each may have been retired meanwhile");
    let mut retired = keys_that(&server, "retired");
    retired.sort_by_key(|id| before.iter().position(|known| known == id));
    assert_eq!(retired, before);
    assert!(!server.stands(&client, &old));
    let token = server.token_by_client_credentials(&client).access;
    assert!(server.stands(&client, &token));
}

/// The ids of the sealing keys in this state.
fn keys_that(server: &Server, state: &str) -> Vec<String> {
    let listed = server.run(&["keys", "list", "--json"]).exits(0).json();
    let keys = listed.as_array().expect("keys are listed").clone();
    keys.iter()
        .filter(|key| key["kind"] == "sealing" && key["state"] == state)
        .map(|key| key["key_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn r62_backups_taken_under_load_can_all_be_put_back() {
    let server = obol!().server().start();
    let client = server.add_client(&ClientSpec::confidential("service"));
    let folder = server.installation().folder().to_owned();
    for number in 0..5 {
        let backup = folder.join(format!("backup-{number}")).display().to_string();
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                for _ in 0..50 {
                    let token = server.token_by_client_credentials(&client).access;
                    server.rfc_revoke(&client, &token).expect(200);
                }
            });
            server.run(&["backup", &backup]).exits(0);
            load.join().unwrap();
        });
        let elsewhere = obol!().installation();
        elsewhere.run(&["restore", &backup]).exits(0);
        elsewhere.run(&["client", "show", "service"]).exits(0);
    }
}

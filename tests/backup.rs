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

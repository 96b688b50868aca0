//! Manners of the server: start, stop, health, request ids, audit, transport.
//!
//! That no secret reaches a log line is `pitfall_21` in `pitfalls.rs`; the deadlines are `pitfall_22`.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use http::Method;
use obol_testkit::{
    ALICE, Answer, Client, House, INTROSPECT, METADATA, PASSWORD, REVOKE, RFC_REVOKE, RFC_TOKEN, Signal,
    TOKEN, Tokens, VERIFY, obol, wait_until,
};

// Signals

#[test]
fn a_hangup_does_not_end_a_server_without_tls() {
    let House { server, .. } = obol!().house();
    server.signal(Signal::HUP);
    server.http().get("/readyz").send().expect(200);
    server.http().get("/readyz").send().expect(200);
}

// Load

/// "Argon2id in a bounded pool (excess answers 503 with Retry-After, and verify stays fast meanwhile)".
#[test]
fn a_flood_of_passwords_is_503_beyond_the_pool_and_verify_stays_fast() {
    let House { server, fcare, .. } = obol!().house();
    let token = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    let (over, excess) = (AtomicBool::new(false), AtomicU32::new(0));
    let mut median = Duration::ZERO;
    thread::scope(|scope| {
        for guesser in 0..120 {
            let (server, fcare, over, excess) = (&server, &fcare, &over, &excess);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let answer =
                        server.ask_by_password(fcare, &format!("nobody-{guesser}"), "a wrong password");
                    if answer.status == 503 {
                        assert!(answer.header("retry-after").is_some(), "{answer:?}");
                        excess.fetch_add(1, Ordering::Relaxed);
                    } else {
                        answer.expect(401);
                    }
                }
            });
        }
        wait_until("passwords are turned away", Duration::from_secs(60), || {
            (excess.load(Ordering::Relaxed) > 20).then_some(())
        });
        let mut times: Vec<Duration> = (0..50)
            .map(|_| {
                let began = Instant::now();
                assert!(server.stands(&fcare, &token), "verify is truthful under the flood");
                began.elapsed()
            })
            .collect();
        over.store(true, Ordering::Relaxed);
        times.sort();
        median = times[times.len() / 2];
    });
    // A password takes tens of milliseconds; who waits for one in the queue waits for seconds.
    assert!(median < Duration::from_millis(250), "the median verify took {median:?}");
}

// Start

#[test]
fn the_first_serve_creates_everything_it_needs() {
    let server = obol!().server().start();
    server.http().get("/readyz").send().expect(200);
    assert!(server.data().join("obol.db").is_file());
}

#[test]
fn the_data_folder_is_for_its_owner_only() {
    let House { server, .. } = obol!().house_with(|server| server.tls_self_signed());
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&server.data()), 0o700);
    let files = fs::read_dir(server.data()).unwrap().flatten().map(|file| file.path());
    // The certificate is public: clients are told to trust that file.
    for path in files.filter(|path| path.extension().is_none_or(|extension| extension != "crt")) {
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn nothing_is_written_to_standard_output() {
    let House { mut server, fcare, .. } = obol!().house();
    server.token_by_password(&fcare, ALICE, PASSWORD);
    let stdout = server.stdout().clone();
    server.stop();
    assert_eq!(stdout.to_the_end(), Vec::<String>::new());
}

#[test]
fn the_log_is_one_json_object_a_line() {
    let House { mut server, fcare, .. } = obol!().house_with(|server| server.option("--log-level", "debug"));
    server.token_by_password(&fcare, ALICE, PASSWORD);
    server.http().raw(b"GET /%0a\x1b[31mred\x7f HTTP/1.1\r\nHost: \x1b]0;x\r\n\r\n");
    server.http().get("/%0a%1b%5b31mred").header("user-agent", "a\tb").send().expect(404);
    server.ask_by_password(&Client::bare("line\nbreak\u{1b}[31m"), "x\ny", "z");
    let log = server.log().clone();
    server.stop();
    for line in log.to_the_end() {
        let record: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for key in ["timestamp", "level", "message"] {
            assert!(record[key].is_string(), "{key}: {line}");
        }
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

// Health

#[test]
fn healthz_and_readyz_answer_200_with_json() {
    let server = obol!().server().start();
    for path in ["/healthz", "/readyz"] {
        let answer = server.http().get(path).send().expect(200);
        assert!(answer.json().is_object());
        assert!(answer.body.len() < 1_000, "small");
        server.http().post(path).form(&[]).send().expect(405);
    }
}

// Request ids

#[test]
fn every_answer_has_a_request_id_of_its_own() {
    let House { server, fcare, .. } = obol!().house();
    let http = server.http();
    let answers: Vec<Answer> = vec![
        http.get("/healthz").send().expect(200),
        http.get("/readyz").send().expect(200),
        http.get(METADATA).send().expect(200),
        http.get("/nowhere").send().expect(404),
        http.get("/").send().expect(404),
        http.get(TOKEN).send().expect(405),
        http.request(Method::DELETE, RFC_TOKEN).send().expect(405),
        http.post(TOKEN).json(&[("padding", &"x".repeat(70_000))]).send().expect(413),
        http.post(RFC_TOKEN).form(&[("padding", &"x".repeat(70_000))]).send().expect(413),
        http.get(VERIFY).header("x-padding", &"x".repeat(20_000)).send().expect(431),
        http.post(TOKEN).body("text/plain", "x").send().expect(415),
        http.post(TOKEN).body("application/json", "{").send().expect(400),
        http.post(REVOKE).json(&[]).send().expect(401),
        http.post(RFC_REVOKE).form(&[]).send().expect(401),
        http.post(INTROSPECT).form(&[]).send().expect(401),
        server.verify(&fcare, "unknown").expect(401),
    ];
    let mut ids: Vec<&str> =
        answers.iter().map(|a| a.header("x-request-id").unwrap_or_else(|| panic!("{a:?}"))).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), answers.len(), "each its own");
}

#[test]
fn an_unknown_path_is_404_json_that_repeats_nothing_of_it() {
    let server = obol!().server().start();
    for path in ["/nowhere%3Cscript%3E", "/api/v1/oauth/nowhere/", "/oauth2/nowhere", "/api/v1/oauth/token//"]
    {
        let answer = server.http().get(path).send().expect(404);
        assert!(answer.json()["error"].is_string());
        assert!(!String::from_utf8_lossy(&answer.body).contains("nowhere"), "{answer:?}");
    }
}

// Stop

#[test]
fn sigterm_and_sigint_end_it_with_exit_code_0() {
    for signal in [obol_testkit::Signal::TERM, obol_testkit::Signal::INT] {
        let mut server = obol!().server().start();
        let began = Instant::now();
        server.signal(signal);
        assert_eq!(server.await_end().code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn accepted_requests_finish_and_idle_connections_close_when_it_stops() {
    let House { mut server, fcare, .. } = obol!().house();
    let address = server.http().address();
    let mut idle = TcpStream::connect(address).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 16];
    idle.read_exact(&mut first).unwrap();

    // Its body is still on the way when the stop comes; the server has said that it waits for it.
    let body = format!("client_id={}&token=unknown", fcare.id);
    let mut busy = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST {REVOKE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    busy.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 25];
    busy.read_exact(&mut interim).unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&interim));

    let began = Instant::now();
    server.signal(obol_testkit::Signal::TERM);
    idle.read_to_end(&mut Vec::new()).unwrap();
    wait_until("no new connection is taken", Duration::from_secs(5), || {
        TcpStream::connect(address).is_err().then_some(())
    });
    busy.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(server.await_end().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_request_that_never_ends_does_not_keep_it_longer_than_10_s() {
    let mut server = obol!().server().start();
    let mut stuck = TcpStream::connect(server.http().address()).unwrap();
    let head =
        format!("POST {REVOKE} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n");
    stuck.write_all(head.as_bytes()).unwrap();
    stuck.read_exact(&mut [0; 25]).unwrap();
    let began = Instant::now();
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

#[test]
fn what_was_acknowledged_before_the_stop_is_there_after_it() {
    let House { mut server, fcare, .. } = obol!().house();
    let kept = server.token_by_password(&fcare, ALICE, PASSWORD);
    let revoked = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    server.revoke(&fcare, &revoked).expect(200);
    server.stop();
    server.start_again();
    assert!(server.stands(&fcare, &kept.access));
    assert!(!server.stands(&fcare, &revoked));
    server.refresh(&fcare, kept.refresh()).expect(200);
}

#[test]
fn nothing_is_lost_that_was_answered_while_it_stopped() {
    let House { mut server, gateway, .. } = obol!().house();
    let tokens: Vec<String> = (0..60).map(|_| server.token_by_client_credentials(&gateway).access).collect();
    let http = server.http().clone();
    let revoking = thread::spawn(move || {
        tokens
            .into_iter()
            .map(|token| {
                let request = http.post(REVOKE).json(&gateway.fields(&[("token", &token)]));
                let done = request.try_send().is_ok_and(|answer| answer.status == 200);
                (token, done)
            })
            .collect::<Vec<_>>()
    });
    server.stop();
    let outcome = revoking.join().unwrap();
    server.start_again();
    let gateway = Client::bare("gateway");
    for (token, _) in outcome.iter().filter(|(_, done)| *done) {
        assert!(!server.stands(&gateway, token));
    }
}

// Audit

#[test]
fn every_token_refusal_revocation_and_administrative_act_leaves_an_audit_record() {
    let House { server, fcare, gateway } = obol!().house();
    let issued = server.ask_by_password(&fcare, ALICE, PASSWORD).expect(200);
    let tokens = Tokens::of(issued.clone());
    let alone = server.post_form(RFC_TOKEN, &gateway, &[("grant_type", "client_credentials")]).expect(200);
    let refreshed = server.refresh(&fcare, tokens.refresh()).expect(200);
    let wrong_password = server.ask_by_password(&fcare, ALICE, "wrong").expect(401);
    let wrong_secret = server.revoke(&gateway.with_secret("wrong"), "x").expect(401);
    let unknown_client = server.ask_by_password(&Client::bare("nobody"), ALICE, PASSWORD).expect(401);
    let revoked = server.revoke(&fcare, &tokens.access).expect(200);
    for (answer, event, done, client_id) in [
        (&issued, "token.issued", true, "fcare"),
        (&alone, "token.issued", true, "gateway"),
        (&refreshed, "token.issued", true, "fcare"),
        (&wrong_password, "token.refused", false, "fcare"),
        (&wrong_secret, "client.refused", false, "gateway"),
        (&unknown_client, "client.refused", false, "nobody"),
        (&revoked, "token.revoked", true, "fcare"),
    ] {
        let request_id = answer.header("x-request-id").unwrap();
        let record = server.await_audit(event, |record| record.text("request_id") == request_id);
        assert_eq!(record.event(), event, "{record:?}");
        assert_eq!(record.value()["done"], done, "{record:?}");
        assert_eq!(record.text("client_id"), client_id, "{record:?}");
        assert_eq!(record.text("source"), "127.0.0.1", "{record:?}");
        assert!(record.text("at").ends_with('Z'), "{record:?}");
    }
    let issued_token = server.await_audit("issued", |record| record.event() == "token.issued");
    assert_eq!(issued_token.text("username"), ALICE);
    assert!(!issued_token.text("token_id").is_empty() && !issued_token.text("family").is_empty());
    let revocation = server.await_audit("revoked", |record| record.event() == "token.revoked");
    assert!(revocation.value()["position"].is_u64(), "{revocation:?}");
}

#[test]
fn each_token_has_an_audit_record_of_its_own() {
    let House { server, gateway, .. } = obol!().house();
    (0..25).for_each(|_| drop(server.token_by_client_credentials(&gateway)));
    let ids = wait_until("25 records", Duration::from_secs(10), || {
        let audit = server.installation().audit();
        let issued = audit.iter().filter(|record| record.event() == "token.issued");
        let ids: Vec<String> = issued.map(|record| record.text("token_id").to_owned()).collect();
        (ids.len() >= 25).then_some(ids)
    });
    let different: HashSet<&String> = ids.iter().collect();
    assert_eq!((ids.len(), different.len()), (25, 25), "{ids:?}");
}

#[test]
fn a_reuse_and_a_foreign_revocation_leave_audit_records_that_name_the_family() {
    let House { server, fcare, gateway } = obol!().house();
    let first = server.token_by_password(&fcare, ALICE, PASSWORD);
    let issued = server.await_audit("issued", |record| record.event() == "token.issued");
    server.revoke(&gateway, &first.access).expect(200);
    let foreign = server.await_audit("foreign", |record| record.event() == "revocation.refused");
    assert_eq!(foreign.text("client_id"), "gateway");
    assert_eq!(foreign.text("family"), issued.text("family"));

    let second = Tokens::of(server.refresh(&fcare, first.refresh()));
    server.refresh(&fcare, second.refresh()).expect(200);
    server.refresh(&fcare, first.refresh()).expect(400);
    let reused = server.await_audit("reuse", |record| record.event() == "family.reused");
    assert_eq!(reused.text("family"), issued.text("family"));
    assert_eq!(reused.text("client_id"), "fcare");
}

#[test]
fn each_command_that_changes_something_leaves_an_audit_record() {
    let House { server, fcare, .. } = obol!().house();
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    server.run(&["token", "revoke", &tokens.access]).exits(0);
    server.run(&["client", "rotate-secret", "gateway"]).exits(0);
    server.run(&["client", "disable", "gateway"]).exits(0);
    server.run(&["client", "enable", "gateway"]).exits(0);
    server.run(&["client", "delete", "gateway"]).exits(0);
    server.run(&["user", "disable", ALICE]).exits(0);
    server.run(&["user", "enable", ALICE]).exits(0);
    server
        .installation()
        .run_with_input(&["user", "set-password", ALICE, "--password-stdin"], "a new long one\n")
        .exits(0);
    server.run(&["revoke", "--user", ALICE, "--yes"]).exits(0);
    server.run(&["user", "delete", ALICE]).exits(0);
    let acts: Vec<String> = server
        .installation()
        .audit()
        .into_iter()
        .filter(|record| record.text("source") == "command line")
        .map(|record| record.event().to_owned())
        .collect();
    let expected = [
        "user.added",
        "client.added",
        "client.added",
        "token.revoked",
        "client.secret_rotated",
        "client.disabled",
        "client.enabled",
        "client.deleted",
        "user.disabled",
        "user.enabled",
        "user.password_set",
        "token.revoked",
        "user.deleted",
    ];
    assert_eq!(acts, expected);
}

// Transport

#[test]
fn over_tls_both_dialects_answer() {
    let House { server, gateway, .. } = obol!().house_with(|server| server.tls_self_signed());
    assert!(server.url().starts_with("https://"));
    let access = server.token_by_client_credentials(&gateway).access;
    assert!(server.stands(&gateway, &access) && server.is_active(&gateway, &access));
    server.revoke(&gateway, &access).expect(200);
    assert!(!server.stands(&gateway, &access));
}

#[test]
fn no_credential_is_taken_in_clear_where_tls_is_on() {
    let House { server, fcare, .. } = obol!().house_with(|server| server.tls_self_signed());
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    let request = format!(
        "GET {VERIFY}?client_id=fcare HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        tokens.access
    );
    let answer = server.http().raw(request.as_bytes());
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn the_certificate_made_at_the_first_start_is_kept() {
    let House { mut server, .. } = obol!().house_with(|server| server.tls_self_signed());
    let certificates = |server: &obol_testkit::Server| {
        let files = fs::read_dir(server.data())
            .unwrap()
            .flatten()
            .map(|file| fs::read(file.path()).unwrap_or_default());
        files.filter(|content| content.starts_with(b"-----BEGIN CERTIFICATE")).collect::<Vec<_>>()
    };
    let before = certificates(&server);
    server.stop();
    server.start_again();
    assert!(!before.is_empty());
    assert_eq!(certificates(&server), before);
}

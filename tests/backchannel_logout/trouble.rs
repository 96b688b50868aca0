//! §2.8: clients that do not answer, or answer something else, and servers that are killed.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use obol_testkit::{
    ALICE, AuthorizationRequest, Client, Elsewhere, Jwt, PASSWORD, Port, REDIRECT_URI, TOLD, obol, wait_until,
};
use serde_json::json;

use crate::house::{House, PATIENCE, told_at};

#[test]
fn bclo_2_8_200_and_204_are_success_and_anything_else_is_tried_again_with_a_fresh_token() {
    let house = House::open();
    house.elsewhere.answers_when_told(204);
    house.sign_in().person.signs_out();
    house.tokens(1);
    house.until_all_is_told();
    assert_eq!(house.posts().len(), 1);

    for (number, status) in [400, 500, 302, 201].into_iter().enumerate() {
        house.elsewhere.answers_when_told(status);
        let mut alice = house.sign_in();
        alice.person.signs_out();
        let before = 1 + 2 * number;
        house.tokens(before + 1);
        house.elsewhere.answers_when_told(200);
        let tokens = house.tokens(before + 2);
        house.until_all_is_told();
        assert_eq!(tokens.len(), before + 2, "{status}");
        let [first, second] = [&tokens[before], &tokens[before + 1]].map(|token| Jwt::read(token));
        assert_eq!(first.claims["sid"], alice.sid(), "{status}");
        assert_eq!(second.claims["sid"], alice.sid(), "{status}");
        assert_ne!(first.claims["jti"], second.claims["jti"], "{status}");
        let waited = second.claims["iat"].as_i64().zip(first.claims["iat"].as_i64());
        assert!(waited.is_some_and(|(second, first)| second - first >= 5), "{status}: {waited:?}");
    }
}

#[test]
fn a_notice_survives_the_death_of_the_server() {
    let mut house = House::open();
    house.elsewhere.answers_when_told(500);
    let mut alice = house.sign_in();
    alice.person.signs_out();
    house.tokens(1);
    wait_until("the failure is kept", PATIENCE, || house.doctor().contains("it answered 500").then_some(()));
    house.server.kill();
    house.elsewhere.answers_when_told(200);
    house.server.start_again();
    house.tokens(2);
    house.until_all_is_told();
    let posts = house.posts();
    assert_eq!(posts.len(), 2);
    assert_eq!(Jwt::verified(&posts[1].logout_token(), &house.server).claims["sid"], alice.sid());
}

#[test]
fn sessions_that_a_command_ends_while_no_server_runs_are_told_at_the_next_start() {
    let mut house = House::open();
    let alice = house.sign_in();
    house.server.stop();
    house.server.run(&["user", "disable", ALICE]).exits(0);
    assert!(house.doctor().contains("has yet to be told of 1"), "{}", house.doctor());
    house.server.start_again();
    assert_eq!(house.told(1)[0].claims["sid"], alice.sid());
}

#[test]
fn who_signs_out_does_not_wait_and_neither_does_a_client_for_others_that_are_silent() {
    let elsewhere = Elsewhere::start();
    elsewhere.answers_when_told(200);
    // Connections are taken by the system, and nobody ever says anything.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let silent = format!("localhost:{}", silent.local_addr().expect("an address").port());
    let server = obol!().server().alice().may_ask(&elsewhere).option("--outgoing-allow", &silent);
    let uri = format!("https://{silent}{TOLD}");
    let dead = ["dead", "deader", "deadest", "gone"].map(|id| server.add_client(&told_at(id, &uri)));
    let app = server.add_client(&told_at("app", &elsewhere.url(TOLD)));
    let house = House { server: server.start(), elsewhere, app };
    for dead in &dead {
        let mut alice = house.brought_to(house.server.person(), dead);
        let begun = Instant::now();
        alice.person.signs_out();
        // A try takes 5 s.
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
    let begun = Instant::now();
    house.sign_in().person.signs_out();
    house.told(1);
    assert!(begun.elapsed() < Duration::from_secs(8), "in turn, four take 20 s: {:?}", begun.elapsed());
    let said = wait_until("the silence is noticed", PATIENCE, || {
        let said = house.doctor();
        said.contains("it did not answer in time").then_some(said)
    });
    assert!(said.contains("WARNING") && said.contains("logouts, dead"), "{said}");
}

/// There are 16 places with strangers, 8 at one host: as many as these clients have notices.
#[test]
fn strangers_that_are_silent_leave_places_to_other_strangers() {
    let elsewhere = Elsewhere::start();
    let silent = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    let hosts = silent.each_ref().map(|listener| {
        listener.set_nonblocking(true).expect("it does not block");
        format!("localhost:{}", listener.local_addr().expect("an address").port())
    });
    let server = obol!().server().alice().may_ask(&elsewhere).option("--registration", "open");
    let server = hosts.iter().fold(server, |server, host| server.option("--outgoing-allow", host));
    let server = server.flag("--client-id-metadata-documents").start();
    let mut people = [server.person(), server.person()];
    for host in hosts.iter().cycle().take(8) {
        let uri = format!("https://{host}{TOLD}");
        let metadata = json!({ "redirect_uris": [REDIRECT_URI], "backchannel_logout_uri": uri });
        let client = server.registered(&metadata).client;
        for alice in &mut people {
            let request = AuthorizationRequest::of(&client).with("scope", "openid");
            let code = alice.goes_through(&request).code().to_owned();
            server.redeem(&client, &code).expect(200);
        }
    }
    server.run(&["user", "disable", ALICE]).exits(0);
    let mut hanging = Vec::new();
    wait_until("notices are on the way", PATIENCE, || {
        hanging.extend(silent.iter().filter_map(|listener| listener.accept().ok()));
        (hanging.len() >= 8).then_some(())
    });
    for number in 0..10 {
        let path = format!("/{number}.json");
        let url = elsewhere.url(&path);
        elsewhere.publishes(&path, &json!({ "client_id": url, "redirect_uris": [REDIRECT_URI] }));
        server.person().follows(&AuthorizationRequest::of(&Client::bare(&url))).sign_in();
    }
}

#[test]
fn a_client_that_is_down_is_named_by_doctor_with_the_reason() {
    let house = House::open();
    let port = Port::claim();
    let uri = format!("https://{}{TOLD}", port.address());
    let down = house.server.add_client(&told_at("down", &uri));
    house.brought_to(house.server.person(), &down).person.signs_out();
    let said = wait_until("the failure is kept", PATIENCE, || {
        let said = house.doctor();
        said.contains("last:").then_some(said)
    });
    // It is at an address that nobody has allowed.
    assert!(said.contains("logouts, down") && said.contains("outgoing_allow"), "{said}");
    let checks = house.server.run(&["doctor", "--json"]).exits(0).json();
    let check = checks["checks"].as_array().expect("a list").iter().find(|check| check["warning"] == true);
    assert_eq!(check.expect("a warning")["name"], "logouts, down");
}

#[test]
fn s_92_nothing_is_told_at_a_private_address_that_is_not_allowed() {
    let elsewhere = Elsewhere::start();
    elsewhere.answers_when_told(200);
    let server = obol!().server().alice().trusts(&elsewhere);
    let app = server.add_client(&told_at("app", &elsewhere.url(TOLD)));
    let house = House { server: server.start(), elsewhere, app };
    house.sign_in().person.signs_out();
    wait_until("it was refused", PATIENCE, || house.doctor().contains("outgoing_allow").then_some(()));
    assert_eq!(house.posts(), []);
}

#[test]
fn a_server_that_stops_takes_no_longer_for_a_client_that_is_silent() {
    let elsewhere = Elsewhere::start();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let silent = format!("localhost:{}", silent.local_addr().expect("an address").port());
    let server = obol!().server().user("carol", PASSWORD).option("--outgoing-allow", &silent);
    let app = server.add_client(&told_at("app", &format!("https://{silent}{TOLD}")));
    let mut house = House { server: server.start(), elsewhere, app };
    let carol = house.server.person_called("carol", PASSWORD);
    house.brought_to(carol, &house.app).person.signs_out();
    let begun = Instant::now();
    assert!(house.server.stop().success());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(house.doctor().contains("has yet to be told of 1"), "{}", house.doctor());
}

//! Many at once: refreshes, revocations, switching off, and commands on the same thing.
//!
//! The names H1, H2, H6 and H7 are those of the history check in the document on reliability.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use obol_testkit::{
    ALICE, Answer, Chance, Client, ClientSpec, House, PASSWORD, Server, ServerBuilder, Tokens, at_once, obol,
    wait_until,
};

const AT_ONCE: usize = 50;

/// Longer than a busy machine stands still: a 503 would be true, and would say nothing about a race.
const LEASE_MS: &str = "30000";

#[test]
fn h6_fifty_uses_of_one_refresh_token_within_the_window_give_one_pair() {
    let House { server, fcare, .. } = house_with(|server| server);
    let lines = 5;
    for _ in 0..lines {
        let first = server.token_by_password(&fcare, ALICE, PASSWORD);
        let answers = at_once(AT_ONCE, |number| refresh(&server, &fcare, first.refresh(), number));
        let pairs: Vec<Tokens> = answers.into_iter().map(Tokens::of).collect();
        assert!(pairs.iter().all(|pair| *pair == pairs[0]), "two successors of one token: {pairs:#?}");
        assert!(server.stands(&fcare, &first.access) && server.stands(&fcare, &pairs[0].access));
        Tokens::of(server.refresh(&fcare, pairs[0].refresh()));
    }
    // A sign-in and two rotations a line; everything else is the same answer again.
    let (issued, repeated) = (3 * lines, lines * (AT_ONCE - 1));
    let counts = wait_until("every answer is in the audit", Duration::from_secs(10), || {
        let audit = server.installation().audit();
        let count = |event| audit.iter().filter(|line| line.event() == event).count();
        let counts = (count("token.issued"), count("token.repeated"));
        (counts.0 + counts.1 >= issued + repeated).then_some(counts)
    });
    assert_eq!(counts, (issued, repeated));
}

#[test]
fn h6_without_a_window_fifty_uses_give_one_success_and_the_line_ends() {
    let House { server, fcare, .. } = house_with(|server| server.option("--refresh-grace", "0"));
    for _ in 0..5 {
        let first = server.token_by_password(&fcare, ALICE, PASSWORD);
        let answers = at_once(AT_ONCE, |number| refresh(&server, &fcare, first.refresh(), number));
        let (good, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        for answer in refused {
            answer.expect_error(400, "invalid_grant");
        }
        assert_eq!(good.len(), 1, "exactly one success: {good:#?}");
        let next = Tokens::of(good[0].clone());
        expect_dead(&server, &fcare, &[first, next]);
    }
}

#[test]
fn h1_h6_after_the_200_of_a_revocation_nothing_of_a_line_lives_that_is_being_refreshed() {
    let House { server, fcare, .. } = house_with(|server| server);
    let mut chance = Chance::seeded("revoke against refresh");
    for _ in 0..10 {
        let delays: Vec<Duration> = (0..6).map(|_| chance.millis(0..=30)).collect();
        at_once(delays.len(), |number| revoke_against_refresh(&server, &fcare, delays[number]));
    }
}

#[test]
fn h2_a_token_once_refused_is_never_accepted_again_while_it_is_being_revoked() {
    let House { server, gateway, .. } = house_with(|server| server);
    let mut chance = Chance::seeded("verify against revoke");
    for round in 0..40 {
        let token = server.token_by_client_credentials(&gateway).access;
        let delay = chance.millis(0..=10);
        let acknowledged = &AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| verify_until_refused(&server, &gateway, &token, acknowledged));
            }
            thread::sleep(delay);
            match round % 2 {
                0 => drop(server.rfc_revoke(&gateway, &token).expect(200)),
                _ => drop(server.run(&["token", "revoke", &token]).exits(0)),
            }
            acknowledged.store(true, Ordering::Release);
        });
    }
}

#[test]
fn h7_a_person_switched_off_while_signing_in_and_refreshing_keeps_nothing() {
    let House { server, fcare, .. } = house_with(|server| server);
    let mut chance = Chance::seeded("user disable against grants");
    for round in 0..8 {
        let name = format!("bob-{round}");
        server.add_user(&name, PASSWORD);
        let delay = chance.millis(0..=150);
        let given = thread::scope(|scope| {
            let signing_in = [(); 3].map(|()| scope.spawn(|| sign_in_until_refused(&server, &fcare, &name)));
            let refreshing = scope.spawn(|| {
                let first = server.ask_by_password(&fcare, &name, PASSWORD);
                if first.status == 200 {
                    refresh_until_refused(&server, &fcare, Tokens::of(first))
                } else {
                    vec![]
                }
            });
            thread::sleep(delay);
            server.run(&["user", "disable", &name]).exits(0);
            let threads = signing_in.into_iter().chain([refreshing]);
            threads.flat_map(|thread| thread.join().expect("a thread of the race")).collect::<Vec<_>>()
        });
        expect_dead(&server, &fcare, &given);
        server.run(&["user", "enable", &name]).exits(0);
        expect_dead(&server, &fcare, &given);
        let anew = server.token_by_password(&fcare, &name, PASSWORD);
        assert!(server.stands(&fcare, &anew.access), "switched on again, the person signs in");
    }
}

#[test]
fn h7_a_client_switched_off_while_it_asks_for_tokens_keeps_nothing() {
    let House { server, .. } = house_with(|server| server);
    let mut chance = Chance::seeded("client disable against grants");
    for round in 0..8 {
        let client = server.add_client(&ClientSpec::confidential(&format!("robot-{round}")));
        let delay = chance.millis(0..=50);
        let first = server.token_by_client_credentials(&client);
        let mut given = thread::scope(|scope| {
            let asking = [(); 3].map(|()| scope.spawn(|| ask_until_refused(&server, &client)));
            thread::sleep(delay);
            server.run(&["client", "disable", &client.id]).exits(0);
            asking
                .into_iter()
                .flat_map(|thread| thread.join().expect("a thread of the race"))
                .collect::<Vec<_>>()
        });
        given.push(first);
        expect_dead(&server, &client, &given);
        server.run(&["client", "enable", &client.id]).exits(0);
        expect_dead(&server, &client, &given);
        let anew = server.token_by_client_credentials(&client);
        assert!(server.stands(&client, &anew.access), "switched on again, the client gets tokens");
    }
}

#[test]
fn h1_fifty_revocations_of_one_token_are_all_200_and_each_is_true() {
    let House { server, fcare, gateway } = house_with(|server| server);
    for _ in 0..3 {
        let pair = server.token_by_password(&fcare, ALICE, PASSWORD);
        at_once(AT_ONCE, |number| {
            let token = if number.is_multiple_of(2) { &pair.access } else { pair.refresh() };
            revoke(&server, &fcare, token, number).expect(200);
            assert!(!server.stands(&fcare, &pair.access), "after this 200 it is refused");
        });
        expect_dead(&server, &fcare, &[pair]);

        let alone = server.token_by_client_credentials(&gateway);
        at_once(AT_ONCE, |number| {
            revoke(&server, &gateway, &alone.access, number).expect(200);
            assert!(!server.stands(&gateway, &alone.access), "after this 200 it is refused");
        });
    }
}

#[test]
fn a_client_with_single_family_keeps_one_line_of_eight_sign_ins_at_once() {
    let builder = obol!().server().alice().option("--lease-ms", LEASE_MS);
    let only = builder.add_client(&ClientSpec::public("only").flag("--single-family"));
    let server = builder.start();
    for _ in 0..3 {
        let answers = at_once(8, |_| server.ask_by_password(&only, ALICE, PASSWORD));
        let given: Vec<Tokens> =
            answers.into_iter().filter(|answer| answer.status == 200).map(Tokens::of).collect();
        let alive: Vec<_> = given.iter().filter(|tokens| server.stands(&only, &tokens.access)).collect();
        let fresh = given.iter().filter(|tokens| server.refresh(&only, tokens.refresh()).status == 200);
        assert_eq!((alive.len(), fresh.count()), (1, 1), "of {} sign-ins", given.len());
    }
}

#[test]
fn of_commands_that_add_the_same_client_or_person_at_once_one_wins() {
    let House { server, fcare, .. } = house_with(|server| server);
    let spec = ["client", "add", "--json", "--id", "same", "--type", "confidential"];
    let added: Vec<_> =
        at_once(8, |_| server.run(&spec)).into_iter().filter(|ran| ran.code == Some(0)).collect();
    assert_eq!(added.len(), 1, "{added:?}");
    let secret = added[0].json()["client_secret"].as_str().unwrap().to_owned();
    server.token_by_client_credentials(&Client { id: "same".to_owned(), secret: Some(secret) });

    let ran = at_once(8, |_| server.run(&["user", "add", "same", "--json"]));
    let (added, refused): (Vec<_>, Vec<_>) = ran.into_iter().partition(|ran| ran.code == Some(0));
    assert_eq!(added.len(), 1, "{added:?}");
    for ran in refused {
        assert!(ran.exits(1).stderr.starts_with("error: "));
    }
    server.token_by_password(&fcare, "same", added[0].json()["password"].as_str().unwrap());
}

fn house_with(options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> House {
    obol!().house_with(|server| options(server.option("--lease-ms", LEASE_MS)))
}

/// One line: a chain of refreshes, and a revocation somewhere in it.
fn revoke_against_refresh(server: &Server, client: &Client, delay: Duration) {
    let first = server.token_by_password(client, ALICE, PASSWORD);
    let given = thread::scope(|scope| {
        let refreshing = scope.spawn(|| refresh_until_refused(server, client, first.clone()));
        thread::sleep(delay);
        server.revoke(client, &first.access).expect(200);
        assert!(!server.stands(client, &first.access), "H1");
        server.refresh(client, first.refresh()).expect_error(400, "invalid_grant");
        refreshing.join().expect("a thread of the race")
    });
    expect_dead(server, client, &given);
}

/// Presents each newest refresh token until one is refused; gives all pairs.
fn refresh_until_refused(server: &Server, client: &Client, first: Tokens) -> Vec<Tokens> {
    let mut given = vec![first];
    for number in 0.. {
        let answer = refresh(server, client, given[given.len() - 1].refresh(), number);
        if answer.status != 200 {
            answer.expect_error(400, "invalid_grant");
            break;
        }
        given.push(Tokens::of(answer));
    }
    given
}

fn sign_in_until_refused(server: &Server, client: &Client, name: &str) -> Vec<Tokens> {
    let mut given = Vec::new();
    loop {
        let answer = server.ask_by_password(client, name, PASSWORD);
        match answer.status {
            200 => given.push(Tokens::of(answer)),
            // Too many passwords are being checked at once.
            503 => {}
            _ => {
                answer.expect_error(401, "invalid_grant");
                return given;
            }
        }
    }
}

fn ask_until_refused(server: &Server, client: &Client) -> Vec<Tokens> {
    let mut given = Vec::new();
    loop {
        let answer = server.post_form("/oauth2/token", client, &[("grant_type", "client_credentials")]);
        if answer.status != 200 {
            answer.expect_error(401, "invalid_client");
            return given;
        }
        given.push(Tokens::of(answer));
    }
}

/// No 200 to a verify that was sent after the acknowledgement, and none after a refusal.
fn verify_until_refused(server: &Server, client: &Client, token: &str, acknowledged: &AtomicBool) {
    loop {
        let sent_after_it = acknowledged.load(Ordering::Acquire);
        if !server.stands(client, token) {
            break;
        }
        assert!(!sent_after_it, "H1: accepted after the acknowledgement");
    }
    for _ in 0..10 {
        assert!(!server.stands(client, token), "H2: refused once, accepted later");
    }
}

fn expect_dead(server: &Server, client: &Client, all: &[Tokens]) {
    for tokens in all {
        assert!(!server.stands(client, &tokens.access), "an access token of {} lives on", all.len());
        if let Some(refresh_token) = &tokens.refresh {
            server.refresh(client, refresh_token).expect_error(400, "invalid_grant");
        }
    }
}

/// A refresh, by turns in both dialects.
fn refresh(server: &Server, client: &Client, token: &str, number: usize) -> Answer {
    if number.is_multiple_of(2) { server.refresh(client, token) } else { server.rfc_refresh(client, token) }
}

/// A revocation, by turns in both dialects.
fn revoke(server: &Server, client: &Client, token: &str, number: usize) -> Answer {
    if number % 4 < 2 { server.revoke(client, token) } else { server.rfc_revoke(client, token) }
}

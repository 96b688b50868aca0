//! Revocation from the command line beside a server: when the command has returned, no verify says that the token stands.
//!
//! `OBOL_TEST_REVOCATIONS` sets how many there are, `OBOL_TEST_SEED` repeats a run's choices.

#[path = "command_line_revocation/ways.rs"]
mod ways;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use obol_testkit::{Chance, Client, Server, Signal, Unanswered, at_once, median, obol, run_size, wait_until};

use self::ways::{Victims, Way};

const WORKERS: usize = 4;

/// What a server holds at most, and with it the longest that a command waits for one that hangs.
const LEASE: Duration = Duration::from_secs(2);

#[test]
fn h1_a_thousand_revocations_by_command_and_none_is_followed_by_an_acceptance() {
    let victims = Victims::start(WORKERS, |server| server);
    let mut chance = Chance::seeded("revocations by command");
    let chances: Vec<Chance> = (0..WORKERS).map(|_| chance.fork()).collect();
    let each = run_size("OBOL_TEST_REVOCATIONS", 1_000).div_ceil(WORKERS as u64);
    let (began, not_vouched) = (Instant::now(), AtomicU64::new(0));
    let slowest = at_once(WORKERS, |worker| {
        let mut chance = chances[worker].clone();
        let bystander = victims.bystander(worker);
        (0..each)
            .map(|number| {
                let way = *chance.pick(&Way::OFTEN_ONE_TOKEN);
                let (client, token) = victims.token_for(way, worker);
                assert_eq!(refused(&victims.server, &client, &token, &not_vouched), Refused::No);
                let took = victims.revoke(way, worker, &token);
                let verdict = refused(&victims.server, &client, &token, &not_vouched);
                assert_eq!(verdict, Refused::Yes, "{way:?}, number {number} of worker {worker}");
                assert_eq!(refused(&victims.server, &bystander.0, &bystander.1, &not_vouched), Refused::No);
                victims.switch_on_again(way, worker);
                took
            })
            .max()
    });
    println!(
        "{} revocations by command in {:?}, none wrong; slowest command {:?}; asked again after 503: {}",
        each * WORKERS as u64,
        began.elapsed(),
        slowest.into_iter().max().flatten().unwrap_or_default(),
        not_vouched.into_inner()
    );
}

#[test]
fn h7_revoking_everything_ends_every_token_and_new_ones_stand() {
    let victims = Victims::start(1, |server| server);
    let not_vouched = AtomicU64::new(0);
    for _ in 0..10 {
        let old = [Way::Token, Way::Family].map(|way| victims.token_for(way, 0));
        victims.server.run(&["revoke", "--all", "--yes"]).exits(0);
        for (client, token) in old {
            assert_eq!(refused(&victims.server, &client, &token, &not_vouched), Refused::Yes);
        }
        let (client, token) = victims.token_for(Way::Token, 0);
        assert_eq!(refused(&victims.server, &client, &token, &not_vouched), Refused::No);
    }
}

#[test]
fn h1_a_paused_server_is_waited_out_and_its_first_answer_is_no_acceptance() {
    let took = at_once(Way::ALL.len(), |number| {
        let (way, victims) = (Way::ALL[number], Victims::start(1, |server| server));
        revoke_beside_paused(&victims, way)
    });
    assert!(took.iter().all(|took| *took < 5 * LEASE), "{took:?}");
    let fastest = took.into_iter().min().expect("there are ways");
    assert!(fastest < LEASE + Duration::from_millis(500), "lease and margin: {fastest:?}");
    println!("beside a paused server the fastest of {} commands took {fastest:?}", Way::ALL.len());
}

#[test]
fn h1_the_lease_that_the_server_holds_counts_and_not_the_one_that_the_command_was_given() {
    let victims = Victims::start(1, |server| server.option("--lease-ms", "5000"));
    let took = revoke_beside_paused(&victims, Way::Token);
    assert!(took > Duration::from_secs(4), "the server could have answered until then: {took:?}");
}

#[test]
fn h1_a_server_that_goes_on_in_time_has_applied_what_the_command_returned_for() {
    let victims = Victims::start(1, |server| server);
    let mut chance = Chance::seeded("short pauses");
    for _ in 0..8 {
        let (client, token) = victims.token_for(Way::Token, 0);
        let pause = chance.millis(1..=700);
        victims.server.pause();
        thread::scope(|scope| {
            let command = scope.spawn(|| victims.revoke(Way::Token, 0, &token));
            thread::sleep(pause);
            victims.server.resume();
            command.join().expect("the command returns");
        });
        assert_eq!(refused(&victims.server, &client, &token, &AtomicU64::new(0)), Refused::Yes, "{pause:?}");
    }
}

#[test]
fn a_killed_server_is_not_waited_for_and_comes_back_refusing() {
    let mut victims = Victims::start(1, |server| server);
    for signal in [Signal::KILL, Signal::TERM] {
        let tokens = Way::ALL.map(|way| (way, victims.token_for(way, 0)));
        victims.server.signal(signal);
        victims.server.await_end();
        let took = tokens.iter().map(|(way, (_, token))| victims.revoke(*way, 0, token)).collect();
        let usual = median(took);
        assert!(usual < Duration::from_millis(500), "there is nobody to wait for: {usual:?}");
        victims.server.start_again();
        for (way, (client, token)) in &tokens {
            assert_eq!(
                refused(&victims.server, client, token, &AtomicU64::new(0)),
                Refused::Yes,
                "{way:?} after {signal:?}"
            );
        }
        tokens.iter().for_each(|(way, _)| victims.switch_on_again(*way, 0));
    }
}

#[test]
fn a_command_that_waits_for_a_paused_server_returns_when_that_is_killed() {
    let mut victims = Victims::start(1, |server| server.option("--lease-ms", "30000"));
    let (client, token) = victims.token_for(Way::Token, 0);
    victims.server.pause();
    let returned_after = thread::scope(|scope| {
        let command = scope.spawn(|| victims.revoke(Way::Token, 0, &token));
        wait_until("the revocation is stored", Duration::from_secs(10), || {
            let verify = victims.server.run(&["token", "verify", &token, "--client", &client.id]);
            (verify.code == Some(1)).then_some(())
        });
        assert!(!command.is_finished(), "it waits for the server");
        victims.server.signal(Signal::KILL);
        let killed_at = Instant::now();
        command.join().expect("the command returns");
        killed_at.elapsed()
    });
    assert!(returned_after < Duration::from_secs(10), "{returned_after:?}");
    victims.server.await_end();
    victims.server.start_again();
    assert_eq!(refused(&victims.server, &client, &token, &AtomicU64::new(0)), Refused::Yes);
}

#[test]
fn h1_a_server_that_starts_while_the_command_runs_has_read_what_it_stored() {
    let mut victims = Victims::start(1, |server| server);
    for _ in 0..20 {
        let (client, token) = victims.token_for(Way::Token, 0);
        victims.server.kill();
        let (folder, data) = (victims.server.installation().folder().to_owned(), victims.server.data());
        thread::scope(|scope| {
            let arguments = ["token", "revoke", &token, "--data", data.to_str().expect("a path is text")];
            let command = scope.spawn(move || obol!().run(&folder, &arguments, &[], "").exits(0));
            victims.server.start_again();
            command.join().expect("the command returns");
        });
        assert_eq!(refused(&victims.server, &client, &token, &AtomicU64::new(0)), Refused::Yes);
    }
}

/// Whether a token is refused.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Yes,
    No,
}

/// Asks until the server can vouch: a 503 is no answer to the question, and no wrong one.
#[track_caller]
fn refused(server: &Server, client: &Client, token: &str, not_vouched: &AtomicU64) -> Refused {
    wait_until("the server can vouch", Duration::from_secs(20), || {
        let answer = server.verify(client, token);
        match answer.status {
            200 => Some(Refused::No),
            401 => Some(Refused::Yes),
            503 => {
                not_vouched.fetch_add(1, Ordering::Relaxed);
                None
            }
            _ => panic!("verify answers 200, 401 or 503: {answer:?}"),
        }
    })
}

/// Pauses the server, revokes, puts a verify in front of it and lets it go on. Gives how long the command took.
#[track_caller]
fn revoke_beside_paused(victims: &Victims, way: Way) -> Duration {
    let (client, token) = victims.token_for(way, 0);
    victims.server.pause();
    let took = victims.revoke(way, 0, &token);
    let waiting: Vec<Unanswered> = (0..3).map(|_| victims.server.verify_later(&client, &token)).collect();
    victims.server.resume();
    for unanswered in waiting {
        let status = unanswered.status();
        assert!(status == 401 || status == 503, "{way:?}: the first answers after the pause: {status}");
    }
    assert_eq!(refused(&victims.server, &client, &token, &AtomicU64::new(0)), Refused::Yes, "{way:?}");
    took
}

//! kill -9 at random moments under load: whatever was acknowledged before is true after the restart.
//!
//! `OBOL_TEST_KILLS` sets the number of kills, `OBOL_TEST_SEED` repeats a run's choices.

#[path = "crash/house.rs"]
mod house;
#[path = "crash/lines.rs"]
mod lines;
#[path = "crash/load.rs"]
mod load;

use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Instant;

use obol_testkit::{Attempt, Chance, Program, Signal, obol, run_size};

use self::house::CrashHouse;
use self::lines::Line;
use self::load::Load;

/// Longer than any run between a rotation and the question about it.
const LONG_GRACE_SECS: u32 = 300;

#[test]
fn nothing_acknowledged_is_lost_by_kills_and_a_lost_rotation_can_be_asked_again() {
    survive_kills(obol!(), "kills with grace", share_of_kills(60), LONG_GRACE_SECS);
}

#[test]
fn nothing_acknowledged_is_lost_by_kills_and_without_grace_no_refresh_token_works_twice() {
    survive_kills(obol!(), "kills without grace", share_of_kills(40), 0);
}

#[test]
fn a_first_start_that_is_killed_is_completed_by_the_next() {
    let mut chance = Chance::seeded("killed first starts");
    for _ in 0..share_of_kills(30) {
        let installation = obol!().installation();
        let (data, kill_after) = (installation.data(), chance.millis(0..=60));
        let mut first = installation.spawn_serve();
        thread::sleep(kill_after);
        first.kill().expect("an own child can be killed");
        first.wait().expect("an own child can be waited for");
        match installation.attempt_to_serve(&data, &[]) {
            Attempt::Listens(server) => drop(server.http().get("/readyz").send().expect(200)),
            Attempt::Refused(refused) => panic!("killed after {kill_after:?}: {refused:?}"),
        }
    }
}

fn survive_kills(program: Program, name: &str, kills: u64, grace_secs: u32) {
    let mut chance = Chance::seeded(name);
    let began = Instant::now();
    let mut house = CrashHouse::start(program, grace_secs);
    for round in 0..kills {
        let first_of_round = house.history.count();
        let lines = run_until_killed(&mut house, round, &mut chance);
        house.server.start_again();
        house.ask_about_everything_since(first_of_round);
        for line in lines {
            line.settle(&house, grace_secs, &mut chance);
        }
        house.expect_no_breach(&format!("{name}, kill {round}"));
    }
    house.ask_about_everything_since(0);
    house.expect_no_breach(&format!("{name}, at the end"));
    println!("{name}: {kills} kills in {:?}; {}", began.elapsed(), house.figures());
}

/// Lets the drivers work for 5 to 500 ms, then kills the server under them.
fn run_until_killed(house: &mut CrashHouse, round: u64, chance: &mut Chance) -> Vec<Line> {
    let load = &Load::new(house, round);
    let lines = thread::scope(|scope| {
        let by_client = [chance.fork(), chance.fork()].map(|own| scope.spawn(|| load.by_client(own)));
        let in_lines = [(0, chance.fork()), (1, chance.fork())]
            .map(|(driver, own)| scope.spawn(move || load.in_lines(driver, own)));
        let by_command = [(0, chance.fork()), (1, chance.fork())]
            .map(|(driver, own)| scope.spawn(move || load.by_command(driver, own)));
        thread::sleep(chance.millis(5..=500));
        house.server.signal(Signal::KILL);
        load.stop();
        for driver in by_client.into_iter().chain(by_command) {
            driver.join().expect("a driver does not fail");
        }
        in_lines.into_iter().flat_map(|driver| driver.join().expect("a driver does not fail")).collect()
    });
    let status = house.server.await_end();
    assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "it lived until it was killed: {status}");
    lines
}

fn share_of_kills(of_hundred: u64) -> u64 {
    (run_size("OBOL_TEST_KILLS", 100) * of_hundred).div_ceil(100)
}

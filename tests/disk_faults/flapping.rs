//! A disk that fails and works by turns under load.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use obol_testkit::{
    ALICE, Answer, Chance, Fault, FaultyDisk, PASSWORD, RFC_REVOKE, RFC_TOKEN, TOKEN, Tokens, obol, run_size,
};

use crate::outage::DiskHouse;

#[test]
fn on_a_disk_that_fails_by_turns_nothing_acknowledged_is_lost_and_no_refresh_token_works_twice() {
    let installation = obol!().installation();
    let disk = FaultyDisk::below(&installation);
    // Longer than a busy machine stands still, and than a lost rotation takes to be asked again.
    let builder = installation.server().option("--lease-ms", "30000").option("--refresh-grace", "300");
    let mut house = DiskHouse::start(disk.beneath(builder));
    let mut chance = Chance::seeded("flapping disk");
    let mut turns = 0;
    for _ in 0..run_size("OBOL_TEST_FLAPPING_ROUNDS", 4) {
        let load = Load { house: &house, stopped: AtomicBool::new(false), done: AtomicU64::new(0) };
        thread::scope(|scope| {
            for mut own in [chance.fork(), chance.fork()] {
                let load = &load;
                scope.spawn(move || load.in_lines(&mut own));
            }
            for mut own in [chance.fork(), chance.fork()] {
                let load = &load;
                scope.spawn(move || load.by_client(&mut own));
            }
            for _ in 0..15 {
                thread::sleep(chance.millis(5..=120));
                disk.fail(*chance.pick(&Fault::ALL));
                thread::sleep(chance.millis(1..=80));
                disk.heal();
                turns += 1;
            }
            load.stopped.store(true, Ordering::Release);
        });
        println!("{turns} faults, {} writes acknowledged in this round", load.done.into_inner());
        house.judge();
        house.server.kill();
        house.server.start_again();
        house.judge();
        house.check_integrity();
    }
    println!("{} answers judged", house.history.asked());
}

struct Load<'a> {
    house: &'a DiskHouse,
    stopped: AtomicBool,
    done: AtomicU64,
}

impl Load<'_> {
    /// Sign-ins, rotations that are asked again until they succeed, revocations that may fail.
    fn in_lines(&self, chance: &mut Chance) {
        let fields = [("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)];
        while let Some(answer) = self.until_done(|| self.post(TOKEN, false, &fields)) {
            let mut newest = Tokens::of(answer);
            let line = newest.access.clone();
            self.issued(&newest, &line);
            while !chance.once_in(8) {
                let presented = newest.refresh().to_owned();
                let fields = [("grant_type", "refresh_token"), ("refresh_token", presented.as_str())];
                let Some(answer) = self.until_done(|| self.post(RFC_TOKEN, false, &fields)) else { return };
                let Some(given) = self.house.history.presented(&presented, &answer) else {
                    return self.house.history.breach(format!("a refresh token was lost: {answer:?}"));
                };
                newest = given;
                self.issued(&newest, &line);
            }
            self.end(&line, newest.refresh(), false, chance);
        }
    }

    fn by_client(&self, chance: &mut Chance) {
        while !self.is_stopped() {
            let token = self.house.issue(None);
            self.end(&token, &token, true, chance);
        }
    }

    /// Asks for an end once, or until it is acknowledged.
    fn end(&self, group: &str, token: &str, of_client: bool, chance: &mut Chance) {
        self.house.history.ending(group);
        let ask = || self.post(RFC_REVOKE, of_client, &[("token", token)]);
        let answer = if chance.once_in(2) { Some(ask()) } else { self.until_done(ask) };
        if answer.is_some_and(|answer| answer.status == 200) {
            self.done.fetch_add(1, Ordering::Relaxed);
            self.house.history.ended(group);
        }
    }

    /// Asks again after each 503; `None` when the round ends before another answer came.
    fn until_done(&self, ask: impl Fn() -> Answer) -> Option<Answer> {
        while !self.is_stopped() {
            let answer = ask();
            if answer.status != 503 {
                self.done.fetch_add(1, Ordering::Relaxed);
                return Some(answer);
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }

    fn issued(&self, tokens: &Tokens, line: &str) {
        self.house.history.issued(&self.house.fcare, &tokens.access, &[line]);
    }

    fn post(&self, path: &str, of_client: bool, fields: &[(&str, &str)]) -> Answer {
        let client = if of_client { &self.house.gateway } else { &self.house.fcare };
        self.house.server.post_form(path, client, fields)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

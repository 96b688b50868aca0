//! Lines of descent: what each refresh token was exchanged for, and what may become of it after a crash.

use obol_testkit::{Answer, Chance, REVOKE, RFC_REVOKE, RFC_TOKEN, TOKEN, Tokens};

use crate::house::CrashHouse;
use crate::load::Load;

/// One sign-in and what descended from it.
pub(crate) struct Line {
    name: String,
    /// What was acknowledged, the oldest first.
    generations: Vec<Tokens>,
    /// The newest refresh token was presented, and no answer came.
    in_flight: bool,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    NotAsked,
    Asked,
    Acknowledged,
}

impl Line {
    pub(crate) fn begin(name: String, answer: &Answer, house: &CrashHouse) -> Self {
        let first = Tokens::of(answer.clone());
        house.history.issued(&house.fcare, &first.access, &[&name]);
        Self { name, generations: vec![first], in_flight: false, end: End::NotAsked }
    }

    /// Rotates until it revokes itself (`Some`) or a call is cut off (`None`).
    pub(crate) fn descend(&mut self, load: &Load<'_>, chance: &mut Chance) -> Option<()> {
        let CrashHouse { fcare, history, acknowledged, .. } = load.house;
        while !chance.once_in(10) {
            let presented = self.newest().refresh().to_owned();
            let fields = [("grant_type", "refresh_token"), ("refresh_token", presented.as_str())];
            let path = *chance.pick(&[TOKEN, RFC_TOKEN]);
            self.in_flight = true;
            let answer = load.acknowledged(load.post(path, fcare, &fields), &acknowledged.rotations)?;
            self.in_flight = false;
            let given = history.presented(&presented, &answer)?;
            history.issued(fcare, &given.access, &[&self.name]);
            self.generations.push(given);
        }
        self.revoke(load, chance)
    }

    /// What must hold after the restart. The line has ended afterwards.
    #[track_caller]
    pub(crate) fn settle(mut self, house: &CrashHouse, grace_secs: u32, chance: &mut Chance) {
        match self.end {
            End::Acknowledged => self.expect_ended(house),
            End::Asked if self.present(house, self.generations.len() - 1).is_none() => {
                self.expect_ended(house)
            }
            End::Asked => {}
            End::NotAsked if self.in_flight && grace_secs == 0 => self.settle_lost_rotation(house),
            End::NotAsked if grace_secs == 0 || chance.once_in(2) => self.settle_reuse(house, grace_secs),
            End::NotAsked => self.settle_live(house),
        }
    }

    /// Nobody asked for its end: it goes on, and each of the last two tokens gives one answer however often it comes.
    fn settle_live(&mut self, house: &CrashHouse) {
        let newest = self.generations.len() - 1;
        if newest > 0 && !self.in_flight {
            self.expect_present(house, newest - 1, "the token just replaced is answered as before");
        }
        let next = self.expect_present(house, newest, "an acknowledged refresh token works");
        let again = self.expect_present(house, newest, "and gives the same answer again");
        assert_eq!(next, again);
        house.history.issued(&house.fcare, &next.access, &[&self.name]);
        self.generations.push(next);
        self.expect_present(house, newest + 1, "and the line goes on");
    }

    /// A token that was replaced before, presented again: it does not work, and ends the line.
    fn settle_reuse(&mut self, house: &CrashHouse, grace_secs: u32) {
        let newest = self.generations.len() - 1;
        let replaced = if grace_secs == 0 { newest.checked_sub(1) } else { newest.checked_sub(2) };
        let Some(replaced) = replaced else { return self.settle_live_or_once(house, grace_secs) };
        house.history.ending(&self.name);
        if self.present(house, replaced).is_some() {
            house.history.breach(format!("H6: {} accepted a token that was replaced", self.name));
        }
        house.history.ended(&self.name);
        self.expect_ended(house);
    }

    fn settle_live_or_once(&mut self, house: &CrashHouse, grace_secs: u32) {
        if grace_secs > 0 {
            return self.settle_live(house);
        }
        self.expect_present(house, self.generations.len() - 1, "an acknowledged refresh token works");
        self.settle_lost_rotation(house);
    }

    /// Without grace: the newest token may have been exchanged for an answer that was lost. It works at most once.
    fn settle_lost_rotation(&mut self, house: &CrashHouse) {
        let newest = self.generations.len() - 1;
        house.history.ending(&self.name);
        if self.present(house, newest).is_some() && self.present(house, newest).is_some() {
            house.history.breach(format!("H6: {} accepted one token twice", self.name));
        }
        house.history.ended(&self.name);
        self.expect_ended(house);
    }

    /// Neither a refresh token nor an access token of it is accepted.
    fn expect_ended(&self, house: &CrashHouse) {
        house.history.ended(&self.name);
        for at in 0..self.generations.len() {
            if self.present(house, at).is_some() {
                house.history.breach(format!("H1: {} has ended, and generation {at} refreshed", self.name));
            }
            let answer = house.server.verify(&house.fcare, &self.generations[at].access);
            if answer.status != 401 {
                house.history.breach(format!("H1: {} has ended, and generation {at}: {answer:?}", self.name));
            }
        }
    }

    #[track_caller]
    fn expect_present(&self, house: &CrashHouse, at: usize, rule: &str) -> Tokens {
        self.present(house, at).unwrap_or_else(|| panic!("{}, generation {at}: {rule}", self.name))
    }

    fn present(&self, house: &CrashHouse, at: usize) -> Option<Tokens> {
        let presented = self.generations[at].refresh();
        let answer = house.server.refresh(&house.fcare, presented);
        if answer.status != 200 && answer.status != 400 {
            house.history.breach(format!("{}: refresh answered {answer:?}", self.name));
        }
        house.history.presented(presented, &answer)
    }

    fn revoke(&mut self, load: &Load<'_>, chance: &mut Chance) -> Option<()> {
        let CrashHouse { fcare, history, acknowledged, .. } = load.house;
        let at = chance.index(self.generations.len());
        let tokens = &self.generations[at];
        let token = if chance.once_in(2) { &tokens.access } else { tokens.refresh() };
        let path = *chance.pick(&[REVOKE, RFC_REVOKE]);
        self.end = End::Asked;
        history.ending(&self.name);
        load.acknowledged(load.post(path, fcare, &[("token", token)]), &acknowledged.revocations)?;
        self.end = End::Acknowledged;
        history.ended(&self.name);
        Some(())
    }

    fn newest(&self) -> &Tokens {
        self.generations.last().expect("a line begins with one")
    }
}

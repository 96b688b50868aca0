//! The judge judged: what each rule forbids is caught, and what is allowed is not.

mod allowed;
mod cluster;
mod flipped;
mod forbidden;
mod load;
mod stories;

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Account, Breach, Event, Grant, Name, Operation, Outcome, Report, Rule, Settings, Target, check};

pub(super) const YES: Outcome = Outcome::Done(());
pub(super) const NO: Outcome = Outcome::Refused;
pub(super) const LOST: Outcome = Outcome::Unknown;

/// The settling time of [`Settings::default`], in milliseconds.
pub(super) const SETTLING: u64 = 2_100;

/// A history, told call by call. Each call takes 10 ms from the moment given, in milliseconds, unless told otherwise.
#[derive(Default, Clone)]
pub(super) struct Told {
    pub(super) events: Vec<Event>,
    took: Option<u64>,
}

impl Told {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The next call takes this long.
    pub(super) fn taking(mut self, millis: u64) -> Self {
        self.took = Some(millis);
        self
    }

    /// A token of client `c`, person `u`, without a family.
    pub(super) fn token(self, at: u64, token: &str) -> Self {
        self.issue(at, grant(token, None, None))
    }

    /// A family of client `c` and person `u`: access token `f.0`, refresh token `f.r0`.
    pub(super) fn family(self, at: u64, family: &str) -> Self {
        self.issue(at, pair(family, 0))
    }

    pub(super) fn issue(self, at: u64, grant: Grant) -> Self {
        self.event(at, "n1", Operation::Issue { outcome: Outcome::Done(Box::new(grant)) })
    }

    pub(super) fn verify(self, at: u64, node: &str, token: &str, outcome: Outcome) -> Self {
        self.event(at, node, Operation::Verify { token: token.into(), outcome })
    }

    pub(super) fn revoke(self, at: u64, what: Target, outcome: Outcome) -> Self {
        self.event(at, "n1", Operation::Revoke { what, outcome })
    }

    pub(super) fn disable(self, at: u64, who: Account, outcome: Outcome) -> Self {
        self.event(at, "n1", Operation::Disable { who, outcome })
    }

    pub(super) fn enable(self, at: u64, who: Account, outcome: Outcome) -> Self {
        self.event(at, "n1", Operation::Enable { who, outcome })
    }

    /// Generation `from` of a family is presented, and gives generation `to`.
    pub(super) fn refresh(self, at: u64, family: &str, from: u64, to: u64) -> Self {
        self.exchange(at, &format!("{family}.r{from}"), Outcome::Done(Box::new(pair(family, to))))
    }

    pub(super) fn refresh_fails(self, at: u64, family: &str, from: u64, outcome: Outcome) -> Self {
        let outcome = if outcome.is_refused() { Outcome::Refused } else { Outcome::Unknown };
        self.exchange(at, &format!("{family}.r{from}"), outcome)
    }

    pub(super) fn exchange(self, at: u64, presented: &str, outcome: Outcome<Box<Grant>>) -> Self {
        let presented = presented.into();
        self.event(at, "n1", Operation::Exchange { presented, expires_at: None, outcome })
    }

    pub(super) fn event(mut self, at: u64, node: &str, operation: Operation) -> Self {
        let answered = ms(at + self.took.take().unwrap_or(10));
        self.events.push(Event { called: ms(at), node: node.into(), operation, answered });
        self
    }

    pub(super) fn judge(&self) -> Report {
        check(&self.events, &Settings::default())
    }

    #[track_caller]
    pub(super) fn is_allowed(&self) {
        let report = self.judge();
        assert!(report.breaches.is_empty(), "{report}");
    }

    /// Breaks exactly this rule, in whatever order the events come.
    #[track_caller]
    pub(super) fn breaks(&self, rule: Rule) {
        self.breaks_by(rule, &Settings::default());
    }

    #[track_caller]
    pub(super) fn breaks_by(&self, rule: Rule, settings: &Settings) {
        let report = check(&self.events, settings);
        let rules: Vec<Rule> = report.breaches.iter().map(|breach| breach.rule).collect();
        assert_eq!(rules, [rule], "{report}");
        let mut backwards = self.events.clone();
        backwards.reverse();
        let backwards = check(&backwards, settings);
        assert_eq!(told(&backwards), told(&report), "the order of recording is nothing");
    }
}

/// Breaches as sets of lines: events at the same moment have no order.
fn told(report: &Report) -> Vec<(Rule, BTreeSet<String>)> {
    let lines = |breach: &Breach| breach.story.iter().map(Event::to_string).collect();
    report.breaches.iter().map(|breach| (breach.rule, lines(breach))).collect()
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn token(name: &str) -> Target {
    Target::Token(name.into())
}

pub(super) fn user() -> Account {
    Account::User("u".into())
}

/// Every way to end what belongs to client `c` and person `u` or family `f`.
pub(super) fn group_targets() -> [Target; 4] {
    [
        Target::User("u".into()),
        Target::Client("c".into()),
        Target::UserAtClient("u".into(), "c".into()),
        Target::Everything,
    ]
}

pub(super) fn grant(access: &str, refresh: Option<&str>, family: Option<&str>) -> Grant {
    Grant {
        access: access.into(),
        refresh: refresh.map(Name::from),
        family: family.map(Name::from),
        client: "c".into(),
        user: Some("u".into()),
        expires_at: None,
    }
}

/// A generation of a family.
pub(super) fn pair(family: &str, generation: u64) -> Grant {
    let (access, refresh) = (format!("{family}.{generation}"), format!("{family}.r{generation}"));
    grant(&access, Some(&refresh), Some(family))
}

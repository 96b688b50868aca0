//! One answer of a right history, flipped the forbidden way, is always caught.

use proptest::prelude::*;

use super::cluster::{Cluster, histories, rolls};
use super::*;

proptest! {
    #![proptest_config(histories(300))]

    #[test]
    fn one_forbidden_answer_is_always_caught(rolls in proptest::collection::vec(any::<u64>(), 60..600)) {
        let mut events = Cluster::run(rolls).events;
        for at in 0..events.len() {
            let flips = Flips { events: &events, at };
            let Some((flipped, rules)) = flips.forbidden() else { continue };
            let right = std::mem::replace(&mut events[at].operation, flipped);
            let report = check(&events, &Settings::default());
            let wrong = std::mem::replace(&mut events[at].operation, right);
            let caught = report.breaches.iter().any(|breach| {
                rules.contains(&breach.rule) && breach.story.iter().any(|event| event.operation == wrong)
            });
            prop_assert!(caught, "{:?} expected for {} to {}: {}", rules, events[at], wrong, report);
        }
    }
}

#[test]
fn every_way_to_flip_is_met() {
    let mut met = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let events = Cluster::run(rolls(seed)).events;
        met.extend(
            (0..events.len()).filter_map(|at| Some(Flips { events: &events, at }.forbidden()?.1.to_vec())),
        );
    }
    let ways = met.into_iter().collect::<Vec<_>>();
    assert_eq!(ways.len(), 5, "{ways:?}");
}

/// What may be done to the answer at `at`, seen by looking through the whole history for each.
struct Flips<'a> {
    events: &'a [Event],
    at: usize,
}

impl Flips<'_> {
    /// A forbidden answer, and the rules of which it breaks at least one.
    fn forbidden(&self) -> Option<(Operation, &'static [Rule])> {
        let event = &self.events[self.at];
        match &event.operation {
            Operation::Verify { token, outcome } => {
                let given = self.given(token)?;
                let flipped = |outcome| Operation::Verify { token: token.clone(), outcome };
                match outcome {
                    Outcome::Refused if self.ended_before(given) => {
                        Some((flipped(YES), &[Rule::H1, Rule::H6, Rule::H7]))
                    }
                    Outcome::Refused if self.refused_before_by_this_node(token) => {
                        Some((flipped(YES), &[Rule::H2]))
                    }
                    Outcome::Refused if self.ended_by_settled_unknown(given, token) => {
                        Some((flipped(YES), &[Rule::H5]))
                    }
                    Outcome::Done(()) if self.nothing_ends(given) => Some((flipped(NO), &[Rule::H4])),
                    _ => None,
                }
            }
            Operation::Exchange { presented, outcome, .. } => {
                let given = self.given(presented)?;
                let flipped =
                    |outcome| Operation::Exchange { presented: presented.clone(), expires_at: None, outcome };
                let used = self.used_before(presented);
                match outcome {
                    Outcome::Refused if used => {
                        let pair = Grant { access: "forged".into(), ..self.grant_of(given)?.clone() };
                        Some((flipped(Outcome::Done(Box::new(pair))), &[Rule::H1, Rule::H6, Rule::H7]))
                    }
                    Outcome::Done(_) if self.nothing_ends(given) && !self.presented_otherwise(presented) => {
                        Some((flipped(Outcome::Refused), &[Rule::H3, Rule::H4]))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn grant_of<'a>(&self, event: &'a Event) -> Option<&'a Grant> {
        match &event.operation {
            Operation::Issue { outcome } | Operation::Exchange { outcome, .. } => {
                outcome.done().map(|grant| &**grant)
            }
            _ => None,
        }
    }

    /// The answer that gave this token first, if that was before this call.
    fn given(&self, name: &Name) -> Option<&Event> {
        let gives = |event: &&Event| {
            self.grant_of(event)
                .is_some_and(|grant| grant.access == *name || grant.refresh.as_ref() == Some(name))
        };
        let first = self.events.iter().filter(gives).min_by_key(|event| event.answered)?;
        (first.answered < self.events[self.at].called).then_some(first)
    }

    fn concerns(&self, what: &Target, grant: &Grant) -> bool {
        match what {
            Target::Token(name) => {
                let family = self.events.iter().filter_map(|event| self.grant_of(event));
                let mut family = family.filter(|found| found.access == *name).map(|found| &found.family);
                *name == grant.access || grant.family.is_some() && family.any(|found| *found == grant.family)
            }
            Target::Family(name) => Some(name) == grant.family.as_ref(),
            Target::User(name) => Some(name) == grant.user.as_ref(),
            Target::Client(name) => *name == grant.client,
            Target::UserAtClient(user, client) => {
                Some(user) == grant.user.as_ref() && *client == grant.client
            }
            Target::Everything => true,
        }
    }

    /// An acknowledged revocation was sent after it was given, and answered before this call.
    fn ended_before(&self, given: &Event) -> bool {
        let Some(grant) = self.grant_of(given) else { return false };
        self.events.iter().any(|event| match &event.operation {
            Operation::Revoke { what, outcome: Outcome::Done(()) } => {
                event.called > given.answered
                    && event.answered < self.events[self.at].called
                    && self.concerns(what, grant)
            }
            _ => false,
        })
    }

    fn refused_before_by_this_node(&self, token: &Name) -> bool {
        let this = &self.events[self.at];
        let refused = Operation::Verify { token: token.clone(), outcome: NO };
        self.events.iter().any(|event| {
            event.operation == refused && event.node == this.node && event.answered < this.called
        })
    }

    /// Nobody ever asked for anything that could end it, and it does not expire.
    fn nothing_ends(&self, given: &Event) -> bool {
        self.may_end(given).is_some_and(|ends| ends.is_empty())
    }

    /// One call whose outcome is unknown, and had settled before this one, did end it: another node refused it.
    fn ended_by_settled_unknown(&self, given: &Event, token: &Name) -> bool {
        let Some(&[end]) = self.may_end(given).as_deref() else { return false };
        let unknown = matches!(end.operation, Operation::Revoke { outcome: Outcome::Unknown, .. });
        let refused = Operation::Verify { token: token.clone(), outcome: NO };
        let others = self.events.iter().enumerate().filter(|(at, _)| *at != self.at);
        unknown
            && self.events[self.at].called > end.answered + ms(SETTLING)
            && others
                .into_iter()
                .any(|(_, event)| event.operation == refused && event.called > given.answered)
    }

    /// Every call that may have ended it; `None` when it expires.
    fn may_end(&self, given: &Event) -> Option<Vec<&Event>> {
        let grant = self.grant_of(given).filter(|grant| grant.expires_at.is_none())?;
        let may_end = |event: &&Event| match &event.operation {
            Operation::Revoke { what, .. } => self.concerns(what, grant),
            Operation::Disable { who: Account::User(name), .. } => Some(name) == grant.user.as_ref(),
            Operation::Disable { who: Account::Client(name), .. } => *name == grant.client,
            // A refusal anywhere in the family may have been a reuse.
            Operation::Exchange { presented, outcome, .. } => {
                let given = self.events.iter().filter_map(|event| self.grant_of(event));
                let mut of = given.filter(|found| found.refresh.as_ref() == Some(presented));
                outcome.done().is_none() && of.any(|found| found.family == grant.family)
            }
            _ => false,
        };
        Some(self.events.iter().filter(may_end).collect())
    }

    fn used_before(&self, credential: &Name) -> bool {
        let this = &self.events[self.at];
        self.events.iter().any(|event| match &event.operation {
            Operation::Exchange { presented, outcome: Outcome::Done(_), .. } => {
                presented == credential && event.answered < this.called
            }
            _ => false,
        })
    }

    fn presented_otherwise(&self, credential: &Name) -> bool {
        let others = self.events.iter().enumerate().filter(|(at, _)| *at != self.at);
        others.into_iter().any(|(_, event)| {
            matches!(&event.operation, Operation::Exchange { presented, .. } if presented == credential)
        })
    }
}

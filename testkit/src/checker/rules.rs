//! Every answer against the rules.

use std::collections::HashMap;

use super::ends::{End, Ends};
use super::index::{At, EventAt, Index, Token, at};
use super::{Breach, Event, Grant, Operation, Rule, Settings};

/// All breaches.
pub(super) fn judge(index: &Index<'_>, ends: &Ends, settings: &Settings) -> Vec<Breach> {
    let judge = Judge { index, ends, settings };
    let mut breaches = Vec::new();
    for token in &index.tokens {
        let after_end = judge.accepted_after_its_end(token);
        // What an end did that is not honoured says nothing about the causes of a refusal.
        if after_end.is_none() {
            breaches.extend(judge.refused_without_cause(token));
        }
        breaches.extend(after_end);
        breaches.extend(judge.accepted_after_refusal(token));
        breaches.extend(judge.used_twice(token));
    }
    breaches
}

struct Judge<'a> {
    index: &'a Index<'a>,
    ends: &'a Ends,
    settings: &'a Settings,
}

impl Judge<'_> {
    /// H1, H7, and H6 for families that a reuse has ended.
    fn accepted_after_its_end(&self, token: &Token) -> Option<Breach> {
        let end = self.ends.deadline(token)?;
        let accepted = *token.accepted.iter().find(|event| self.called(**event) > end.settles)?;
        let story = [token.given_by, end.because, Some(end.event), Some(accepted)];
        Some(self.breach(end.rule, &story))
    }

    /// H2: by the same node, and called after the refusal was answered.
    fn accepted_after_refusal(&self, token: &Token) -> Option<Breach> {
        let mut first_refused: HashMap<&str, EventAt> = HashMap::new();
        for event in token.refused.iter().filter(|event| self.is_verify(**event)) {
            let first = first_refused.entry(&self.index.events[*event].node).or_insert(*event);
            if self.answered(*event) < self.answered(*first) {
                *first = *event;
            }
        }
        if first_refused.is_empty() {
            return None;
        }
        let breach = token.accepted.iter().filter(|event| self.is_verify(**event)).find_map(|event| {
            let refused = first_refused.get(&*self.index.events[*event].node)?;
            (self.called(*event) > self.answered(*refused)).then_some((*refused, *event))
        });
        breach.map(|(refused, accepted)| self.breach(Rule::H2, &[Some(refused), Some(accepted)]))
    }

    /// H3, H4 and H5. If the earliest refusal has a cause, all have it.
    fn refused_without_cause(&self, token: &Token) -> Option<Breach> {
        let given_by = token.given_by?;
        let known = token.refused.iter().filter(|event| self.called(**event) > token.issued.answered);
        let refused = *known.min_by_key(|event| self.answered(**event))?;
        let answered = self.answered(refused);
        if answered.saturating_add(at(self.settings.clock_slack)) >= token.expires_at {
            return None;
        }
        let last_accepted = token.last_accepted();
        let mut excluded: Option<(&End, EventAt)> = None;
        for end in self.ends.candidates(token, answered) {
            let own = last_accepted.filter(|event| self.called(*event) > end.settles_for(token));
            match own.or(end.refuted_by) {
                None => return None,
                Some(accepted) => excluded = excluded.or(Some((end, accepted))),
            }
        }
        Some(match (excluded, self.ends.next_called(token, answered)) {
            (Some((end, accepted)), _) => {
                let rule = if end.done { end.rule } else { Rule::H5 };
                let other = self.index.token_of(accepted).filter(|other| !std::ptr::eq(*other, token));
                let accepted_given_by = other.and_then(|other| other.given_by);
                let story =
                    [Some(given_by), accepted_given_by, Some(end.event), Some(accepted), Some(refused)];
                self.breach(rule, &story)
            }
            (None, Some(end)) => self.breach(Rule::H3, &[Some(given_by), Some(refused), Some(end.event)]),
            (None, None) => self.breach(Rule::H4, &[Some(given_by), Some(refused)]),
        })
    }

    /// H6 within one token: two different answers, or the same one outside the window.
    fn used_twice(&self, token: &Token) -> Option<Breach> {
        let mut uses = token.presented.iter().filter_map(|event| Some((*event, self.index.grant(*event)?)));
        let (first, given) = uses.next()?;
        let mut first_answered = (self.answered(first), first);
        for (event, again) in uses {
            if pair(given) != pair(again) {
                return Some(self.breach(Rule::H6, &[token.given_by, Some(first), Some(event)]));
            }
            if self.window_ends(first_answered.0).is_none_or(|ends| self.called(event) > ends) {
                return Some(self.breach(Rule::H6, &[token.given_by, Some(first_answered.1), Some(event)]));
            }
            first_answered = first_answered.min((self.answered(event), event));
        }
        None
    }

    /// The latest moment at which a token used before `answered` may get the same answer again, if it ever may.
    fn window_ends(&self, answered: At) -> Option<At> {
        let window = at(self.settings.grace) + at(self.settings.clock_slack);
        (!self.settings.grace.is_zero()).then(|| answered.saturating_add(window))
    }

    fn breach(&self, rule: Rule, story: &[Option<EventAt>]) -> Breach {
        let mut events: Vec<EventAt> = story.iter().flatten().copied().collect();
        events.sort_unstable();
        events.dedup();
        let story: Vec<Event> = events.into_iter().map(|event| self.index.events[event].clone()).collect();
        Breach::new(rule, story)
    }

    fn is_verify(&self, event: EventAt) -> bool {
        matches!(self.index.events[event].operation, Operation::Verify { .. })
    }

    fn called(&self, event: EventAt) -> At {
        self.index.spans[event].called
    }

    fn answered(&self, event: EventAt) -> At {
        self.index.spans[event].answered
    }
}

fn pair(grant: &Grant) -> (&str, Option<&str>) {
    (&grant.access, grant.refresh.as_deref())
}

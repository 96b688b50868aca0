//! Ends that nobody asked for: a refresh token or code that was used before is presented again, and ends its family.
//!
//! Who presents a good token of a family and is refused has been told that the family has ended: by this call, because
//! the token had been used, or by an earlier one that may not have settled yet.

use super::ends::{End, Ends};
use super::index::{At, EventAt, Index, Token, at};
use super::{Outcome, Rule, Settings};

/// Adds an end for each presentation that may have been a reuse.
pub(super) fn add(index: &Index<'_>, settings: &Settings, ends: &mut Ends) {
    let mut found = Vec::new();
    for token in index.tokens.iter().filter(|token| token.presented.len() > 1) {
        let Some(group) = family_of(index, token) else { continue };
        let uses = Uses::of(index, token, settings);
        let reuses = token.presented.iter().filter_map(|event| uses.end_by(*event));
        found.extend(reuses.map(|end| (token, group, end)));
    }
    found.iter().for_each(|(_, group, end)| ends.add(*group, end.clone()));
    // A call that found the family ended was answered at once, when the end that it found need not have settled.
    ends.sort();
    let mut late = Vec::new();
    for (token, group, end) in &found {
        if end.done {
            let settles = ends.settled_if_called_by(token, index.spans[end.event].answered);
            late.push((*group, end.event, settles.max(end.settles)));
        }
    }
    late.sort_unstable();
    for (group, group_ends) in ends.groups_mut() {
        for end in group_ends.ends.iter_mut().filter(|end| end.rule == Rule::H6) {
            let found = late.binary_search_by_key(&(group, end.event), |(group, event, _)| (*group, *event));
            end.settles = found.map_or(end.settles, |at| late[at].2);
        }
    }
}

/// The group of the family that this token, or a code that gave it, belongs to.
fn family_of(index: &Index<'_>, token: &Token) -> Option<usize> {
    if token.given_by.is_some() {
        return token.groups.first().copied();
    }
    let given = token.accepted.iter().find_map(|event| index.grant(*event))?;
    let given = index.token_named(&given.access)?;
    index.tokens[given].groups.first().copied()
}

/// How one token was used.
struct Uses<'a> {
    index: &'a Index<'a>,
    settings: &'a Settings,
    token: &'a Token,
    /// Presentations that may have used it, by the time of the call: the first two suffice.
    first: Vec<EventAt>,
    /// When its successor was first presented.
    successor_presented: Option<At>,
}

impl<'a> Uses<'a> {
    fn of(index: &'a Index<'a>, token: &'a Token, settings: &'a Settings) -> Self {
        let used = token.presented.iter().filter(|event| !index.exchanged(**event).is_refused());
        let successors = token.accepted.iter().filter_map(|event| index.grant(*event)?.refresh.as_deref());
        let presented = successors
            .filter_map(|name| index.tokens[index.token_named(name)?].presented.first())
            .map(|event| index.spans[*event].called);
        Self {
            index,
            settings,
            token,
            first: used.take(2).copied().collect(),
            successor_presented: presented.min(),
        }
    }

    /// The end of the family by this presentation, if it may be one.
    fn end_by(&self, event: EventAt) -> Option<End> {
        let span = self.index.spans[event];
        let slack = at(self.settings.clock_slack);
        // The latest moment at which it was looked at.
        let (refused, latest) = match self.index.exchanged(event) {
            Outcome::Done(_) => return None,
            Outcome::Refused => (true, span.answered),
            Outcome::Unknown => (false, span.answered.saturating_add(at(self.settings.settling()))),
        };
        let used_by = *self.first.iter().find(|used| **used != event)?;
        let used_at = self.index.spans[used_by].called;
        let expired = span.called > self.token.expires_at.saturating_add(slack);
        if used_at > latest || expired || self.is_honest_retry(used_at, latest) {
            return None;
        }
        let may_be_expired = span.answered.saturating_add(slack) >= self.token.expires_at;
        let (done, settles) = (refused && !may_be_expired, latest);
        let mut end = End::for_good(self.index, event, Rule::H6, done, settles);
        end.because = Some(used_by);
        Some(end)
    }

    /// Whether it was looked at within the grace window for certain, when it was still the token just replaced: then it
    /// gets the same answer, and ends nothing.
    fn is_honest_retry(&self, used_at: At, latest: At) -> bool {
        let (grace, slack) = (at(self.settings.grace), at(self.settings.clock_slack));
        let replaced = self.successor_presented.is_some_and(|presented| presented <= latest);
        !replaced && latest.saturating_add(slack) < used_at.saturating_add(grace)
    }
}

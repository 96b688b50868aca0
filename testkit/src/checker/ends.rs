//! Calls that may have ended tokens: what, from when on, and whom.

use std::collections::HashMap;

use super::index::{At, EventAt, Index, NEVER, Token, at};
use super::{Operation, Outcome, Rule, Settings, Target};

/// One call that may have ended the tokens of a group.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// The call.
    pub(super) event: EventAt,
    /// Another event that shows why it ended something, if it takes one to see that.
    pub(super) because: Option<EventAt>,
    /// The rule that an acceptance after it breaks.
    pub(super) rule: Rule,
    pub(super) called: At,
    /// Whether it happened for certain.
    pub(super) done: bool,
    /// If it happened, then before this: what it ended is refused in every answer to a later call.
    pub(super) settles: At,
    /// If it happened, it ended every token whose family began before this.
    pub(super) covers_certainly_until: At,
    /// It ended no token whose family began after this.
    pub(super) covers_possibly_until: At,
    /// The acceptance that shows that it did not happen.
    pub(super) refuted_by: Option<EventAt>,
}

impl End {
    /// Of something that cannot come back: a token, or a family.
    pub(super) fn for_good(index: &Index<'_>, event: EventAt, rule: Rule, done: bool, settles: At) -> Self {
        Self {
            event,
            because: None,
            rule,
            called: index.spans[event].called,
            done,
            settles,
            covers_certainly_until: NEVER,
            covers_possibly_until: NEVER,
            refuted_by: None,
        }
    }

    /// Whether it ended this token, if it happened.
    pub(super) fn covers_certainly(&self, token: &Token) -> bool {
        token.begun.answered < self.covers_certainly_until
    }

    /// The acceptance of a call after this shows that it did not end this token.
    pub(super) fn settles_for(&self, token: &Token) -> At {
        match self.covers_certainly(token) {
            true => self.settles,
            false => self.settles.max(self.covers_possibly_until),
        }
    }
}

/// All ends, by the group that they end.
pub(super) struct Ends {
    groups: Vec<GroupEnds>,
}

/// The ends of one group.
#[derive(Default)]
pub(super) struct GroupEnds {
    /// By the time of the call.
    pub(super) ends: Vec<End>,
    /// For each end, the latest moment that it or an earlier one possibly covers.
    covers_possibly_until: Vec<At>,
    /// For each end, the latest moment at which it or an earlier one settles.
    settles: Vec<At>,
    /// The ends that happened, by what they cover for certain; with that of it and those after it which settles first.
    first_settled: Vec<(At, usize)>,
}

impl Ends {
    /// The ends that somebody asked for.
    pub(super) fn of(index: &Index<'_>, settings: &Settings) -> Self {
        let mut ends = Self { groups: Vec::new() };
        ends.groups.resize_with(index.group_count(), GroupEnds::default);
        let enables = Enables::of(index, settings);
        for event in 0..index.events.len() {
            match &index.events[event].operation {
                Operation::Revoke { what, outcome } => {
                    let (Some(group), Some(mut end)) =
                        (index.group_of_target(what), asked(index, settings, event, *outcome))
                    else {
                        continue;
                    };
                    match what {
                        Target::Token(_) => end.rule = Rule::H1,
                        Target::Family(_) => {}
                        _ => {
                            end.covers_certainly_until = end.called;
                            end.covers_possibly_until = end.settles;
                        }
                    }
                    ends.add(group, end);
                }
                Operation::Disable { who, outcome } => {
                    let (Some(group), Some(mut end)) =
                        (index.group_of_account(who), asked(index, settings, event, *outcome))
                    else {
                        continue;
                    };
                    enables.limit(group, &mut end);
                    ends.add(group, end);
                }
                _ => {}
            }
        }
        ends
    }

    pub(super) fn add(&mut self, group: usize, end: End) {
        self.groups[group].ends.push(end);
    }

    pub(super) fn group(&self, group: usize) -> &GroupEnds {
        &self.groups[group]
    }

    pub(super) fn groups_mut(&mut self) -> impl Iterator<Item = (usize, &mut GroupEnds)> {
        self.groups.iter_mut().enumerate()
    }

    /// Prepares the questions below, after the last end was added.
    pub(super) fn sort(&mut self) {
        self.groups.iter_mut().for_each(GroupEnds::sort);
    }

    /// The end after which this token may not be accepted: that which settled first.
    pub(super) fn deadline(&self, token: &Token) -> Option<&End> {
        let settled = token.groups.iter().filter_map(|group| self.groups[*group].first_settled(token));
        settled.min_by_key(|end| end.settles)
    }

    /// When everything has settled that was asked for by `moment` and may have ended this token.
    pub(super) fn settled_if_called_by(&self, token: &Token, moment: At) -> At {
        let settled = token.groups.iter().map(|group| {
            let group = &self.groups[*group];
            group.called_by(moment).checked_sub(1).map_or(0, |last| group.settles[last])
        });
        settled.max().unwrap_or(0)
    }

    /// The ends, called by `moment`, that may have ended this token; those called last come first.
    pub(super) fn candidates<'a>(&'a self, token: &'a Token, moment: At) -> impl Iterator<Item = &'a End> {
        token.groups.iter().flat_map(move |group| self.groups[*group].candidates(token, moment))
    }

    /// The first end that was called after `moment` and covers this token.
    pub(super) fn next_called(&self, token: &Token, moment: At) -> Option<&End> {
        let later = token.groups.iter().filter_map(|group| {
            let group = &self.groups[*group];
            group.ends.get(group.called_by(moment))
        });
        later.min_by_key(|end| end.called)
    }
}

impl GroupEnds {
    fn sort(&mut self) {
        self.ends.sort_by_key(|end| end.called);
        self.covers_possibly_until = running_max(self.ends.iter().map(|end| end.covers_possibly_until));
        self.settles = running_max(self.ends.iter().map(|end| end.settles));
        let done = self.ends.iter().enumerate().filter(|(_, end)| end.done);
        let mut first: Vec<(At, usize)> = done.map(|(at, end)| (end.covers_certainly_until, at)).collect();
        first.sort_unstable();
        for at in (1..first.len()).rev() {
            let (later, this) = (first[at].1, first[at - 1].1);
            if self.ends[later].settles < self.ends[this].settles {
                first[at - 1].1 = later;
            }
        }
        self.first_settled = first;
    }

    fn first_settled(&self, token: &Token) -> Option<&End> {
        let at = self.first_settled.partition_point(|(until, _)| *until <= token.begun.answered);
        self.first_settled.get(at).map(|(_, end)| &self.ends[*end])
    }

    fn called_by(&self, moment: At) -> usize {
        self.ends.partition_point(|end| end.called <= moment)
    }

    fn candidates<'a>(&'a self, token: &'a Token, moment: At) -> impl Iterator<Item = &'a End> {
        let last = self.called_by(moment);
        (0..last)
            .rev()
            .take_while(|at| self.covers_possibly_until[*at] >= token.begun.called)
            .map(|at| &self.ends[at])
            .filter(|end| end.covers_possibly_until >= token.begun.called)
    }
}

fn running_max(moments: impl Iterator<Item = At>) -> Vec<At> {
    moments
        .scan(0, |max: &mut At, moment| {
            *max = moment.max(*max);
            Some(*max)
        })
        .collect()
}

/// The end that a call asked for, unless nothing was done for certain.
fn asked(index: &Index<'_>, settings: &Settings, event: EventAt, outcome: Outcome) -> Option<End> {
    let settles = settles(index, settings, event, outcome)?;
    Some(End::for_good(index, event, Rule::H7, outcome.done().is_some(), settles))
}

fn settles(index: &Index<'_>, settings: &Settings, event: EventAt, outcome: Outcome) -> Option<At> {
    let answered = index.spans[event].answered;
    match outcome {
        Outcome::Done(()) => Some(answered),
        Outcome::Unknown => Some(answered.saturating_add(at(settings.settling()))),
        Outcome::Refused => None,
    }
}

/// When each person and client was enabled: by group, from the call until it has settled, and whether for certain.
struct Enables(HashMap<usize, Vec<(At, At, bool)>>);

impl Enables {
    fn of(index: &Index<'_>, settings: &Settings) -> Self {
        let mut enables = HashMap::<_, Vec<_>>::new();
        for event in 0..index.events.len() {
            let Operation::Enable { who, outcome } = &index.events[event].operation else { continue };
            let found = (index.group_of_account(who), settles(index, settings, event, *outcome));
            let (Some(group), Some(settles)) = found else { continue };
            let enabled = (index.spans[event].called, settles, outcome.done().is_some());
            enables.entry(group).or_default().push(enabled);
        }
        enables.values_mut().for_each(|enabled| enabled.sort_unstable());
        Self(enables)
    }

    /// A disabled person or client is given nothing until it is enabled: so whatever was given before that has ended.
    fn limit(&self, group: usize, disabled: &mut End) {
        let enables = self.0.get(&group).map_or(&[][..], Vec::as_slice);
        let maybe = enables.iter().find(|(_, settles, _)| *settles >= disabled.called);
        let surely = enables.iter().find(|(called, _, done)| *done && *called > disabled.settles);
        disabled.covers_certainly_until = maybe.map_or(NEVER, |(called, ..)| disabled.called.max(*called));
        disabled.covers_possibly_until = surely.map_or(NEVER, |(_, settles, _)| *settles);
    }
}

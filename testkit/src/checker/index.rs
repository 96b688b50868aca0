//! Which tokens there are, what they belong to, and what was answered about each.

use std::collections::HashMap;
use std::time::Duration;

use super::{Account, Event, Grant, Operation, Outcome, Target};

/// Nanoseconds since the start of the history.
pub(super) type At = u64;

/// Later than everything.
pub(super) const NEVER: At = At::MAX;

/// The place of an event in the history.
pub(super) type EventAt = usize;

/// From a call to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) called: At,
    pub(super) answered: At,
}

impl Span {
    fn earliest(self, other: Self) -> Self {
        Self { called: self.called.min(other.called), answered: self.answered.min(other.answered) }
    }
}

/// The history, ordered by what it speaks of.
pub(super) struct Index<'a> {
    pub(super) events: &'a [Event],
    pub(super) spans: Vec<Span>,
    pub(super) tokens: Vec<Token>,
    groups: HashMap<Group<'a>, usize>,
    tokens_by_name: HashMap<&'a str, usize>,
    /// How many answers say something.
    pub(super) judged: usize,
    /// How many outcomes are unknown.
    pub(super) unknown: usize,
}

/// An access token, a refresh token or a code.
pub(super) struct Token {
    /// The answer that gave it first, if that was recorded.
    pub(super) given_by: Option<EventAt>,
    /// When it came to be; the start of all when that was not recorded.
    pub(super) issued: Span,
    /// When its family began; when it came to be if it has none.
    pub(super) begun: Span,
    /// What it ends with, that which is narrowest first.
    pub(super) groups: Vec<usize>,
    /// When it ends by itself.
    pub(super) expires_at: At,
    /// Answers that accepted it, and that refused it, by the time of the call.
    pub(super) accepted: Vec<EventAt>,
    pub(super) refused: Vec<EventAt>,
    /// Where it was presented to be exchanged, by the time of the call.
    pub(super) presented: Vec<EventAt>,
}

impl Token {
    /// The acceptance that was asked for last.
    pub(super) fn last_accepted(&self) -> Option<EventAt> {
        self.accepted.last().copied()
    }
}

/// What tokens end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Group<'a> {
    Token(&'a str),
    Family(&'a str),
    User(&'a str),
    Client(&'a str),
    UserAtClient(&'a str, &'a str),
    Everything,
}

impl<'a> Index<'a> {
    pub(super) fn of(events: &'a [Event]) -> Self {
        let spans =
            events.iter().map(|event| Span { called: at(event.called), answered: at(event.answered) });
        let mut index = Self {
            events,
            spans: spans.collect(),
            tokens: Vec::new(),
            groups: HashMap::new(),
            tokens_by_name: HashMap::new(),
            judged: 0,
            unknown: 0,
        };
        let mut order: Vec<EventAt> = (0..events.len()).collect();
        order.sort_by_key(|event| (index.spans[*event].called, index.spans[*event].answered));
        index.add_grants(&order);
        order.iter().for_each(|event| index.add_answer(*event));
        index
    }

    /// How many groups there are.
    pub(super) fn group_count(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn token_named(&self, name: &str) -> Option<usize> {
        self.tokens_by_name.get(name).copied()
    }

    /// The token that an answer is about.
    pub(super) fn token_of(&self, event: EventAt) -> Option<&Token> {
        match &self.events[event].operation {
            Operation::Verify { token: name, .. } | Operation::Exchange { presented: name, .. } => {
                self.token_named(name).map(|token| &self.tokens[token])
            }
            _ => None,
        }
    }

    /// The group that a revocation of this ends, if a token of it is known.
    pub(super) fn group_of_target(&self, target: &'a Target) -> Option<usize> {
        let group = match target {
            Target::Token(name) => return self.token_named(name).map(|token| self.tokens[token].groups[0]),
            Target::Family(family) => Group::Family(family),
            Target::User(user) => Group::User(user),
            Target::Client(client) => Group::Client(client),
            Target::UserAtClient(user, client) => Group::UserAtClient(user, client),
            Target::Everything => Group::Everything,
        };
        self.groups.get(&group).copied()
    }

    /// The group that ends when this person or client is disabled.
    pub(super) fn group_of_account(&self, account: &'a Account) -> Option<usize> {
        let group = match account {
            Account::User(user) => Group::User(user),
            Account::Client(client) => Group::Client(client),
        };
        self.groups.get(&group).copied()
    }

    /// What an event gave.
    pub(super) fn grant(&self, event: EventAt) -> Option<&'a Grant> {
        match &self.events[event].operation {
            Operation::Issue { outcome } | Operation::Exchange { outcome, .. } => {
                outcome.done().map(|grant| &**grant)
            }
            _ => None,
        }
    }

    /// The outcome of presenting a token to be exchanged; for other events [`Outcome::Unknown`].
    pub(super) fn exchanged(&self, event: EventAt) -> Outcome<&'a Grant> {
        match &self.events[event].operation {
            Operation::Exchange { outcome: Outcome::Done(grant), .. } => Outcome::Done(grant),
            Operation::Exchange { outcome: Outcome::Refused, .. } => Outcome::Refused,
            _ => Outcome::Unknown,
        }
    }

    /// What was given may have come to be when the same token was presented first, and its answer been lost.
    fn add_grants(&mut self, order: &[EventAt]) {
        let mut first_presented: HashMap<&str, At> = HashMap::new();
        let mut families: HashMap<&str, Span> = HashMap::new();
        for event in order.iter().copied() {
            let mut span = self.spans[event];
            if let Operation::Exchange { presented, outcome, .. } = &self.events[event].operation
                && !outcome.is_refused()
            {
                span.called = *first_presented.entry(presented).or_insert(span.called);
            }
            let Some(grant) = self.grant(event) else { continue };
            if let Some(family) = &grant.family {
                families.entry(family).and_modify(|begun| *begun = begun.earliest(span)).or_insert(span);
            }
            let access = self.add_given(&grant.access, event, span);
            let expires_at = grant.expires_at.map_or(NEVER, at);
            self.tokens[access].expires_at = self.tokens[access].expires_at.min(expires_at);
            if let Some(refresh) = &grant.refresh {
                self.add_given(refresh, event, span);
            }
        }
        for token in &mut self.tokens {
            let grant = token.given_by.map(|event| &self.events[event].operation);
            if let Some(Operation::Issue { outcome } | Operation::Exchange { outcome, .. }) = grant
                && let Some(family) = outcome.done().and_then(|grant| grant.family.as_deref())
            {
                token.begun = families.get(family).copied().unwrap_or(token.issued);
            }
        }
    }

    fn add_given(&mut self, name: &'a str, event: EventAt, span: Span) -> usize {
        let token = self.token(name, Some(event));
        let found = &mut self.tokens[token];
        // By the order of calls, the first answer need not be the first that gave it.
        if found.given_by.is_none_or(|first| self.spans[event].answered < self.spans[first].answered) {
            found.given_by = Some(event);
        }
        found.issued = found.issued.earliest(span);
        found.begun = found.issued;
        token
    }

    fn add_answer(&mut self, event: EventAt) {
        let (token, outcome) = match &self.events[event].operation {
            Operation::Verify { token, outcome } => (self.token(token, None), *outcome),
            Operation::Exchange { presented, expires_at, outcome } => {
                let token = self.token(presented, None);
                let expires_at = expires_at.map_or(NEVER, at);
                self.tokens[token].expires_at = self.tokens[token].expires_at.min(expires_at);
                self.tokens[token].presented.push(event);
                let outcome = match outcome {
                    Outcome::Done(_) => Outcome::Done(()),
                    Outcome::Refused => Outcome::Refused,
                    Outcome::Unknown => Outcome::Unknown,
                };
                (token, outcome)
            }
            Operation::Revoke { outcome, .. }
            | Operation::Disable { outcome, .. }
            | Operation::Enable { outcome, .. } => {
                self.unknown += usize::from(*outcome == Outcome::Unknown);
                return;
            }
            Operation::Issue { outcome } => {
                self.unknown += usize::from(*outcome == Outcome::Unknown);
                return;
            }
        };
        match outcome {
            Outcome::Done(()) => self.tokens[token].accepted.push(event),
            Outcome::Refused => self.tokens[token].refused.push(event),
            Outcome::Unknown => self.unknown += 1,
        }
        self.judged += usize::from(outcome != Outcome::Unknown);
    }

    fn token(&mut self, name: &'a str, given_by: Option<EventAt>) -> usize {
        if let Some(token) = self.tokens_by_name.get(name) {
            return *token;
        }
        let grant = given_by.and_then(|event| self.grant(event));
        let groups = groups_of(name, grant).into_iter().map(|group| self.group(group)).collect();
        // Nothing is asked about when a token began whose issue was not recorded: only its own end concerns it.
        let issued = given_by.map_or(Span { called: 0, answered: 0 }, |event| self.spans[event]);
        self.tokens.push(Token {
            given_by,
            issued,
            begun: issued,
            groups,
            expires_at: NEVER,
            accepted: Vec::new(),
            refused: Vec::new(),
            presented: Vec::new(),
        });
        self.tokens_by_name.insert(name, self.tokens.len() - 1);
        self.tokens.len() - 1
    }

    fn group(&mut self, group: Group<'a>) -> usize {
        let next = self.groups.len();
        *self.groups.entry(group).or_insert(next)
    }
}

fn groups_of<'a>(name: &'a str, grant: Option<&'a Grant>) -> Vec<Group<'a>> {
    let Some(grant) = grant else { return vec![Group::Token(name)] };
    let narrowest = grant.family.as_deref().map_or(Group::Token(name), Group::Family);
    let mut groups = vec![narrowest, Group::Client(&grant.client), Group::Everything];
    if let Some(user) = &grant.user {
        groups.extend([Group::User(user), Group::UserAtClient(user, &grant.client)]);
    }
    groups
}

pub(super) fn at(time: Duration) -> At {
    At::try_from(time.as_nanos()).unwrap_or(NEVER)
}

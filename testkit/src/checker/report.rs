//! What was found: the breaches, each with the events that prove it, and the figures.

use std::fmt;
use std::time::Duration;

use super::{Account, Event, Flapping, Grant, Operation, Outcome, Target};

/// The rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// What is called after the 200 of a token's revocation never accepts it.
    H1,
    /// A node that said inactive never says active again.
    H2,
    /// Inactive needs a cause that was called before the answer.
    H3,
    /// A token whose issue was acknowledged is active on every node, until H3 allows otherwise.
    H4,
    /// After an unknown outcome all nodes agree within the lease and 0.1 s, and stay agreed.
    H5,
    /// A refresh token or code succeeds once, or with the same answer inside the window; its reuse ends the family.
    H6,
    /// The end of a family, person, client or everything obeys H1 for each member issued before the call.
    H7,
}

impl Rule {
    /// What it says, in a line.
    pub const fn says(self) -> &'static str {
        match self {
            Self::H1 => "accepted after the 200 of its revocation",
            Self::H2 => "accepted by a node that had refused it",
            Self::H3 => "refused before anything was asked that could end it",
            Self::H4 => "refused though its issue was acknowledged and nobody asked for its end",
            Self::H5 => "the nodes did not agree after an unknown outcome had settled",
            Self::H6 => "used twice, or accepted after a reuse had ended its family",
            Self::H7 => "accepted after the 200 of the end of what it belongs to",
        }
    }
}

/// Answers that cannot all be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The rule that they break.
    pub rule: Rule,
    /// The shortest story that proves it, by the time of the calls.
    pub story: Vec<Event>,
}

impl Breach {
    pub(super) fn new(rule: Rule, mut story: Vec<Event>) -> Self {
        story.sort_by_key(|event| (event.called, event.answered));
        Self { rule, story }
    }

    /// When the last answer of the story was known.
    pub fn proven_at(&self) -> Duration {
        self.story.iter().map(|event| event.answered).max().unwrap_or_default()
    }
}

/// The verdict on a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// By the time at which they were proven.
    pub breaches: Vec<Breach>,
    /// How many answers about tokens were judged.
    pub judged: usize,
    /// How many outcomes are unknown.
    pub unknown: usize,
    /// F: disagreement of nodes before an end was acknowledged.
    pub flapping: Flapping,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Flapping { count, longest } = self.flapping;
        writeln!(
            f,
            "{} breaches in {} answers; {} unknown outcomes; {count} acceptances after another node's refusal, \
             within {longest:.3?}",
            self.breaches.len(),
            self.judged,
            self.unknown
        )?;
        self.breaches.iter().take(SHOWN).try_for_each(|breach| write!(f, "{breach}"))?;
        match self.breaches.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "… and {more} more"),
        }
    }
}

/// Stories printed in full.
const SHOWN: usize = 20;

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}: {}", self.rule, self.rule.says())?;
        self.story.iter().try_for_each(|event| writeln!(f, "  {event}"))
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (called, answered) = (self.called.as_secs_f64(), self.answered.as_secs_f64());
        write!(f, "{called:>12.6} to {answered:>12.6} s  {}  {}", self.node, self.operation)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issue { outcome } => write!(f, "issue: {}", Given(outcome)),
            Self::Exchange { presented, outcome, .. } => {
                write!(f, "exchange {}: {}", Short(presented), Given(outcome))
            }
            Self::Verify { token, outcome } => {
                let said = match outcome {
                    Outcome::Done(()) => "active",
                    Outcome::Refused => "inactive",
                    Outcome::Unknown => "not known",
                };
                write!(f, "verify {}: {said}", Short(token))
            }
            Self::Revoke { what, outcome } => write!(f, "revoke {what}: {outcome}"),
            Self::Disable { who, outcome } => write!(f, "disable {who}: {outcome}"),
            Self::Enable { who, outcome } => write!(f, "enable {who}: {outcome}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done(()) => "done",
            Self::Refused => "refused",
            Self::Unknown => "not known",
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(name) => write!(f, "token {}", Short(name)),
            Self::Family(name) => write!(f, "family {}", Short(name)),
            Self::User(name) => write!(f, "person {name}"),
            Self::Client(name) => write!(f, "client {name}"),
            Self::UserAtClient(user, client) => write!(f, "person {user} at client {client}"),
            Self::Everything => f.write_str("everything"),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "person {name}"),
            Self::Client(name) => write!(f, "client {name}"),
        }
    }
}

/// The tokens of an answer.
struct Given<'a>(&'a Outcome<Box<Grant>>);

impl fmt::Display for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome::Done(grant) = self.0 else {
            return f.write_str(if self.0.is_refused() { "refused" } else { "not known" });
        };
        write!(f, "{}", Short(&grant.access))?;
        if let Some(refresh) = &grant.refresh {
            write!(f, " and {}", Short(refresh))?;
        }
        if let Some(family) = &grant.family {
            write!(f, ", family {}", Short(family))?;
        }
        if let Some(user) = &grant.user {
            write!(f, ", person {user}")?;
        }
        write!(f, ", client {}", grant.client)
    }
}

/// A token's name, without its middle: all begin alike, and the end tells them apart.
struct Short<'a>(&'a str);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.0.chars().count();
        if letters <= 24 {
            return f.write_str(self.0);
        }
        let head: String = self.0.chars().take(4).collect();
        let tail: String = self.0.chars().skip(letters - 12).collect();
        write!(f, "{head}…{tail}")
    }
}

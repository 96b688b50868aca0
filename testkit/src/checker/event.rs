//! What is recorded of a call: when it was sent, to which node, what was asked, what came back and when.

use std::sync::Arc;
use std::time::Duration;

/// The name of a token, family, person, client or node: any text that is the same for the same thing.
pub type Name = Arc<str>;

/// One call and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was sent, since the start of the recording.
    pub called: Duration,
    /// The node that was asked. A node that starts again keeps its name.
    pub node: Name,
    /// What was asked, and what came back.
    pub operation: Operation,
    /// When the answer was complete or the caller gave up, since the start of the recording.
    pub answered: Duration,
}

/// What was asked, and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A new authorization: a password, client credentials.
    Issue {
        /// The tokens given.
        outcome: Outcome<Box<Grant>>,
    },
    /// A refresh token or a code was presented by its own client, to be exchanged.
    Exchange {
        /// Which.
        presented: Name,
        /// When it ends by itself, if the caller knows that it does.
        expires_at: Option<Duration>,
        /// The tokens given. Refused: it is not good.
        outcome: Outcome<Box<Grant>>,
    },
    /// A node was asked whether an access token stands, by or for its own client.
    Verify {
        /// Which.
        token: Name,
        /// Done: active. Refused: inactive.
        outcome: Outcome,
    },
    /// What was given before is to end; the same may be given anew.
    Revoke {
        /// What.
        what: Target,
        /// Done: it was acknowledged. Refused: it is known that nothing was done.
        outcome: Outcome,
    },
    /// A person or client is disabled or deleted: as [`Operation::Revoke`], and nothing is given until it is enabled.
    Disable {
        /// Who.
        who: Account,
        /// As of a revocation.
        outcome: Outcome,
    },
    /// The end of that. What was given before stays ended.
    Enable {
        /// Who.
        who: Account,
        /// As of a revocation.
        outcome: Outcome,
    },
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<T = ()> {
    /// With a 200.
    Done(T),
    /// With a refusal: nothing was done.
    Refused,
    /// With a 503, or without an answer: it may have been done, or may be done a little later.
    Unknown,
}

impl<T> Outcome<T> {
    /// What came back, if it was done.
    pub fn done(&self) -> Option<&T> {
        match self {
            Self::Done(given) => Some(given),
            Self::Refused | Self::Unknown => None,
        }
    }

    /// Whether nothing was done for certain.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }
}

/// The tokens of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The access token.
    pub access: Name,
    /// The refresh token, if there is one.
    pub refresh: Option<Name>,
    /// The family of both. Needed where there is a refresh token.
    pub family: Option<Name>,
    /// To whom it was given.
    pub client: Name,
    /// Who gave it, if a person did.
    pub user: Option<Name>,
    /// When the access token ends by itself, if that may be within the history.
    pub expires_at: Option<Duration>,
}

/// What a revocation names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An access or refresh token; with it its family, if it has one.
    Token(Name),
    /// A family.
    Family(Name),
    /// All that a person was given.
    User(Name),
    /// All that a client was given.
    Client(Name),
    /// All that a person was given at a client: record it with each sign-in at a client that allows one family only.
    UserAtClient(Name, Name),
    /// All tokens.
    Everything,
}

/// Who can be disabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// A person.
    User(Name),
    /// A client.
    Client(Name),
}

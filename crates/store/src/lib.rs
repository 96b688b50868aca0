//! What obol keeps, as traits: one file per stored thing, and the conformance suite that every backend runs.
//!
//! Methods say what the caller wants, and each change of state is one guarded write that returns an outcome: a change that rests on
//! something read before names what was read, and counts only if that is still there. Secrets arrive hashed. When a method that
//! changes something returns `Ok`, the change is on stable storage.

#![cfg_attr(
    not(any(test, feature = "conformance")),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod assertions;
mod audit;
mod change_log;
mod client_settings;
mod clients;
mod codes;
#[cfg(feature = "conformance")]
pub mod conformance;
mod consents;
mod denials;
mod durability;
mod error;
mod families;
mod keys;
mod logout_notices;
mod nodes;
mod pushed_requests;
mod registration;
mod replacement;
mod sessions;
mod texts;
mod users;

pub use assertions::{Assertions, UseOutcome};
pub use audit::{Audit, AuditEvent, AuditRecord};
pub use change_log::{Appended, Change, ChangeLog, Entry, Page, ReadFrom, Timeline};
pub use client_settings::{
    AccessTokenFormat, ApplicationType, AssertionAudience, ClientAuthMethod, ClientSettings, SubjectType,
};
pub use clients::{
    AddOutcome, ChangeOutcome, Client, ClientKind, Clients, GrantType, RegisterOutcome, StoredSecret,
};
pub use codes::{AddCodeOutcome, Code, Codes, NewCode, RedeemOutcome, Redemption};
pub use consents::{Consent, Consents};
pub use denials::{Denials, Deny};
pub use durability::Durability;
pub use error::StoreError;
pub use families::{BeginOutcome, Families, Family, NewFamily, RotateOutcome, Rotated, Rotation};
pub use keys::{
    AddKeyOutcome, FirstKeyOutcome, Keys, MOST_KEYS, NewKey, PromoteOutcome, Promoted, RetireOutcome,
    WrappedKey,
};
pub use logout_notices::{LogoutNotice, LogoutNotices, NOTICE_LIFETIME_SECS, WaitingNotices};
pub use nodes::{NodeId, Nodes, Peer};
pub use pushed_requests::{
    ConsumeOutcome, HoldOutcome, NewPushedRequest, PushOutcome, PushedRequest, PushedRequests,
};
pub use registration::Registration;
pub use replacement::{ReplaceOutcome, replace};
pub use sessions::{BeginSessionOutcome, NewSession, Session, SessionEndRevokes, Sessions};
pub use texts::{ClientTexts, to_json};
pub use users::{PasswordHash, Profile, User, Username, UsernameError, Users};

/// Everything that one installation keeps.
pub trait Store:
    Assertions
    + ChangeLog
    + Clients
    + Codes
    + Consents
    + Denials
    + Durability
    + Families
    + Keys
    + LogoutNotices
    + Nodes
    + PushedRequests
    + Sessions
    + Users
{
}

impl<T> Store for T where
    T: Assertions
        + ChangeLog
        + Clients
        + Codes
        + Consents
        + Denials
        + Durability
        + Families
        + Keys
        + LogoutNotices
        + Nodes
        + PushedRequests
        + Sessions
        + Users
{
}

//! What a token says and whether it stands: pure functions and data.
//!
//! This crate knows no HTTP, SQL, clock, randomness, async or logging, and names no cryptographic
//! library: time, random bytes and the seal itself are arguments. Nothing in it panics.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod access;
mod algorithm;
mod claims;
mod credential;
mod deny;
mod id;
mod jwt;
mod key_kind;
mod position;
mod revoke;
mod scope;
mod time;
mod verify;

pub use access::{
    MAX_TOKEN_CHARS, OpenSeal, Scratch, Seal, SealFailed, claimed_key, open, open_bytes, seal, seal_bytes,
};
pub use algorithm::Algorithm;
pub use claims::{Claims, ClaimsError, Subject};
pub use credential::{CredentialKind, SecretHash, from_text, to_text};
pub use deny::{Denial, Denied, DenyList};
pub use id::{ClientId, FamilyId, IdError, KeyId, SessionId, SubjectId, TokenId};
pub use jwt::{CheckSignature, Sign, Signed, access_token_header, claimed_signing_key, seal_and_sign};
pub use key_kind::KeyKind;
pub use position::Position;
pub use revoke::{Authority, Decision, decide_revocation};
pub use scope::{Scope, ScopeError, Scopes};
pub use time::{Expiry, Lifetime, Timestamp};
pub use verify::{Asked, Refusal, verify};

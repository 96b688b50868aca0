//! People: passwords, lock-out, sessions and their administration.
//!
//! [`PasswordCheck`] says who somebody is; [`SessionDesk`] keeps who is signed in where; [`administration`] adds, changes and
//! removes people. This crate knows no protocol, HTTP or SQL, and reads no clock: `now` is an argument.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod administration;
mod authenticate;
mod password_rules;
mod pool;
mod sessions;
#[cfg(test)]
mod watched_users;

pub use authenticate::{LOCAL_REALM, PasswordCheck, Person, Reason, Refused};
pub use password_rules::{MIN_PASSWORD_CHARS, PasswordRuleError};
pub use pool::PoolSize;
pub use sessions::{BeginError, Begun, SessionDesk, SessionLimits, SignIn};

//! People: passwords, lock-out and their administration.
//!
//! [`PasswordCheck`] says who somebody is; [`administration`] adds, changes and removes people. This crate knows no
//! protocol, HTTP or SQL, and reads no clock: `now` is an argument.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod administration;
mod authenticate;
mod password_rules;
mod pool;

pub use authenticate::{LOCAL_REALM, PasswordCheck, Person, Reason, Refused};
pub use password_rules::{MIN_PASSWORD_CHARS, PasswordRuleError};
pub use pool::PoolSize;

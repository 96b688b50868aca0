//! Adding, changing and removing people: the functions that command line, admin pages and admin API all call.
//!
//! Whatever ends tokens answers with the [`Appended`] of its denial. It counts as done when every node has applied
//! that: the caller hands it to `obol_replica` and says so only afterwards.

mod add_user;
mod change_user;
mod email;
mod profile;
#[cfg(test)]
mod tests;

use obol_keys::PasswordHashError;
use obol_store::{Appended, ChangeOutcome, StoreError, User, Username, Users};

pub use self::add_user::{Added, NewUser, add_user};
pub use self::change_user::{delete_user, set_user_enabled, set_user_password};
pub use self::email::{Email, EmailError};
pub use self::profile::{ClaimChange, ClaimError, change_profile};
use crate::PasswordRuleError;

/// Why an administrative act on a person was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdministrationError {
    /// There is a person with this name.
    #[error("there is a user with this name already")]
    Taken,
    /// There was a person with this name, and names are never given out again.
    #[error("there was a user with this name, and names are never given out again")]
    NeverAgain,
    /// There is nobody with this name.
    #[error("there is no user with this name")]
    Unknown,
    /// The password breaks a rule.
    #[error(transparent)]
    Password(#[from] PasswordRuleError),
    /// A claim cannot be set.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] PasswordHashError),
    /// Storage did not do it, or it is not known whether it did.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All people who were not deleted, by name.
///
/// # Errors
/// [`AdministrationError::Store`]
pub async fn list_users(users: &dyn Users) -> Result<Vec<User>, AdministrationError> {
    Ok(users.list_users().await?)
}

/// The person with this name.
///
/// # Errors
/// [`AdministrationError::Unknown`] when there is none, [`AdministrationError::Store`]
pub async fn load_user(users: &dyn Users, username: &Username) -> Result<User, AdministrationError> {
    users.find_user(username).await?.ok_or(AdministrationError::Unknown)
}

fn changed(outcome: ChangeOutcome) -> Result<Appended, AdministrationError> {
    match outcome {
        ChangeOutcome::Changed(appended) => Ok(appended),
        ChangeOutcome::Unknown => Err(AdministrationError::Unknown),
    }
}

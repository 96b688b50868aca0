//! Changing and deleting a person. Whatever makes the person less trusted ends all that the person was given.

use obol_keys::{PlainPassword, hash_password};
use obol_store::{Appended, PasswordHash, Username, Users};
use obol_token::Timestamp;

use super::{AdministrationError, changed};
use crate::password_rules::check_rules;

/// Enables or disables a person. Disabling ends all tokens and families; enabling again brings none back.
///
/// # Errors
/// [`AdministrationError::Unknown`], [`AdministrationError::Store`]
pub async fn set_user_enabled(
    users: &dyn Users,
    username: &Username,
    enabled: bool,
    now: Timestamp,
) -> Result<Appended, AdministrationError> {
    changed(users.set_user_enabled(username, enabled, now).await?)
}

/// Replaces a person's password and ends all tokens and families. Hashes on the calling thread: some 20 ms. Does not
/// end a lock-out: its counts are the server's, and end by themselves.
///
/// # Errors
/// [`AdministrationError`]: `Password`, `Hash`, `Unknown` or `Store`.
pub async fn set_user_password(
    users: &dyn Users,
    username: &Username,
    password: &PlainPassword,
    now: Timestamp,
) -> Result<Appended, AdministrationError> {
    check_rules(password, username)?;
    let hash = PasswordHash::from_phc(&hash_password(password)?);
    changed(users.set_user_password(username, &hash, now).await?)
}

/// Deletes a person and ends all tokens and families. The name is never given out again.
///
/// # Errors
/// [`AdministrationError::Unknown`], [`AdministrationError::Store`]
pub async fn delete_user(
    users: &dyn Users,
    username: &Username,
    now: Timestamp,
) -> Result<Appended, AdministrationError> {
    changed(users.delete_user(username, now).await?)
}

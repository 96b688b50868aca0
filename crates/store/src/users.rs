//! People (local users).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use obol_token::{Claims, SubjectId, Timestamp};

use crate::{AddOutcome, ChangeOutcome, ReplaceOutcome, StoreError};

/// A person's name, folded to lower case, so that all spellings are one person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(Arc<str>);

/// Why a text is not a username.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// Empty, too long, or a character outside the set.
    #[error("a username is 1 to {max} ASCII letters, digits and @ . + - _", max = Username::MAX_CHARS)]
    Form,
    /// It would pass for a client that acts for itself.
    #[error("names that begin with {prefix} belong to clients", prefix = Claims::SERVICE_ACCOUNT_PREFIX)]
    Reserved,
}

impl Username {
    /// The most characters that a username may have.
    pub const MAX_CHARS: usize = 253;

    /// Its text, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Username {
    type Err = UsernameError;

    fn from_str(text: &str) -> Result<Self, UsernameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"@.+-_".contains(&byte);
        if !(1..=Self::MAX_CHARS).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(UsernameError::Form);
        }
        let folded = text.to_ascii_lowercase();
        match folded.starts_with(Claims::SERVICE_ACCOUNT_PREFIX) {
            true => Err(UsernameError::Reserved),
            false => Ok(Self(folded.into())),
        }
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A password hash as a PHC string, made and checked by `obol-keys`. Does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Arc<str>);

impl PasswordHash {
    /// The hash with this PHC string.
    pub fn from_phc(phc: &str) -> Self {
        Self(phc.into())
    }

    /// The PHC string.
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// What is known of a person beside name and email: claims of OpenID Connect Core §5.1, and `groups`. Which there may be is for
/// `obol-accounts` to say; the store keeps what it is given.
pub type Profile = serde_json::Map<String, serde_json::Value>;

/// A person as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Never given out again.
    pub id: SubjectId,
    /// Never given out again.
    pub username: Username,
    /// For mail.
    pub email: Option<String>,
    /// What else is known.
    pub profile: Profile,
    /// What the password is checked against.
    pub password: PasswordHash,
    /// A disabled person is refused everywhere.
    pub enabled: bool,
    /// When the person was added.
    pub created_at: Timestamp,
}

/// Stored people.
#[async_trait]
pub trait Users: Send + Sync {
    /// Adds a person. The proof in `Added` is the position of the log at that moment; nodes need not learn of it.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn add_user(&self, user: &User) -> Result<AddOutcome, StoreError>;

    /// The person with this name, unless deleted.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn find_user(&self, username: &Username) -> Result<Option<User>, StoreError>;

    /// The person with this id, unless deleted.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn find_user_by_id(&self, id: SubjectId) -> Result<Option<User>, StoreError>;

    /// All people who were not deleted, by name.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn list_users(&self) -> Result<Vec<User>, StoreError>;

    /// Enables or disables a person. Disabling denies all the person's tokens and ends the families in the same
    /// transaction; enabling again brings none back.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn set_user_enabled(
        &self,
        username: &Username,
        enabled: bool,
        now: Timestamp,
    ) -> Result<ChangeOutcome, StoreError>;

    /// Replaces what is known of a person beside the name, if the person is still `former`. Ends nothing.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn set_user_profile(
        &self,
        former: &User,
        email: Option<&str>,
        profile: &Profile,
    ) -> Result<ReplaceOutcome, StoreError>;

    /// Replaces the password, denies all the person's tokens and ends the families in the same transaction.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn set_user_password(
        &self,
        username: &Username,
        password: &PasswordHash,
        now: Timestamp,
    ) -> Result<ChangeOutcome, StoreError>;

    /// Deletes a person, denies all the person's tokens and ends the families in the same transaction. The name stays
    /// taken.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn delete_user(&self, username: &Username, now: Timestamp) -> Result<ChangeOutcome, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_name_are_one_person() {
        assert_eq!("Alice@Example.COM".parse::<Username>().unwrap().as_str(), "alice@example.com");
    }

    #[test]
    fn names_of_service_accounts_are_refused_to_people() {
        for name in ["service-account-gateway", "Service-Account-x", "service-account-"] {
            assert_eq!(name.parse::<Username>(), Err(UsernameError::Reserved), "{name}");
        }
    }

    #[test]
    fn other_characters_and_lengths_are_refused() {
        for name in ["", "two words", "a/b", "ä", "nul\0", &"x".repeat(254)] {
            assert_eq!(name.parse::<Username>(), Err(UsernameError::Form), "{name:?}");
        }
    }
}

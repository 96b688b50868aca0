//! Adding a person.

use obol_keys::{PlainPassword, hash_password, random_bytes};
use obol_store::{AddOutcome, Appended, PasswordHash, Profile, User, Username, Users};
use obol_token::{SubjectId, Timestamp};

use super::{AdministrationError, Email};
use crate::password_rules::check_rules;

/// A person to add.
#[derive(Debug)]
pub struct NewUser {
    /// Must never have been given out.
    pub username: Username,
    /// For mail.
    pub email: Option<Email>,
    /// Must keep the rules for new passwords.
    pub password: PlainPassword,
}

/// A person who was added.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it counts only after every node has applied it: hand the proof to obol_replica"]
pub struct Added {
    /// As stored.
    pub user: User,
    /// Proof that it is stored.
    pub appended: Appended,
}

/// Adds a person, enabled, at `now`. Hashes on the calling thread: some 20 ms.
///
/// # Errors
/// [`AdministrationError`]: `Password`, `Hash`, `Taken`, `NeverAgain` or `Store`.
pub async fn add_user(users: &dyn Users, new: NewUser, now: Timestamp) -> Result<Added, AdministrationError> {
    check_rules(&new.password, &new.username)?;
    let user = User {
        id: SubjectId::from_bytes(random_bytes()),
        username: new.username,
        email: new.email.map(String::from),
        profile: Profile::default(),
        password: PasswordHash::from_phc(&hash_password(&new.password)?),
        enabled: true,
        created_at: now,
    };
    match users.add_user(&user).await? {
        AddOutcome::Added(appended) => Ok(Added { user, appended }),
        AddOutcome::Taken => Err(AdministrationError::Taken),
        AddOutcome::NeverAgain => Err(AdministrationError::NeverAgain),
    }
}

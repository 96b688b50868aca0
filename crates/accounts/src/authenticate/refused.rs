//! Why nobody was recognised: one public answer, and the reason for the audit trail.

use obol_keys::PasswordHashError;
use obol_store::StoreError;

use crate::pool::PoolError;

/// Why nobody was recognised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The credentials are not good. The public answer must be the same bytes for every reason.
    #[error("the username or the password is not right")]
    Credentials {
        /// For the audit trail only.
        reason: Reason,
    },
    /// Too many passwords are being checked; nothing was checked or counted.
    #[error("too many people sign in at this moment")]
    Busy {
        /// When to try again, in whole seconds, at least 1.
        retry_after_secs: u32,
    },
    /// Storage did not answer, or what it holds cannot be read.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

/// What was wrong with credentials. Only the audit trail may hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The person exists and the password is another.
    WrongPassword,
    /// Nobody has this name.
    UnknownUser,
    /// The person is disabled, whatever the password.
    Disabled,
    /// Too many wrong passwords for this name; the right one is refused as well until the delay has passed.
    Locked,
    /// There is no such realm.
    UnknownRealm,
}

impl Reason {
    /// The reason in the audit trail's words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongPassword => "wrong password",
            Self::UnknownUser => "unknown user",
            Self::Disabled => "user disabled",
            Self::Locked => "too many wrong passwords",
            Self::UnknownRealm => "unknown realm",
        }
    }
}

impl From<PoolError> for Refused {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Busy { retry_after_secs } => Self::Busy { retry_after_secs },
            PoolError::BrokenOff => Self::Busy { retry_after_secs: 1 },
        }
    }
}

impl From<PasswordHashError> for Refused {
    fn from(error: PasswordHashError) -> Self {
        match error {
            PasswordHashError::Memory => Self::Busy { retry_after_secs: 1 },
            PasswordHashError::Unreadable => Self::Unavailable(StoreError::Corrupt(error.to_string())),
        }
    }
}

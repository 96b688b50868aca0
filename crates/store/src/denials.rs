//! Denials: what ends tokens before their time.

use async_trait::async_trait;
use obol_token::{ClientId, Expiry, FamilyId, SubjectId, Timestamp, TokenId};

use crate::{Appended, StoreError};

/// What to deny.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deny {
    /// One access token that belongs to no family, until it expires.
    Token {
        /// Its id.
        id: TokenId,
        /// When it expires, and its denial with it.
        expires_at: Expiry,
    },
    /// A family: its refresh token and all its access tokens. Somebody has shown a token of it that is still good, so
    /// it counts also when its row is not there (a backup was restored); else see [`Denials::end_family`].
    Family(FamilyId),
    /// All that a person was given.
    Subject(SubjectId),
    /// All that a client was given.
    Client(ClientId),
    /// All tokens of the installation. What people have allowed is forgotten as well: a backup that is put back does not know which
    /// consents were withdrawn since.
    Everything,
}

impl Deny {
    /// Whether it ends sessions of people as well.
    pub const fn ends_sessions(&self) -> bool {
        match self {
            Self::Subject(_) | Self::Everything => true,
            Self::Token { .. } | Self::Family(_) | Self::Client(_) => false,
        }
    }
}

/// Denying tokens.
#[async_trait]
pub trait Denials: Send + Sync {
    /// Appends the denial and ends, in the same transaction, every family that it covers.
    ///
    /// When the denial of a [`Deny::Token`] or the end of a [`Deny::Family`] is stored already, nothing is appended and
    /// its position comes back. The entry of a token leaves the log at the token's own expiry, that of a family that is
    /// known at the latest expiry of an access token it gave. All others stay: their ends would hang on a clock, and
    /// the one that `now` is read from may be wrong. The log keeps one entry for each thing, so they are few.
    ///
    /// # Errors
    /// [`StoreError`]; on `Unavailable` it may have been stored or not.
    async fn deny(&self, deny: &Deny, now: Timestamp) -> Result<Appended, StoreError>;

    /// Ends a family that is known, as [`Deny::Family`] does; `None`, and nothing is stored, when there is none: what an
    /// expired token or an operator names must not grow the log.
    ///
    /// # Errors
    /// [`StoreError`]; on `Unavailable` it may have been stored or not.
    async fn end_family(&self, id: FamilyId, now: Timestamp) -> Result<Option<Appended>, StoreError>;

    /// How many live families `deny` would end.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn count_families(&self, deny: &Deny, now: Timestamp) -> Result<u64, StoreError>;
}

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
    /// All tokens of the installation.
    Everything,
}

/// How much longer than the longest access-token lifetime the denial of a person, or of a family that is not known, stays.
///
/// Tokens issued until a node has applied the denial are older than it and must be refused. So the margin covers the
/// commit itself, the longest lease, the time until every node has applied it, and clocks that differ a little.
pub const DENIAL_MARGIN_SECS: i64 = 3_600;

/// Denying tokens.
#[async_trait]
pub trait Denials: Send + Sync {
    /// Appends the denial and ends, in the same transaction, every family that it covers.
    ///
    /// When the denial of a [`Deny::Token`] or the end of a [`Deny::Family`] is stored already, nothing is appended and
    /// its position comes back. The entry leaves the log when the last access token it could refuse has expired:
    /// for a token its own expiry, for a family the latest expiry of an access token it gave, for a family that
    /// is not known and for a person the commit plus [`DENIAL_MARGIN_SECS`] plus the longest access-token lifetime of any
    /// client ever added (never, if one of them does not expire); denials of clients and of everything stay.
    ///
    /// As the moment of the commit counts the latest of `now`, the wall clock as the backend reads it in its
    /// transaction, and [`swept_through`](crate::ChangeLog::swept_through): `now` may be old or by a clock that was set
    /// back, and tokens issued between it and the commit are refused too.
    ///
    /// # Errors
    /// [`StoreError`]; on `Unavailable` it may have been stored or not. So it is also when half of the margin passed
    /// between that reading and the end of the commit: send it again.
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

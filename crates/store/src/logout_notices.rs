//! Notices of logout: which clients are to be told that a session has ended (OpenID Connect Back-Channel Logout).
//!
//! They are written where sessions end, in the same transaction: by [`crate::Sessions::end_session`], and by whatever denies a
//! person or everything, for all clients of the sessions that [`crate::Redemption::told_of_end`] has noted. A session that only
//! runs out writes none. There is one notice for each session and client, and none for a client that is disabled or deleted.

use async_trait::async_trait;
use obol_token::{ClientId, SessionId, SubjectId, Timestamp};

use crate::StoreError;

/// How long a client is tried, in seconds after the session has ended.
pub const NOTICE_LIFETIME_SECS: i64 = 86_400;

/// A client to be told that a session has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutNotice {
    /// The client.
    pub client_id: ClientId,
    /// The session.
    pub session: SessionId,
    /// Whose it was.
    pub subject: SubjectId,
    /// What [`crate::Redemption::told_of_end`] said.
    pub details: String,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How often the notice was tried, this time included.
    pub tries: u32,
    /// When it is due again, unless whoever has it says otherwise. Differs each time that it is taken.
    pub due_at: Timestamp,
    /// When it is given up, and leaves the store.
    pub leaves_at: Timestamp,
}

/// What waits for one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingNotices {
    /// The client.
    pub client_id: ClientId,
    /// How many.
    pub count: u64,
    /// When the session ended that ended first.
    pub oldest_ended_at: Timestamp,
    /// How often the one was tried that was tried most often.
    pub most_tries: u32,
    /// Why a try failed, of those that wait the latest; in the words of whoever tried.
    pub failure: Option<String>,
}

/// Stored notices. One leaves the store by itself [`NOTICE_LIFETIME_SECS`] after its session has ended.
#[async_trait]
pub trait LogoutNotices: Send + Sync {
    /// The clients for which notices wait, each with the moment at which the first of them is due. Costs one look at an index
    /// for each client.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn list_clients_to_tell(&self) -> Result<Vec<(ClientId, Timestamp)>, StoreError>;

    /// Takes up to `limit` notices for a client that are due, and makes them due again at `again_at`: of several that take, on
    /// whatever nodes, one gets a notice, and if that one dies, another gets it then. It counts as a try.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn take_notices(
        &self,
        client_id: &ClientId,
        limit: usize,
        now: Timestamp,
        again_at: Timestamp,
    ) -> Result<Vec<LogoutNotice>, StoreError>;

    /// Removes a notice: the client was told, or is not to be told any more.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn remove_notice(&self, notice: &LogoutNotice) -> Result<(), StoreError>;

    /// Puts a notice off until `due_at`, because of `failure`, and counts so many `tries` of it, unless it was taken again
    /// meanwhile.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn put_off_notice(
        &self,
        notice: &LogoutNotice,
        due_at: Timestamp,
        tries: u32,
        failure: &str,
    ) -> Result<(), StoreError>;

    /// What waits, by client. Reads all notices.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn count_notices(&self) -> Result<Vec<WaitingNotices>, StoreError>;

    /// Returns when sessions may have ended through this store since it returned last. Of other processes it hears nothing.
    async fn wait_for_notices(&self);
}

//! Telling the clients (§2.5): what is due, one try, and when the next is.

use std::sync::Arc;

use obol_keys::random_bytes;
use obol_store::{AuditEvent, AuditRecord, Client, LogoutNotice};
use obol_token::{ClientId, Timestamp};

use super::token::logout_token;
use crate::{Engine, NamedBy, OAuthError, OutgoingError};

/// For so long a notice that was taken is nobody else's, in seconds: several times what a try may take.
const TRY_SECS: i64 = 30;

/// The wait after the first try, in seconds; each later one is twice as long, up to the longest.
const FIRST_WAIT_SECS: i64 = 5;
/// With the quarter that chance adds, 10 minutes.
const LONGEST_WAIT_SECS: i64 = 480;

/// What audit records name as their source.
const SOURCE: &str = "logout notice";

/// A client for which notices wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientToTell {
    /// The client.
    pub client_id: ClientId,
    /// Who has named where it is told.
    pub named_by: NamedBy,
    /// Seconds until the first of its notices is due: 0 or less is now.
    pub due_in_secs: i64,
}

/// What became of telling a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogoutTold {
    /// It knows.
    Told,
    /// It is gone, or wants to know no more. Nothing was sent.
    NotToBeTold,
    /// It did not take it, and is tried again.
    PutOff {
        /// Why.
        failure: String,
    },
    /// It did not take it, and its time is over.
    GivenUp {
        /// Why.
        failure: String,
    },
}

impl Engine {
    /// The clients that are to be told of logouts.
    ///
    /// # Errors
    /// 503 without a lease, or when storage fails.
    pub async fn clients_to_tell(&self) -> Result<Vec<ClientToTell>, OAuthError> {
        let now = self.telling_now()?;
        let listed = self.store.list_clients_to_tell().await?;
        let vouched = self.replica.vouch()?;
        let to_tell = |(client_id, due_at): (ClientId, Timestamp)| {
            let client = vouched.memory().client(client_id.as_str());
            // One that is gone is asked nothing.
            let named_by = client.map_or(NamedBy::Stranger, |client| NamedBy::of(&client));
            ClientToTell { client_id, named_by, due_in_secs: now.secs_until(due_at) }
        };
        Ok(listed.into_iter().map(to_tell).collect())
    }

    /// Takes up to `limit` notices for this client that are due: the caller tries each at once, by [`Self::tell_of_logout`].
    ///
    /// # Errors
    /// 503 without a lease, or when storage fails.
    pub async fn take_notices(
        &self,
        client_id: &ClientId,
        limit: usize,
    ) -> Result<Vec<LogoutNotice>, OAuthError> {
        let now = self.telling_now()?;
        Ok(self.store.take_notices(client_id, limit, now, now.plus_secs(TRY_SECS)).await?)
    }

    /// Tells a client of a logout, once.
    ///
    /// # Errors
    /// 503 without a lease or when storage fails, 500 when nothing can be signed. The notice is due again in a while then.
    pub async fn tell_of_logout(&self, notice: &LogoutNotice) -> Result<LogoutTold, OAuthError> {
        let Some((client, uri)) = self.client_to_tell(&notice.client_id)? else {
            self.store.remove_notice(notice).await?;
            return Ok(LogoutTold::NotToBeTold);
        };
        let token = logout_token(self, &client, notice, self.telling_now()?)?;
        // A JWT has no character that a form would escape.
        let form = format!("logout_token={token}");
        match self.outgoing.post_form(&uri, NamedBy::of(&client), form).await {
            Ok(()) => {
                self.store.remove_notice(notice).await?;
                Ok(LogoutTold::Told)
            }
            Err(error) => self.put_off(notice, &error).await,
        }
    }

    /// Returns when sessions may have ended on this node since it returned last.
    pub async fn wait_for_logouts(&self) {
        self.store.wait_for_notices().await;
    }

    async fn put_off(&self, notice: &LogoutNotice, error: &OutgoingError) -> Result<LogoutTold, OAuthError> {
        let (now, failure) = (self.replica.now().0, error.to_string());
        let (tries, waits_as_after) = match error {
            // Nobody was asked: it was no try, and there is nobody to be left alone for longer.
            OutgoingError::Busy(_) => (notice.tries.saturating_sub(1), 0),
            OutgoingError::Refused(_) | OutgoingError::Failed(_) => (notice.tries, notice.tries),
        };
        let again_at = now.plus_secs(wait_secs(waits_as_after, random_bytes()));
        if again_at.has_reached(notice.leaves_at) {
            self.store.remove_notice(notice).await?;
            self.record(AuditRecord {
                done: false,
                reason: Some(format!("session {}: {failure}", notice.session).into()),
                client_id: Some(notice.client_id.as_str().to_owned()),
                source: Some(SOURCE.to_owned()),
                ..AuditRecord::new(AuditEvent::LogoutNotTold, now)
            });
            return Ok(LogoutTold::GivenUp { failure });
        }
        self.store.put_off_notice(notice, again_at, tries, &failure).await?;
        Ok(LogoutTold::PutOff { failure })
    }

    fn client_to_tell(&self, id: &ClientId) -> Result<Option<(Arc<Client>, String)>, OAuthError> {
        let client = self.replica.vouch()?.memory().client(id.as_str()).filter(|client| client.enabled);
        Ok(client.and_then(|client| {
            let uri = client.settings.backchannel_logout_uri.clone()?;
            Some((client, uri))
        }))
    }

    /// The present moment, for a node that may tell.
    fn telling_now(&self) -> Result<Timestamp, OAuthError> {
        let _vouched = self.replica.vouch()?;
        Ok(self.replica.now().0)
    }
}

/// How long to wait after so many tries: longer each time, and not for all alike, so that a client that comes back is not met by
/// all at once.
fn wait_secs(tries: u32, chance: [u8; 8]) -> i64 {
    let doubled = FIRST_WAIT_SECS.checked_shl(tries.saturating_sub(1)).unwrap_or(LONGEST_WAIT_SECS);
    let wait = if tries > 7 { LONGEST_WAIT_SECS } else { doubled.min(LONGEST_WAIT_SECS) };
    let quarter = u64::try_from(wait / 4).unwrap_or_default();
    let added = u64::from_le_bytes(chance) % (quarter + 1);
    wait + i64::try_from(added).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_5_seconds_to_10_minutes_and_differ() {
        for (tries, shortest, longest) in [
            (0, 5, 6),
            (1, 5, 6),
            (2, 10, 12),
            (3, 20, 25),
            (7, 320, 400),
            (8, 480, 600),
            (64, 480, 600),
            (u32::MAX, 480, 600),
        ] {
            let waits = (0..=255_u8).map(|chance| wait_secs(tries, [chance; 8]));
            let (least, most) = (waits.clone().min(), waits.max());
            assert_eq!((least, most), (Some(shortest), Some(longest)), "{tries}");
        }
    }
}

//! A limit for those who make the server keep something and bring it to no use: by their source, in fixed memory.

use obol_keys::{GuessPolicy, Guesses};
use obol_token::Timestamp;

use crate::client_authentication::network_of;
use crate::{Arrival, ErrorCode, OAuthError};

/// Counts by source.
pub(crate) struct SourceLimit {
    counts: Guesses,
    /// What is said to who is over the limit.
    sentence: &'static str,
}

impl SourceLimit {
    pub(crate) fn new(policy: GuessPolicy, sentence: &'static str) -> Self {
        Self { counts: Guesses::new(policy, Guesses::SLOTS / 8), sentence }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// 429, and nothing is counted.
    pub(crate) fn count(&self, arrival: &Arrival) -> Result<(), OAuthError> {
        let (source, now) = (network_of(arrival.source), arrival.since_boot);
        match self.counts.begin_try(&source, now) {
            Ok(_counted) => Ok(()),
            Err(blocked) => Err(too_many(self.sentence, now, blocked.0)),
        }
    }

    /// What came from there was brought to its use.
    pub(crate) fn forget(&self, arrival: &Arrival) {
        self.counts.succeeded(&network_of(arrival.source));
    }
}

/// The refusal of who has to wait until then.
pub(crate) fn too_many(sentence: &'static str, now: Timestamp, until: Timestamp) -> OAuthError {
    let secs = u32::try_from(now.secs_until(until)).unwrap_or(u32::MAX).max(1);
    OAuthError::new(ErrorCode::TooManyRequests, sentence).retry_after(secs)
}

//! A limit for those who push requests in the name of public clients, which anybody can: who brings none to its end is
//! slowed down, before the client has no room left for others.

use obol_keys::{GuessPolicy, Guesses};

use crate::client_authentication::network_of;
use crate::{Arrival, ErrorCode, OAuthError};

/// Counts pushed requests without an answer by their source, in fixed memory.
pub(crate) struct PushLimit(Guesses);

impl PushLimit {
    pub(crate) fn new() -> Self {
        // Many people may share an address, and some of them give up.
        let policy = GuessPolicy {
            free_tries: 200,
            first_delay_secs: 1,
            longest_delay_secs: 60,
            forget_after_secs: 600,
        };
        Self(Guesses::new(policy, Guesses::SLOTS / 8))
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 429, and nothing is counted.
    pub(super) fn count(&self, arrival: &Arrival) -> Result<(), OAuthError> {
        let (source, now) = (network_of(arrival.source), arrival.since_boot);
        let Err(blocked) = self.0.begin_try(&source, now) else { return Ok(()) };
        let secs = u32::try_from(now.secs_until(blocked.0)).unwrap_or(u32::MAX).max(1);
        let sentence =
            "Too many requests came from this address that no browser has brought to an end; wait.";
        Err(OAuthError::new(ErrorCode::TooManyRequests, sentence).retry_after(secs))
    }

    /// A request was brought to its end from here.
    pub(super) fn forget(&self, arrival: &Arrival) {
        self.0.succeeded(&network_of(arrival.source));
    }
}

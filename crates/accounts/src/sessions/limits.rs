//! How long a person stays signed in.

use std::num::NonZeroU32;

use obol_store::Session;
use obol_token::Timestamp;

/// A use moves the idle end on when it gains so much, in seconds: so that not every request writes.
const EXTENDED_EVERY_SECS: i64 = 60;

/// How long a session lasts (OWASP ASVS 7.3). The defaults are those of NIST SP 800-63B-4 for its second level, an hour unused
/// and less than a day in all, although one factor would allow more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// It ends when it was not used for so many minutes.
    pub idle_mins: NonZeroU32,
    /// It ends so many hours after the person signed in, used or not.
    pub hours: NonZeroU32,
}

impl SessionLimits {
    /// When a session ends in any case.
    pub(super) fn ends_at(self, signed_in_at: Timestamp) -> Timestamp {
        signed_in_at.plus_secs(i64::from(self.hours.get()).saturating_mul(3600))
    }

    /// When a session that is used at `now` ends unless it is used again.
    pub(super) fn idle_ends_at(self, now: Timestamp, ends_at: Timestamp) -> Timestamp {
        now.plus_secs(self.idle_secs()).min(ends_at)
    }

    /// The idle end of a session that is used at `now`, if it is worth a write.
    pub(super) fn moved_on(self, session: &Session, now: Timestamp) -> Option<Timestamp> {
        let moved = self.idle_ends_at(now, session.ends_at);
        (session.idle_ends_at.secs_until(moved) >= EXTENDED_EVERY_SECS).then_some(moved)
    }

    /// About when a session was last used.
    pub fn last_used(self, session: &Session) -> Timestamp {
        session.idle_ends_at.plus_secs(self.idle_secs().saturating_neg()).max(session.authenticated_at)
    }

    fn idle_secs(self) -> i64 {
        i64::from(self.idle_mins.get()).saturating_mul(60)
    }
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { idle_mins: NonZeroU32::MIN.saturating_add(59), hours: NonZeroU32::MIN.saturating_add(11) }
    }
}

#[cfg(test)]
mod tests {
    use obol_token::{SessionId, SubjectId};

    use super::*;

    const START: i64 = 1_800_000_000;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(START + secs)
    }

    fn session(idle_ends_at: Timestamp) -> Session {
        Session {
            id: SessionId::from_bytes([1; 16]),
            subject: SubjectId::from_bytes([2; 16]),
            username: "alice".parse().unwrap(),
            authenticated_at: at(0),
            methods: "pwd".to_owned(),
            began_at: at(0),
            idle_ends_at,
            ends_at: SessionLimits::default().ends_at(at(0)),
            user_agent: String::new(),
            source: String::new(),
        }
    }

    #[test]
    fn asvs_7_3_1_and_2_an_hour_unused_and_twelve_hours_in_all() {
        let limits = SessionLimits::default();
        let ends_at = limits.ends_at(at(0));
        assert_eq!((limits.idle_ends_at(at(0), ends_at), ends_at), (at(3600), at(12 * 3600)));
    }

    #[test]
    fn a_use_is_written_once_a_minute() {
        let limits = SessionLimits::default();
        let session = session(at(3600));
        for (used_at, moved) in [(0, None), (59, None), (60, Some(at(3660))), (600, Some(at(4200)))] {
            assert_eq!(limits.moved_on(&session, at(used_at)), moved, "{used_at}");
        }
    }

    #[test]
    fn no_use_moves_the_end_beyond_the_last() {
        let limits = SessionLimits::default();
        let late = 12 * 3600 - 10;
        assert_eq!(limits.moved_on(&session(at(late)), at(late - 1)), None);
        assert_eq!(limits.moved_on(&session(at(late - 60)), at(late - 100)), Some(at(12 * 3600)));
    }

    #[test]
    fn a_session_says_when_it_was_last_used() {
        let limits = SessionLimits::default();
        assert_eq!(limits.last_used(&session(at(4200))), at(600));
        assert_eq!(limits.last_used(&session(at(10))), at(0), "not before the person signed in");
    }
}

//! Seconds since the epoch, lifetimes, and the edge where one reaches the other.

use std::fmt;
use std::num::NonZeroU32;

/// A moment: whole seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `secs` seconds after the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs)
    }

    /// Seconds since the epoch.
    pub const fn as_secs(self) -> i64 {
        self.0
    }

    /// Whether this moment is at or after `edge`: a token that expires at `edge` is dead at `edge`.
    pub const fn has_reached(self, edge: Self) -> bool {
        self.0 >= edge.0
    }

    /// The moment `secs` seconds later; stays at the end of time rather than wrapping.
    pub const fn plus_secs(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs))
    }

    /// Seconds from this moment until `later`; 0 when `later` is not later.
    pub const fn secs_until(self, later: Self) -> i64 {
        let left = later.0.saturating_sub(self.0);
        if left < 0 { 0 } else { left }
    }
}

/// How long something lives from its issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lifetime {
    /// It does not expire (a client's setting 0).
    Never,
    /// Seconds.
    Secs(NonZeroU32),
}

impl Lifetime {
    /// A setting in seconds, where 0 means that it never expires.
    pub const fn from_setting_secs(secs: u32) -> Self {
        match NonZeroU32::new(secs) {
            Some(secs) => Self::Secs(secs),
            None => Self::Never,
        }
    }

    /// The setting in seconds, 0 for never.
    pub const fn as_setting_secs(self) -> u32 {
        match self {
            Self::Never => 0,
            Self::Secs(secs) => secs.get(),
        }
    }

    /// The longer of the two.
    #[must_use]
    pub fn longer(self, other: Self) -> Self {
        match (self, other) {
            (Self::Secs(one), Self::Secs(another)) => Self::Secs(one.max(another)),
            (Self::Never, _) | (_, Self::Never) => Self::Never,
        }
    }

    /// When something issued at `issued_at` expires.
    pub const fn from(self, issued_at: Timestamp) -> Expiry {
        match self {
            Self::Never => Expiry::Never,
            Self::Secs(secs) => Expiry::At(issued_at.plus_secs(secs.get() as i64)),
        }
    }
}

/// When something ends by itself. `At` sorts before `Never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expiry {
    /// It is over at this moment.
    At(Timestamp),
    /// It does not end.
    Never,
}

impl Expiry {
    /// Whether it is over at `now`.
    pub const fn is_over(self, now: Timestamp) -> bool {
        match self {
            Self::At(edge) => now.has_reached(edge),
            Self::Never => false,
        }
    }

    /// Whole seconds left at `now`, at least 1 while it is not over; `None` when it does not end.
    pub const fn secs_left(self, now: Timestamp) -> Option<i64> {
        match self {
            Self::At(edge) => Some(now.secs_until(edge)),
            Self::Never => None,
        }
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(edge) => write!(f, "{}", edge.0),
            Self::Never => f.write_str("never"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_tested_one_second_before_at_and_after() {
        let expiry = Lifetime::from_setting_secs(60).from(Timestamp::from_secs(1_000));
        for (now, over, left) in [(1_059, false, 1), (1_060, true, 0), (1_061, true, 0)] {
            let now = Timestamp::from_secs(now);
            assert_eq!(expiry.is_over(now), over, "{now:?}");
            assert_eq!(expiry.secs_left(now), Some(left), "{now:?}");
        }
    }

    #[test]
    fn lifetime_zero_never_expires_and_outlasts_every_moment() {
        let never = Lifetime::from_setting_secs(0).from(Timestamp::from_secs(0));
        assert!(!never.is_over(Timestamp::from_secs(i64::MAX)));
        assert!(never > Expiry::At(Timestamp::from_secs(i64::MAX)));
    }

    #[test]
    fn far_moments_do_not_wrap() {
        assert_eq!(Timestamp::from_secs(i64::MAX).plus_secs(1).as_secs(), i64::MAX);
        assert_eq!(Timestamp::from_secs(i64::MIN).secs_until(Timestamp::from_secs(i64::MAX)), i64::MAX);
    }
}

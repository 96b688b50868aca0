//! The newest timeline that this process has met. A server on an older one was the primary once; whatever it says now is
//! about a log that goes on elsewhere.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::columns::value;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::log_head::timeline;

const READ: &str = concat!("SELECT ", timeline!());
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[READ];

/// Only grows.
#[derive(Default)]
pub(crate) struct KnownTimeline(AtomicI64);

impl KnownTimeline {
    /// Whether what came over this connection counts.
    ///
    /// # Errors
    /// [`Error::FormerPrimary`] when a newer timeline has been met meanwhile.
    pub(crate) fn check(&self, db: &Connection) -> Result<()> {
        self.meet(db.timeline())
    }

    fn meet(&self, timeline: i64) -> Result<()> {
        match self.0.fetch_max(timeline, Ordering::AcqRel) {
            newer if newer > timeline => Err(Error::FormerPrimary),
            _ => Ok(()),
        }
    }

    /// Asks the server of a new connection. It stays on its timeline as long as the connection lives.
    ///
    /// # Errors
    /// As [`KnownTimeline::check`], and when it cannot be asked.
    pub(crate) async fn ask(&self, db: &Connection) -> Result<()> {
        db.note_timeline(value(&db.load(READ, &[]).await?, 0)?);
        self.check(db)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_former_primary_says_does_not_count() {
        let known = KnownTimeline::default();
        for (timeline, counts) in [(1, true), (1, true), (3, true), (2, false), (3, true), (1, false)] {
            assert_eq!(known.meet(timeline).is_ok(), counts, "{timeline}");
        }
    }
}

//! Letting rows go whose time is over: each commit takes a few along, so there is no janitor.

use obol_token::Timestamp;
use rusqlite::{Connection, Result};

/// The newest entry stays, so that who reads to the end of the log knows how far it goes.
const REMOVE_ENTRIES: &str = "DELETE FROM change_log WHERE position IN \
     (SELECT position FROM change_log WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2) \
     AND position < (SELECT position FROM log_head)";
const REMOVE_FAMILIES: &str = "DELETE FROM families WHERE id IN \
     (SELECT id FROM families WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2)";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[REMOVE_ENTRIES, REMOVE_FAMILIES];

/// Removes up to `limit` log entries and as many families that are over at `now`.
pub(crate) fn remove_expired(db: &Connection, now: Timestamp, limit: usize) -> Result<()> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    for statement in [REMOVE_ENTRIES, REMOVE_FAMILIES] {
        db.prepare_cached(statement)?.execute((now.as_secs(), limit))?;
    }
    Ok(())
}

//! Letting rows go whose time is over: each commit of a server takes a few along, so there is no janitor.

use obol_token::Timestamp;
use rusqlite::{Connection, Result};

use crate::columns;

/// The newest entry stays, so that who reads to the end of the log knows how far it goes.
const REMOVE_ENTRIES: &str = "DELETE FROM change_log WHERE position IN \
     (SELECT position FROM change_log WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2) \
     AND position < (SELECT position FROM log_head)";
const REMOVE_FAMILIES: &str = "DELETE FROM families WHERE id IN \
     (SELECT id FROM families WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2)";
const REMOVE_SESSIONS: &str = "DELETE FROM sessions WHERE id IN \
     (SELECT id FROM sessions WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2)";
const REMOVE_CODES: &str = "DELETE FROM codes WHERE hash IN \
     (SELECT hash FROM codes WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2)";
const REMOVE_PUSHED_REQUESTS: &str = "DELETE FROM pushed_requests WHERE hash IN \
     (SELECT hash FROM pushed_requests WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2)";
const REMOVE_ASSERTIONS: &str = "DELETE FROM assertions WHERE hash IN \
     (SELECT hash FROM assertions WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2)";
const REMOVE_NOTICES: &str = "DELETE FROM logout_notices WHERE (client_id, session) IN \
     (SELECT client_id, session FROM logout_notices WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2)";
const NOTE: &str = "UPDATE log_head SET swept_through = $1 WHERE swept_through < $1";
const FORGET: &str = "UPDATE log_head SET swept_through = 0";
const SWEPT_THROUGH: &str = "SELECT swept_through FROM log_head";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    REMOVE_ENTRIES,
    REMOVE_FAMILIES,
    REMOVE_SESSIONS,
    REMOVE_CODES,
    REMOVE_PUSHED_REQUESTS,
    REMOVE_ASSERTIONS,
    REMOVE_NOTICES,
    NOTE,
    FORGET,
    SWEPT_THROUGH,
];

/// Removes up to `limit` log entries, and as many of each other thing, that are over at `now`. Notes `now` if there
/// were entries or families: only with them goes what a token could be refused by.
pub(crate) fn remove_expired(db: &Connection, now: Timestamp, limit: usize) -> Result<()> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut removed = 0;
    for statement in [REMOVE_ENTRIES, REMOVE_FAMILIES] {
        removed += db.prepare_cached(statement)?.execute((now.as_secs(), limit))?;
    }
    if removed > 0 {
        db.prepare_cached(NOTE)?.execute([now.as_secs()])?;
    }
    for statement in
        [REMOVE_SESSIONS, REMOVE_CODES, REMOVE_PUSHED_REQUESTS, REMOVE_ASSERTIONS, REMOVE_NOTICES]
    {
        db.prepare_cached(statement)?.execute((now.as_secs(), limit))?;
    }
    Ok(())
}

/// Begins anew: nothing that was removed could matter any more.
pub(crate) fn forget(db: &Connection) -> Result<()> {
    db.prepare_cached(FORGET)?.execute([]).map(drop)
}

/// The latest moment at which something was removed.
pub(crate) fn swept_through(db: &Connection) -> Result<Timestamp> {
    db.prepare_cached(SWEPT_THROUGH)?.query_row([], |row| columns::timestamp(row, 0))
}

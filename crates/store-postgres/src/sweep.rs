//! Letting rows go whose time is over: each commit of a server takes a few along, so there is no janitor.

use obol_token::Timestamp;

use crate::columns;
use crate::connection::{Connection, Values};
use crate::error::Result;

/// The newest entry stays, so that who reads to the end of the log knows how far it goes. (`log_head` may be ahead of it.)
const REMOVE_ENTRIES: &str = "DELETE FROM change_log WHERE position = \
     ANY(ARRAY(SELECT position FROM change_log WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2)) \
     AND position < (SELECT MAX(position) FROM change_log)";
const REMOVE_FAMILIES: &str = "DELETE FROM families WHERE id = \
     ANY(ARRAY(SELECT id FROM families WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2))";
const REMOVE_SESSIONS: &str = "DELETE FROM sessions WHERE id = \
     ANY(ARRAY(SELECT id FROM sessions WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2))";
const REMOVE_CODES: &str = "DELETE FROM codes WHERE hash = \
     ANY(ARRAY(SELECT hash FROM codes WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2))";
const REMOVE_PUSHED_REQUESTS: &str = "DELETE FROM pushed_requests WHERE hash = \
     ANY(ARRAY(SELECT hash FROM pushed_requests WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2))";
const REMOVE_ASSERTIONS: &str = "DELETE FROM assertions WHERE hash = \
     ANY(ARRAY(SELECT hash FROM assertions WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2))";
const REMOVE_NOTICES: &str = "DELETE FROM logout_notices WHERE ctid = \
     ANY(ARRAY(SELECT ctid FROM logout_notices WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2))";
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
pub(crate) async fn remove_expired(db: &Connection, now: Timestamp, limit: usize) -> Result<()> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let now = now.as_secs();
    let values: Values<'_> = &[&now, &limit];
    let (entries, families, sessions, codes, pushed_requests, assertions, notices) = tokio::join!(
        biased;
        db.execute(REMOVE_ENTRIES, values),
        db.execute(REMOVE_FAMILIES, values),
        db.execute(REMOVE_SESSIONS, values),
        db.execute(REMOVE_CODES, values),
        db.execute(REMOVE_PUSHED_REQUESTS, values),
        db.execute(REMOVE_ASSERTIONS, values),
        db.execute(REMOVE_NOTICES, values),
    );
    sessions?;
    codes?;
    pushed_requests?;
    assertions?;
    notices?;
    if entries? + families? > 0 {
        db.execute(NOTE, &[&now]).await?;
    }
    Ok(())
}

/// Begins anew: nothing that was removed could matter any more.
pub(crate) async fn forget(db: &Connection) -> Result<()> {
    db.execute(FORGET, &[]).await.map(drop)
}

/// The latest moment at which something was removed.
pub(crate) async fn swept_through(db: &Connection) -> Result<Timestamp> {
    columns::timestamp(&db.load(SWEPT_THROUGH, &[]).await?, 0)
}

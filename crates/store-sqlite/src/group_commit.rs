//! One transaction for many requests, each of which can fail without the others.

use obol_store::StoreError;
use obol_token::Timestamp;
use rusqlite::{Connection, Result};

use crate::log_head::LogHead;
use crate::sweep;

/// One caller's write, whatever the type of its answer.
pub(crate) trait Request: Send {
    /// Whether nobody waits for the answer any more.
    fn is_given_up(&self) -> bool;
    /// The moment of the request, if it has one.
    fn now(&self) -> Option<Timestamp>;
    /// Does it, and keeps the outcome for `answer`; `Err` when what was done has to be undone.
    fn run(&mut self, db: &Connection) -> Result<(), Undo>;
    /// Gives the outcome to the caller, or the reason why nothing was committed.
    fn answer(self: Box<Self>, not_committed: Option<&StoreError>);
}

/// A part of the transaction has failed.
pub(crate) struct Undo;

/// Commits the requests together, without those that failed by themselves; when it returns `Ok`, what they did is on
/// stable storage.
pub(crate) fn commit_together(
    db: &Connection,
    requests: &mut [Box<dyn Request>],
    head: &LogHead,
) -> Result<()> {
    roll_back(db);
    execute(db, "BEGIN IMMEDIATE")?;
    let begun_at = LogHead::read(db).inspect_err(|_| roll_back(db))?;
    head.seen(begun_at);
    let committed = run(db, requests).and_then(|()| {
        let ends_at = LogHead::read(db)?;
        head.set_own(ends_at);
        execute(db, "COMMIT")?;
        Ok(ends_at)
    });
    match committed {
        Ok(ends_at) => {
            head.seen(ends_at);
            Ok(())
        }
        Err(error) => {
            head.set_own(begun_at);
            roll_back(db);
            Err(error)
        }
    }
}

fn run(db: &Connection, requests: &mut [Box<dyn Request>]) -> Result<()> {
    for request in requests.iter_mut() {
        apart(db, |db| request.run(db))?;
    }
    let Some(now) = requests.iter().filter_map(|request| request.now()).max() else { return Ok(()) };
    apart(db, |db| {
        sweep::remove_expired(db, now, 2 * requests.len()).map_err(|error| {
            tracing::debug!(%error, "expired rows were not removed");
            Undo
        })
    })
}

/// Runs `part` so that it can be undone alone. Fails when SQLite has given up the whole transaction.
fn apart(db: &Connection, part: impl FnOnce(&Connection) -> Result<(), Undo>) -> Result<()> {
    execute(db, "SAVEPOINT part")?;
    if part(db).is_err() {
        execute(db, "ROLLBACK TO part")?;
    }
    execute(db, "RELEASE part")
}

/// Ends a transaction that a failure may have left open.
fn roll_back(db: &Connection) {
    if !db.is_autocommit()
        && let Err(error) = execute(db, "ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

fn execute(db: &Connection, sql: &str) -> Result<()> {
    db.prepare_cached(sql)?.execute([]).map(drop)
}

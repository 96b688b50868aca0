//! How far the change log goes: as far as this process knows, and for who is about to append.

use obol_token::Position;
use tokio::sync::{Notify, watch};

use crate::columns::{self, value};
use crate::connection::Connection;
use crate::error::Result;

/// The committed end of the log, as far as this process knows: after its own commits, and when others announce theirs.
pub(crate) struct LogHead {
    published: watch::Sender<Position>,
    announce: Notify,
}

/// The timeline on which the server writes, as a number. Fails on a standby, which must not be taken for the primary.
macro_rules! timeline {
    () => {
        "CAST(CAST('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS BIT(32)) AS BIGINT)"
    };
}
pub(crate) use timeline;

/// The newest entry: positions may have been given beyond it.
const READ: &str = "SELECT COALESCE(MAX(position), 0) FROM change_log";
/// Whoever holds this row writes; all others wait, on whatever node.
const LOCK: &str = concat!("SELECT position, timeline, ", timeline!(), " FROM log_head FOR UPDATE");
const LAST_GIVEN: &str = "SELECT position FROM log_head";
const LEAP: &str = "UPDATE log_head SET position = position + $1, timeline = $2 RETURNING position";
const LEAP_HERE: &str = "UPDATE log_head SET position = position + $1";
const RECORD: &str = "INSERT INTO timelines (timeline, kept_to) \
     SELECT $1, COALESCE(MAX(position), 0) FROM change_log \
     ON CONFLICT (timeline) DO UPDATE SET kept_to = excluded.kept_to";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[READ, LOCK, LAST_GIVEN, LEAP, LEAP_HERE, RECORD];

/// More positions than can have been given that a standby or a backup never heard of. 65,000 leaps fit in what a deny list
/// remembers of a position.
const LEAP_BY: i64 = 1 << 32;

impl LogHead {
    /// Begins at `head`, which was read from the database.
    pub(crate) fn new(head: Position) -> Self {
        Self { published: watch::Sender::new(head), announce: Notify::new() }
    }

    /// Reads the position of the newest entry from the database.
    pub(crate) async fn read(db: &Connection) -> Result<Position> {
        columns::position(&db.load(READ, &[]).await?, 0)
    }

    /// The last position that was given, for who holds the lock.
    pub(crate) async fn last_given(db: &Connection) -> Result<Position> {
        columns::position(&db.load(LAST_GIVEN, &[]).await?, 0)
    }

    /// Makes [`LogHead::last_given`] one round trip.
    pub(crate) async fn prepare(db: &Connection) -> Result<()> {
        db.prepared(LAST_GIVEN).await.map(drop)
    }

    /// Keeps all others from writing until the end of the transaction, and gives the last position that was given.
    ///
    /// On a new timeline (a standby was promoted) positions may have been lost with the old primary, and nodes may have
    /// read what stood there. They are not given again: a node's position never stands for another entry than the one it read.
    pub(crate) async fn lock(db: &Connection) -> Result<Position> {
        let row = db.load(LOCK, &[]).await?;
        let (before, now): (i64, i64) = (value(&row, 1)?, value(&row, 2)?);
        if before == now {
            return columns::position(&row, 0);
        }
        db.execute(RECORD, &[&now]).await?;
        let leap = if before == 0 { 0 } else { LEAP_BY };
        columns::position(&db.load(LEAP, &[&leap, &now]).await?, 0)
    }

    /// Goes on with positions that no earlier state of this installation can have reached; for who holds the lock.
    pub(crate) async fn leap(db: &Connection) -> Result<()> {
        db.execute(LEAP_HERE, &[&LEAP_BY]).await.map(drop)
    }

    /// Takes in a committed end of the log.
    pub(crate) fn seen(&self, head: Position) {
        self.published.send_if_modified(|published| {
            let later = head > *published;
            *published = head.max(*published);
            later
        });
    }

    /// Takes in the end of the log after an own commit, and has it announced to the other nodes.
    pub(crate) fn appended(&self, head: Position) {
        self.seen(head);
        self.announce.notify_one();
    }

    /// Waits until there is something to announce since the last time.
    pub(crate) async fn to_announce(&self) -> Position {
        self.announce.notified().await;
        self.known()
    }

    /// The end as far as it is known.
    pub(crate) fn known(&self) -> Position {
        *self.published.borrow()
    }

    /// Takes in the end of the log that a reading has found. `known` was known before the reading was sent: if the log ends
    /// before that, entries were lost in a failover, or somebody has announced what is not true.
    pub(crate) fn read_to(&self, found: Position, known: Position) {
        if found < known {
            self.published.send_replace(found);
        } else {
            self.seen(found);
        }
    }

    /// Waits until the log goes past `after`.
    pub(crate) async fn wait_past(&self, after: Position) {
        // An error means that the sender is gone, and it is `self`.
        let _ = self.published.subscribe().wait_for(|head| *head > after).await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn who_waits_at_the_end_waits_until_the_log_goes_past_it() {
        let head = LogHead::new(Position::new(7));
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(head.wait_past(Position::new(6))).poll(&mut context).is_ready());
        let mut waits = pin!(head.wait_past(Position::new(7)));
        for seen in [7, 3, 7] {
            head.seen(Position::new(seen));
            assert!(waits.as_mut().poll(&mut context).is_pending());
        }
        head.seen(Position::new(8));
        assert!(waits.poll(&mut context).is_ready());
    }

    #[test]
    fn an_end_that_the_log_does_not_have_is_taken_back_by_the_next_reading() {
        let head = LogHead::new(Position::new(7));
        head.seen(Position::new(1_000));
        head.read_to(Position::new(7), head.known());
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(head.wait_past(Position::new(7))).poll(&mut context).is_pending());
    }

    #[test]
    fn an_end_that_came_during_a_reading_stays() {
        let head = LogHead::new(Position::new(7));
        let known = head.known();
        head.seen(Position::new(8));
        head.read_to(Position::new(7), known);
        assert_eq!(head.known(), Position::new(8));
    }
}

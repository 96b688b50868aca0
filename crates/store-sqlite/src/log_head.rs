//! How far the change log goes, as far as this process knows, and who appended last.

use std::sync::atomic::{AtomicU64, Ordering};

use obol_token::Position;
use rusqlite::{Connection, Result};
use tokio::sync::watch;

use crate::columns;

/// The committed end of the log. Published by the writer after its own commits and by the watcher after those of
/// other processes.
pub(crate) struct LogHead {
    published: watch::Sender<Position>,
    /// The end of the log after the newest own commit, also while that commit is under way.
    own: AtomicU64,
    foreign: AtomicU64,
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[LogHead::READ, LogHead::LEAP];

impl LogHead {
    const READ: &str = "SELECT position FROM log_head";
    const LEAP: &str = "UPDATE log_head SET position = position + $1";
    /// More than a log can have grown since a backup. 65,000 leaps fit in what a deny list remembers of a position.
    const LEAP_BY: i64 = 1 << 32;

    /// Begins at `head`, which was read from the database.
    pub(crate) fn new(head: Position) -> Self {
        Self {
            published: watch::Sender::new(head),
            own: AtomicU64::new(head.number()),
            foreign: AtomicU64::new(Position::START.number()),
        }
    }

    /// Reads it from the database.
    pub(crate) fn read(db: &Connection) -> Result<Position> {
        db.prepare_cached(Self::READ)?.query_row([], |row| columns::position(row, 0))
    }

    /// Goes on with positions that no earlier state of this installation can have reached.
    pub(crate) fn leap(db: &Connection) -> Result<()> {
        db.prepare_cached(Self::LEAP)?.execute([Self::LEAP_BY]).map(drop)
    }

    /// Takes in a committed end that was read from the database; one past the own commits is another process's.
    pub(crate) fn seen(&self, head: Position) {
        if head.number() > self.own.load(Ordering::Acquire) {
            self.foreign.fetch_max(head.number(), Ordering::AcqRel);
        }
        self.published.send_if_modified(|published| {
            let later = head > *published;
            *published = head.max(*published);
            later
        });
    }

    /// Notes that this process commits the log up to `head` now, or that it did not get further than `head`.
    pub(crate) fn set_own(&self, head: Position) {
        self.own.store(head.number(), Ordering::Release);
    }

    /// The end of the log when another process was last seen to have appended.
    pub(crate) fn foreign(&self) -> Position {
        Position::new(self.foreign.load(Ordering::Acquire))
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
    fn what_lies_past_the_own_commits_is_another_process_s() {
        let head = LogHead::new(Position::new(7));
        head.set_own(Position::new(9));
        head.seen(Position::new(9));
        assert_eq!(head.foreign(), Position::START);
        head.seen(Position::new(10));
        assert_eq!(head.foreign(), Position::new(10));
        head.set_own(Position::new(11));
        head.seen(Position::new(11));
        assert_eq!(head.foreign(), Position::new(10));
    }
}

//! The rows of the nodes, and for how long each has been as it is: the only clock that counts is this process's own.
//!
//! A crash or a failover may forget the last changes of a row where no standby must confirm them. It also ends the
//! connections: what was seen over one that has ended does not count any more, and each row counts in full again. So what
//! is forgotten only makes others wait longer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obol_store::{NodeId, Peer, StoreError};
use obol_token::Position;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::Row;

use crate::columns::{self, value};
use crate::connection::Connection;
use crate::connector::{Connector, Use};
use crate::error::{Error, Result, store_error};
use crate::readers;

const LIST: &str = "SELECT id, applied, lease_ms, renewals FROM nodes";
const TAKE_OUT: &str = "DELETE FROM nodes WHERE id = $1 AND renewals = $2";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[LIST, TAKE_OUT];

/// Reads the rows. Who asks while a reading is under way shares the next one with all others who do.
pub(crate) struct NodeRows {
    connector: Arc<Connector>,
    /// Numbers of questions and readings, in the order in which they began.
    moments: AtomicU64,
    last: Mutex<LastReading>,
}

#[derive(Default)]
struct LastReading {
    db: Option<Connection>,
    began: u64,
    rows: Vec<SeenRow>,
}

/// A row as it was last read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeenRow {
    node: NodeId,
    applied: Position,
    lease: Duration,
    renewals: i64,
    /// The moment after the first reading that showed it with these renewals.
    since: Instant,
}

impl SeenRow {
    /// Which node's.
    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    /// What is certain of this node at `now`: for how long it may still vouch; `None` once it may not, unless it renews.
    pub(crate) fn peer(&self, now: Instant) -> Option<Peer> {
        let lease_left = self.longest().checked_sub(now.saturating_duration_since(self.since))?;
        (!lease_left.is_zero()).then_some(Peer { lease_left, ..self.peer_in_full() })
    }

    /// The same, if it were to renew now.
    pub(crate) fn peer_in_full(&self) -> Peer {
        Peer { node: self.node, applied: self.applied, lease_left: self.longest() }
    }

    /// Takes the row out, unless it has been renewed since; says whether it did.
    pub(crate) async fn take_out(&self, db: &Connection) -> Result<bool> {
        let id = self.node.as_bytes().as_slice();
        Ok(db.execute(TAKE_OUT, &[&id, &self.renewals]).await? == 1)
    }

    /// Clocks run at different rates: 1 %, and 20 ms for where they are read.
    fn longest(&self) -> Duration {
        self.lease + self.lease / 100 + Duration::from_millis(20)
    }
}

impl NodeRows {
    /// No row has been read yet.
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        // The first question comes after the reading that there was not.
        Self { connector, moments: AtomicU64::new(1), last: Mutex::default() }
    }

    /// All rows, by a reading that began after this call.
    ///
    /// # Errors
    /// [`StoreError`] when there is no answer within a second.
    pub(crate) async fn read(&self) -> Result<Vec<SeenRow>, StoreError> {
        let deadline = Instant::now() + readers::DEADLINE;
        let late = |_| Err(Error::TooLate(readers::DEADLINE.as_millis()));
        let read = timeout_at(deadline, self.read_before(deadline)).await.unwrap_or_else(late);
        read.map_err(|error| store_error(&error))
    }

    async fn read_before(&self, deadline: Instant) -> Result<Vec<SeenRow>> {
        let asked = self.moments.fetch_add(1, Ordering::AcqRel);
        let mut last = self.last.lock().await;
        if last.began > asked {
            return Ok(last.rows.clone());
        }
        // Taken out: a reading that is given up takes the connection with it.
        let db = match last.db.take().filter(|db| self.connector.is_usable(db)) {
            Some(db) => db,
            None => {
                last.rows.clear();
                let connected = self.connector.connect(Use::Read, deadline).await;
                connected.map_err(|error| Error::NotConnected(error.to_string()))?
            }
        };
        let began = self.moments.fetch_add(1, Ordering::AcqRel);
        let rows = db.query(LIST, &[]).await?;
        self.connector.timeline.check(&db)?;
        let rows = seen(&rows, &last.rows, Instant::now())?;
        *last = LastReading { db: Some(db), began, rows: rows.clone() };
        Ok(rows)
    }
}

/// The rows read, each as old as it is known to be.
fn seen(rows: &[Row], before: &[SeenRow], now: Instant) -> Result<Vec<SeenRow>> {
    let before: HashMap<_, _> = before.iter().map(|row| ((row.node, row.renewals), row.since)).collect();
    let row = |row| {
        let (node, renewals) = (NodeId::from_bytes(columns::bytes(row, 0)?), value(row, 3)?);
        let millis = u64::try_from(value::<i64>(row, 2)?).unwrap_or_default();
        Ok(SeenRow {
            node,
            applied: columns::position(row, 1)?,
            lease: Duration::from_millis(millis),
            renewals,
            since: before.get(&(node, renewals)).copied().unwrap_or(now),
        })
    };
    rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_until_its_lease_and_the_margin_have_passed_since_it_was_first_seen() {
        let since = Instant::now();
        let row = SeenRow {
            node: NodeId::from_bytes([1; 16]),
            applied: Position::new(7),
            lease: Duration::from_secs(2),
            renewals: 1,
            since,
        };
        let left =
            |millis| row.peer(since + Duration::from_millis(millis)).map(|peer| peer.lease_left.as_millis());
        assert_eq!([left(0), left(2_039), left(2_040), left(9_000)], [Some(2_040), Some(1), None, None]);
        assert_eq!(row.peer_in_full().lease_left, Duration::from_millis(2_040));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_asks_together_shares_readings() {
        const CALLS: u64 = 200;
        let server = obol_testkit::Postgres::shared();
        let options = crate::PostgresOptions::new(&server.database());
        crate::PostgresStore::migrate(&options).await.unwrap();
        let rows = Arc::new(NodeRows::new(Arc::new(Connector::new(&options).unwrap())));
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..CALLS {
            let rows = rows.clone();
            asking.spawn(async move { rows.read().await.unwrap().len() });
        }
        assert!(asking.join_all().await.iter().all(|rows| *rows == 0));
        let readings = rows.moments.load(Ordering::Acquire) - 1 - CALLS;
        assert!((1..CALLS / 2).contains(&readings), "{readings} readings for {CALLS} questions");
    }
}

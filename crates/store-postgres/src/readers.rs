//! Connections for reading, lent for one reading at a time.

use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult, Timeouts,
};
use deadpool::{Runtime, managed::TimeoutType};
use obol_store::StoreError;
use tokio::time::{Instant, timeout_at};

use crate::connection::Connection;
use crate::connector::{Connector, Use};
use crate::error::{Error, Result, leaves_connection_sound, store_error};
use crate::open::OpenError;

/// The longest that a reading may take, the wait for a connection included: half of the usual lease.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);
/// The longest for readings of whole tables, which no lease depends on.
const WHOLE_TABLE_DEADLINE: Duration = Duration::from_secs(10);

/// A pool of connections.
pub(crate) struct Readers(Pool<Connections>);

/// Makes the connections of a pool.
pub(crate) struct Connections(Arc<Connector>);

impl Readers {
    /// A pool of up to `size` connections, made when they are needed.
    ///
    /// # Errors
    /// [`OpenError::Unreachable`] never in practice: the pool has a runtime.
    pub(crate) fn new(connector: &Arc<Connector>, size: usize) -> Result<Self, OpenError> {
        let pool = Pool::builder(Connections(connector.clone()))
            .max_size(size)
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build();
        let unavailable = |cause: String| OpenError::Unreachable { server: connector.shown(), cause };
        pool.map(Self).map_err(|error| unavailable(error.to_string()))
    }

    /// Runs `work` on a connection.
    ///
    /// # Errors
    /// [`StoreError`]; `Unavailable` when it takes more than a second.
    pub(crate) async fn read<T>(
        &self,
        work: impl AsyncFnOnce(&Connection) -> Result<T>,
    ) -> Result<T, StoreError> {
        self.read_within(DEADLINE, work).await.map_err(|error| store_error(&error))
    }

    /// Runs `work`, which renews a lease: it may take as long as the lease, for after that it earns nothing.
    ///
    /// # Errors
    /// [`StoreError`]; `Unavailable` when it takes longer.
    pub(crate) async fn renew<T>(
        &self,
        lease: Duration,
        work: impl AsyncFnOnce(&Connection) -> Result<T>,
    ) -> Result<T, StoreError> {
        self.read_within(lease, work).await.map_err(|error| store_error(&error))
    }

    /// Runs `work`, which may read a whole table.
    ///
    /// # Errors
    /// [`StoreError`]; `Unavailable` when it takes more than ten seconds.
    pub(crate) async fn read_whole_table<T>(
        &self,
        work: impl AsyncFnOnce(&Connection) -> Result<T>,
    ) -> Result<T, StoreError> {
        let patient = async |db: &Connection| {
            let limit = format!(
                "BEGIN READ ONLY; SET LOCAL statement_timeout = {}",
                WHOLE_TABLE_DEADLINE.as_millis()
            );
            let (begun, read) = tokio::join!(biased; db.run(&limit), work(db));
            // Also after a failure: the next reading must not find itself in this transaction.
            let ended = db.run("COMMIT").await;
            begun.and(ended)?;
            read
        };
        self.read_within(WHOLE_TABLE_DEADLINE, patient).await.map_err(|error| store_error(&error))
    }

    async fn read_within<T>(
        &self,
        within: Duration,
        work: impl AsyncFnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + within;
        let late = |_| Error::TooLate(within.as_millis());
        let lent = timeout_at(deadline, self.0.timeout_get(&waits(within))).await.map_err(late)?;
        let lent = Lent::new(lent.map_err(|error| not_lent(error, within))?);
        let outcome = timeout_at(deadline, work(lent.connection()?)).await.map_err(late)?;
        self.0.manager().0.timeline.check(lent.connection()?)?;
        if outcome.as_ref().err().is_none_or(leaves_connection_sound) {
            lent.give_back();
        }
        outcome
    }
}

fn waits(within: Duration) -> Timeouts {
    Timeouts { wait: Some(within), create: Some(within), recycle: Some(within) }
}

fn not_lent(error: PoolError<OpenError>, within: Duration) -> Error {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => Error::NotConnected("all connections are in use".to_owned()),
        PoolError::Timeout(_) => Error::TooLate(within.as_millis()),
        error => Error::NotConnected(error.to_string()),
    }
}

/// A connection that is thrown away unless it is given back: a reading that was given up leaves it in the middle of
/// something.
struct Lent(Option<Object<Connections>>);

impl Lent {
    fn new(object: Object<Connections>) -> Self {
        Self(Some(object))
    }

    fn connection(&self) -> Result<&Connection> {
        self.0.as_deref().ok_or_else(|| Error::NotConnected("it was given back".to_owned()))
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

impl Manager for Connections {
    type Type = Connection;
    type Error = OpenError;

    async fn create(&self) -> Result<Connection, OpenError> {
        self.0.connect(Use::Read, Instant::now() + DEADLINE).await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<OpenError> {
        match self.0.is_usable(connection) {
            true => Ok(()),
            false => Err(RecycleError::message("it was closed, or its server is not the primary any more")),
        }
    }
}

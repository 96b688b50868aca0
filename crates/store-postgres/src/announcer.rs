//! The connection over which nodes tell each other that something was appended. A message that is missed costs the
//! reader's poll interval, nothing else.

use std::sync::Arc;
use std::time::Duration;

use obol_token::Position;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::connection::Connection;
use crate::connector::{Connector, Use};
use crate::error::{Error, Result};
use crate::log_head::LogHead;

const LISTEN: &str = "LISTEN obol_log";
const NOTIFY: &str = "SELECT pg_notify('obol_log', $1)";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[LISTEN, NOTIFY];

/// The task that announces and listens; dropped, it ends.
pub(crate) struct Announcer(JoinHandle<()>);

impl Announcer {
    /// The shortest time between two announcements of this node.
    const INTERVAL: Duration = Duration::from_millis(5);
    /// How often the connection is tried when nothing is heard.
    const PING: Duration = Duration::from_secs(5);
    const ANSWER_WITHIN: Duration = Duration::from_secs(1);
    const RECONNECT_AFTER: Duration = Duration::from_millis(200);

    /// Starts the task.
    pub(crate) fn start(connector: Arc<Connector>, head: Arc<LogHead>) -> Self {
        Self(tokio::spawn(async move {
            let mut failing = false;
            loop {
                let ended = announce(&connector, &head, &mut failing).await;
                if let (Err(error), false) = (&ended, std::mem::replace(&mut failing, true)) {
                    tracing::warn!(%error, "other nodes' appends are not heard of at once");
                }
                sleep(Self::RECONNECT_AFTER).await;
            }
        }))
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Announces and listens until the connection fails.
async fn announce(connector: &Connector, head: &LogHead, failing: &mut bool) -> Result<()> {
    let deadline = Instant::now() + Announcer::ANSWER_WITHIN;
    let db = connector.connect(Use::Announce, deadline).await;
    let db = db.map_err(|error| Error::NotConnected(error.to_string()))?;
    in_time(db.run(LISTEN)).await?;
    *failing = false;
    let mut next = Instant::now();
    // What was appended before anybody listened.
    head.seen(in_time(LogHead::read(&db)).await?);
    loop {
        let due = async {
            sleep_until(next).await;
            head.to_announce().await
        };
        tokio::select! {
            () = db.heard().notified.notified() => match db.is_closed() {
                true => return Err(Error::NotConnected("the connection has ended".to_owned())),
                false => head.seen(db.heard().newest()),
            },
            position = due => {
                next = Instant::now() + Announcer::INTERVAL;
                in_time(notify(&db, position)).await?;
            }
            () = sleep(Announcer::PING) => head.seen(in_time(LogHead::read(&db)).await?),
        }
    }
}

async fn notify(db: &Connection, position: Position) -> Result<()> {
    db.query(NOTIFY, &[&position.to_string()]).await.map(drop)
}

async fn in_time<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::TooLate(Announcer::ANSWER_WITHIN.as_millis());
    timeout(Announcer::ANSWER_WITHIN, answer).await.map_err(late)?
}

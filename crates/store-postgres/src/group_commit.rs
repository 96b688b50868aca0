//! One transaction for many requests, each of which can fail without the others.
//!
//! 1. `BEGIN` and the lock that serialises all writers, in one round trip. What follows sees what was committed before.
//! 2. Meanwhile more requests may have come: they are taken along.
//! 3. Denials of tokens and ends of families, all in two statements; then each other request; then the sweep. Each part
//!    has a savepoint, which travels with its first statement.
//! 4. `COMMIT`, without a limit of the server: one that ends the wait for a standby would look like success.

use std::time::Duration;

use obol_store::StoreError;
use obol_token::Position;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::denials_together::{deny_tokens, end_families};
use crate::error::{Error, Result, leaves_connection_sound, store_error};
use crate::log_head::LogHead;
use crate::request::{Pending, Request};
use crate::sweep;
use crate::writer::Writer;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
const UNDO: &str = "ROLLBACK TO part; RELEASE part";
const KEEP: &str = "RELEASE part";
const COMMIT: &str = "SET LOCAL statement_timeout = 0; COMMIT";

/// The requests of one transaction.
pub(crate) struct Batch {
    here: Vec<Pending>,
    /// Those for which there was no time.
    later: Vec<Pending>,
}

impl Batch {
    /// Begins with these.
    pub(crate) fn new(first: Vec<Pending>) -> Self {
        Self { here: first, later: Vec::new() }
    }

    /// Takes those that wait, and leaves out those for which nobody waits any more.
    pub(crate) fn take_waiting(&mut self, requests: &mut mpsc::Receiver<Pending>) {
        while self.here.len() < Writer::BATCH
            && let Ok(next) = requests.try_recv()
        {
            self.here.push(next);
        }
        self.here.retain(|pending| !pending.request.is_given_up());
    }

    /// Gives each its outcome, or the reason why nothing was committed; what was put off comes back.
    pub(crate) fn answer(self, not_committed: Option<&StoreError>) -> Vec<Pending> {
        for pending in self.here {
            pending.request.answer(not_committed);
        }
        self.later
    }

    /// Puts off what has to be done one by one, from this place on.
    fn put_off_from(&mut self, number: usize) {
        let rest = self.here.split_off(number);
        let (later, here) = rest.into_iter().partition(|pending| matches!(pending.request, Request::Work(_)));
        self.later = later;
        self.here.extend::<Vec<_>>(here);
    }
}

/// A transaction under way.
pub(crate) struct Commit {
    began_at: Position,
    /// How the last part ends: sent with what follows it.
    end_of_part: Option<&'static str>,
}

impl Commit {
    /// What has not been begun by then waits for the next transaction, so that this one ends within its deadline.
    const ONE_BY_ONE_FOR: Duration = Duration::from_millis(500);

    /// Begins, and waits for its turn among all writers.
    pub(crate) async fn begin(db: &Connection) -> Result<Self> {
        let (begun, began_at) = tokio::join!(biased; db.run(BEGIN), LogHead::lock(db));
        begun?;
        Ok(Self { began_at: began_at?, end_of_part: None })
    }

    /// Does the requests, and says whether the connection is sound afterwards. Fails when the transaction is lost.
    pub(crate) async fn run(&mut self, db: &Connection, batch: &mut Batch) -> Result<bool> {
        let requests = &mut batch.here;
        let mut sound = true;
        if requests.iter().any(|pending| matches!(pending.request, Request::Token { .. })) {
            let denied = self.part(db, deny_tokens(db, requests)).await?;
            sound &= keep_failure(denied, requests, |request, error| {
                if let Request::Token { answer, .. } = request {
                    answer.keep(Err(error));
                }
            });
        }
        if requests.iter().any(|pending| matches!(pending.request, Request::Family { .. })) {
            let ended = self.part(db, end_families(db, requests)).await?;
            sound &= keep_failure(ended, requests, |request, error| {
                if let Request::Family { answer, .. } = request {
                    answer.keep(Err(error));
                }
            });
        }
        sound &= self.run_each(db, batch).await?;
        let requests = &batch.here;
        if let Some(now) = requests.iter().filter_map(|pending| pending.now).max() {
            let limit = 2 * requests.len();
            let swept = self.part(db, sweep::remove_expired(db, now, limit)).await?;
            if let Err(error) = swept {
                tracing::debug!(%error, "expired rows were not removed");
                sound = false;
            }
        }
        Ok(sound)
    }

    /// Does the requests that have to be done one by one, as long as there is time.
    async fn run_each(&mut self, db: &Connection, batch: &mut Batch) -> Result<bool> {
        let until = Instant::now() + Self::ONE_BY_ONE_FOR;
        let mut sound = true;
        for number in 0..batch.here.len() {
            let Some(Pending { request: Request::Work(work), .. }) = batch.here.get_mut(number) else {
                continue;
            };
            let done = self.part(db, work.run(db)).await?;
            sound &= done.err().is_none_or(|undo| undo.sound);
            if Instant::now() >= until {
                batch.put_off_from(number + 1);
                break;
            }
        }
        Ok(sound)
    }

    /// Commits. When it returns `Ok`, what the requests did is on stable storage, also on the standby that commits
    /// wait for; with the new end of the log, if something was appended. After an `Err` it may have been committed or not.
    pub(crate) async fn end(self, db: &Connection) -> Result<Option<Position>> {
        // Its preparation must not come between: what follows it would overtake it.
        LogHead::prepare(db).await?;
        let warnings = db.warnings();
        let end_of_part = db.run(self.end_of_part.unwrap_or_default());
        let (ended, last_given, committed) =
            tokio::join!(biased; end_of_part, LogHead::last_given(db), db.run(COMMIT));
        // A failure of the first two has turned the third into a rollback, which does not look like a failure.
        ended?;
        let ends_at = last_given?;
        committed?;
        if db.warnings() != warnings {
            return Err(Error::NotReplicated);
        }
        Ok((ends_at > self.began_at).then_some(ends_at))
    }

    /// Runs a part that can be undone alone. The outer `Err` means that the transaction is lost.
    async fn part<T, E>(
        &mut self,
        db: &Connection,
        part: impl Future<Output = Result<T, E>>,
    ) -> Result<Result<T, E>> {
        let begin = match self.end_of_part.take() {
            Some(end) => format!("{end}; SAVEPOINT part"),
            None => "SAVEPOINT part".to_owned(),
        };
        let (begun, done) = tokio::join!(biased; db.run(&begin), part);
        begun?;
        self.end_of_part = Some(if done.is_ok() { KEEP } else { UNDO });
        Ok(done)
    }
}

/// A statement for many has failed: so has each of them. Says whether the connection is sound.
fn keep_failure(done: Result<()>, requests: &mut [Pending], keep: impl Fn(&mut Request, StoreError)) -> bool {
    let Err(error) = done else { return true };
    for pending in requests {
        keep(&mut pending.request, store_error(&error));
    }
    leaves_connection_sound(&error)
}

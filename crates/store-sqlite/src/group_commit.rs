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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::sync::mpsc::{Sender, channel};
    use std::task::Poll;

    use obol_store::{Appended, ChangeLog, Denials, Deny, PasswordHash, Profile, User, Users};
    use obol_token::{Expiry, Position, SubjectId, TokenId};
    use tempfile::TempDir;
    use tokio::sync::oneshot;

    use super::*;
    use crate::SqliteStore;

    type Outcome<T> = std::result::Result<T, StoreError>;
    type Waiting<'a, T> = Pin<Box<dyn Future<Output = Outcome<T>> + 'a>>;

    fn opened() -> (SqliteStore, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (SqliteStore::open(folder.path()).unwrap(), folder)
    }

    /// Sends a request, which has to wait.
    async fn sent<'a, T>(request: impl Future<Output = Outcome<T>> + 'a) -> Waiting<'a, T> {
        let mut request = Box::pin(request);
        poll_fn(|context| {
            assert!(request.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        request
    }

    /// Keeps the writer busy with one request until the sender is dropped.
    async fn keep_busy(store: &SqliteStore) -> (Sender<()>, Waiting<'_, ()>) {
        let (go_on, wait) = channel::<()>();
        let (begun, has_begun) = oneshot::channel();
        let work = move |_: &Connection| {
            let _ = begun.send(());
            let _ = wait.recv();
            Ok(())
        };
        let busy = sent(store.writer.write(None, work)).await;
        has_begun.await.unwrap();
        (go_on, busy)
    }

    async fn deny_token(store: &SqliteStore, number: u16) -> Outcome<Appended> {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_le_bytes());
        let deny = Deny::Token { id: TokenId::from_bytes(id), expires_at: Expiry::Never };
        store.deny(&deny, Timestamp::from_secs(1)).await
    }

    async fn log_length(store: &SqliteStore) -> usize {
        store.read_after(Position::START, 10_000).await.unwrap().len()
    }

    fn user(id: u8, name: &str) -> User {
        User {
            id: SubjectId::from_bytes([id; 16]),
            username: name.parse().unwrap(),
            email: None,
            profile: Profile::default(),
            password: PasswordHash::from_phc("$argon2id$"),
            enabled: true,
            created_at: Timestamp::from_secs(1),
        }
    }

    #[tokio::test]
    async fn requests_that_wait_together_share_one_commit() {
        let (store, _folder) = opened();
        let (go_on, busy) = keep_busy(&store).await;
        let mut denials = Vec::new();
        for number in 0..300 {
            denials.push(sent(deny_token(&store, number)).await);
        }
        drop(go_on);
        busy.await.unwrap();
        for (denial, number) in denials.into_iter().zip(1..) {
            assert_eq!(denial.await.unwrap().position(), Position::new(number));
        }
        assert_eq!(store.commits(), 2);
    }

    #[tokio::test]
    async fn a_request_that_fails_does_not_spoil_its_neighbours() {
        let (store, _folder) = opened();
        let _ = store.add_user(&user(1, "alice")).await.unwrap();
        let same_id = user(1, "bob");
        let half_done = |db: &Connection| {
            db.execute("DELETE FROM users", [])?;
            db.execute("DELETE FROM no_such_table", [])
        };
        let (go_on, busy) = keep_busy(&store).await;
        let first = sent(deny_token(&store, 1)).await;
        let conflicting = sent(store.add_user(&same_id)).await;
        let half_done = sent(store.writer.write(None, half_done)).await;
        let second = sent(deny_token(&store, 2)).await;
        drop(go_on);
        busy.await.unwrap();

        assert_eq!(first.await.unwrap().position(), Position::new(1));
        assert!(matches!(conflicting.await, Err(StoreError::Conflict(_))));
        assert!(matches!(half_done.await, Err(StoreError::Unavailable(_))));
        assert_eq!(second.await.unwrap().position(), Position::new(2));
        assert_eq!(store.list_users().await.unwrap(), [user(1, "alice")]);
    }

    #[tokio::test]
    async fn a_request_whose_caller_has_gone_before_it_began_is_not_done() {
        let (store, _folder) = opened();
        let (go_on, busy) = keep_busy(&store).await;
        drop(sent(deny_token(&store, 1)).await);
        drop(go_on);
        busy.await.unwrap();
        assert_eq!(deny_token(&store, 2).await.unwrap().position(), Position::new(1));
        assert_eq!(log_length(&store).await, 1);
    }

    #[tokio::test]
    async fn past_a_full_queue_a_request_is_refused_at_once() {
        let (store, _folder) = opened();
        let (go_on, busy) = keep_busy(&store).await;
        let mut denials = Vec::new();
        for number in 0..4_096 {
            denials.push(sent(deny_token(&store, number)).await);
        }
        let refused = deny_token(&store, 5_000).await;
        assert_eq!(refused, Err(StoreError::Unavailable("too many writes are waiting".to_owned())));
        drop(go_on);
        busy.await.unwrap();
        for denial in denials {
            let _ = denial.await.unwrap();
        }
        // The one that kept it busy, and eight full batches.
        assert_eq!(store.commits(), 1 + 4_096 / 512);
        let _ = deny_token(&store, 5_000).await.unwrap();
    }

    #[tokio::test]
    async fn when_the_commit_fails_nothing_of_it_is_done_and_the_next_one_works() {
        let (store, _folder) = opened();
        let (go_on, busy) = keep_busy(&store).await;
        let neighbour = sent(deny_token(&store, 1)).await;
        let violating = sent(store.writer.write(None, violate_at_commit)).await;
        drop(go_on);
        busy.await.unwrap();
        assert!(matches!(neighbour.await, Err(StoreError::Unavailable(_))));
        assert!(matches!(violating.await, Err(StoreError::Unavailable(_))));
        assert_eq!(log_length(&store).await, 0);
        assert_eq!(deny_token(&store, 2).await.unwrap().position(), Position::new(1));
    }

    /// A family without a client, which SQLite finds out when it commits.
    fn violate_at_commit(db: &Connection) -> Result<usize> {
        db.pragma_update(None, "defer_foreign_keys", true)?;
        db.execute(
            "INSERT INTO families (id, lineage, client_id, subject, scopes, current_hash, issued_at) \
             VALUES (x'01', x'01', 'none', x'01', '', x'01', 0)",
            [],
        )
    }

    #[tokio::test]
    async fn when_the_transaction_is_lost_all_its_requests_are_refused() {
        let (store, _folder) = opened();
        let lose = |db: &Connection| {
            db.execute_batch("ROLLBACK")?;
            db.execute("DELETE FROM no_such_table", [])
        };
        let (go_on, busy) = keep_busy(&store).await;
        let first = sent(deny_token(&store, 1)).await;
        let losing = sent(store.writer.write(None, lose)).await;
        let second = sent(deny_token(&store, 2)).await;
        drop(go_on);
        busy.await.unwrap();
        assert!(matches!(first.await, Err(StoreError::Unavailable(_))));
        assert!(matches!(losing.await, Err(StoreError::Unavailable(_))));
        assert!(matches!(second.await, Err(StoreError::Unavailable(_))));
        assert_eq!(log_length(&store).await, 0);
        assert_eq!(deny_token(&store, 3).await.unwrap().position(), Position::new(1));
    }

    #[tokio::test]
    async fn a_full_disk_refuses_writes_and_not_reads_and_passes() {
        let (store, _folder) = opened();
        let _ = store.add_user(&user(1, "alice")).await.unwrap();
        let page_count = |db: &Connection| db.query_row("PRAGMA page_count", [], |row| row.get(0));
        let pages = store.writer.write(None, page_count).await.unwrap();
        limit_pages(&store, pages).await;
        let mut stored = 0;
        let refused = loop {
            match deny_token(&store, stored).await {
                Ok(_) => stored += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
        assert_eq!(log_length(&store).await, usize::from(stored));
        assert_eq!(store.list_users().await.unwrap(), [user(1, "alice")]);

        limit_pages(&store, 1_000_000).await;
        let again = deny_token(&store, stored).await.unwrap();
        assert_eq!(again.position(), Position::new(u64::from(stored) + 1));
        let check = |db: &Connection| db.query_row("PRAGMA integrity_check", [], |row| row.get(0));
        assert_eq!(store.readers.read(check).await, Ok("ok".to_owned()));
    }

    async fn limit_pages(store: &SqliteStore, pages: i64) {
        let limit =
            move |db: &Connection| db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()));
        store.writer.write(None, limit).await.unwrap();
    }

    #[tokio::test]
    async fn while_another_process_keeps_the_lock_a_write_is_unavailable() {
        let (store, folder) = opened();
        let impatient = |db: &Connection| db.busy_timeout(std::time::Duration::from_millis(1));
        store.writer.write(None, impatient).await.unwrap();
        let other = Connection::open(folder.path().join("obol.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(matches!(deny_token(&store, 1).await, Err(StoreError::Unavailable(_))));
        other.execute_batch("COMMIT").unwrap();
        let _ = deny_token(&store, 1).await.unwrap();
    }
}

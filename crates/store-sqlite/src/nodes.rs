//! Nodes: at most one server on a folder. `docs/design/lease.md` says why a lease here is renewed by reading.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use obol_store::{ChangeLog, NodeId, Nodes, Page, Peer, ReadFrom, StoreError};
use obol_token::Position;
use rusqlite::{Connection, Row};
use tokio::time::{sleep, timeout};

use crate::server_lock::Held;
use crate::{SqliteStore, columns};

const CLEAR: &str = "DELETE FROM nodes";
const ENTER: &str = "INSERT INTO nodes (id, applied, lease_ms) VALUES ($1, 0, $2)";
const RENEW: &str = "UPDATE nodes SET applied = $1, lease_ms = $2 WHERE id = $3";
const LIST: &str = "SELECT id, applied, lease_ms FROM nodes";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[CLEAR, ENTER, RENEW, LIST];

/// What a node that has not renewed yet may hold at most.
const FIRST_LEASE: Duration = Duration::from_secs(2);
/// How long a registration goes on trying: commands hold the lock for a moment when they look who runs.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_INTERVAL: Duration = Duration::from_millis(10);
/// The longest that a renewal waits for a row that it does not need.
const ROW_PATIENCE: Duration = Duration::from_millis(200);

/// The server that runs in this process on this folder, if one does.
#[derive(Default)]
pub(crate) struct ThisServer(Mutex<Option<Registered>>);

struct Registered {
    node: NodeId,
    /// What the row says.
    applied: Position,
    lease: Duration,
    /// The longest lease that this node has asked for.
    held: Duration,
    /// Whether the row has been written since the registration.
    renewed: bool,
    _lock: Held,
}

impl ThisServer {
    fn locked(&self) -> MutexGuard<'_, Option<Registered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, node: NodeId) -> bool {
        self.locked().as_ref().is_some_and(|registered| registered.node == node)
    }

    fn of<T>(&self, node: NodeId, look: impl FnOnce(&mut Registered) -> T) -> Result<T, StoreError> {
        let mut registered = self.locked();
        let found = registered.as_mut().filter(|registered| registered.node == node);
        found.map(look).ok_or_else(|| StoreError::Conflict("this node is not registered".to_owned()))
    }
}

#[async_trait]
impl Nodes for SqliteStore {
    async fn register_node(&self, node: NodeId) -> Result<(), StoreError> {
        let lock = self.take_server_lock().await?;
        self.writer
            .write(None, move |db| {
                db.prepare_cached(CLEAR)?.execute([])?;
                db.prepare_cached(ENTER)?.execute((node.as_bytes(), millis(FIRST_LEASE)))
            })
            .await?;
        let registered = Registered {
            node,
            applied: Position::START,
            lease: FIRST_LEASE,
            held: Duration::ZERO,
            renewed: false,
            _lock: lock,
        };
        *self.this_server.locked() = Some(registered);
        self.writer.set_sweeping(true);
        Ok(())
    }

    async fn read_and_renew(
        &self,
        node: NodeId,
        lease: Duration,
        from: ReadFrom,
    ) -> Result<Page, StoreError> {
        let (applied, said, held) = self.this_server.of(node, |registered| {
            registered.held = registered.held.max(lease);
            (registered.applied, registered.lease, registered.held)
        })?;
        if lease > said {
            // Others must not wait for a shorter one than this node is about to hold.
            self.write_row(node, applied, held).await?;
        }
        self.read_page(from).await
    }

    async fn report_applied(&self, node: NodeId, applied: Position) -> Result<(), StoreError> {
        // A renewal may have read what the watcher has not noticed yet, and whoever appended it waits.
        self.head.seen(applied);
        let foreign = self.head.foreign();
        let (needed, held) = self
            .this_server
            .of(node, |registered| (registered.is_waited_for(applied, foreign), registered.held))?;
        if needed {
            // Whoever waits for this position waits out the lease instead.
            let _ = timeout(ROW_PATIENCE, self.write_row(node, applied, held)).await;
        }
        Ok(())
    }

    async fn live_peers(&self, except: Option<NodeId>) -> Result<Vec<Peer>, StoreError> {
        if except.is_some_and(|node| self.this_server.is(node)) {
            return Ok(Vec::new());
        }
        let lock = self.server_lock.clone();
        let peers = self.log_readers.read(move |db| match lock.is_taken() {
            Ok(true) => peers(db).map(Ok),
            Ok(false) => Ok(Ok(Vec::new())),
            Err(error) => Ok(Err(error)),
        });
        let peers = peers.await?.map_err(lock_failed)?;
        Ok(peers.into_iter().filter(|peer| Some(peer.node) != except).collect())
    }

    async fn leave(&self, node: NodeId) -> Result<(), StoreError> {
        let mut registered = self.this_server.locked();
        if registered.as_ref().is_some_and(|registered| registered.node == node) {
            *registered = None;
            self.writer.set_sweeping(false);
        }
        Ok(())
    }
}

impl SqliteStore {
    async fn take_server_lock(&self) -> Result<Held, StoreError> {
        let attempts = async {
            loop {
                let lock = self.server_lock.clone();
                match self.readers.read(move |_| Ok(lock.try_take())).await?.map_err(lock_failed)? {
                    Some(held) => return Ok(held),
                    None => sleep(LOCK_INTERVAL).await,
                }
            }
        };
        let taken = || StoreError::Conflict("another server is running on this folder".to_owned());
        timeout(LOCK_PATIENCE, attempts).await.unwrap_or_else(|_| Err(taken()))
    }

    async fn write_row(&self, node: NodeId, applied: Position, lease: Duration) -> Result<(), StoreError> {
        let position = columns::from_position(applied);
        self.writer
            .write(None, move |db| {
                db.prepare_cached(RENEW)?.execute((position, millis(lease), node.as_bytes()))
            })
            .await?;
        if let Some(registered) = self.this_server.locked().as_mut().filter(|found| found.node == node) {
            (registered.applied, registered.lease, registered.renewed) = (applied, lease, true);
        }
        Ok(())
    }
}

impl Registered {
    /// Whether somebody may be waiting to read that this was applied: another process has appended what the row does not
    /// cover.
    fn is_waited_for(&self, applied: Position, foreign: Position) -> bool {
        !self.renewed || (self.applied < foreign && self.applied < applied)
    }
}

fn peers(db: &Connection) -> rusqlite::Result<Vec<Peer>> {
    db.prepare_cached(LIST)?.query_and_then([], peer)?.collect()
}

fn peer(row: &Row<'_>) -> rusqlite::Result<Peer> {
    Ok(Peer {
        node: NodeId::from_bytes(row.get(0)?),
        applied: columns::position(row, 1)?,
        lease_left: Duration::from_millis(row.get::<_, u32>(2)?.into()),
    })
}

fn millis(lease: Duration) -> u32 {
    u32::try_from(lease.as_millis()).unwrap_or(u32::MAX)
}

fn lock_failed(error: io::Error) -> StoreError {
    StoreError::Unavailable(format!("the server's lock: {error}"))
}

#[cfg(test)]
mod tests {
    use obol_store::{Appended, Denials, Deny, Timeline};
    use obol_token::Timestamp;
    use tempfile::TempDir;

    use super::*;

    const LEASE: Duration = FIRST_LEASE;
    const PATIENCE: Duration = Duration::from_secs(20);
    const THIS: NodeId = NodeId::from_bytes([1; 16]);
    const OTHER: NodeId = NodeId::from_bytes([2; 16]);

    async fn server() -> (SqliteStore, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path()).unwrap();
        store.register_node(THIS).await.unwrap();
        while !store.this_server.locked().as_ref().unwrap().renewed {
            renew(&store, THIS, Position::START, LEASE).await.unwrap();
        }
        (store, folder)
    }

    fn command_line(folder: &TempDir) -> SqliteStore {
        SqliteStore::open(folder.path()).unwrap()
    }

    async fn append(store: &SqliteStore) -> Position {
        store.deny(&Deny::Everything, Timestamp::from_secs(1)).await.map(Appended::position).unwrap()
    }

    /// Reads to the end, renews, and says how far this node has applied the log.
    async fn renew(
        store: &SqliteStore,
        node: NodeId,
        applied: Position,
        lease: Duration,
    ) -> Result<(), StoreError> {
        let from = ReadFrom { after: applied, limit: 10, known: Timeline::NONE };
        store.read_and_renew(node, lease, from).await?;
        store.report_applied(node, applied).await
    }

    /// What the command line reads of the server.
    async fn seen(store: &SqliteStore) -> Option<(Position, Duration)> {
        let peers = store.live_peers(None).await.unwrap();
        assert!(peers.len() <= 1, "{peers:?}");
        peers.first().map(|peer| (peer.applied, peer.lease_left))
    }

    async fn notices(server: &SqliteStore, after: Position) {
        timeout(PATIENCE, server.wait_for_append(after)).await.expect("it was not noticed");
    }

    /// Renews until the command line reads `applied`: a slow disk may need more than one try.
    async fn renew_until_seen(
        server: &SqliteStore,
        command: &SqliteStore,
        applied: Position,
        lease: Duration,
    ) {
        let seen = async {
            while seen(command).await != Some((applied, lease)) {
                renew(server, THIS, applied, lease).await.unwrap();
            }
        };
        timeout(PATIENCE, seen).await.expect("the row was never written");
    }

    /// The write of the row may end after the renewal that began it.
    async fn is_seen(command: &SqliteStore, applied: Position) {
        let seen = async {
            while seen(command).await != Some((applied, LEASE)) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, seen).await.expect("the row was never written");
    }

    #[tokio::test]
    async fn own_appends_cost_no_second_commit() {
        let (server, _folder) = server().await;
        let before = server.commits();
        for _ in 0..10 {
            let position = append(&server).await;
            renew(&server, THIS, position, LEASE).await.unwrap();
        }
        assert_eq!(server.commits() - before, 10);
    }

    #[tokio::test]
    async fn the_server_says_that_it_has_applied_what_another_process_appended() {
        let (server, folder) = server().await;
        let command = command_line(&folder);
        for own in [0, 1, 2] {
            // Own appends before the watcher looks must not hide the other's.
            let position = append(&command).await;
            let mut applied = position;
            for _ in 0..own {
                applied = append(&server).await;
            }
            notices(&server, Position::new(position.number() - 1)).await;
            renew_until_seen(&server, &command, applied, LEASE).await;
        }
    }

    #[tokio::test]
    async fn what_a_renewal_has_read_before_the_watcher_noticed_it_is_said_too() {
        let (server, folder) = server().await;
        let command = command_line(&folder);
        for _ in 0..20 {
            let position = append(&command).await;
            // At once, and never again.
            renew(&server, THIS, position, LEASE).await.unwrap();
            is_seen(&command, position).await;
        }
    }

    #[tokio::test]
    async fn a_renewal_from_before_the_append_does_not_cover_it_and_the_next_does() {
        let (server, folder) = server().await;
        let command = command_line(&folder);
        let first = append(&server).await;
        let second = append(&command).await;
        notices(&server, first).await;
        renew_until_seen(&server, &command, first, LEASE).await;
        let before = server.commits();
        renew(&server, THIS, first, LEASE).await.unwrap();
        assert_eq!(server.commits(), before);
        renew_until_seen(&server, &command, second, LEASE).await;
    }

    #[tokio::test]
    async fn before_the_first_renewal_a_lease_of_two_seconds_is_assumed() {
        let folder = tempfile::tempdir().unwrap();
        let server = SqliteStore::open(folder.path()).unwrap();
        server.register_node(THIS).await.unwrap();
        let expected = (Position::START, Duration::from_secs(2));
        assert_eq!(seen(&command_line(&folder)).await, Some(expected));
    }

    #[tokio::test]
    async fn without_room_a_lease_is_renewed_but_not_lengthened() {
        let (server, folder) = server().await;
        let command = command_line(&folder);
        let other = Connection::open(folder.path().join("obol.db")).unwrap();
        let no_room =
            "CREATE TRIGGER no_room BEFORE UPDATE ON nodes BEGIN SELECT RAISE(FAIL, 'no room'); END";
        other.execute_batch(no_room).unwrap();
        let position = append(&command).await;
        notices(&server, Position::START).await;
        renew(&server, THIS, position, LEASE).await.unwrap();
        assert_eq!(seen(&command).await, Some((Position::START, LEASE)));
        assert!(renew(&server, THIS, position, 2 * LEASE).await.is_err());

        other.execute_batch("DROP TRIGGER no_room").unwrap();
        renew_until_seen(&server, &command, position, 2 * LEASE).await;
    }

    #[tokio::test]
    async fn while_another_process_writes_a_renewal_does_not_wait_for_it() {
        let (server, folder) = server().await;
        let command = command_line(&folder);
        let position = append(&command).await;
        notices(&server, Position::START).await;
        let other = Connection::open(folder.path().join("obol.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let renewal = timeout(LEASE / 2, renew(&server, THIS, position, LEASE));
        renewal.await.expect("it waited").unwrap();
        other.execute_batch("COMMIT").unwrap();
        renew_until_seen(&server, &command, position, LEASE).await;
    }

    #[tokio::test]
    async fn a_second_server_is_refused_until_the_first_has_gone() {
        let (first, folder) = server().await;
        let second = command_line(&folder);
        let refused = second.register_node(OTHER).await;
        assert!(
            matches!(&refused, Err(StoreError::Conflict(why)) if why.contains("another server")),
            "{refused:?}"
        );
        assert!(renew(&second, OTHER, Position::START, LEASE).await.is_err());
        assert_eq!(seen(&second).await, Some((Position::START, LEASE)));

        drop(first);
        assert_eq!(seen(&second).await, None);
        second.register_node(OTHER).await.unwrap();
        let peers = second.live_peers(Some(THIS)).await.unwrap();
        assert_eq!(peers.iter().map(|peer| peer.node).collect::<Vec<_>>(), [OTHER]);
    }

    #[tokio::test]
    async fn commands_that_look_do_not_keep_a_server_from_starting_nor_see_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = [command_line(&folder), command_line(&folder)];
        let server = command_line(&folder);
        for _ in 0..20 {
            let looks = async {
                for _ in 0..20 {
                    let (one, other) = tokio::join!(first.live_peers(None), second.live_peers(None));
                    assert!(one.unwrap().iter().chain(&other.unwrap()).all(|peer| peer.node == THIS));
                }
            };
            let (registered, ()) = tokio::join!(server.register_node(THIS), looks);
            registered.unwrap();
            server.leave(THIS).await.unwrap();
        }
        assert_eq!(seen(&first).await, None);
    }
}

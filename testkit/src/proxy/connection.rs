//! One connection through the proxy: two ways, each with a reader and a writer between which bytes wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::{Commits, Direction, Orders, Treatment};

/// The end of a request, and the server's word for having done it: both are texts that end with a zero.
const COMMIT: &[u8] = b"COMMIT\0";

/// Passes bytes on until one side ends, or an order ends it.
pub(super) async fn pass_on(
    client: TcpStream,
    server: TcpStream,
    orders: watch::Receiver<Orders>,
    commits: Arc<Commits>,
) {
    let _unimportant = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let committing = Arc::new(AtomicBool::new(false));
    let way =
        |direction| Way { direction, orders: orders.clone(), commits: &commits, committing: &committing };
    tokio::select! {
        () = way(Direction::ToServer).pass(from_client, to_server) => {}
        () = way(Direction::ToClient).pass(from_server, to_client) => {}
        () = until_cut(orders.clone()) => {}
    }
}

/// Returns when what is open is to be cut.
async fn until_cut(mut orders: watch::Receiver<Orders>) {
    let before = orders.borrow_and_update().cuts;
    let _cut_or_dropped = orders.wait_for(|orders| orders.cuts != before).await;
}

struct Way<'a> {
    direction: Direction,
    orders: watch::Receiver<Orders>,
    commits: &'a Commits,
    /// The answer to a `COMMIT` that went this connection's other way is to be lost.
    committing: &'a AtomicBool,
}

impl Way<'_> {
    async fn pass(self, from: OwnedReadHalf, to: OwnedWriteHalf) {
        let (queue, waiting) = mpsc::unbounded_channel();
        // Bytes that wait are written also after the reader has come to its end.
        tokio::join!(self.read(from, queue), write(to, waiting));
    }

    async fn read(mut self, mut from: OwnedReadHalf, queue: mpsc::UnboundedSender<(Instant, Vec<u8>)>) {
        let mut buffer = vec![0; 65_536];
        let mut before = Vec::new();
        loop {
            let length = from.read(&mut buffer).await.unwrap_or(0);
            let bytes = &buffer[..length];
            let treatment = self.orders.borrow_and_update().of(self.direction);
            let due = match treatment {
                Treatment::Pass => Instant::now(),
                Treatment::Delay(by) => Instant::now() + by,
                Treatment::Drop => return self.until_nothing_is_dropped(from).await,
            };
            if length == 0 {
                // The end takes as long as bytes do.
                return sleep_until(due).await;
            }
            before.extend_from_slice(bytes);
            if self.is_lost(&before) {
                return;
            }
            before.drain(..before.len().saturating_sub(COMMIT.len() - 1));
            if queue.send((due, bytes.to_vec())).is_err() {
                return;
            }
        }
    }

    /// Swallows what comes. The connection ends with the fault, since it has lost bytes.
    async fn until_nothing_is_dropped(mut self, mut from: OwnedReadHalf) {
        let direction = self.direction;
        let swallow = async {
            let mut buffer = vec![0; 65_536];
            while from.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _over_or_dropped = self.orders.wait_for(|orders| orders.of(direction) != Treatment::Drop) => {}
            () = swallow => {}
        }
    }

    /// Whether these bytes are to be lost: a `COMMIT`, or its answer.
    fn is_lost(&self, bytes: &[u8]) -> bool {
        let commit = || bytes.windows(COMMIT.len()).any(|window| window == COMMIT);
        match self.direction {
            Direction::ToServer => {
                let commit = commit();
                if commit && self.commits.take_to_cut() {
                    self.committing.store(true, Ordering::SeqCst);
                }
                commit && self.commits.take_to_lose()
            }
            Direction::ToClient => {
                let lost = self.committing.load(Ordering::SeqCst) && commit();
                if lost {
                    self.commits.note_cut();
                }
                lost
            }
        }
    }
}

async fn write(mut to: OwnedWriteHalf, mut waiting: mpsc::UnboundedReceiver<(Instant, Vec<u8>)>) {
    while let Some((due, bytes)) = waiting.recv().await {
        // A timer that is due takes a millisecond all the same.
        if due > Instant::now() {
            sleep_until(due).await;
        }
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

//! A TCP proxy between a node and its database that passes, delays, drops and cuts, as a test orders.

mod connection;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Listens on a loopback port of its own. Dropped, it ends with all its connections.
pub struct Proxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    commits: Arc<Commits>,
    task: JoinHandle<()>,
}

/// One of the two ways through a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the node to the database: requests.
    ToServer,
    /// From the database to the node: answers.
    ToClient,
}

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Treatment {
    #[default]
    Pass,
    Delay(Duration),
    /// They vanish, and so does the end of a connection. What has lost bytes is cut when this is over.
    Drop,
}

/// What holds for all connections at this moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Orders {
    to_server: Treatment,
    to_client: Treatment,
    refusing: bool,
    /// Counts the orders to cut what is open.
    cuts: u64,
}

impl Orders {
    pub(crate) fn of(&self, direction: Direction) -> Treatment {
        match direction {
            Direction::ToServer => self.to_server,
            Direction::ToClient => self.to_client,
        }
    }

    fn set(&mut self, direction: Direction, treatment: Treatment) {
        match direction {
            Direction::ToServer => self.to_server = treatment,
            Direction::ToClient => self.to_client = treatment,
        }
    }
}

/// `COMMIT`s that are to be lost, or whose answer is, and those whose answer was.
#[derive(Default)]
pub(crate) struct Commits {
    to_lose: AtomicUsize,
    to_cut: AtomicUsize,
    cut: AtomicUsize,
}

impl Commits {
    /// Whether this one is not to arrive.
    pub(crate) fn take_to_lose(&self) -> bool {
        take(&self.to_lose)
    }

    /// Whether the answer to this one is to be lost.
    pub(crate) fn take_to_cut(&self) -> bool {
        take(&self.to_cut)
    }

    pub(crate) fn note_cut(&self) {
        self.cut.fetch_add(1, Ordering::SeqCst);
    }
}

fn take(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Proxy {
    /// In front of the server on this loopback port.
    #[track_caller]
    pub fn to(port: u16) -> Self {
        Self::following(Arc::new(AtomicU16::new(port)))
    }

    /// In front of whatever server is on this loopback port when a connection is made.
    #[track_caller]
    pub fn following(port: Arc<AtomicU16>) -> Self {
        Self::listening_at(Ipv4Addr::LOCALHOST, port)
    }

    /// The same on another address of this machine.
    #[track_caller]
    pub fn listening_at(address: Ipv4Addr, port: Arc<AtomicU16>) -> Self {
        let bound = runtime().block_on(TcpListener::bind((address, 0)));
        let listener = bound.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (orders, heard) = watch::channel(Orders::default());
        let commits = Arc::new(Commits::default());
        let task = runtime().spawn(accept(listener, port, heard, commits.clone()));
        Self { address, orders, commits, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// On which port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends every fault. Connections that have lost bytes are cut; the others go on.
    pub fn pass(&self) {
        self.commits.to_cut.store(0, Ordering::SeqCst);
        self.commits.to_lose.store(0, Ordering::SeqCst);
        self.orders.send_modify(|orders| *orders = Orders { cuts: orders.cuts, ..Orders::default() });
    }

    /// Bytes take so much longer that way.
    pub fn delay(&self, direction: Direction, by: Duration) {
        self.orders.send_modify(|orders| orders.set(direction, Treatment::Delay(by)));
    }

    /// Bytes vanish that way, and nobody is told: a black hole. New connections are accepted.
    pub fn drop_bytes(&self, direction: Direction) {
        self.orders.send_modify(|orders| orders.set(direction, Treatment::Drop));
    }

    /// Cuts what is open; new connections are accepted.
    pub fn cut(&self) {
        self.orders.send_modify(|orders| orders.cuts += 1);
    }

    /// Cuts what is open, and closes each new connection at once.
    pub fn refuse(&self) {
        self.orders.send_modify(|orders| {
            orders.cuts += 1;
            orders.refusing = true;
        });
    }

    /// The next `COMMIT`s, so many of them, do not reach the server: the connection ends instead.
    pub fn cut_before_commits(&self, count: usize) {
        self.commits.to_lose.store(count, Ordering::SeqCst);
    }

    /// The next `COMMIT`s, so many of them, reach the server; instead of their answer comes the end of the connection.
    pub fn cut_after_commits(&self, count: usize) {
        self.commits.to_cut.store(count, Ordering::SeqCst);
    }

    /// How many connections have ended in that way.
    pub fn commits_cut(&self) -> usize {
        self.commits.cut.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its connections hear that nobody gives orders any more, and end.
        self.task.abort();
    }
}

/// All proxies of a process share a runtime: tests block, and the bytes must go on.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().thread_name("proxy").build().expect("a runtime starts")
    })
}

async fn accept(
    listener: TcpListener,
    port: Arc<AtomicU16>,
    orders: watch::Receiver<Orders>,
    commits: Arc<Commits>,
) {
    loop {
        // Out of descriptors: the next one may find some.
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        if orders.borrow().refusing {
            continue;
        }
        let (port, orders, commits) = (port.load(Ordering::SeqCst), orders.clone(), commits.clone());
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                connection::pass_on(client, server, orders, commits).await;
            }
        });
    }
}

#[cfg(test)]
mod tests;

//! A proxy between a node and the database that can cut connections at the worst moment.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Passes bytes on; dropped, it ends.
pub(crate) struct Proxy {
    address: SocketAddr,
    orders: Arc<Orders>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Orders {
    cut_after_commit: AtomicBool,
    cuts: AtomicUsize,
    refuse: AtomicBool,
    attempts: AtomicUsize,
}

impl Proxy {
    /// Listens on a loopback port for a server on another.
    pub(crate) async fn to(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let orders = Arc::new(Orders::default());
        let task = tokio::spawn(accept(listener, server_port, orders.clone()));
        Self { address, orders, task }
    }

    /// The URL of a database through this proxy.
    pub(crate) fn url(&self, direct: &str) -> String {
        let database = direct.rsplit('/').next().unwrap();
        format!("postgres://obol@{}/{database}", self.address)
    }

    /// The next `COMMIT` reaches the server, and its answer does not come back.
    pub(crate) fn cut_after_next_commit(&self) {
        self.orders.cut_after_commit.store(true, Ordering::SeqCst);
    }

    /// Whether that has happened.
    pub(crate) fn cuts(&self) -> usize {
        self.orders.cuts.load(Ordering::SeqCst)
    }

    /// Closes each new connection at once, or no longer.
    pub(crate) fn refuse(&self, refuse: bool) {
        self.orders.refuse.store(refuse, Ordering::SeqCst);
    }

    /// How many connections were tried.
    pub(crate) fn attempts(&self) -> usize {
        self.orders.attempts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, server_port: u16, orders: Arc<Orders>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        orders.attempts.fetch_add(1, Ordering::SeqCst);
        if !orders.refuse.load(Ordering::SeqCst) {
            tokio::spawn(pass_on(client, server_port, orders.clone()));
        }
    }
}

/// Until one side ends, or the order to cut is carried out: then both do.
async fn pass_on(client: TcpStream, server_port: u16, orders: Arc<Orders>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Set once the order concerns this connection.
    let held_back = AtomicBool::new(false);
    tokio::select! {
        () = requests(from_client, to_server, &orders, &held_back) => {}
        () = answers(from_server, to_client, &orders, &held_back) => {}
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, orders: &Orders, held_back: &AtomicBool) {
    let mut buffer = vec![0; 65_536];
    loop {
        let length = from.read(&mut buffer).await.unwrap_or(0);
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
        if holds(&buffer[..length], b"; COMMIT") && orders.cut_after_commit.swap(false, Ordering::SeqCst) {
            held_back.store(true, Ordering::SeqCst);
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, orders: &Orders, held_back: &AtomicBool) {
    let mut buffer = vec![0; 65_536];
    loop {
        let length = from.read(&mut buffer).await.unwrap_or(0);
        if length == 0 {
            return;
        }
        if held_back.load(Ordering::SeqCst) {
            if holds(&buffer[..length], b"COMMIT\0") {
                orders.cuts.fetch_add(1, Ordering::SeqCst);
                return;
            }
        } else if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

fn holds(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}

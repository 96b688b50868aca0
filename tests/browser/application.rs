//! The application that people want to use: a listener that hears what browsers bring, and shows pages of another site.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use obol_testkit::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);
const ARRIVED: &str = "<!doctype html><html lang=en><title>Arrived</title><h1 id=arrived>Arrived</h1>";

/// A web application on loopback, by plain HTTP: another site than the server's.
pub(crate) struct Application {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What a browser has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Brought {
    pub(crate) method: String,
    pub(crate) params: BTreeMap<String, String>,
}

#[derive(Default)]
struct Shared {
    /// Whether it shows nothing to people who come back.
    shows_nothing: AtomicBool,
    brought: Mutex<Vec<Brought>>,
    pages: Mutex<BTreeMap<String, String>>,
}

impl Application {
    /// Starts to listen.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let shared = Arc::new(Shared::default());
        let heard = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = Arc::clone(&heard);
                // A browser opens connections that it may never use.
                thread::spawn(move || heard.answer(stream));
            }
        });
        Self { address, shared }
    }

    /// Where it wants to have people back.
    pub(crate) fn callback(&self) -> String {
        format!("http://{}/callback", self.address)
    }

    /// Shows this page from now on, and says where.
    pub(crate) fn show(&self, path: &str, html: &str) -> String {
        self.pages().insert(path.to_owned(), html.to_owned());
        format!("http://{}{path}", self.address)
    }

    /// From now on people who come back stay on the page that led them here (204), as if this were slow.
    pub(crate) fn show_nothing(&self) {
        self.shared.shows_nothing.store(true, Ordering::Relaxed);
    }

    /// How often a browser has brought something.
    pub(crate) fn times(&self) -> usize {
        self.brought().len()
    }

    /// Waits for what is brought as the `nth`, counted from 1.
    #[track_caller]
    pub(crate) fn await_brought(&self, nth: usize) -> Brought {
        wait_until("a browser comes back", PATIENCE, || self.brought().get(nth - 1).cloned())
    }

    fn brought(&self) -> std::sync::MutexGuard<'_, Vec<Brought>> {
        self.shared.brought.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.shared.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Answers one request; who says nothing, or no HTTP, gets nothing.
    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split_ascii_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = body(&mut reader)?;
        let answer = if path == "/callback" {
            let sent = if method == "POST" { body } else { query.as_bytes().to_vec() };
            let params = form_urlencoded::parse(&sent).into_owned().collect();
            self.brought.lock().unwrap_or_else(PoisonError::into_inner).push(Brought { method, params });
            if self.shows_nothing.load(Ordering::Relaxed) {
                return stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").ok();
            }
            Some(ARRIVED.to_owned())
        } else {
            self.pages.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
        };
        write(stream, answer)
    }
}

/// What follows the head of a request.
fn body(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn write(mut stream: TcpStream, page: Option<String>) -> Option<()> {
    let (status, html) = page.map_or(("404 Not Found", String::new()), |html| ("200 OK", html));
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        html.len()
    );
    stream.write_all((head + &html).as_bytes()).ok()
}

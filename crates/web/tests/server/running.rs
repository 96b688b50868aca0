//! A listener of its own for each test, a handler that tells what it got, and a client that sends raw bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use obol_web::server::{
    Answer, Entrance, Fields, Handler, Listener, ListenerCounts, ListenerOptions, Received, ServeEnd, Source,
    UsualFields, Whole,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::AT_ONCE;

/// Longer than any deadline that a test sets, so that a missing one fails the test instead of hanging it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);
/// The length of the answer at `/big`: more than the socket buffers of both ends take.
pub(crate) const BIG_BYTES: usize = 32 * 1024 * 1024;

/// A listener that serves.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) counts: Arc<ListenerCounts>,
    /// A permit for each request that has arrived at `/slow`.
    pub(crate) slow_arrived: Arc<Semaphore>,
    /// Requests at `/slow` are answered when they get a permit here.
    pub(crate) slow_may_end: Arc<Semaphore>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<ServeEnd>,
}

/// Starts a plain listener with these options.
pub(crate) fn start(options: ListenerOptions) -> Running {
    start_with(options, Entrance::default())
}

/// Starts a listener with these options.
pub(crate) fn start_with(options: ListenerOptions, entrance: Entrance) -> Running {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), entrance, options).unwrap();
    let (address, counts) = (listener.local_addr(), listener.counts());
    let slow_arrived = Arc::new(Semaphore::new(0));
    let slow_may_end = Arc::new(Semaphore::new(0));
    let (stop, stopped) = oneshot::channel();
    let (arrived, may_end) = (Arc::clone(&slow_arrived), Arc::clone(&slow_may_end));
    let handler = Teller { slow_arrived: arrived, slow_may_end: may_end };
    let serving = tokio::spawn(listener.serve(handler, async {
        let _ = stopped.await;
    }));
    Running { address, counts, slow_arrived, slow_may_end, stop: Some(stop), serving }
}

impl Running {
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends all at once and reads until the server closes.
    pub(crate) async fn exchange(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// Waits until a request is in work at `/slow`.
    pub(crate) async fn slow_has_arrived(&self) {
        timeout(PATIENCE, self.slow_arrived.acquire()).await.unwrap().unwrap().forget();
    }

    pub(crate) fn say_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn end(self) -> ServeEnd {
        timeout(PATIENCE, self.serving).await.expect("the listener did not stop").unwrap()
    }
}

/// Everything up to the close by the server; a reset counts as a close.
pub(crate) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut all = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("the server did not close");
    String::from_utf8_lossy(&all).into_owned()
}

/// One answer with a known length, leaving the connection open.
pub(crate) async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let read = async {
        let mut answer = Vec::new();
        while !is_whole(&answer) {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.expect("closed in the middle of an answer");
            answer.push(byte[0]);
        }
        String::from_utf8(answer).unwrap()
    };
    timeout(PATIENCE, read).await.expect("no whole answer")
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() == length.parse::<usize>().unwrap())
}

/// The status of the first answer; 0 if there is none.
pub(crate) fn status(answer: &str) -> u16 {
    answer
        .strip_prefix("HTTP/1.1 ")
        .or(answer.strip_prefix("HTTP/1.0 "))
        .map_or(0, |rest| rest[..3].parse().unwrap())
}

pub(crate) fn says_close(answer: &str) -> bool {
    answer.contains("connection: close\r\n")
}

/// Tells what it was given.
struct Teller {
    slow_arrived: Arc<Semaphore>,
    slow_may_end: Arc<Semaphore>,
}

impl Handler for Teller {
    fn answer(&self, received: Received) -> impl Future<Output = Answer> + Send + 'static {
        answer(received, Arc::clone(&self.slow_arrived), Arc::clone(&self.slow_may_end))
    }

    fn answer_at_once<F: Fields + ?Sized>(&self, request: &Whole<'_, F>) -> Option<Answer> {
        let waits = ["/slow", "/panic"].contains(&request.path) || request.path.starts_with("/later/");
        (AT_ONCE && !waits).then(|| {
            assert!(request.query.is_none());
            tell(request.method, request.path, request.body, request.source)
        })
    }
}

async fn answer(received: Received, slow_arrived: Arc<Semaphore>, slow_may_end: Arc<Semaphore>) -> Answer {
    let request = match received {
        Received::Request(request) => request,
        Received::Refused(head, refusal) => {
            assert!(head.extensions.get::<Source>().is_some());
            return text(refusal.status().as_u16(), format!("refused: {refusal}"));
        }
    };
    let source = request.extensions().get::<Source>().copied().unwrap();
    match request.uri().path() {
        "/slow" => {
            slow_arrived.add_permits(1);
            slow_may_end.acquire().await.unwrap().forget();
            text(200, "slow".to_owned())
        }
        "/panic" => panic!("on purpose, by the test"),
        path => {
            if path.starts_with("/later/") {
                tokio::task::yield_now().await;
            }
            tell(request.method(), path, request.body(), source)
        }
    }
}

fn tell(method: &Method, path: &str, body: &[u8], source: Source) -> Answer {
    let Source { client, tls, .. } = source;
    match path {
        "/big" => Answer::new(StatusCode::OK, UsualFields::default(), vec![b'x'; BIG_BYTES]),
        path => text(200, format!("{method} {path} body={} client={client} tls={tls}", body.len())),
    }
}

fn text(status: u16, body: String) -> Answer {
    Answer::new(StatusCode::from_u16(status).unwrap(), UsualFields::default(), body)
}

/// Waits until something is so.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("it never became so");
}

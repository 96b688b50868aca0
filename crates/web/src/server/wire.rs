//! A connection's bytes, between hyper and the socket: shows heads to [`Framing`], cuts a peer that does not take its
//! answer, and closes without destroying the last one.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::framing::Framing;
use super::pace::{Busy, Pace};
use super::{ListenerOptions, Refusal};

/// How long, and for how many bytes, a peer that is still sending is listened to after the last answer. Closing a
/// socket with unread bytes resets it, and the reset overtakes the answer (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 * 1024 * 1024;

/// What an HTTP/1.1 connection and its requests both look at.
pub(super) struct Tap {
    framing: Mutex<Framing>,
    pace: Arc<Pace>,
}

impl Tap {
    pub(super) fn new(options: &ListenerOptions, pace: Arc<Pace>) -> Arc<Self> {
        let framing = Framing::new(options.max_header_bytes, options.max_uri_bytes);
        Arc::new(Self { framing: Mutex::new(framing), pace })
    }

    /// The verdict on the request that hyper hands over now.
    pub(super) fn take_verdict(&self) -> Result<(), Refusal> {
        self.with(Framing::take_verdict)
    }

    fn saw(&self, bytes: &[u8]) {
        let head_open = self.with(|framing| {
            framing.saw(bytes);
            framing.is_in_head()
        });
        self.pace.head(head_open);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Framing) -> T) -> T {
        act(&mut self.framing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The wrapped stream.
pub(super) struct Wire<S> {
    stream: S,
    tap: Option<Arc<Tap>>,
    pace: Arc<Pace>,
    answer_timeout: Duration,
    stalled: Option<(Pin<Box<Sleep>>, Busy)>,
    ended: bool,
    farewell: Option<Farewell>,
}

struct Farewell {
    until: Pin<Box<Sleep>>,
    left_bytes: usize,
}

impl<S> Wire<S> {
    /// Without a `tap` (HTTP/2) only the answer deadline applies.
    pub(super) fn new(stream: S, tap: Option<Arc<Tap>>, pace: Arc<Pace>, answer_timeout: Duration) -> Self {
        Self { stream, tap, pace, answer_timeout, stalled: None, ended: false, farewell: None }
    }

    /// Starts the answer deadline when a write cannot go on; only a completed flush ends it, so that taking a byte
    /// now and then wins no time.
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            return written;
        }
        let (deadline, _) =
            self.stalled.get_or_insert_with(|| (Box::pin(sleep(self.answer_timeout)), self.pace.hold()));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not take its answer")))
    }
}

impl<S: AsyncRead + Unpin> Wire<S> {
    /// Reads and forgets until the peer has ended, the time is over, or it has sent too much.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let farewell = self
            .farewell
            .get_or_insert_with(|| Farewell { until: Box::pin(sleep(LINGER)), left_bytes: LINGER_BYTES });
        let mut scratch = [0; 4096];
        while farewell.until.as_mut().poll(cx).is_pending() && farewell.left_bytes > 0 {
            let mut unwanted = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut unwanted)) {
                Ok(()) if !unwanted.filled().is_empty() => {
                    farewell.left_bytes = farewell.left_bytes.saturating_sub(unwanted.filled().len());
                }
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        let read = ready!(Pin::new(&mut this.stream).poll_read(cx, into));
        let seen = &into.filled()[before..];
        this.ended = read.is_err() || seen.is_empty();
        if let Some(tap) = &this.tap
            && !seen.is_empty()
        {
            tap.saw(seen);
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        if flushed.is_ready() {
            this.stalled = None;
        }
        this.watch(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.farewell.is_none() {
            let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
            ready!(this.watch(cx, shut))?;
        }
        let still_sending = this.tap.as_ref().is_some_and(|tap| tap.with(|framing| framing.is_mid_request()));
        if still_sending && !this.ended {
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

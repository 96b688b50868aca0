//! An HTTP/1.1 connection's bytes between hyper and the socket.
//!
//! Shows each head to [`Framing`]; answers what can be answered where it lies, while hyper has nothing in work; and
//! closes without destroying the last answer.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::framing::Framing;
use super::front::Early;
use super::pace::Pace;
use super::request::Caller;
use super::unsent::Unsent;
use super::wire::Wire;
use super::{Handler, Refusal};

/// How long, and for how many bytes, a peer that is still sending is listened to after the last answer. Closing a
/// socket with unread bytes resets it, and the reset overtakes the answer (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 * 1024 * 1024;

/// What the bytes of a connection and the requests that hyper hands over both look at.
pub(super) struct Seen {
    framing: Mutex<Framing>,
    /// Requests whose answer hyper has taken into its buffer.
    answered: AtomicU64,
}

impl Seen {
    pub(super) fn new(framing: Framing) -> Arc<Self> {
        Arc::new(Self { framing: Mutex::new(framing), answered: AtomicU64::new(0) })
    }

    /// The verdict on the request that hyper hands over now.
    pub(super) fn take_verdict(&self) -> Result<(), Refusal> {
        self.framing(Framing::take_verdict)
    }

    /// An answer of which hyper has every byte.
    pub(super) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    fn framing<T>(&self, act: impl FnOnce(&mut Framing) -> T) -> T {
        act(&mut self.framing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The stream that hyper reads and writes.
pub(super) struct Tap<S, H> {
    wire: Wire<S>,
    seen: Arc<Seen>,
    caller: Arc<Caller<H>>,
    pace: Arc<Pace>,
    /// Read before hyper was there.
    unread: Vec<u8>,
    unsent: Unsent,
    /// Whether hyper has nothing in work: no part of a request, and no answer to send.
    hyper_rests: bool,
    ended: bool,
    farewell: Option<Farewell>,
}

struct Farewell {
    until: Pin<Box<Sleep>>,
    left_bytes: usize,
}

impl<S, H> Tap<S, H> {
    pub(super) fn new(
        wire: Wire<S>,
        early: Early,
        seen: Arc<Seen>,
        caller: Arc<Caller<H>>,
        pace: Arc<Pace>,
    ) -> Self {
        let Early { unread, unsent } = early;
        Self { wire, seen, caller, pace, unread, unsent, hyper_rests: true, ended: false, farewell: None }
    }
}

impl<S: AsyncRead + Unpin, H> Tap<S, H> {
    fn poll_read_more(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.wire).poll_read(cx, into);
        }
        let fits = self.unread.len().min(into.remaining());
        let rest = self.unread.split_off(fits);
        into.put_slice(&self.unread);
        self.unread = rest;
        Poll::Ready(Ok(()))
    }
}

impl<S, H: Handler> Tap<S, H> {
    /// Takes note of bytes that hyper is given.
    fn hand_over(&mut self, bytes: &[u8]) {
        self.hyper_rests = false;
        let head_open = self.seen.framing(|framing| {
            framing.saw(bytes);
            framing.is_in_head()
        });
        self.pace.head(head_open);
    }

    /// To be called when hyper's buffer is empty.
    fn look_whether_hyper_rests(&mut self) {
        let answered = self.seen.answered.load(Ordering::Relaxed);
        self.hyper_rests =
            self.seen.framing(|framing| framing.judged() == answered && !framing.is_mid_request());
    }
}

impl<S: AsyncRead + Unpin, H> Tap<S, H> {
    /// Reads and forgets until the peer has ended, the time is over, or it has sent too much.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let farewell = self
            .farewell
            .get_or_insert_with(|| Farewell { until: Box::pin(sleep(LINGER)), left_bytes: LINGER_BYTES });
        let mut scratch = [0; 4096];
        while farewell.until.as_mut().poll(cx).is_pending() && farewell.left_bytes > 0 {
            let mut unwanted = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.wire).poll_read(cx, &mut unwanted)) {
                Ok(()) if !unwanted.filled().is_empty() => {
                    farewell.left_bytes = farewell.left_bytes.saturating_sub(unwanted.filled().len());
                }
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, H: Handler> AsyncRead for Tap<S, H> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        loop {
            // Who does not take answers is asked for no more requests.
            ready!(this.unsent.poll_send(&mut this.wire, cx))?;
            let read = ready!(this.poll_read_more(cx, into));
            let new = into.filled().len() - before;
            this.ended = read.is_err() || new == 0;
            if this.ended {
                return Poll::Ready(read);
            }
            let mut answers = Vec::new();
            let done = match this.hyper_rests {
                true => this.caller.answer_at_once(&into.filled()[before..], &mut answers),
                false => 0,
            };
            if done > 0 {
                into.filled_mut().copy_within(before + done.., before);
                into.set_filled(before + new - done);
            }
            if !answers.is_empty() {
                this.pace.answered_at_once();
                if let Poll::Ready(sent) = this.unsent.poll_send_new(&mut this.wire, cx, &answers) {
                    sent?;
                }
            }
            if done < new {
                this.hand_over(&into.filled()[before..]);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, H: Handler> AsyncWrite for Tap<S, H> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.unsent.poll_send(&mut this.wire, cx))?;
        Pin::new(&mut this.wire).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.unsent.poll_send(&mut this.wire, cx))?;
        Pin::new(&mut this.wire).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    /// hyper flushes only when its own buffer is empty.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.unsent.poll_send(&mut this.wire, cx))?;
        ready!(Pin::new(&mut this.wire).poll_flush(cx))?;
        if !this.hyper_rests {
            this.look_whether_hyper_rests();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.farewell.is_none() {
            ready!(this.unsent.poll_send(&mut this.wire, cx))?;
            ready!(Pin::new(&mut this.wire).poll_shutdown(cx))?;
        }
        let still_sending = this.seen.framing(|framing| framing.is_mid_request());
        if still_sending && !this.ended {
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

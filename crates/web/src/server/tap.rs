//! An HTTP/1.1 connection's bytes between hyper and the socket.
//!
//! Shows each head to [`Framing`]; answers a request that is there as a whole at once, where it lies, while hyper has
//! nothing in work; and closes without destroying the last answer.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::framing::{Framing, empty_slots};
use super::pace::Pace;
use super::request::Caller;
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
    /// Answers that the socket has not taken yet; hyper's own come after them.
    unsent: Unsent,
    /// Whether hyper has nothing in work: no part of a request, and no answer to send.
    hyper_rests: bool,
    ended: bool,
    farewell: Option<Farewell>,
}

#[derive(Default)]
struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

struct Farewell {
    until: Pin<Box<Sleep>>,
    left_bytes: usize,
}

impl<S, H> Tap<S, H> {
    pub(super) fn new(wire: Wire<S>, seen: Arc<Seen>, caller: Arc<Caller<H>>, pace: Arc<Pace>) -> Self {
        let unsent = Unsent::default();
        Self { wire, seen, caller, pace, unsent, hyper_rests: true, ended: false, farewell: None }
    }
}

impl<S, H: Handler> Tap<S, H> {
    /// Answers the requests at the start of `bytes` that can be answered at once; tells how many bytes they were.
    fn answer_at_once(&mut self, bytes: &[u8]) -> usize {
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let mut slots = empty_slots();
            let Some(lying) = self.seen.framing(|framing| framing.whole(rest, &mut slots)) else { break };
            let Some(answer) = self.caller.answer_lying(&lying, rest) else { break };
            answer.write(&mut self.unsent.bytes);
            done += lying.bytes;
        }
        done
    }

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

impl<S: AsyncWrite + Unpin, H> Tap<S, H> {
    /// Sends the answers that were made at once.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unsent.bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while let Some(left) = self.unsent.bytes.get(self.unsent.sent..).filter(|left| !left.is_empty()) {
            match ready!(Pin::new(&mut self.wire).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.unsent.sent += sent,
            }
        }
        ready!(Pin::new(&mut self.wire).poll_flush(cx))?;
        self.unsent = Unsent::default();
        Poll::Ready(Ok(()))
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
            ready!(this.poll_send(cx))?;
            let read = ready!(Pin::new(&mut this.wire).poll_read(cx, into));
            let new = into.filled().len() - before;
            this.ended = read.is_err() || new == 0;
            if this.ended {
                return Poll::Ready(read);
            }
            let answered = match this.hyper_rests {
                true => this.answer_at_once(&into.filled()[before..]),
                false => 0,
            };
            if answered > 0 {
                this.pace.answered_at_once();
                into.filled_mut().copy_within(before + answered.., before);
                into.set_filled(before + new - answered);
            }
            if answered < new {
                this.hand_over(&into.filled()[before..]);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, H: Handler> AsyncWrite for Tap<S, H> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.wire).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.wire).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    /// hyper flushes only when its own buffer is empty.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        ready!(Pin::new(&mut this.wire).poll_flush(cx))?;
        if !this.hyper_rests {
            this.look_whether_hyper_rests();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.farewell.is_none() {
            ready!(this.poll_send(cx))?;
            ready!(Pin::new(&mut this.wire).poll_shutdown(cx))?;
        }
        let still_sending = this.seen.framing(|framing| framing.is_mid_request());
        if still_sending && !this.ended {
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

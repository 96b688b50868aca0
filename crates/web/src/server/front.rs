//! The first part of an HTTP/1.1 connection's life: requests that can be answered where they lie. Many connections never
//! ask for anything else, and then they cost neither hyper's state nor a buffer of their own.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::{io, mem};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::Handler;
use super::connection::Ended;
use super::drain::{Drain, FAREWELL};
use super::pace::{Lapse, Pace};
use super::request::Caller;
use super::unsent::Unsent;
use super::wire::Wire;

/// What a thread reads into and writes answers to, for all its connections.
struct Room {
    questions: Vec<u8>,
    answers: Vec<u8>,
}

/// The most that is read at once.
const READ_BYTES: usize = 16 * 1024;
/// What a thread keeps for answers.
const KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    static ROOM: RefCell<Room> =
        RefCell::new(Room { questions: vec![0; READ_BYTES], answers: Vec::with_capacity(READ_BYTES) });
}

/// A connection of which hyper knows nothing yet.
pub(super) struct Front<S, H> {
    wire: Wire<S>,
    caller: Arc<Caller<H>>,
    pace: Arc<Pace>,
    unsent: Unsent,
}

/// How the first part ends.
pub(super) enum Next<S> {
    /// With the connection.
    Ended(Ended),
    /// Something is to be read that hyper is for, or the listener stops.
    Hyper(Wire<S>, Early),
}

/// What the first part leaves to the second.
pub(super) struct Early {
    /// Bytes that were read and not answered.
    pub(super) unread: Vec<u8>,
    /// Answers to those before them.
    pub(super) unsent: Unsent,
}

/// Why the loop of requests ends.
enum Left {
    HandOver(Vec<u8>),
    Closed,
    Failed(io::Error),
    Lapsed(Lapse),
}

impl<S: AsyncRead + AsyncWrite + Unpin, H: Handler> Front<S, H> {
    pub(super) fn new(wire: Wire<S>, caller: Arc<Caller<H>>, pace: Arc<Pace>) -> Self {
        Self { wire, caller, pace, unsent: Unsent::default() }
    }

    /// Answers until something comes that has to wait or to be read on.
    pub(super) async fn serve(mut self, drain: Drain) -> Next<S> {
        let left = {
            let pace = Arc::clone(&self.pace);
            let mut lapse = pin!(pace.lapse());
            let mut stop = pin!(drain.begun());
            let mut waits = false;
            poll_fn(|cx| {
                if let Poll::Ready(left) = self.poll(cx) {
                    return Poll::Ready(left);
                }
                if let Poll::Ready(lapse) = lapse.as_mut().poll(cx) {
                    return Poll::Ready(Left::Lapsed(lapse));
                }
                // Asked once, so that it wakes this task, and then not with every request.
                if drain.has_begun() || !mem::replace(&mut waits, true) {
                    return stop.as_mut().poll(cx).map(|()| Left::HandOver(Vec::new()));
                }
                Poll::Pending
            })
            .await
        };
        Next::Ended(match left {
            Left::HandOver(unread) => {
                return Next::Hyper(self.wire, Early { unread, unsent: self.unsent });
            }
            Left::Lapsed(Lapse::Cut) => Ended::Cut,
            Left::Failed(error) => super::connection::closed_by(&error),
            Left::Closed | Left::Lapsed(Lapse::Idle) => {
                // Nothing is left to be said that is worth a long wait.
                let _ = timeout(FAREWELL, self.wire.shutdown()).await;
                Ended::Closed
            }
        })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Left> {
        ROOM.with_borrow_mut(|room| {
            loop {
                // Who does not take answers is asked for no more requests.
                if let Err(error) = ready!(self.unsent.poll_send(&mut self.wire, cx)) {
                    return Poll::Ready(Left::Failed(error));
                }
                let mut into = ReadBuf::new(&mut room.questions);
                let bytes = match ready!(Pin::new(&mut self.wire).poll_read(cx, &mut into)) {
                    Ok(()) if into.filled().is_empty() => return Poll::Ready(Left::Closed),
                    Ok(()) => into.filled(),
                    Err(error) => return Poll::Ready(Left::Failed(error)),
                };
                room.answers.clear();
                let done = self.caller.answer_at_once(bytes, &mut room.answers);
                if !room.answers.is_empty() {
                    self.pace.answered_at_once();
                }
                let sent = self.unsent.poll_send_new(&mut self.wire, cx, &room.answers);
                room.answers.shrink_to(KEPT_BYTES);
                let unread = bytes.get(done..).unwrap_or_default();
                if !unread.is_empty() {
                    return Poll::Ready(Left::HandOver(unread.to_vec()));
                }
                if let Err(error) = ready!(sent) {
                    return Poll::Ready(Left::Failed(error));
                }
            }
        })
    }
}

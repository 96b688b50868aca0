//! Answers that are written here and not by hyper, on their way to the socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// What the socket has not taken yet. Whatever else is written to the same socket comes after it.
#[derive(Default)]
pub(super) struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
    /// Whether something is still to be written or flushed.
    open: bool,
}

impl Unsent {
    /// Sends what is left of earlier answers.
    pub(super) fn poll_send<W: AsyncWrite + Unpin>(
        &mut self,
        to: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.open {
            return Poll::Ready(Ok(()));
        }
        let (taken, outcome) = poll_write_all(to, cx, self.bytes.get(self.sent..).unwrap_or_default());
        self.sent += taken;
        ready!(outcome)?;
        *self = Self::default();
        Poll::Ready(Ok(()))
    }

    /// Sends answers after all earlier ones, and keeps what the socket does not take.
    pub(super) fn poll_send_new<W: AsyncWrite + Unpin>(
        &mut self,
        to: &mut W,
        cx: &mut Context<'_>,
        answers: &[u8],
    ) -> Poll<io::Result<()>> {
        if self.open {
            self.bytes.extend_from_slice(answers);
            return self.poll_send(to, cx);
        }
        let (taken, outcome) = poll_write_all(to, cx, answers);
        if outcome.is_pending() {
            self.open = true;
            self.bytes.extend_from_slice(answers.get(taken..).unwrap_or_default());
        }
        outcome
    }
}

/// Writes and flushes; tells how many bytes were taken.
fn poll_write_all<W: AsyncWrite + Unpin>(
    to: &mut W,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> (usize, Poll<io::Result<()>>) {
    let mut taken = 0;
    while let Some(left) = bytes.get(taken..).filter(|left| !left.is_empty()) {
        match Pin::new(&mut *to).poll_write(cx, left) {
            Poll::Ready(Ok(0)) => return (taken, Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
            Poll::Ready(Ok(count)) => taken += count,
            Poll::Ready(Err(error)) => return (taken, Poll::Ready(Err(error))),
            Poll::Pending => return (taken, Poll::Pending),
        }
    }
    (taken, Pin::new(to).poll_flush(cx))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, BufWriter, duplex};

    use super::*;

    #[tokio::test]
    async fn what_the_socket_does_not_take_follows_in_order() {
        let (socket, mut peer) = duplex(4);
        // Buffers, so that what is written is not yet sent.
        let mut socket = BufWriter::with_capacity(3, socket);
        let mut unsent = Unsent::default();
        let first = poll_fn(|cx| Poll::Ready(unsent.poll_send_new(&mut socket, cx, b"first "))).await;
        assert!(first.is_pending());
        let second = poll_fn(|cx| Poll::Ready(unsent.poll_send_new(&mut socket, cx, b"second"))).await;
        assert!(second.is_pending());
        let mut read = [0; 12];
        let (sent, read_whole) =
            tokio::join!(poll_fn(|cx| unsent.poll_send(&mut socket, cx)), peer.read_exact(&mut read));
        sent.unwrap();
        read_whole.unwrap();
        assert_eq!(&read, b"first second");
        assert!(!unsent.open);
    }
}

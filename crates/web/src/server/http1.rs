//! HTTP/1.1: hyper's settings, and the verdict of the tap for each request.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::{Ended, drive};
use super::pace::Pace;
use super::request::Caller;
use super::wire::{Tap, Wire};
use super::{Answer, Handler};

/// About where hyper stops reading a head that does not end, and answers a bare 431.
pub(super) const BUFFER_BYTES: usize = 64 * 1024;

/// Serves one HTTP/1.1 connection to its end.
pub(super) async fn serve<S, H>(stream: S, caller: Caller<H>) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let options = &caller.door.options;
    let pace = Pace::new(options);
    let tap = Tap::new(options, Arc::clone(&pace));
    let wire = Wire::new(stream, Some(Arc::clone(&tap)), Arc::clone(&pace), options.answer_timeout);
    let patience = options.answer_timeout;
    let drain = caller.drain.clone();
    let caller = Arc::new(caller);
    let busy_pace = Arc::clone(&pace);
    let service = service_fn(move |request: Request<Incoming>| {
        let busy = busy_pace.begin();
        let verdict = tap.take_verdict();
        if let Some(answer) = caller.answer_at_once(&request, verdict) {
            return Answering::AtOnce(Some(answer));
        }
        let caller = Arc::clone(&caller);
        // Boxed: hyper keeps room for this future in every idle connection.
        Answering::Later(Box::pin(async move {
            let answer = caller.answer(request, verdict).await;
            drop(busy);
            answer
        }))
    });
    drive(builder().serve_connection(TokioIo::new(wire), service), &pace, drain, patience).await
}

/// An answer that is there, or one that takes time.
enum Answering<F> {
    AtOnce(Option<Answer>),
    Later(Pin<Box<F>>),
}

impl<F: Future<Output = Answer>> Future for Answering<F> {
    type Output = Result<Answer, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::AtOnce(answer) => answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer))),
            Self::Later(answering) => answering.as_mut().poll(cx).map(Ok),
        }
    }
}

/// hyper's own header timer is off because it also runs while a connection is idle; [`Pace`] has both. A peer that
/// has ended its side after a whole request still gets the answer (half close).
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.header_read_timeout(None).max_buf_size(BUFFER_BYTES).half_close(true);
    builder
}

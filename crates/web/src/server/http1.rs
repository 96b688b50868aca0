//! HTTP/1.1: the two parts of a connection's life, hyper's settings, and the verdict of the framing for each request that
//! hyper hands over.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Handler;
use super::connection::{Ended, drive};
use super::framing::Framing;
use super::front::{Early, Front, Next};
use super::pace::Pace;
use super::request::Caller;
use super::tap::{Seen, Tap};
use super::wire::Wire;

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
    let wire = Wire::new(stream, Arc::clone(&pace), options.answer_timeout);
    let caller = Arc::new(caller);
    let front = Front::new(wire, Arc::clone(&caller), Arc::clone(&pace));
    match front.serve(caller.drain.clone()).await {
        Next::Ended(ended) => ended,
        // Boxed: most connections never come here.
        Next::Hyper(wire, early) => Box::pin(serve_by_hyper(wire, early, caller, pace)).await,
    }
}

async fn serve_by_hyper<S, H>(wire: Wire<S>, early: Early, caller: Arc<Caller<H>>, pace: Arc<Pace>) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let options = &caller.door.options;
    let (patience, drain) = (options.answer_timeout, caller.drain.clone());
    let seen = Seen::new(Framing::new(options.head_limits()));
    let tap = Tap::new(wire, early, Arc::clone(&seen), Arc::clone(&caller), Arc::clone(&pace));
    let busy_pace = Arc::clone(&pace);
    let service = service_fn(move |request: Request<Incoming>| {
        let busy = busy_pace.begin();
        let verdict = seen.take_verdict();
        let (caller, seen) = (Arc::clone(&caller), Arc::clone(&seen));
        // Boxed: hyper keeps room for this future in every idle connection.
        Box::pin(async move {
            let answer = caller.answer(request, verdict).await;
            drop(busy);
            Ok::<_, Infallible>(Response::from(answer).map(|body| BufferedBody { body, seen }))
        })
    });
    drive(builder().serve_connection(TokioIo::new(tap), service), &pace, drain, patience).await
}

/// A body that is dropped when hyper has all of it in its buffer.
struct BufferedBody {
    body: Full<Bytes>,
    seen: Arc<Seen>,
}

impl Drop for BufferedBody {
    fn drop(&mut self) {
        self.seen.answered();
    }
}

impl Body for BufferedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// hyper's own header timer is off because it also runs while a connection is idle; [`Pace`] has both. A peer that
/// has ended its side after a whole request still gets the answer (half close).
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.header_read_timeout(None).max_buf_size(BUFFER_BYTES).half_close(true);
    builder
}

//! HTTP/2 (RFC 9113): hyper's settings, and answers that count as taken only when the peer has made room for them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::{Ended, drive};
use super::pace::{Pace, Untaken};
use super::request::Caller;
use super::wire::Wire;
use super::{Handler, ListenerOptions, Refusal};

const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
const SEND_BUFFER_BYTES: usize = 64 * 1024;
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves one HTTP/2 connection to its end.
pub(super) async fn serve<S, H>(stream: S, caller: Caller<H>) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let options = &caller.door.options;
    let pace = Pace::new(options);
    let wire = Wire::new(stream, Arc::clone(&pace), options.answer_timeout);
    let patience = options.answer_timeout;
    let builder = builder(options, Streams(Arc::clone(&pace)));
    let drain = caller.drain.clone();
    let caller = Arc::new(caller);
    let answer_pace = Arc::clone(&pace);
    let service = service_fn(move |request: Request<Incoming>| {
        let caller = Arc::clone(&caller);
        let pace = Arc::clone(&answer_pace);
        Box::pin(async move {
            let verdict = decide_size(&request, &caller.door.options);
            let is_head = request.method() == Method::HEAD;
            let at_once = verdict.ok().and_then(|()| caller.answer_bodiless(&request));
            let answer = match at_once {
                Some(answer) => answer,
                None => caller.answer(request, verdict).await,
            };
            let mut response = Response::from(answer);
            if is_head {
                withhold_body(&mut response);
            }
            Ok::<_, Infallible>(response.map(|body| TakenBody::new(body, pace.answer())))
        })
    });
    drive(builder.serve_connection(TokioIo::new(wire), service), &pace, drain, patience).await
}

fn builder(options: &ListenerOptions, streams: Streams) -> Builder<Streams> {
    let mut builder = Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(options.max_streams)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        // Above our own limit, so that the handler words the 431; past this h2 answers a bare one.
        .max_header_list_size(u32::try_from(2 * options.max_header_bytes).unwrap_or(u32::MAX));
    builder
}

/// The size limits of a head, counted as HTTP/1.1 would write it.
fn decide_size<B>(request: &Request<B>, options: &ListenerOptions) -> Result<(), Refusal> {
    let uri = request.uri();
    let target_bytes = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let authority_bytes = uri.authority().map_or(0, |authority| authority.as_str().len());
    let fields_bytes: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if target_bytes > options.max_uri_bytes {
        Err(Refusal::UriTooLong)
    } else if target_bytes + authority_bytes + fields_bytes > options.max_header_bytes {
        Err(Refusal::HeadersTooLarge)
    } else {
        Ok(())
    }
}

/// HEAD: the length that GET would have, and no body. On HTTP/1.1 hyper does this.
fn withhold_body(response: &mut Response<Full<Bytes>>) {
    let body = std::mem::take(response.body_mut()).into_inner().unwrap_or_default();
    response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(body.len()));
}

/// Runs each request as a task and keeps the connection busy until its answer is sent.
#[derive(Clone)]
struct Streams(Arc<Pace>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let busy = self.0.begin();
        tokio::spawn(async move {
            stream.await;
            drop(busy);
        });
    }
}

/// A body in two frames, the last one of a single byte. hyper hands over a frame when the peer has made room for one
/// byte of it, so the last frame leaves only when the peer has room for all of the first.
struct TakenBody {
    left: Bytes,
    _untaken: Untaken,
}

impl TakenBody {
    fn new(body: Full<Bytes>, untaken: Untaken) -> Self {
        Self { left: body.into_inner().unwrap_or_default(), _untaken: untaken }
    }
}

impl Body for TakenBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame_bytes = match self.left.len() {
            0 => return Poll::Ready(None),
            1 => 1,
            more => more - 1,
        };
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(frame_bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

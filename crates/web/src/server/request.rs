//! From hyper's request to the handler's answer: source, limits, body, panic.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;

use super::drain::Drain;
use super::{Answer, Exposure, ListenerCounts, ListenerOptions, Received, Refusal, Source, catch_panic};

/// What all connections of a listener share.
pub(super) struct Door<H> {
    pub(super) handler: H,
    pub(super) options: ListenerOptions,
    pub(super) exposure: Exposure,
    pub(super) counts: Arc<ListenerCounts>,
}

/// What all requests of a connection share.
pub(super) struct Caller<H> {
    pub(super) door: Arc<Door<H>>,
    pub(super) peer: std::net::SocketAddr,
    pub(super) tls: bool,
    pub(super) drain: Drain,
}

impl<H, F> Caller<H>
where
    H: Fn(Received) -> F,
    F: Future<Output = Answer>,
{
    /// Answers one request; `verdict` is what the protocol's own checks say of its head.
    pub(super) async fn answer<B>(&self, request: Request<B>, verdict: Result<(), Refusal>) -> Answer
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let received = self.receive(request, verdict).await;
        let refused = matches!(received, Received::Refused(..));
        let handled = async { (self.door.handler)(received).await };
        let mut answer = catch_panic(handled, bare_500).await;
        // HTTP/2 has no such field; hyper removes it there.
        if refused || self.drain.has_begun() {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn receive<B>(&self, request: Request<B>, verdict: Result<(), Refusal>) -> Received
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (mut head, body) = request.into_parts();
        let client = self.door.exposure.client_address(self.peer.ip(), &head.headers);
        head.extensions.insert(Source { peer: self.peer, client, tls: self.tls });
        if let Err(refusal) = self.decide_admission(&head).and(verdict) {
            return Received::Refused(head, refusal);
        }
        let options = &self.door.options;
        match collect_body(body, options.max_body_bytes, options.body_timeout).await {
            Ok(bytes) => Received::Request(Request::from_parts(head, bytes)),
            Err(refusal) => Received::Refused(head, refusal),
        }
    }

    fn decide_admission(&self, head: &Parts) -> Result<(), Refusal> {
        if !self.door.exposure.admits(self.peer.ip()) {
            Err(Refusal::InClear)
        } else if head.method == Method::CONNECT {
            // It asks for a tunnel: what follows would not be HTTP.
            Err(Refusal::BadFraming)
        } else {
            Ok(())
        }
    }
}

/// The whole body, or why not. A length that is too large is refused unread.
async fn collect_body<B>(mut body: B, max_bytes: usize, timeout: Duration) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(Refusal::BodyTooLarge);
    }
    let gather = async {
        let mut gathered = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::BodyBroken)?;
            if let Ok(data) = frame.into_data() {
                if gathered.len() + data.len() > max_bytes {
                    return Err(Refusal::BodyTooLarge);
                }
                gathered.extend_from_slice(&data);
            }
        }
        Ok(gathered.freeze())
    };
    tokio::time::timeout(timeout, gather).await.unwrap_or(Err(Refusal::BodyTimedOut))
}

/// The net under handlers that do not catch their own panics.
fn bare_500() -> Answer {
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    answer
}

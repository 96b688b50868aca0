//! From hyper's request to the handler's answer: source, limits, body, panic.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use memchr::{memchr2, memchr3};

use super::drain::Drain;
use super::framing::{Lying, are_empty_lines, empty_slots};
use super::{
    Answer, Exposure, Fields, Handler, ListenerCounts, ListenerOptions, Received, Refusal, Source,
    UsualFields, Whole, catch_panic,
};

/// The most that may wait to be sent before another request of a connection is answered at once.
const MAX_ANSWERS_BYTES: usize = 64 * 1024;

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

impl<H: Handler> Caller<H> {
    /// Answers the requests at the start of `bytes`, which begins with a request, that are there as a whole and that the
    /// handler answers without waiting, until there are answers enough to be sent. Tells how many bytes they were, with
    /// empty lines that nothing follows.
    pub(super) fn answer_at_once(&self, bytes: &[u8], answers: &mut Vec<u8>) -> usize {
        let limits = self.door.options.head_limits();
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            // Who asks for more in one go than it takes gets them one by one, by hyper.
            if answers.len() >= MAX_ANSWERS_BYTES {
                break;
            }
            let mut slots = empty_slots();
            let Some(lying) = limits.whole(rest, &mut slots) else { break };
            let Some(answer) = self.answer_lying(&lying, rest) else { break };
            answer.write(answers);
            done += lying.bytes;
        }
        match bytes.get(done..) {
            Some(rest) if are_empty_lines(rest) => bytes.len(),
            _ => done,
        }
    }

    fn answer_lying(&self, lying: &Lying<'_, '_>, bytes: &[u8]) -> Option<Answer> {
        let request = &lying.request;
        let (path, query) = split_target(request.path?)?;
        self.answer_whole(&Whole {
            method: &Method::from_bytes(request.method?.as_bytes()).ok()?,
            path,
            query,
            fields: &*request.headers,
            body: bytes.get(lying.head_bytes..lying.bytes)?,
            source: self.source(&*request.headers),
        })
    }

    /// The answer to a request without a body, if the handler has it without waiting.
    pub(super) fn answer_bodiless<B: Body>(&self, request: &Request<B>) -> Option<Answer> {
        let (uri, fields) = (request.uri(), request.headers());
        let whole = request.body().is_end_stream().then(|| Whole {
            method: request.method(),
            path: uri.path(),
            query: uri.query(),
            fields,
            body: &[],
            source: self.source(fields),
        });
        self.answer_whole(&whole?)
    }

    fn answer_whole<F: Fields + ?Sized>(&self, request: &Whole<'_, F>) -> Option<Answer> {
        let door = &*self.door;
        // What answers HEAD is not to write its body; hyper sees to that. CONNECT is refused.
        let admitted = ![Method::HEAD, Method::CONNECT].contains(request.method)
            && door.exposure.admits(self.peer.ip())
            && request.body.len() <= door.options.max_body_bytes
            // The last answer of a connection says so; hyper writes that.
            && !self.drain.has_begun();
        admitted.then(|| door.handler.answer_at_once(request)).flatten()
    }

    fn source<F: Fields + ?Sized>(&self, fields: &F) -> Source {
        let (exposure, peer) = (&self.door.exposure, self.peer);
        let client = exposure.client_address(peer.ip(), fields);
        Source { peer, client, tls: self.tls, proxied: exposure.is_proxy(peer.ip()) }
    }

    /// Answers one request; `verdict` is what the protocol's own checks say of its head.
    pub(super) async fn answer<B>(&self, request: Request<B>, verdict: Result<(), Refusal>) -> Answer
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let received = self.receive(request, verdict).await;
        let refused = matches!(received, Received::Refused(..));
        let handled = async { self.door.handler.answer(received).await };
        let answer = catch_panic(handled, bare_500).await;
        match refused || self.drain.has_begun() {
            // HTTP/2 has no such field; hyper removes it there.
            true => answer.with(header::CONNECTION, HeaderValue::from_static("close")),
            false => answer,
        }
    }

    async fn receive<B>(&self, request: Request<B>, verdict: Result<(), Refusal>) -> Received
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (mut head, body) = request.into_parts();
        let source = self.source(&head.headers);
        head.extensions.insert(source);
        if let Err(refusal) = self.decide_admission(&head).and(verdict) {
            return Received::Refused(head, refusal);
        }
        let options = &self.door.options;
        let max_bytes = self.door.handler.body_limit(&head).unwrap_or(options.max_body_bytes);
        match collect_body(body, max_bytes, options.body_timeout).await {
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

/// Path and query of a target in origin form (RFC 9112 §3.2.1), unless hyper would not take them as they are: it cuts a
/// fragment off, and refuses letters that a URI does not have.
fn split_target(target: &str) -> Option<(&str, Option<&str>)> {
    let target_bytes = target.as_bytes();
    if memchr3(b'#', b'<', b'>', target_bytes).or_else(|| memchr2(b'"', b'`', target_bytes)).is_some() {
        return None;
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    path.starts_with('/').then_some((path, query))
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
    Answer::new(StatusCode::INTERNAL_SERVER_ERROR, UsualFields::default(), Vec::new())
}

#[cfg(test)]
mod tests {
    use http::{Response, Uri};
    use http_body_util::Full;
    use proptest::prelude::*;

    use super::super::{decide_exposure, drain};
    use super::*;

    /// Tells what it was given.
    async fn tell(received: Received) -> Answer {
        let (status, text) = match received {
            Received::Request(request) => {
                (StatusCode::OK, request.extensions().get::<Source>().unwrap().client.to_string())
            }
            Received::Refused(_, refusal) => (refusal.status(), refusal.to_string()),
        };
        Answer::new(status, UsualFields::default(), text)
    }

    /// Asks a plain listener on all addresses behind the proxy 10.0.0.1, from this peer.
    async fn ask(peer: &str, request: Request<Full<Bytes>>) -> (Response<Full<Bytes>>, String) {
        let (_stop, drain) = drain::channel();
        let mut answer = Response::from(caller(peer, drain).answer(request, Ok(())).await);
        let text = answer.body_mut().collect().await.unwrap().to_bytes();
        (answer, String::from_utf8(text.to_vec()).unwrap())
    }

    fn caller(peer: &str, drain: Drain) -> Caller<impl Handler> {
        let proxies = ["10.0.0.1/32".parse().unwrap()];
        let door = Door {
            handler: tell,
            options: ListenerOptions::default(),
            exposure: decide_exposure("0.0.0.0:80".parse().unwrap(), false, &proxies).unwrap(),
            counts: Arc::default(),
        };
        Caller { door: Arc::new(door), peer: peer.parse().unwrap(), tls: false, drain }
    }

    fn get() -> Request<Full<Bytes>> {
        let request = Request::builder().header("x-forwarded-for", "198.51.100.1");
        request.body(Full::default()).unwrap()
    }

    #[tokio::test]
    async fn a_stranger_in_clear_is_refused_and_closed() {
        let (answer, _) = ask("192.0.2.7:4711", get()).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert_eq!(answer.headers()[header::CONNECTION], "close");
    }

    #[tokio::test]
    async fn the_client_of_a_trusted_proxy_is_the_one_it_names() {
        let (answer, client) = ask("10.0.0.1:4711", get()).await;
        assert_eq!((answer.status(), client.as_str()), (StatusCode::OK, "198.51.100.1"));
        assert!(!answer.headers().contains_key(header::CONNECTION));
    }

    #[tokio::test]
    async fn this_machine_needs_no_proxy_and_its_headers_are_not_believed() {
        let (answer, client) = ask("127.0.0.1:4711", get()).await;
        assert_eq!((answer.status(), client.as_str()), (StatusCode::OK, "127.0.0.1"));
    }

    #[test]
    fn rfc9112_2_2_empty_lines_that_nothing_follows_are_done_with() {
        let (_stop, drain) = drain::channel();
        let caller = caller("127.0.0.1:4711", drain);
        for (bytes, done) in [("\r\n", 2), ("\n\r\n", 3), ("\r\n\r", 0), ("\r\nGET", 0), ("x", 0)] {
            let mut answers = Vec::new();
            assert_eq!(caller.answer_at_once(bytes.as_bytes(), &mut answers), done, "{bytes:?}");
            assert!(answers.is_empty());
        }
    }

    proptest! {
        #[test]
        fn a_target_that_is_read_here_is_the_same_for_hyper(rest in "[!-~é]{0,20}") {
            let target = format!("/{rest}");
            if let Some((path, query)) = split_target(&target) {
                let uri: Uri = target.parse().unwrap();
                prop_assert_eq!((uri.path(), uri.query()), (path, query));
            }
        }
    }

    #[test]
    fn a_target_in_origin_form_is_split_at_its_first_question_mark() {
        for (target, split) in [
            ("/", Some(("/", None))),
            ("/a%2f//b?", Some(("/a%2f//b", Some("")))),
            ("/a?b=c?d", Some(("/a", Some("b=c?d")))),
            ("/a?b#c", None),
            ("/a#b?c", None),
            ("http://a/b", None),
            ("*", None),
        ] {
            assert_eq!(split_target(target), split, "{target}");
        }
    }

    #[tokio::test]
    async fn nobody_gets_a_tunnel() {
        let mut request = get();
        *request.method_mut() = Method::CONNECT;
        assert_eq!(ask("127.0.0.1:4711", request).await.0.status(), StatusCode::BAD_REQUEST);
    }
}

//! The door: one request in, one answer out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{ALLOW, HOST};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request};
use obol_accounts::{PasswordCheck, Refused};
use obol_oauth::{
    Answer as Answered, Endpoint, Engine, ErrorCode, OAuthError, Outcome, PasswordNeeded, Person,
    PersonRefused, ProtectedResource, RequestId, Surface,
};
use obol_token::Scratch;

use crate::pages::{Page, Pages};
use crate::routes::{Route, Routes, surface_of};
use crate::server::{
    Answer, Fields, Handler, Received, Refusal, Source, Whole, catch_panic, catch_panic_at_once,
};
use crate::sharing::Sharing;
use crate::{dialect, fast_verify, gateway, health, intake, registration, sharing};

/// The door as the listener sees it.
pub struct OpenDoor(Arc<Door>);

impl Handler for OpenDoor {
    fn answer(&self, received: Received) -> impl Future<Output = Answer> + Send + 'static {
        Arc::clone(&self.0).answer(received)
    }

    fn answer_at_once<F: Fields + ?Sized>(&self, request: &Whole<'_, F>) -> Option<Answer> {
        self.0.answer_at_once(request)
    }

    fn body_limit(&self, head: &Parts) -> Option<usize> {
        self.0.body_limit(head)
    }
}

/// A thousand tokens, JWTs as well. For clients that have shown a secret; others may send what everybody may.
const LISTS_BYTES: usize = 1024 * 1024;

/// Answers every request of the listener.
pub struct Door {
    engine: Arc<Engine>,
    passwords: Arc<PasswordCheck>,
    pages: Arc<Pages>,
    routes: Routes,
    request_ids: RequestIds,
}

impl Door {
    /// A door to these rooms.
    pub fn new(engine: Arc<Engine>, passwords: Arc<PasswordCheck>, pages: Pages) -> Self {
        let routes = Routes::new(engine.issuer());
        Self { engine, passwords, pages: Arc::new(pages), routes, request_ids: RequestIds::new() }
    }

    /// Opens the door.
    pub fn open(self) -> OpenDoor {
        OpenDoor(Arc::new(self))
    }

    /// Answers a request that has to wait for nothing.
    fn answer_at_once<F: Fields + ?Sized>(&self, request: &Whole<'_, F>) -> Option<Answer> {
        let request = Whole { path: self.routes.below(request.path), ..*request };
        let request_id = self.request_ids.next();
        let asked = || {
            fast_verify::answer(&self.engine, &request)
                .or_else(|| gateway::answer_at_once(&self.engine, &request, request_id).map(Ok))
                .or_else(|| self.ask_at_once(&request, request_id))
        };
        let answered = catch_panic_at_once(asked, || Some(Err(panicked())))?;
        let answer =
            answered.unwrap_or_else(|error| self.refuse(surface_of(request.path), &error, request_id));
        tracing::debug!(
            request_id = request_id.as_str(),
            status = answer.status().as_u16(),
            "a request was answered at once"
        );
        Some(answer.to(request_id))
    }

    fn body_limit(&self, head: &Parts) -> Option<usize> {
        let takes_lists = match self.routes.find(&head.method, self.routes.below(head.uri.path())) {
            Route::Endpoint(endpoint) => endpoint.takes_lists(),
            _ => false,
        };
        let shown = || intake::read_authorization(&head.headers).ok();
        (takes_lists && shown().is_some_and(|shown| self.engine.shows_generated_secret(&shown)))
            .then_some(LISTS_BYTES)
    }

    fn ask_at_once<F: Fields + ?Sized>(
        &self,
        request: &Whole<'_, F>,
        request_id: RequestId,
    ) -> Option<Result<Answer, OAuthError>> {
        let Route::Endpoint(endpoint) = self.routes.find(request.method, request.path) else { return None };
        // With whom an answer is shared is decided on the long way.
        if sharing::is_from_page(request.fields) {
            return None;
        }
        let arrival = self.engine.arrival(request.source.client, request_id);
        let request = match intake::read(endpoint, request, arrival) {
            Ok(request) => request,
            Err(error) => return Some(Err(error)),
        };
        let mut scratch = Scratch::default();
        let answered = self.engine.answer_at_once(&request, &mut scratch)?;
        Some(answered.map(|answered| dialect::success(endpoint.surface, answered)))
    }

    /// Answers one request. Every answer carries `X-Request-Id`, as do its log lines and audit records.
    async fn answer(self: Arc<Self>, received: Received) -> Answer {
        let request_id = self.request_ids.next();
        let (method, path, fields) = match &received {
            Received::Request(request) => (request.method(), request.uri().path(), request.headers()),
            Received::Refused(head, _) => (&head.method, head.uri.path(), &head.headers),
        };
        let path = self.routes.below(path);
        let (surface, route) = (surface_of(path), self.routes.find(method, path));
        let sharing = Sharing::decide(&self.engine, &route, fields);
        let answering = self.dispatch(received, surface, route, request_id);
        let answer = catch_panic(answering, || dialect::refusal(surface, &panicked())).await;
        let answer = match sharing {
            Some(sharing) => sharing.share(answer),
            None => answer,
        };
        let status = answer.status();
        tracing::debug!(request_id = request_id.as_str(), status = status.as_u16(), "a request was answered");
        answer.to(request_id)
    }

    async fn dispatch(
        self: &Arc<Self>,
        received: Received,
        surface: Surface,
        route: Route,
        request_id: RequestId,
    ) -> Answer {
        let request = match received {
            Received::Request(request) => request,
            Received::Refused(_, refusal) => return dialect::refusal(surface, &listener_refusal(refusal)),
        };
        // The route and not the path: a path may hold a token that strayed into it.
        tracing::debug!(request_id = request_id.as_str(), route = route.name(), "a request arrived");
        match route {
            Route::Endpoint(endpoint) => {
                let answered = match *request.method() {
                    http::Method::GET => self.ask(endpoint, request, request_id).await,
                    _ => self.ask_to_the_end(endpoint, request, request_id).await,
                };
                answered.unwrap_or_else(|error| self.refuse(surface, &error, request_id))
            }
            Route::Page(page) => self.show(page, request, request_id).await,
            Route::Gateway => self.at_gateway(request, request_id).await,
            Route::Registration => self.at_registration(request, request_id).await,
            Route::Resource => self.resource(&request),
            Route::Health => health::health(),
            Route::Readiness => health::readiness(&self.engine),
            Route::OtherMethod { allow } => {
                if let Some(answer) = self.preflight(&request) {
                    return answer;
                }
                let sentence = format!("This path takes {allow} only.");
                let error = OAuthError::new(ErrorCode::MethodNotAllowed, sentence);
                dialect::refusal(surface, &error).with(ALLOW, HeaderValue::from_static(allow))
            }
            Route::NotFound => {
                let sentence = "There is nothing at this path; check the URL.";
                dialect::refusal(surface, &OAuthError::new(ErrorCode::NotFound, sentence))
            }
        }
    }

    /// What a browser is told that looks first whether its page may ask.
    fn preflight(&self, request: &Request<Bytes>) -> Option<Answer> {
        let method = sharing::wanted_method(request)?;
        let route = self.routes.find(&method, self.routes.below(request.uri().path()));
        Sharing::decide(&self.engine, &route, request.headers())?.allow(&method)
    }

    /// As [`Self::ask`], in a task of its own: what changes something is done and audited whole, also when the peer
    /// resets the stream meanwhile.
    async fn ask_to_the_end(
        self: &Arc<Self>,
        endpoint: &'static Endpoint,
        request: Request<Bytes>,
        request_id: RequestId,
    ) -> Result<Answer, OAuthError> {
        let door = Arc::clone(self);
        let asked = tokio::spawn(async move { door.ask(endpoint, request, request_id).await });
        asked.await.unwrap_or_else(|_panicked| Err(panicked()))
    }

    /// A page, in a task of its own like all that changes something: signing in, giving and ending are done whole.
    async fn show(self: &Arc<Self>, page: Page, request: Request<Bytes>, request_id: RequestId) -> Answer {
        let door = Arc::clone(self);
        let shown = tokio::spawn(async move {
            let source = source_of(&request)?;
            let arrival = door.engine.arrival(source.client, request_id);
            Ok(door.pages.answer(page, &door.whole(&request, source), arrival).await)
        });
        let shown = shown.await.unwrap_or_else(|_panicked| Err(panicked()));
        shown.unwrap_or_else(|error| self.pages.failed(error, request_id))
    }

    /// In a task of its own: a session that is used ends later.
    async fn at_gateway(self: &Arc<Self>, request: Request<Bytes>, request_id: RequestId) -> Answer {
        let door = Arc::clone(self);
        let asked = tokio::spawn(async move {
            let source = source_of(&request)?;
            let arrival = door.engine.arrival(source.client, request_id);
            Ok(gateway::answer(&door.engine, &door.pages, &door.whole(&request, source), arrival).await)
        });
        let answered = asked.await.unwrap_or_else(|_panicked| Err(panicked()));
        answered.unwrap_or_else(|error| self.refuse(Surface::Rfc, &error, request_id))
    }

    /// In a task of its own: what was registered is recorded, also when the peer resets the stream meanwhile.
    async fn at_registration(self: &Arc<Self>, request: Request<Bytes>, request_id: RequestId) -> Answer {
        let door = Arc::clone(self);
        let asked = tokio::spawn(async move {
            let source = source_of(&request)?;
            let arrival = door.engine.arrival(source.client, request_id);
            registration::answer(&door.engine, &door.whole(&request, source), arrival).await
        });
        let answered = asked.await.unwrap_or_else(|_panicked| Err(panicked()));
        answered.unwrap_or_else(|error| self.refuse(Surface::Rfc, &error, request_id))
    }

    /// RFC 9728 §3.2. The host is asked for because resources of several may be behind one gateway; it is not printed.
    fn resource(&self, request: &Request<Bytes>) -> Answer {
        let proxied = source_of(request).is_ok_and(|source| source.proxied);
        let host = request.headers().get(&intake::FORWARDED_HOST).filter(|_| proxied);
        let host = host.or_else(|| request.headers().get(HOST)).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| request.uri().authority().map(Authority::as_str)).unwrap_or_default();
        let path = self.routes.below(request.uri().path());
        let path = path.strip_prefix(ProtectedResource::WELL_KNOWN).unwrap_or_default();
        match self.engine.resource_metadata(host, path) {
            Some(document) => dialect::success(Surface::Rfc, Answered::Document(document)),
            None => {
                let sentence = "There is no protected resource with metadata at this path.";
                dialect::refusal(Surface::Rfc, &OAuthError::new(ErrorCode::NotFound, sentence))
            }
        }
    }

    async fn ask(
        &self,
        endpoint: &'static Endpoint,
        request: Request<Bytes>,
        request_id: RequestId,
    ) -> Result<Answer, OAuthError> {
        let source = source_of(&request)?;
        let arrival = self.engine.arrival(source.client, request_id);
        let request = self.whole(&request, source);
        let request = intake::read(endpoint, &request, arrival)?;
        let mut scratch = Box::default();
        let answered = match self.engine.answer(&request, &mut scratch).await? {
            Outcome::Done(answered) => answered,
            Outcome::PasswordNeeded(needed) => self.ask_person(*needed).await?,
        };
        Ok(dialect::success(endpoint.surface, answered))
    }

    /// The step person: the accounts room checks the password, the engine goes on.
    async fn ask_person(&self, mut needed: PasswordNeeded) -> Result<Answered<'static>, OAuthError> {
        let password = needed.take_password()?;
        let since_boot = needed.arrival.since_boot;
        let realm = needed.realm.as_deref();
        let checked = self.passwords.check_password(&needed.username, password, realm, since_boot).await;
        let person = checked
            .map(|person| Person { subject: person.subject, username: person.username.as_str().to_owned() })
            .map_err(|refused| match refused {
                Refused::Credentials { reason } => PersonRefused::Credentials { reason: reason.as_str() },
                Refused::Busy { retry_after_secs } => PersonRefused::Busy { retry_after_secs },
                Refused::Unavailable(error) => PersonRefused::Store(error),
            });
        self.engine.issue_to_person(needed, person).await
    }

    fn whole<'a>(&self, request: &'a Request<Bytes>, source: Source) -> Whole<'a, HeaderMap> {
        Whole {
            method: request.method(),
            path: self.routes.below(request.uri().path()),
            query: request.uri().query(),
            fields: request.headers(),
            body: request.body(),
            source,
        }
    }

    fn refuse(&self, surface: Surface, error: &OAuthError, request_id: RequestId) -> Answer {
        log_refusal(error, request_id);
        dialect::refusal(surface, error)
    }
}

/// One line for each would let outsiders fill the log: the store and the follower say once what is wrong.
pub(crate) fn log_refusal(error: &OAuthError, request_id: RequestId) {
    let request_id = request_id.as_str();
    let (code, cause) = (error.code().wire().name, error.cause());
    match error.code() {
        ErrorCode::ServerError => tracing::error!(request_id, cause, "a request failed"),
        _ => tracing::debug!(request_id, code, cause, "a request was refused"),
    }
}

fn source_of(request: &Request<Bytes>) -> Result<Source, OAuthError> {
    let source = request.extensions().get::<Source>().copied();
    source.ok_or_else(|| OAuthError::new(ErrorCode::ServerError, "The request has no source."))
}

fn panicked() -> OAuthError {
    let sentence = "The server failed on this request; its log says more under the request id.";
    OAuthError::new(ErrorCode::ServerError, sentence)
}

fn listener_refusal(refusal: Refusal) -> OAuthError {
    let code = match refusal {
        Refusal::BodyTooLarge => ErrorCode::ContentTooLarge,
        Refusal::BodyTimedOut => ErrorCode::RequestTimeout,
        Refusal::BodyBroken | Refusal::BadFraming => ErrorCode::InvalidRequest,
        Refusal::HeadersTooLarge => ErrorCode::HeadersTooLarge,
        Refusal::UriTooLong => ErrorCode::UriTooLong,
        Refusal::InClear => ErrorCode::Forbidden,
    };
    OAuthError::new(code, refusal.to_string())
}

/// Request ids: unlike any other of this and other processes, and cheap.
struct RequestIds {
    process: u64,
    last: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        Self { process: u64::from_be_bytes(obol_keys::random_bytes()), last: AtomicU64::new(0) }
    }

    fn next(&self) -> RequestId {
        RequestId::new(self.process, self.last.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_count_up_and_begin_alike() {
        let ids = RequestIds::new();
        let [first, second] = [ids.next(), ids.next()];
        assert_eq!((first, second), (RequestId::new(ids.process, 0), RequestId::new(ids.process, 1)));
        assert_ne!(RequestIds::new().process, ids.process);
    }
}

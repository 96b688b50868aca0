//! Routes a parsed request through the steps; authenticates the client once.
//!
//! | step    | what                                               | where                        |
//! |---------|----------------------------------------------------|------------------------------|
//! | parse   | body and query into [`Params`], header into [`Authorization`](crate::Authorization) | the door, `params`, `authorization` |
//! | vouch   | the node may answer: its lease runs, or `on_stale` lets it tell about tokens | [`Engine::answer`] |
//! | client  | who asks, by the endpoint's [`ClientRule`]         | `client_authentication`      |
//! | request | what is asked, and whether this client may          | the feature                  |
//! | person  | for whom; the door asks the accounts room           | [`Outcome::PasswordNeeded`]  |
//! | issue   | what is given                                       | `issue`, the feature         |

use std::net::IpAddr;
use std::sync::Arc;

use obol_keys::PlainPassword;
use obol_replica::{Replica, Stale, Status, Vouched};
use obol_store::{Audit, AuditEvent, AuditRecord, ClientKind, Store};
use obol_token::{Position, Scopes, Scratch, SubjectId};

use crate::client_authentication::{
    AuthenticatedClient, ClientAuthentication, as_it_is_now, bears_assertion, claimed_client,
};
use crate::features::pushed_authorization::push_limit;
use crate::features::registration::registration_limit;
use crate::features::{
    Borne, ClientRule, Part, Steps, Waiting, authorization, end_session, password, verification,
};
use crate::source_limit::SourceLimit;
use crate::{
    Answer, Arrival, Authorization, Authorized, Authorizing, Challenge, DescribedClients, ErrorCode, Issuer,
    OAuthError, Outgoing, Params, ProtectedResource, RegistrationSettings, Request, RequestId, SignOutAsked,
    SignedIn, Surface, Verification,
};

/// Settings of the protocol.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The base of every URL that is printed.
    pub issuer: Issuer,
    /// How long the refresh token just replaced may be presented again, in seconds.
    pub refresh_grace_secs: u32,
    /// How long an authorization code is good, in seconds.
    pub code_lifetime_secs: u32,
    /// For how long a browser may bring the reference to a pushed request first, in seconds.
    pub pushed_request_lifetime_secs: u32,
    /// Whether every client must push its authorization requests (RFC 9126 §5).
    pub require_pushed_authorization_requests: bool,
    /// For how long the key set may be kept by who has asked for it, in seconds.
    pub key_set_max_age_secs: u32,
    /// The resources whose metadata is told (RFC 9728).
    pub protected_resources: Vec<ProtectedResource>,
    /// Whether clients may register themselves, and with what.
    pub registration: RegistrationSettings,
    /// Clients that bring a document of their own; `None`: there are only registered ones.
    pub described_clients: Option<DescribedClients>,
}

/// The protocol engine of one node.
pub struct Engine {
    pub(crate) replica: Arc<Replica>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) settings: Settings,
    pub(crate) outgoing: Arc<dyn Outgoing>,
    pub(crate) pushes: SourceLimit,
    pub(crate) registrations: SourceLimit,
    audit: Arc<dyn Audit>,
    clients: ClientAuthentication,
}

/// What a request comes to.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// It is answered.
    Done(Answer<'a>),
    /// A password must be checked first; then [`Engine::issue_to_person`].
    PasswordNeeded(Box<PasswordNeeded>),
}

/// A password to check, and what to issue when it is right.
#[derive(Debug)]
pub struct PasswordNeeded {
    /// The name as presented.
    pub username: String,
    pub(crate) password: Option<PlainPassword>,
    /// Where the person is said to come from.
    pub realm: Option<String>,
    pub(crate) client: AuthenticatedClient,
    pub(crate) scopes: Scopes,
    pub(crate) resource: Option<String>,
    pub(crate) surface: Surface,
    pub(crate) position: Position,
    /// When and whence the request came.
    pub arrival: Arrival,
}

impl PasswordNeeded {
    /// The password as presented, once: whoever checks it wipes it.
    ///
    /// # Errors
    /// 500 the second time.
    pub fn take_password(&mut self) -> Result<PlainPassword, OAuthError> {
        let gone = || OAuthError::new(ErrorCode::ServerError, "The password was checked before.");
        self.password.take().ok_or_else(gone)
    }
}

/// A person whose password was right.
#[derive(Debug, Clone)]
pub struct Person {
    /// Never given out again.
    pub subject: SubjectId,
    /// As tokens say it.
    pub username: String,
}

/// Why no person stands behind a request.
#[derive(Debug)]
pub enum PersonRefused {
    /// Name or password is not good, in all its variants; the reason is for the audit record.
    Credentials {
        /// A few words.
        reason: &'static str,
    },
    /// Too many passwords are being checked at this moment.
    Busy {
        /// When it may be better, in seconds.
        retry_after_secs: u32,
    },
    /// Storage failed.
    Store(obol_store::StoreError),
}

/// A request that is answered, or what remains to be waited for.
enum Begun<'a> {
    Answered(Result<Answer<'a>, OAuthError>),
    Waiting(ClientRule, Waiting),
    Borne(Borne),
    /// Whose client authenticates with an assertion, which has to be stored as used.
    Asserted(ClientRule, Part, &'a mut Scratch),
}

/// One request on its way through a feature.
pub(crate) struct Call<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) request: &'a Request<'a>,
    pub(crate) vouched: Vouched<'a>,
}

impl Engine {
    /// An engine over this node's replica and store, with its way out.
    pub fn new(
        replica: Arc<Replica>,
        store: Arc<dyn Store>,
        audit: Arc<dyn Audit>,
        outgoing: Arc<dyn Outgoing>,
        settings: Settings,
    ) -> Self {
        let (pushes, registrations) = (push_limit(), registration_limit());
        let clients = ClientAuthentication::new();
        Self { replica, store, settings, outgoing, pushes, registrations, audit, clients }
    }

    /// Answers a request, or says that a password must be checked first.
    ///
    /// # Errors
    /// [`OAuthError`], to be shown in the dialect of the endpoint.
    pub async fn answer<'a>(
        &'a self,
        request: &'a Request<'_>,
        scratch: &'a mut Scratch,
    ) -> Result<Outcome<'a>, OAuthError> {
        match self.begin(request, scratch) {
            Begun::Answered(answered) => answered.map(Outcome::Done),
            Begun::Waiting(rule, handle) => {
                let call = self.vouched_call(request)?;
                let client = self.authenticated(&call, rule)?;
                handle(&call, client).await
            }
            Begun::Borne(handle) => handle(&self.vouched_call(request)?).await,
            Begun::Asserted(rule, part, scratch) => {
                let (call, client) = self.authenticated_by_assertion(request, rule).await?;
                match part {
                    Part::AtOnce(handle) => handle(&call, &client, scratch).map(Outcome::Done),
                    Part::Waiting(handle) => handle(&call, client).await,
                }
            }
        }
    }

    /// Answers a request from memory; `None`, and nothing is done, if its answer has to wait for something.
    pub fn answer_at_once<'a>(
        &'a self,
        request: &'a Request<'_>,
        scratch: &'a mut Scratch,
    ) -> Option<Result<Answer<'a>, OAuthError>> {
        match self.begin(request, scratch) {
            Begun::Answered(answered) => Some(answered),
            Begun::Waiting(..) | Begun::Borne(_) | Begun::Asserted(..) => None,
        }
    }

    fn begin<'a>(&'a self, request: &'a Request<'_>, scratch: &'a mut Scratch) -> Begun<'a> {
        Begun::Answered(match &request.endpoint.steps {
            Steps::Document(document) => Ok(Answer::Document(document(self))),
            Steps::Asked(handle) => self.asking_call(request).and_then(|call| handle(&call, scratch)),
            Steps::Borne(handle) => return Begun::Borne(*handle),
            Steps::Page(_) | Steps::Gateway | Steps::Resource | Steps::Registration => {
                Err(OAuthError::new(ErrorCode::ServerError, "This endpoint is answered by the door."))
            }
            Steps::Authenticated { client, part, .. } if bears_assertion(&request.body) => {
                return Begun::Asserted(*client, part(request), scratch);
            }
            Steps::Authenticated { client, only_tells, part } => match part(request) {
                Part::Waiting(handle) => return Begun::Waiting(*client, handle),
                Part::AtOnce(handle) => match only_tells {
                    true => self.asking_call(request),
                    false => self.vouched_call(request),
                }
                .and_then(|call| handle(&call, &self.authenticated(&call, *client)?, scratch)),
            },
        })
    }

    /// The answer of `verify_token/` to this token and client, for a door that needs no parsed [`Request`] to see what
    /// is asked. It is the endpoint's own decision.
    ///
    /// # Errors
    /// [`OAuthError`], as from the endpoint.
    pub fn verify<'a>(
        &self,
        token: &str,
        client_id: &str,
        scratch: &'a mut Scratch,
    ) -> Result<Verification<'a>, OAuthError> {
        #[cfg(feature = "planted-bugs")]
        if obol_planted::Bug::DenyListBeforeLease.is_on() {
            let (vouched, (now, _)) = (self.replica.planted_unvouched(), self.replica.now());
            let verified = verification::verify(vouched, token, client_id, now, scratch);
            // What a scheduler may do here as well.
            std::thread::sleep(std::time::Duration::from_millis(5));
            let _vouched = self.replica.vouch()?;
            return verified;
        }
        let (vouched, now) = self.replica.vouch_or_stale_now()?;
        verification::verify(vouched, token, client_id, now, scratch)
    }

    /// The steps person and issue of the password grant, after the accounts room has checked the password.
    ///
    /// # Errors
    /// [`OAuthError`]
    pub async fn issue_to_person(
        &self,
        needed: PasswordNeeded,
        person: Result<Person, PersonRefused>,
    ) -> Result<Answer<'static>, OAuthError> {
        password::issue(self, needed, person).await
    }

    /// An arrival at this moment; the door makes one per request, after it arrived.
    pub fn arrival(&self, source: IpAddr, request_id: RequestId) -> Arrival {
        let (now, since_boot) = self.replica.now();
        Arrival { now, since_boot, source, request_id }
    }

    /// What comes next for an authorization request (RFC 6749 §4.1.1).
    ///
    /// # Errors
    /// [`OAuthError`], to be shown on a page and never sent to the client's redirect URI.
    pub async fn authorize(&self, request: &Authorizing<'_>) -> Result<Authorized, OAuthError> {
        authorization::authorize(self, request).await
    }

    /// What a request to sign out comes to (OpenID Connect RP-Initiated Logout §2), for who is signed in.
    ///
    /// # Errors
    /// [`OAuthError`], to be shown on a page. Nothing is to be ended then.
    pub fn sign_out(
        &self,
        params: &Params<'_>,
        person: Option<&SignedIn>,
    ) -> Result<SignOutAsked, OAuthError> {
        end_session::decide(self, params, person)
    }

    /// `plain` sealed for the nodes of this installation: what a page gives to the browser to bring back.
    ///
    /// # Errors
    /// 503 without a lease, 500 when it cannot be sealed.
    pub fn seal_ticket(&self, plain: Vec<u8>) -> Result<String, OAuthError> {
        Ok(self.replica.vouch()?.memory().seal_ticket(plain)?)
    }

    /// What [`Self::seal_ticket`] of any node sealed; `None` for anything else.
    ///
    /// # Errors
    /// 503 without a lease.
    pub fn open_ticket(&self, ticket: &str) -> Result<Option<Vec<u8>>, OAuthError> {
        Ok(self.replica.vouch()?.memory().open_ticket(ticket).ok())
    }

    /// How far this node has read the change log: what a session that begins now carries.
    ///
    /// # Errors
    /// 503 without a lease.
    pub fn position(&self) -> Result<Position, OAuthError> {
        Ok(self.replica.vouch()?.position())
    }

    /// Whether a request with this header comes from a client with a secret that the server has made: known before the
    /// body is read, and the request is authenticated all the same when it is there.
    pub fn shows_generated_secret(&self, authorization: &Authorization<'_>) -> bool {
        let vouched = self.replica.vouch_or_stale();
        vouched.is_ok_and(|vouched| self.clients.is_shown_in_header(authorization, vouched.memory()))
    }

    /// The base of every URL that is printed.
    pub fn issuer(&self) -> &Issuer {
        &self.settings.issuer
    }

    /// Whether pages at this origin may read what endpoints answer: those of public clients (S-06).
    pub fn is_client_origin(&self, origin: &str) -> bool {
        self.replica.is_client_origin(origin)
    }

    /// This node and the others, as it sees them.
    pub fn status(&self) -> Status {
        self.replica.status()
    }

    /// Writes an audit record of what nobody has just asked for.
    pub(crate) fn record(&self, record: AuditRecord) {
        self.audit.record(record);
    }

    /// Writes an audit record of this arrival.
    pub fn audit(&self, arrival: &Arrival, record: AuditRecord) {
        self.audit.record(AuditRecord {
            source: Some(arrival.source.to_string()),
            request_id: Some(arrival.request_id.as_str().to_owned()),
            ..record
        });
    }

    fn vouched_call<'a>(&'a self, request: &'a Request<'a>) -> Result<Call<'a>, OAuthError> {
        self.call(request, self.replica.vouch()?)
    }

    /// For what only tells about access tokens.
    fn asking_call<'a>(&'a self, request: &'a Request<'a>) -> Result<Call<'a>, OAuthError> {
        self.call(request, self.replica.vouch_or_stale()?)
    }

    fn call<'a>(&'a self, request: &'a Request<'a>, vouched: Vouched<'a>) -> Result<Call<'a>, OAuthError> {
        if request.min_position.is_some_and(|wanted| vouched.position() < wanted) {
            let sentence = "This node has not read the change log that far yet; ask again.";
            return Err(OAuthError::unavailable(sentence, 1));
        }
        Ok(Call { engine: self, request, vouched })
    }

    fn authenticated(&self, call: &Call<'_>, rule: ClientRule) -> Result<AuthenticatedClient, OAuthError> {
        check_credentials_sent(call.request, rule)?;
        self.admitted(call, rule, self.clients.authenticate(call.request, call.vouched.memory()))
    }

    /// With the call to go on with: keys were waited for, so this node may have missed much, and the client may have changed.
    async fn authenticated_by_assertion<'a>(
        &'a self,
        request: &'a Request<'_>,
        rule: ClientRule,
    ) -> Result<(Call<'a>, AuthenticatedClient), OAuthError> {
        check_credentials_sent(request, rule)?;
        let shown = self.clients.authenticate_by_assertion(&self.vouched_call(request)?).await;
        let call = self.vouched_call(request)?;
        let client = self.admitted(&call, rule, shown.and_then(|client| as_it_is_now(&call, &client)))?;
        Ok((call, client))
    }

    fn admitted(
        &self,
        call: &Call<'_>,
        rule: ClientRule,
        shown: Result<AuthenticatedClient, OAuthError>,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let client = shown.and_then(|client| match (rule, &client.kind) {
            (ClientRule::Confidential, ClientKind::Public) => {
                let sentence = "This endpoint is for confidential clients; authenticate the client.";
                Err(OAuthError::new(ErrorCode::InvalidClient, sentence).challenged(Challenge::Basic))
            }
            (ClientRule::Authenticated | ClientRule::Named | ClientRule::Confidential, _) => Ok(client),
        });
        let client = client.inspect_err(|error| self.audit_client_refused(call.request, error));
        client.map_err(|error| match error.code() {
            // It may have been added since, or have a new secret.
            ErrorCode::InvalidClient if call.vouched.is_stale() => Stale.into(),
            _ => error,
        })
    }

    fn audit_client_refused(&self, request: &Request<'_>, error: &OAuthError) {
        let presented = match &request.authorization {
            Authorization::Basic(basic) => Some(basic.client_id().to_owned()),
            _ => request.body.optional("client_id").ok().flatten().map(str::to_owned),
        }
        .or_else(|| claimed_client(&request.body));
        let reason = error.reason().to_owned();
        self.audit(
            &request.arrival,
            AuditRecord {
                done: false,
                reason: Some(reason.into()),
                client_id: presented,
                ..AuditRecord::new(AuditEvent::ClientRefused, request.arrival.now)
            },
        );
    }
}

fn check_credentials_sent(request: &Request<'_>, rule: ClientRule) -> Result<(), OAuthError> {
    refuse_credentials_in_url(request)?;
    if rule == ClientRule::Named {
        require_client_named(request)?;
    }
    Ok(())
}

/// Credentials in a URL end in logs and histories: such a request is refused, so that its sender notices.
fn refuse_credentials_in_url(request: &Request<'_>) -> Result<(), OAuthError> {
    const CREDENTIALS: [&str; 7] =
        ["client_secret", "client_assertion", "password", "token", "refresh_token", "access_token", "code"];
    for name in CREDENTIALS {
        if request.query.optional(name)?.is_some() {
            let sentence = format!("Send `{name}` in the body, not in the URL, and treat it as disclosed.");
            return Err(OAuthError::new(ErrorCode::InvalidRequest, sentence));
        }
    }
    Ok(())
}

fn require_client_named(request: &Request<'_>) -> Result<(), OAuthError> {
    match request.authorization {
        Authorization::Basic(_) | Authorization::MalformedBasic => Ok(()),
        _ => request.body.required("client_id").map(|_| ()),
    }
}

//! The authorization endpoint (RFC 6749 §3.1, §4.1.1; OpenID Connect Core §3.1.2). Home of RFC 9207.
//!
//! 1. The client is known, and its request is found: as it is, signed (RFC 9101), or pushed (RFC 9126).
//! 2. The redirect URI is checked; if it is not good, a page says so and nobody is redirected.
//! 3. The rest of the request is read: whatever is wrong goes back to the client from here on.
//! 4. [`rules`] says what comes next: somebody signs in, is asked, or the client gets its answer, for a pushed request once.
//!
//! Nothing is kept between two of these: the pages hand the whole request in each time, or the reference to one that was pushed.

mod claims_request;
mod details;
mod pkce;
mod redirect_uri;
mod request;
mod rules;

use std::sync::Arc;

use obol_keys::AuthorizationCode;
use obol_replica::Memory;
use obol_store::{
    AddCodeOutcome, AuditEvent, AuditRecord, Client, ClientKind, ClientSettings, Consent, NewCode,
};
use obol_token::{Position, Scopes};
use serde_json::{Map, Value, json};

pub(crate) use self::claims_request::ClaimsRequest;
pub(crate) use self::details::{CodeDetails, Granted};
pub(crate) use self::pkce::fits;
pub use self::redirect_uri::RedirectUriError;
pub(crate) use self::redirect_uri::{
    check_redirect_uri, destination_of, is_claimed, is_dot_segment, sector_of,
};
pub(crate) use self::request::{is_resource, parse_resource};

use self::request::{AuthorizationRequest, Return};
use self::rules::{Next, Situation, decide_next};
use super::{Endpoint, Feature, Method, PageKind, Steps};
use crate::features::client_id_metadata::{admit, find_described, host_of};
use crate::features::id_token;
use crate::features::pushed_authorization::Pushed;
use crate::features::request_object::{self, Arriving};
use crate::issue::decide_refreshable;
use crate::{
    Authorized, Authorizing, ClientLinks, ConsentAsked, Decision, Engine, ErrorCode, OAuthError, Params,
    ResponseMode, SignInAsked, SignedIn, Surface,
};

/// RFC 6749 §3.1.
pub(super) const FEATURE: Feature = Feature {
    name: "authorization endpoint",
    specification: "RFC 6749 §3.1, RFC 7636, RFC 8707, RFC 9207, OpenID Connect Core §3.1.2, FortiAuthenticator authorize/",
    endpoints: &[
        Endpoint {
            surface: Surface::Rfc,
            methods: &[Method::Get, Method::Post],
            path: PATH,
            steps: Steps::Page(PageKind::Authorize),
        },
        Endpoint {
            surface: Surface::FortiAuthenticator,
            methods: &[Method::Get],
            path: FORTI_PATH,
            steps: Steps::Page(PageKind::Authorize),
        },
    ],
    grants: &[],
    describe,
};

const PATH: &str = "/oauth2/authorize";
pub(super) const FORTI_PATH: &str = "/api/v1/oauth/authorize";

/// What comes next for this request.
///
/// # Errors
/// What must be shown on a page: the client or its redirect URI is not good, or this node cannot vouch.
pub(crate) async fn authorize(engine: &Engine, asked: &Authorizing<'_>) -> Result<Authorized, OAuthError> {
    let client_id = asked.params.required("client_id")?;
    let described = find_described(engine, client_id, asked.arrival.now).await?;
    let vouched = engine.replica.vouch()?;
    // Read before anything is looked up: whatever is denied from then on refuses what is given here.
    let position = vouched.position();
    let client =
        described.map(Arc::new).or_else(|| registered(vouched.memory(), client_id)).ok_or_else(|| {
            let sentence = "The application that sent you here is not known; tell those who run it.";
            OAuthError::new(ErrorCode::InvalidClient, sentence).caused_by("unknown or disabled client")
        })?;
    let pushed = Pushed::find(engine, asked, &client).await?;
    let held = match &pushed {
        Some(pushed) => Some(pushed.params()?),
        None => match signed_params(engine, asked, &client).await {
            Ok(object) => object,
            Err(error) => return refuse_object(engine, asked, &client, position, error),
        },
    };
    let params = held.as_ref().unwrap_or(asked.params);
    let way_back = Return::parse(engine, &client, params, asked.surface)?;
    let going = Going { engine, asked, params, pushed: pushed.is_some(), client: &client, position };
    let decided = match going.decide(&way_back).await {
        Ok(Decided::Show(page)) => {
            if let Some(pushed) = &pushed {
                pushed.hold(engine, &client, asked).await?;
            }
            return Ok(*page);
        }
        Ok(Decided::Give(giving)) => Ok(giving),
        Err(error) => Err(error),
    };
    // What follows is an answer for the client.
    if let Some(pushed) = &pushed {
        pushed.consume(engine, &client, &asked.arrival).await?;
    }
    let given = match decided {
        Ok(giving) => going.give(*giving, &way_back).await,
        Err(error) => Err(error),
    };
    Ok(given.unwrap_or_else(|error| going.refused(&error, &way_back)))
}

async fn signed_params(
    engine: &Engine,
    asked: &Authorizing<'_>,
    client: &Client,
) -> Result<Option<Params<'static>>, OAuthError> {
    let first_at = asked.arrives_first.then_some(asked.arrival.now);
    let arriving = Arriving { client, params: asked.params, surface: asked.surface, first_at };
    request_object::read(engine, arriving).await
}

/// What the object says is not to be trusted, so it is refused where the parameters beside it say, if they name a good redirect
/// URI, and else on a page.
fn refuse_object(
    engine: &Engine,
    asked: &Authorizing<'_>,
    client: &Client,
    position: Position,
    error: OAuthError,
) -> Result<Authorized, OAuthError> {
    let Ok(way_back) = Return::parse(engine, client, asked.params, asked.surface) else {
        return Err(error);
    };
    let going = Going { engine, asked, params: asked.params, pushed: false, client, position };
    Ok(going.refused(&error, &way_back))
}

/// Checks what can be checked of a request without a person, and without a browser.
///
/// # Errors
/// As the authorization endpoint has them, for a page or for the client.
pub(crate) fn check(
    engine: &Engine,
    client: &Client,
    params: &Params<'_>,
    surface: Surface,
) -> Result<(), OAuthError> {
    Return::parse(engine, client, params, surface)?;
    AuthorizationRequest::parse(engine, client, params, surface).map(drop)
}

/// The client of this id, unless it is disabled, or counts only with the document that describes it.
fn registered(memory: &Memory, client_id: &str) -> Option<Arc<Client>> {
    let known = memory.client(client_id)?;
    (known.enabled && !known.settings.from_metadata_document).then_some(known)
}

/// A request whose client and redirect URI are good.
struct Going<'a> {
    engine: &'a Engine,
    asked: &'a Authorizing<'a>,
    /// What the client asks for: the browser's parameters, or those that were pushed.
    params: &'a Params<'a>,
    pushed: bool,
    client: &'a Client,
    position: Position,
}

/// What is done with a request that is good.
enum Decided<'a> {
    Show(Box<Authorized>),
    Give(Box<Giving<'a>>),
}

/// A code that is about to be given.
struct Giving<'a> {
    request: AuthorizationRequest,
    person: &'a SignedIn,
    /// What the person has allowed the client before.
    consent: Option<Consent>,
}

impl<'a> Going<'a> {
    async fn decide(&self, way_back: &Return) -> Result<Decided<'a>, OAuthError> {
        self.refuse_unless_pushed()?;
        let request = AuthorizationRequest::parse(self.engine, self.client, self.params, self.asked.surface)?;
        let consent = match self.asked.person {
            Some(person) => self.engine.store.find_consent(person.subject, &self.client.id).await?,
            None => None,
        };
        let situation = self.situation(&request, consent.as_ref(), way_back)?;
        let page = match (decide_next(&situation), self.asked.person) {
            (Next::Give, Some(person)) => {
                return Ok(Decided::Give(Box::new(Giving { request, person, consent })));
            }
            (Next::Refuse(code), _) => return Err(OAuthError::new(code, sentence_of(code))),
            (Next::Ask, Some(person)) => Authorized::Consent(self.consent_asked(&request, person, way_back)),
            (Next::Choose, person) => {
                let go_on_as = person.map(|person| person.username.clone());
                Authorized::SignIn(self.sign_in_asked(&request, go_on_as, way_back))
            }
            (Next::Give | Next::Ask | Next::SignIn, _) => {
                Authorized::SignIn(self.sign_in_asked(&request, None, way_back))
            }
        };
        Ok(Decided::Show(Box::new(page)))
    }

    /// RFC 9126 §5, §6.
    fn refuse_unless_pushed(&self) -> Result<(), OAuthError> {
        let of_all = self.engine.settings.require_pushed_authorization_requests;
        if self.pushed || !(of_all || self.client.settings.require_pushed_authorization_requests) {
            return Ok(());
        }
        let sentence =
            "This client must push its authorization requests (RFC 9126), and send the `request_uri`.";
        Err(OAuthError::new(ErrorCode::InvalidRequest, sentence))
    }

    fn situation(
        &self,
        request: &AuthorizationRequest,
        consent: Option<&Consent>,
        way_back: &Return,
    ) -> Result<Situation, OAuthError> {
        let Authorizing { person, began_at, arrival, account_chosen, .. } = *self.asked;
        let since_began = |person: &SignedIn| person.authenticated_at >= began_at;
        let fresh = |person: &SignedIn| {
            let age_secs = person.authenticated_at.secs_until(arrival.now);
            // §3.1.2.1: 0 is `prompt=login`, also within the second of the last sign-in.
            let young = request.max_age_secs.is_none_or(|max| max > 0 && age_secs <= i64::from(max));
            since_began(person) || (young && !request.prompt.login)
        };
        let meant = match (person, &request.wanted_subject) {
            (Some(person), Some(wanted)) => {
                id_token::subject_of(self.engine, self.client, person.subject)? == *wanted
            }
            (_, None) | (None, _) => true,
        };
        let covered = consent.is_some_and(|consent| request.told.is_subset(&consent.scopes));
        Ok(Situation {
            prompt: request.prompt,
            signed_in: person.is_some_and(fresh),
            meant,
            chosen: account_chosen || person.is_some_and(since_began),
            decision: self.decision_about(request, way_back),
            asked_before: !self.must_ask() || (covered && self.may_remember(way_back)),
        })
    }

    /// An answer that allows counts for what the page has named. The client may have been given more meanwhile, or have changed
    /// itself, or the request that it keeps elsewhere.
    fn decision_about(&self, request: &AuthorizationRequest, way_back: &Return) -> Option<Decision> {
        let named = self.asked.told.is_some_and(|told| request.told.is_subset(told))
            && self.asked.shown == Some(&*self.shown(request, way_back));
        self.asked.decision.filter(|decision| *decision == Decision::Deny || named)
    }

    /// What stands for all that a page of consent shows beside the scopes.
    fn shown(&self, request: &AuthorizationRequest, way_back: &Return) -> String {
        obol_keys::s256(&json!([self.client.name, way_back.redirect_uri, request.resource]).to_string())
    }

    /// Whether a person has to be asked at all; a public client is never let in without (S-35).
    fn must_ask(&self) -> bool {
        self.client.settings.ask_consent || self.client.kind == ClientKind::Public
    }

    /// Whether the answer of before counts. Anybody may run a public client that answers at a loopback address or a private
    /// scheme, so there people are asked each time (RFC 8252 §8.6). A consent says nothing of resources, so where a client may
    /// ask for several, people are shown each time which it is.
    ///
    /// Nor does it say who a client was that describes itself, which may have changed.
    ///
    /// Deviation: S-35 wants each public client asked for each time. At an https address only who holds the domain gets the code.
    fn may_remember(&self, way_back: &Return) -> bool {
        let ClientSettings { resources, from_metadata_document, .. } = &self.client.settings;
        let constant = resources.is_empty() && !from_metadata_document;
        constant && (self.client.kind != ClientKind::Public || is_claimed(&way_back.redirect_uri))
    }

    async fn give(
        &self,
        Giving { request, person, consent }: Giving<'_>,
        way_back: &Return,
    ) -> Result<Authorized, OAuthError> {
        let now = self.asked.arrival.now;
        if let Some(event) = admit(self.engine, self.client).await? {
            self.audit(event, Ok(()));
        }
        // A code needs the row. What it says was allowed is what somebody was asked for.
        let allowed = if self.must_ask() { request.told.clone() } else { Scopes::default() };
        if consent.as_ref().is_none_or(|consent| !allowed.is_subset(&consent.scopes)) {
            let (subject, client_id) = (person.subject, self.client.id.clone());
            let consent = Consent { subject, client_id, scopes: allowed, given_at: now };
            self.engine.store.give_consent(&consent).await?;
        }
        let code = AuthorizationCode::generate();
        let details = CodeDetails::new(&request, way_back, person, self.asked.surface);
        let stored = NewCode {
            hash: code.hash(),
            client_id: self.client.id.clone(),
            subject: person.subject,
            session: person.session,
            details: details.to_text()?,
            issued_at: now,
            expires_at: now.plus_secs(i64::from(self.engine.settings.code_lifetime_secs)),
            position: self.position,
        };
        match self.engine.store.add_code(&stored).await? {
            AddCodeOutcome::Added => {
                self.audit(AuditEvent::CodeIssued, Ok(()));
                let mut params = vec![("code", code.text())];
                // FortiAuthenticator says it on the way back; RFC 6749 §4.1.2 has no such parameter.
                if self.asked.surface == Surface::FortiAuthenticator && !request.scopes.is_empty() {
                    params.push(("scope", request.scopes.to_string()));
                }
                Ok(Authorized::Answer(way_back.answer(params)))
            }
            // Session or person are gone since the browser showed its cookie. What was pushed is consumed, and no page goes on.
            AddCodeOutcome::Gone if request.prompt.none || self.pushed => {
                Err(OAuthError::new(ErrorCode::LoginRequired, sentence_of(ErrorCode::LoginRequired)))
            }
            AddCodeOutcome::Gone => Ok(Authorized::SignIn(self.sign_in_asked(&request, None, way_back))),
        }
    }

    fn sign_in_asked(
        &self,
        request: &AuthorizationRequest,
        go_on_as: Option<String>,
        way_back: &Return,
    ) -> SignInAsked {
        SignInAsked {
            client_name: self.client.name.clone(),
            links: ClientLinks::of(self.client),
            redirect_uri: way_back.redirect_uri.clone(),
            login_hint: request.login_hint.clone(),
            ui_locales: request.ui_locales.clone(),
            go_on_as,
        }
    }

    fn consent_asked(
        &self,
        request: &AuthorizationRequest,
        person: &SignedIn,
        way_back: &Return,
    ) -> ConsentAsked {
        ConsentAsked {
            client_name: self.client.name.clone(),
            client_id: self.client.id.as_str().to_owned(),
            known_by: self.client.settings.from_metadata_document.then(|| host_of(self.client.id.as_str())),
            links: ClientLinks::of(self.client),
            username: person.username.clone(),
            shown: self.shown(request, way_back),
            scopes: request.told.iter().map(|scope| scope.as_str().to_owned()).collect(),
            resources: request.resource.iter().cloned().collect(),
            access_token_lifetime: self.client.access_token_lifetime,
            goes_on: decide_refreshable(self.client),
            destination: destination_of(&way_back.redirect_uri).to_owned(),
            redirect_uri: way_back.redirect_uri.clone(),
            ui_locales: request.ui_locales.clone(),
        }
    }

    /// Sends the client an error.
    fn refused(&self, error: &OAuthError, way_back: &Return) -> Authorized {
        self.audit(AuditEvent::CodeRefused, Err(error));
        Authorized::Answer(way_back.refusal(error))
    }

    fn audit(&self, event: AuditEvent, outcome: Result<(), &OAuthError>) {
        let arrival = &self.asked.arrival;
        self.engine.audit(
            arrival,
            AuditRecord {
                done: outcome.is_ok(),
                reason: outcome.err().map(|error| error.reason().to_owned().into()),
                client_id: Some(self.client.id.as_str().to_owned()),
                username: self.asked.person.map(|person| person.username.clone()),
                ..AuditRecord::new(event, arrival.now)
            },
        );
    }
}

fn sentence_of(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::AccessDenied => "The person did not allow it.",
        ErrorCode::LoginRequired => {
            "Nobody is signed in as it is asked for; ask again, and without `prompt=none`."
        }
        ErrorCode::ConsentRequired => "The person has to be asked; ask again without `prompt=none`.",
        ErrorCode::AccountSelectionRequired => {
            "An account has to be chosen; ask again without `prompt=none`."
        }
        _ => "The request cannot be granted.",
    }
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    document.insert("authorization_endpoint".into(), json!(engine.settings.issuer.url(PATH)));
    document.insert("response_types_supported".into(), json!(["code"]));
    document.insert("response_modes_supported".into(), json!(ResponseMode::ALL.map(ResponseMode::name)));
    document.insert("code_challenge_methods_supported".into(), json!(["S256"]));
    document.insert("authorization_response_iss_parameter_supported".into(), json!(true));
}

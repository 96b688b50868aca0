//! What comes next for a request whose client and redirect URI are good, and what the pages show then.

use obol_store::{ClientKind, ClientSettings, Consent};
use serde_json::json;

use super::giving::Giving;
use super::request::{AuthorizationRequest, Return};
use super::rules::{Next, Situation, decide_next};
use super::{Going, destination_of, is_claimed};
use crate::features::client_id_metadata::host_of;
use crate::features::id_token;
use crate::issue::decide_refreshable;
use crate::{
    Authorized, Authorizing, ClientLinks, ConsentAsked, Decision, ErrorCode, OAuthError, SignInAsked,
    SignedIn,
};

/// What is done with a request that is good.
pub(super) enum Decided<'a> {
    Show(Box<Authorized>),
    Give(Box<Giving<'a>>),
}

impl<'a> Going<'a> {
    pub(super) async fn decide(&self, way_back: &Return) -> Result<Decided<'a>, OAuthError> {
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
    pub(super) fn must_ask(&self) -> bool {
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

    pub(super) fn sign_in_asked(
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
}

pub(super) fn sentence_of(code: ErrorCode) -> &'static str {
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

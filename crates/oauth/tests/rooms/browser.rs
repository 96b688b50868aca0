//! A browser in which alice is signed in, without pages.

use obol_keys::SessionSecret;
use obol_oauth::{
    Answer, AuthorizationAnswer, Authorized, Authorizing, Decision, OAuthError, Outcome, Params, RequestId,
    SignedIn, Surface, TokenAnswer,
};
use obol_replica::Clock;
use obol_store::{BeginSessionOutcome, NewSession};
use obol_token::{SessionId, Timestamp};

use super::{ALICE, LOOPBACK, Rooms, TOKEN};

pub(crate) const CALLBACK: &str = "https://app.example.com/callback";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Alice at a browser: what the pages would know.
pub(crate) struct Browser<'a> {
    rooms: &'a Rooms,
    pub(crate) person: SignedIn,
}

impl<'a> Browser<'a> {
    /// Alice has just signed in.
    pub(crate) async fn signed_in(rooms: &'a Rooms) -> Self {
        let id = SessionId::from_bytes(obol_keys::random_bytes());
        let now = rooms.clock.wall();
        let session = NewSession {
            id,
            secret: SessionSecret::generate().hash(),
            subject: ALICE,
            authenticated_at: now,
            methods: "pwd".to_owned(),
            idle_ends_at: now.plus_secs(86_400),
            ends_at: now.plus_secs(86_400),
            user_agent: String::new(),
            source: String::new(),
            position: rooms.engine.position().unwrap(),
        };
        let begun = rooms.store.begin_session(&session, None).await.unwrap();
        assert_eq!(begun, BeginSessionOutcome::Begun(id));
        let person = SignedIn {
            session: id,
            subject: ALICE,
            username: "alice".to_owned(),
            authenticated_at: now,
            methods: "pwd".to_owned(),
        };
        Self { rooms, person }
    }

    /// An authorization request of the client `people` with the usual parameters and these.
    pub(crate) fn query(more: &str) -> String {
        format!(
            "client_id=people&response_type=code&redirect_uri={CALLBACK}&code_challenge={CHALLENGE}\
             &code_challenge_method=S256&state=xyz{more}"
        )
    }

    pub(crate) async fn ask(
        &self,
        query: &str,
        decision: Option<Decision>,
    ) -> Result<Authorized, OAuthError> {
        self.ask_since(query, decision, self.rooms.clock.wall()).await
    }

    /// The same, where the request came first at `began_at`.
    pub(crate) async fn ask_since(
        &self,
        query: &str,
        decision: Option<Decision>,
        began_at: Timestamp,
    ) -> Result<Authorized, OAuthError> {
        self.hand_in(query, decision, began_at, true).await
    }

    /// The same after a page.
    pub(crate) async fn ask_again(
        &self,
        query: &str,
        decision: Option<Decision>,
    ) -> Result<Authorized, OAuthError> {
        self.hand_in(query, decision, self.rooms.clock.wall(), false).await
    }

    async fn hand_in(
        &self,
        query: &str,
        decision: Option<Decision>,
        began_at: Timestamp,
        arrives_first: bool,
    ) -> Result<Authorized, OAuthError> {
        // Who allows has seen the page that asks.
        let shown = match decision {
            Some(Decision::Allow) => {
                match self.handed_in(query, None, None, began_at, arrives_first).await? {
                    Authorized::Consent(asked) => Some(asked.shown),
                    other => return Ok(other),
                }
            }
            _ => None,
        };
        self.handed_in(query, decision, shown.as_deref(), began_at, arrives_first).await
    }

    /// The same, where the person has seen a page of consent that showed this.
    pub(crate) async fn handed_in(
        &self,
        query: &str,
        decision: Option<Decision>,
        shown: Option<&str>,
        began_at: Timestamp,
        arrives_first: bool,
    ) -> Result<Authorized, OAuthError> {
        let params = Params::from_form(query.as_bytes()).unwrap();
        let told = "openid profile email address phone groups read write".parse().unwrap();
        let authorizing = Authorizing {
            surface: Surface::Rfc,
            params: &params,
            arrival: self.rooms.engine.arrival(LOOPBACK, RequestId::new(0, 0)),
            arrives_first,
            began_at,
            person: Some(&self.person),
            account_chosen: false,
            decision,
            told: Some(&told),
            shown,
        };
        self.rooms.engine.authorize(&authorizing).await
    }

    /// What goes back to the client.
    pub(crate) async fn answer(&self, query: &str, decision: Option<Decision>) -> AuthorizationAnswer {
        match self.ask(query, decision).await.unwrap() {
            Authorized::Answer(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// A code that alice gave to the client `people`.
    pub(crate) async fn code(&self, more: &str) -> String {
        let answer = self.answer(&Self::query(more), Some(Decision::Allow)).await;
        let code = answer.params.iter().find(|(name, _)| *name == "code");
        code.unwrap_or_else(|| panic!("{answer:?}")).1.clone()
    }

    pub(crate) async fn redeem(&self, code: &str, verifier: &str) -> Result<TokenAnswer, OAuthError> {
        let form = format!(
            "grant_type=authorization_code&client_id=people&code={code}&redirect_uri={CALLBACK}&code_verifier={verifier}"
        );
        match self.rooms.ask(TOKEN, &form, "").await? {
            Outcome::Done(Answer::Token(token)) => Ok(token),
            other => panic!("{other:?}"),
        }
    }
}

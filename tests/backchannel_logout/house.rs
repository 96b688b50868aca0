//! A server, a person, and an application that is told of logouts.

use std::time::Duration;

use obol_testkit::{
    Asked, AuthorizationRequest, Client, ClientSpec, Elsewhere, Jwt, Person, Server, TOLD, Tokens, obol,
    wait_until,
};

/// Longer than a server needs to find what has ended elsewhere, and to try again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) elsewhere: Elsewhere,
    pub(crate) app: Client,
}

/// Someone signed in to an application.
pub(crate) struct SignedIn {
    pub(crate) person: Person,
    pub(crate) tokens: Tokens,
    /// What the application has learned.
    pub(crate) id_token: String,
}

impl House {
    /// The application takes what it is told.
    pub(crate) fn open() -> Self {
        Self::open_with(|app| app, &[])
    }

    /// The same with further options of the application, and of the server.
    pub(crate) fn open_with(options: impl FnOnce(ClientSpec) -> ClientSpec, more: &[(&str, &str)]) -> Self {
        let elsewhere = Elsewhere::start();
        elsewhere.answers_when_told(200);
        let server = obol!().server().alice().may_ask(&elsewhere);
        let server = more.iter().fold(server, |server, (name, value)| server.option(name, value));
        let app = server.add_client(&options(told_at("app", &elsewhere.url(TOLD))));
        Self { server: server.start(), elsewhere, app }
    }

    pub(crate) fn sign_in(&self) -> SignedIn {
        self.brought_to(self.server.person(), &self.app)
    }

    /// Brings somebody to an application.
    #[track_caller]
    pub(crate) fn brought_to(&self, mut person: Person, app: &Client) -> SignedIn {
        let code = person.goes_through(&AuthorizationRequest::of(app)).code().to_owned();
        let answer = self.server.redeem(app, &code);
        let id_token = answer.text("id_token");
        SignedIn { person, tokens: Tokens::of(answer), id_token }
    }

    /// What was posted so far.
    pub(crate) fn posts(&self) -> Vec<Asked> {
        self.elsewhere.asked()
    }

    /// The logout tokens, as soon as there are so many.
    #[track_caller]
    pub(crate) fn tokens(&self, count: usize) -> Vec<String> {
        wait_until(&format!("{count} posts"), PATIENCE, || {
            let posts = self.posts();
            (posts.len() >= count).then(|| posts.iter().map(Asked::logout_token).collect())
        })
    }

    /// What they say; nothing more has been said.
    #[track_caller]
    pub(crate) fn told(&self, count: usize) -> Vec<Jwt> {
        let tokens = self.tokens(count);
        assert_eq!(tokens.len(), count);
        tokens.iter().map(|token| Jwt::verified(token, &self.server)).collect()
    }

    /// Waits until nothing is left to be told.
    #[track_caller]
    pub(crate) fn until_all_is_told(&self) {
        wait_until("all is told", PATIENCE, || self.doctor().contains("no client has yet").then_some(()));
    }

    /// What `obol doctor` says.
    pub(crate) fn doctor(&self) -> String {
        self.server.run(&["doctor"]).exits(0).stdout
    }
}

impl SignedIn {
    /// `sid` of the ID token.
    pub(crate) fn sid(&self) -> String {
        Jwt::read(&self.id_token).claims["sid"].as_str().expect("a sid").to_owned()
    }
}

/// An application that is told of logouts there.
pub(crate) fn told_at(id: &str, uri: &str) -> ClientSpec {
    ClientSpec::application(id).option("--backchannel-logout-uri", uri)
}

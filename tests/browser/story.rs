//! What every story begins with: a server with TLS, people, an application, and somebody at a browser.

use obol_testkit::{
    ALICE, Answer, CHALLENGE, Chromium, ChromiumBuilder, Client, ClientSpec, PASSWORD, RFC_TOKEN, Server,
    Tokens, VERIFIER, obol,
};

use crate::application::{Application, Brought};

pub(crate) const BOB: &str = "bob";
pub(crate) const BOBS_PASSWORD: &str = "two coins under the tongue";

/// What the application may ask for; the last one has no sentence of ours.
const SCOPES: [&str; 6] = ["openid", "profile", "email", "phone", "offline_access", "harbour.pilot"];

const STATE: &str = "where the person was & more";
const NONCE: &str = "n-0S6_WzA2Mj";

/// The scene of a story.
pub(crate) struct Story {
    pub(crate) server: Server,
    pub(crate) application: Application,
    /// The application as the server knows it.
    pub(crate) shop: Client,
    pub(crate) browser: Chromium,
}

/// Tells a story; at its end the browser must not have complained of anything, such as a policy that was broken.
#[track_caller]
pub(crate) fn tell(story: impl FnOnce(&Story)) {
    tell_in(&Chromium::builder(), story);
}

/// The same in another browser.
#[track_caller]
pub(crate) fn tell_in(browser: &ChromiumBuilder, story: impl FnOnce(&Story)) {
    let scene = Story::set(browser);
    story(&scene);
    let complaints = scene.browser.complaints();
    assert!(complaints.is_empty(), "the browser complains: {complaints:#?}");
}

impl Story {
    #[track_caller]
    fn set(browser: &ChromiumBuilder) -> Self {
        let application = Application::start();
        let server = obol!().server().alice().user(BOB, BOBS_PASSWORD).tls_self_signed();
        let server = server.option("--display-name", "Styx Ferries");
        let shop = ClientSpec::new("shop", "confidential").option("--name", "Harbour Shop");
        let shop = SCOPES.iter().fold(shop, |shop, scope| shop.option("--scope", scope));
        let shop = shop.option("--redirect-uri", &application.callback());
        let shop = shop.option("--policy-uri", "https://shop.example/privacy");
        let shop = shop.option("--tos-uri", "https://shop.example/terms");
        let shop = server.add_client(&shop.grants(&["authorization_code", "refresh_token"]));
        Self { server: server.start(), application, shop, browser: browser.open() }
    }

    /// The address of a page of the server.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.server.url().trim_end_matches('/'))
    }

    /// The link with which the application sends people here, with these parameters besides the usual ones.
    pub(crate) fn link(&self, more: &[(&str, &str)]) -> String {
        let callback = self.application.callback();
        let usual = [
            ("response_type", "code"),
            ("client_id", &self.shop.id),
            ("redirect_uri", &callback),
            ("scope", "openid profile email"),
            ("state", STATE),
            ("nonce", NONCE),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let usual = usual.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
        let query =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(usual).extend_pairs(more).finish();
        self.page(&format!("/oauth2/authorize?{query}"))
    }

    /// Follows the application's link.
    #[track_caller]
    pub(crate) fn follow(&self, more: &[(&str, &str)]) {
        self.browser.go(&self.link(more));
    }

    /// Fills the form of sign-in in, and sends it.
    #[track_caller]
    pub(crate) fn sign_in(&self, username: &str, password: &str) {
        self.browser.await_element("#username");
        self.browser.run("document.getElementById('username').value = ''");
        self.browser.type_into("#username", username);
        self.browser.type_into("#password", password);
        self.browser.click("form:has(#password) button");
    }

    /// Alice, as most of the time.
    #[track_caller]
    pub(crate) fn sign_in_as_alice(&self) {
        self.sign_in(ALICE, PASSWORD);
    }

    /// Allows what the page asks for.
    #[track_caller]
    pub(crate) fn allow(&self) {
        self.browser.click("button[value=allow]");
    }

    /// The code that the application is brought as the `nth` thing, in an answer to its own request.
    #[track_caller]
    pub(crate) fn code(&self, nth: usize) -> String {
        let Brought { params, .. } = self.application.await_brought(nth);
        assert_eq!(params["state"], STATE);
        assert_eq!(params["iss"], self.server.url().trim_end_matches('/'), "RFC 9207");
        params.get("code").unwrap_or_else(|| panic!("no code: {params:?}")).clone()
    }

    /// What a token endpoint says to a client with a code.
    pub(crate) fn ask_at(&self, path: &str, client: &Client, code: &str) -> Answer {
        let callback = self.application.callback();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &callback),
            ("code_verifier", VERIFIER),
        ];
        self.server.post_form(path, client, &fields)
    }

    /// The tokens for a code.
    #[track_caller]
    pub(crate) fn redeem(&self, code: &str) -> Tokens {
        self.redeem_at(RFC_TOKEN, code)
    }

    /// The same at this token endpoint.
    #[track_caller]
    pub(crate) fn redeem_at(&self, path: &str, code: &str) -> Tokens {
        Tokens::of(self.ask_at(path, &self.shop, code))
    }

    /// The whole way of Alice to the application for the `nth` time, consent included; what she gave it.
    #[track_caller]
    pub(crate) fn let_in(&self, nth: usize) -> Tokens {
        self.follow(&[]);
        self.sign_in_as_alice();
        self.allow();
        self.redeem(&self.code(nth))
    }

    /// Whether an access token is good; it must be the same at every endpoint that takes one.
    #[track_caller]
    pub(crate) fn stands(&self, access: &str) -> bool {
        let stands = self.server.stands(&self.shop, access);
        assert_eq!(self.server.is_active(&self.shop, access), stands, "introspection");
        for path in ["/oauth2/userinfo", "/api/v1/oauth/userinfo/"] {
            let status = self.server.http().get(path).bearer(access).send().status;
            assert_eq!(status, if stands { 200 } else { 401 }, "{path}");
        }
        stands
    }

    /// Fails unless tokens are refused by every endpoint.
    #[track_caller]
    pub(crate) fn expect_ended(&self, tokens: &Tokens) {
        assert!(!self.stands(&tokens.access));
        assert!(!self.server.is_active(&self.shop, tokens.refresh()));
        self.server.rfc_refresh(&self.shop, tokens.refresh()).expect_error(400, "invalid_grant");
        assert_ne!(self.server.refresh(&self.shop, tokens.refresh()).status, 200);
    }

    /// Opens "my sessions".
    #[track_caller]
    pub(crate) fn see_sessions(&self) {
        self.browser.go(&self.page("/sessions"));
    }

    /// Whose sessions the page shows.
    #[track_caller]
    pub(crate) fn who(&self) -> String {
        self.see_sessions();
        self.browser.text(".lead")
    }

    /// Fails if the browser shows the page of what went wrong.
    #[track_caller]
    pub(crate) fn expect_no_trouble(&self) {
        assert!(!self.browser.has(".lead[role=alert]"), "{}", self.browser.text("main"));
    }
}

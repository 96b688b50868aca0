//! The pages, as a browser without scripts meets them: `flow` signs in and goes back, `defence` refuses what is not the
//! person's own doing, `own_sessions` ends things, `manners` is how every page behaves.

#[path = "pages/defence.rs"]
mod defence;
#[path = "pages/flow.rs"]
mod flow;
#[path = "pages/links.rs"]
mod links;
#[path = "pages/manners.rs"]
mod manners;
#[path = "pages/own_sessions.rs"]
mod own_sessions;
#[path = "pages/passwords.rs"]
mod passwords;

use obol_testkit::{ALICE, Answer, Browser, Client, ClientSpec, PASSWORD, Page, Server, ServerBuilder, obol};

/// The example of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const REDIRECT_URI: &str = "https://app.example/cb";
const BOB: &str = "bob";

/// A server with alice and bob, a client `web` that asks for consent, and `quiet` that need not.
struct Site {
    server: Server,
    web: Client,
    quiet: Client,
}

impl Site {
    fn open() -> Self {
        Self::of(obol!().server())
    }

    fn of(builder: ServerBuilder) -> Self {
        let builder = builder.alice().user(BOB, PASSWORD);
        let spec = |id: &str| {
            ClientSpec::new(id, "confidential")
                .grants(&["authorization_code", "refresh_token"])
                .option("--redirect-uri", REDIRECT_URI)
        };
        let web = builder.add_client(&spec("web").option("--name", "Example Shop"));
        let quiet = builder.add_client(&spec("quiet").flag("--skip-consent"));
        Self { server: builder.start(), web, quiet }
    }

    fn browser(&self) -> Browser {
        Browser::new(self.server.http())
    }

    /// A browser in which this person is signed in.
    #[track_caller]
    fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let page = browser.open("/sessions");
        let page = sign_in(&mut browser, &page, name);
        assert!(page.says(&format!("Signed in as {name}")), "{page:?}");
        browser
    }

    /// Exchanges a code.
    fn exchange(&self, client: &Client, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        self.server.post_form("/oauth2/token", client, &fields)
    }

    /// Tokens of a person who is signed in with this browser, at the client that need not ask.
    #[track_caller]
    fn tokens(&self, browser: &mut Browser) -> (String, String) {
        let code = browser.open(&request("quiet", "")).left_with("code").expect("a code");
        let answer = self.exchange(&self.quiet, &code).expect(200);
        (answer.text("access_token"), answer.text("refresh_token"))
    }

    /// Whether the client can still refresh.
    fn refreshes(&self, client: &Client, refresh_token: &str) -> bool {
        self.server.rfc_refresh(client, refresh_token).status == 200
    }
}

/// An authorization request of a client, with more parameters.
fn request(client: &str, more: &str) -> String {
    let fixed =
        "response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&state=xyz&code_challenge_method=S256";
    format!("/oauth2/authorize?client_id={client}&{fixed}&code_challenge={CHALLENGE}{more}")
}

/// Fills in the form of sign-in.
#[track_caller]
fn sign_in(browser: &mut Browser, page: &Page, name: &str) -> Page {
    browser.send(&page.form("/sign-in"), &[("username", name), ("password", PASSWORD)])
}

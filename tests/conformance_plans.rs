//! A rehearsal of the OpenID Foundation's plans: what each of their modules does and looks at, in our words, with the clients of
//! `docs/conformance.md`. Basic OP and Form Post OP have the same modules, and differ in `response_mode`; those about logout are in
//! `logout.rs`, those of Dynamic OP, which register clients of their own, in `dynamic.rs`.

#[path = "conformance_plans/dynamic.rs"]
mod dynamic;
#[path = "conformance_plans/errors.rs"]
mod errors;
#[path = "conformance_plans/flows.rs"]
mod flows;
#[path = "conformance_plans/logout.rs"]
mod logout;
#[path = "conformance_plans/sessions.rs"]
mod sessions;
#[path = "conformance_plans/tokens.rs"]
mod tokens;

use obol_testkit::{
    Answer, AuthorizationRequest, Client, ClientSpec, Jwt, PASSWORD, Person, REDIRECT_URI, RFC_TOKEN, Return,
    Server, half_sha256, obol,
};
use serde_json::Value;

/// What the modules of a plan talk to.
struct Plan<'a> {
    server: &'a Server,
    /// `client` of the configuration.
    client: &'a Client,
    /// `client2`.
    second: &'a Client,
    /// `client_secret_post`.
    posting: &'a Client,
    mode: &'static str,
    /// Each plan has a person, for whom nothing is allowed yet.
    username: &'static str,
}

/// All that can be told of a person.
const CLAIMS: [&str; 16] = [
    "name=Alice Adams",
    "given_name=Alice",
    "family_name=Adams",
    "middle_name=Amy",
    "nickname=Ally",
    "profile=https://a/",
    "picture=https://a/",
    "website=https://a/",
    "gender=female",
    "birthdate=1990-02-28",
    "zoneinfo=UTC",
    "locale=en",
    "phone_number=+1 2",
    "phone_number_verified=true",
    "email_verified=true",
    "address={\"formatted\":\"1 High St\"}",
];

/// Runs a module in both plans.
fn in_both_plans(module: impl Fn(&Plan<'_>)) {
    let plans = [("query", "alice"), ("form_post", "bob")];
    let server = obol!().server().user("alice", PASSWORD).user("bob", PASSWORD);
    let client = |id: &str| {
        server.add_client(
            &ClientSpec::application(id).flag("--pkce-optional").option("--id-token-alg", "RS256"),
        )
    };
    let (client, second, posting) = (client("one"), client("two"), client("posting"));
    let server = server.start();
    for (mode, username) in plans {
        let mut line = vec!["user", "set", username, "--email", "alice@example.org"];
        line.extend(CLAIMS.iter().flat_map(|claim| ["--claim", claim]));
        server.run(&line).exits(0);
        module(&Plan {
            server: &server,
            client: &client,
            second: &second,
            posting: &posting,
            mode,
            username,
        });
    }
}

impl Plan<'_> {
    /// The person, at a browser that was never here.
    fn person(&self) -> Person {
        self.server.person_called(self.username, PASSWORD)
    }

    /// The request that most modules send: with state and nonce, without PKCE.
    fn request(&self) -> AuthorizationRequest {
        self.request_of(self.client)
    }

    fn request_of(&self, client: &Client) -> AuthorizationRequest {
        let request = AuthorizationRequest::of(client).without_challenge().with("nonce", "a nonce");
        if self.mode == "form_post" { request.with("response_mode", self.mode) } else { request }
    }

    /// What every module looks at in an answer that has a code.
    #[track_caller]
    fn checked<'a>(&self, answer: &'a Return) -> &'a str {
        assert_eq!((answer.uri.as_str(), answer.mode), (REDIRECT_URI, self.mode));
        assert_eq!(answer.get("iss"), Some(self.server.url()));
        assert_eq!(answer.get("state"), Some("a state"));
        assert!(answer.code().len() >= 22, "128 bits at least");
        answer.code()
    }

    /// The same of one that has an error.
    #[track_caller]
    fn checked_error<'a>(&self, answer: &'a Return) -> &'a str {
        assert_eq!((answer.uri.as_str(), answer.mode), (REDIRECT_URI, self.mode));
        assert_eq!((answer.get("iss"), answer.get("state")), (Some(self.server.url()), Some("a state")));
        assert_eq!(answer.names(), ["error", "error_description", "iss", "state"]);
        answer.error()
    }

    /// The token request of most modules: HTTP Basic, code and redirect URI.
    fn redeem(&self, client: &Client, code: &str) -> Answer {
        self.server.redeem_with(client, &[("code", code), ("redirect_uri", REDIRECT_URI)])
    }

    /// Goes through a request, and looks at all that comes of it.
    #[track_caller]
    fn flow(&self, person: &mut Person, request: &AuthorizationRequest) -> Done {
        let answer = person.goes_through(request);
        self.completed(self.client, &answer)
    }

    /// What every module looks at once the browser came back.
    #[track_caller]
    fn completed(&self, client: &Client, answer: &Return) -> Done {
        let code = self.checked(answer).to_owned();
        let given = self.redeem(client, &code).expect(200);
        self.done(client, code, given)
    }

    #[track_caller]
    fn done(&self, client: &Client, code: String, given: Answer) -> Done {
        assert!(given.integer("expires_in") > 0);
        let access = given.text("access_token");
        let id_token = Jwt::verified(&given.text("id_token"), self.server);
        let claims = &id_token.claims;
        assert_eq!((&claims["iss"], &claims["aud"]), (&self.server.url().into(), &client.id.as_str().into()));
        assert_eq!(id_token.header["alg"], "RS256");
        assert_eq!(claims["at_hash"], half_sha256(&access));
        assert!(claims["exp"].as_i64() > claims["iat"].as_i64());
        for elsewhere in ["name", "email", "address", "phone_number"] {
            assert_eq!(claims.get(elsewhere), None, "that is for userinfo");
        }
        let userinfo = self.server.userinfo(&access).expect(200).json();
        assert_eq!(userinfo["sub"], claims["sub"]);
        let refresh = given.json()["refresh_token"].as_str().map(str::to_owned);
        Done { code, access, refresh, id_token, id_token_text: given.text("id_token"), userinfo }
    }

    /// The client's credentials in the body.
    fn redeem_by_post(&self, code: &str) -> Answer {
        let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT_URI)];
        self.server.post_form(RFC_TOKEN, self.posting, &fields)
    }
}

/// What a flow gave.
struct Done {
    code: String,
    access: String,
    refresh: Option<String>,
    id_token: Jwt,
    id_token_text: String,
    userinfo: Value,
}

//! An application to which people sign in: what its server sends, by the front channel and by the back.

use serde_json::Value;

use crate::{Answer, Client, ClientSpec, Program, RFC_TOKEN, Server, Tokens};

/// Where people are sent back. Nothing is there: a test reads what the browser would have brought.
pub const REDIRECT_URI: &str = "https://app.example/cb";
/// The authorization endpoint (RFC 6749 §3.1).
pub const AUTHORIZE: &str = "/oauth2/authorize";
/// The userinfo endpoint (OpenID Connect Core §5.3).
pub const USERINFO: &str = "/oauth2/userinfo";
/// FortiAuthenticator's authorization endpoint.
pub const FORTI_AUTHORIZE: &str = "/api/v1/oauth/authorize/";
/// The code verifier of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Its challenge.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

impl ClientSpec {
    /// A confidential client to which people sign in, and which may refresh.
    pub fn application(id: &str) -> Self {
        Self::new(id, "confidential")
            .grants(&["authorization_code", "refresh_token"])
            .option("--redirect-uri", REDIRECT_URI)
    }
}

impl Program {
    /// A running server with Alice, and the application `app`.
    #[track_caller]
    pub fn application(self) -> (Server, Client) {
        self.application_of(|app| app)
    }

    /// The same with further options of the application.
    #[track_caller]
    pub fn application_of(self, options: impl FnOnce(ClientSpec) -> ClientSpec) -> (Server, Client) {
        let server = self.server().alice();
        let app = server.add_client(&options(ClientSpec::application("app")));
        (server.start(), app)
    }
}

/// The parameters of an authorization request, and where it goes.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    endpoint: &'static str,
    params: Vec<(String, String)>,
}

impl AuthorizationRequest {
    /// A good request of this client: for `openid`, with state and challenge.
    pub fn of(client: &Client) -> Self {
        let params = [
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", REDIRECT_URI),
            ("scope", "openid"),
            ("state", "a state"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { endpoint: AUTHORIZE, params }
    }

    /// What a browser brings for a request that was pushed (RFC 9126 §4).
    pub fn by_reference(client: &Client, request_uri: &str) -> Self {
        let params = [("client_id", &*client.id), ("request_uri", request_uri)];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { endpoint: AUTHORIZE, params }
    }

    /// The same to another endpoint.
    pub fn to(self, endpoint: &'static str) -> Self {
        Self { endpoint, ..self }
    }

    /// With this parameter, in place of one of that name.
    pub fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// With this parameter, also if there is one of that name.
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without the parameter of this name.
    pub fn without(mut self, name: &str) -> Self {
        self.params.retain(|(known, _)| known != name);
        self
    }

    /// Without PKCE (RFC 7636).
    pub fn without_challenge(self) -> Self {
        self.without("code_challenge").without("code_challenge_method")
    }

    /// With the parameters the other way about.
    pub fn reversed(mut self) -> Self {
        self.params.reverse();
        self
    }

    /// Path and query.
    pub fn path(&self) -> String {
        format!("{}?{}", self.endpoint, self.form())
    }

    /// The endpoint's path.
    pub fn endpoint(&self) -> &'static str {
        self.endpoint
    }

    /// The parameters.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The parameters, as the claims of a request object (RFC 9101 §4).
    pub fn claims(&self) -> Value {
        self.params.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
    }

    /// What a browser brings for a request that was signed (RFC 9101 §5).
    pub fn signed(client: &Client, object: &str) -> Self {
        Self { endpoint: AUTHORIZE, params: Vec::new() }.and("client_id", &client.id).and("request", object)
    }

    /// The parameters, as a form is written.
    pub fn form(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.params).finish()
    }
}

impl Server {
    /// Presents a code at the token endpoint, with redirect URI and verifier, by HTTP Basic where there is a secret.
    pub fn redeem(&self, client: &Client, code: &str) -> Answer {
        let fields = [("code", code), ("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER)];
        self.redeem_with(client, &fields)
    }

    /// The same with these fields beside the grant type.
    pub fn redeem_with(&self, client: &Client, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("grant_type", "authorization_code")];
        all.extend(fields);
        let request = self.http().post(RFC_TOKEN);
        match &client.secret {
            Some(secret) => request.basic(&client.id, secret).form(&all).send(),
            None => request.form(&client.fields(&all)).send(),
        }
    }

    /// Tokens for a code that is good.
    #[track_caller]
    pub fn tokens_for(&self, client: &Client, code: &str) -> Tokens {
        Tokens::of(self.redeem(client, code))
    }

    /// What userinfo says to this access token.
    pub fn userinfo(&self, access_token: &str) -> Answer {
        self.http().get(USERINFO).bearer(access_token).send()
    }
}

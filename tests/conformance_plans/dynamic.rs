//! The plan Dynamic OP: clients that register themselves, and authenticate with keys of theirs for RS256.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use obol_testkit::{
    Answer, AuthorizationRequest, Client, ClientKey, Elsewhere, Jwt, METADATA, REDIRECT_URI, RFC_TOKEN,
    Return, Server, encoded, half_sha256, now_secs, obol, wait_until,
};
use serde_json::{Value, json};

const OPENID: &str = "/.well-known/openid-configuration";

/// What the modules talk to, and where they publish things.
struct Dynamic {
    server: Server,
    elsewhere: Elsewhere,
    key: ClientKey,
}

impl Dynamic {
    /// A server with the settings of `docs/conformance.md`.
    fn open() -> Self {
        let elsewhere = Elsewhere::start();
        let server = obol!()
            .server()
            .alice()
            .option("--registration", "open")
            .option("--registration-assertion-audience", "token-endpoint")
            .environment("OBOL_REGISTRATION_PKCE", "false")
            .may_ask(&elsewhere)
            .start();
        Self { server, elsewhere, key: ClientKey::new("RS256") }
    }

    fn discovered(&self) -> Value {
        self.server.http().get(OPENID).send().expect(200).json()
    }

    /// What most modules register, but for this. Their key has no `kid`.
    fn metadata(&self, change: impl FnOnce(&mut Value)) -> Value {
        let mut jwk = self.key.jwk();
        jwk.as_object_mut().expect("an object").remove("kid");
        let mut metadata = json!({
            "client_name": "OIDF conformance",
            "contacts": ["certification@oidf.example"],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "redirect_uris": [REDIRECT_URI],
            "jwks": { "keys": [jwk] },
            "token_endpoint_auth_method": "private_key_jwt",
        });
        change(&mut metadata);
        metadata
    }

    #[track_caller]
    fn registered(&self, change: impl FnOnce(&mut Value)) -> Client {
        let client = self.server.registered(&self.metadata(change)).client;
        assert_eq!(client.secret, None, "it has a key");
        client
    }

    #[track_caller]
    fn does_not_register(&self, error: &str, change: impl FnOnce(&mut Value)) {
        let answer = self.server.http().register(&self.metadata(change)).expect_error(400, error);
        assert!(answer.header("content-type").unwrap().starts_with("application/json"));
    }

    /// With the keys at the address that it has registered, instead of beside it.
    fn registered_with_keys_elsewhere(&self, key: &ClientKey, change: impl FnOnce(&mut Value)) -> Client {
        self.elsewhere.publishes("/jwks", &key.jwks());
        self.registered(|metadata| {
            metadata.as_object_mut().expect("an object").remove("jwks");
            metadata["jwks_uri"] = json!(self.elsewhere.url("/jwks"));
            change(metadata);
        })
    }

    /// What an assertion says in all modules but one: the token endpoint is its audience.
    fn claims(&self, client: &Client) -> Value {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let now = now_secs();
        json!({
            "iss": client.id,
            "sub": client.id,
            "aud": format!("{}{RFC_TOKEN}", self.server.url()),
            "jti": format!("{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            "iat": now,
            "exp": now + 60,
        })
    }

    fn ask(&self, assertion: &str, fields: &[(&str, &str)]) -> Answer {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let shown = [("client_assertion_type", kind), ("client_assertion", assertion)];
        self.server.http().post(RFC_TOKEN).form(&[&shown, fields].concat()).send()
    }

    fn signed(&self, claims: &Value) -> String {
        self.key.sign(r#"{"alg":"RS256"}"#, &claims.to_string())
    }

    fn goes_through(&self, request: &AuthorizationRequest) -> Return {
        self.server.person().goes_through(request)
    }

    /// What is looked at in every module that comes to tokens.
    #[track_caller]
    fn completed(&self, client: &Client, answer: &Return, assertion: &str) -> Answer {
        assert_eq!(answer.get("iss"), Some(self.server.url()));
        assert_eq!(answer.get("state"), Some("a state"));
        let redirect_uri = match answer.get("foo") {
            Some(_) => format!("{REDIRECT_URI}?foo=bar"),
            None => REDIRECT_URI.to_owned(),
        };
        let (code, redirect_uri) = (("code", answer.code()), ("redirect_uri", redirect_uri.as_str()));
        let given =
            self.ask(assertion, &[("grant_type", "authorization_code"), code, redirect_uri]).expect(200);
        let id_token = Jwt::verified(&given.text("id_token"), &self.server);
        assert_eq!(id_token.header["alg"], "RS256");
        assert_eq!(
            (&id_token.claims["aud"], &id_token.claims["nonce"]),
            (&json!(client.id), &json!("a nonce"))
        );
        assert_eq!(id_token.claims["at_hash"], half_sha256(&given.text("access_token")));
        given
    }

    /// The whole way, with userinfo at its end.
    #[track_caller]
    fn flow(&self, client: &Client, request: &AuthorizationRequest) -> Answer {
        let given = self.completed(client, &self.goes_through(request), &self.signed(&self.claims(client)));
        self.server.userinfo(&given.text("access_token")).expect(200);
        given
    }

    /// The page of sign-in, which the modules want a screenshot of.
    #[track_caller]
    fn page_of(&self, client: &Client) -> String {
        self.server.person().follows(&request_of(client)).sign_in().html().replace("&#x2f;", "/")
    }

    /// A page of an error, which the modules want a screenshot of.
    #[track_caller]
    fn shows_an_error(&self, request: &AuthorizationRequest) {
        let shown = self.server.person().follows(request).refused(400);
        assert!(String::from_utf8_lossy(&shown.body).contains("invalid_request"), "{shown:?}");
    }
}

fn request_of(client: &Client) -> AuthorizationRequest {
    AuthorizationRequest::of(client).without_challenge().with("nonce", "a nonce")
}

fn with(name: &'static str, value: Value) -> impl FnOnce(&mut Value) {
    move |metadata| metadata[name] = value
}

#[test]
fn oidcc_server() {
    let plan = Dynamic::open();
    let endpoint = plan.discovered()["registration_endpoint"].as_str().map(str::to_owned);
    assert_eq!(endpoint, Some(format!("{}/oauth2/register", plan.server.url())));
    let client = plan.registered(|_| ());
    plan.flow(&client, &request_of(&client));
}

#[test]
fn oidcc_idtoken_rs256() {
    let plan = Dynamic::open();
    let client = plan.registered(with("id_token_signed_response_alg", json!("RS256")));
    plan.flow(&client, &request_of(&client));
}

#[test]
fn oidcc_idtoken_unsigned() {
    let plan = Dynamic::open();
    let announced = plan.discovered()["id_token_signing_alg_values_supported"].clone();
    assert!(!announced.as_array().unwrap().contains(&json!("none")), "then the module skips itself");
    plan.does_not_register("invalid_client_metadata", with("id_token_signed_response_alg", json!("none")));
}

#[test]
fn oidcc_userinfo_rs256() {
    let plan = Dynamic::open();
    let announced = plan.discovered()["userinfo_signing_alg_values_supported"].clone();
    assert!(announced.as_array().unwrap().contains(&json!("RS256")));
    let client = plan.registered(with("userinfo_signed_response_alg", json!("RS256")));
    let given = plan.flow(&client, &request_of(&client));
    let userinfo = plan.server.userinfo(&given.text("access_token")).expect(200);
    assert!(userinfo.header("content-type").unwrap().starts_with("application/jwt"));
    let userinfo = Jwt::verified(&String::from_utf8_lossy(&userinfo.body), &plan.server);
    assert_eq!(userinfo.header["alg"], "RS256");
    let id_token = Jwt::read(&given.text("id_token")).claims;
    for same in ["iss", "aud", "sub"] {
        assert_eq!(userinfo.claims[same], id_token[same], "{same}");
    }
}

#[test]
fn oidcc_ensure_redirect_uri_in_authorization_request() {
    let plan = Dynamic::open();
    let both = json!([REDIRECT_URI, format!("{REDIRECT_URI}2")]);
    let client = plan.registered(with("redirect_uris", both));
    plan.shows_an_error(&request_of(&client).without("redirect_uri"));
}

#[test]
fn oidcc_redirect_uri_query_ok() {
    let plan = Dynamic::open();
    let uri = format!("{REDIRECT_URI}?foo=bar");
    let client = plan.registered(with("redirect_uris", json!([uri])));
    let request = request_of(&client).with("redirect_uri", &uri);
    let answer = plan.goes_through(&request);
    assert_eq!((answer.uri.as_str(), answer.get("foo")), (REDIRECT_URI, Some("bar")));
    plan.completed(&client, &answer, &plan.signed(&plan.claims(&client)));
}

#[test]
fn oidcc_redirect_uri_query_mismatch() {
    let plan = Dynamic::open();
    let client = plan.registered(with("redirect_uris", json!([format!("{REDIRECT_URI}?foo=bar")])));
    plan.shows_an_error(&request_of(&client).with("redirect_uri", &format!("{REDIRECT_URI}?bar=foo")));
}

#[test]
fn oidcc_redirect_uri_query_added() {
    let plan = Dynamic::open();
    let client = plan.registered(|_| ());
    plan.shows_an_error(&request_of(&client).with("redirect_uri", &format!("{REDIRECT_URI}?foo=bar")));
}

#[test]
fn oidcc_redirect_uri_regfrag() {
    let plan = Dynamic::open();
    let uri = format!("{REDIRECT_URI}#foobar");
    plan.does_not_register("invalid_redirect_uri", with("redirect_uris", json!([uri])));
}

#[test]
fn oidcc_registration_logo_uri() {
    let plan = Dynamic::open();
    let client = plan.registered(with("logo_uri", json!("https://suite.example/logo.png")));
    let html = plan.page_of(&client);
    assert!(html.contains("OIDF conformance") && !html.contains("logo.png"), "nothing is loaded from there");
}

#[test]
fn oidcc_registration_policy_uri() {
    let plan = Dynamic::open();
    let client = plan.registered(with("policy_uri", json!("https://suite.example/policy")));
    let html = plan.page_of(&client);
    assert!(html.contains(r#"href="https://suite.example/policy""#), "for the screenshot: {html}");
    assert!(html.contains("Privacy policy of OIDF conformance"), "{html}");
}

#[test]
fn oidcc_registration_tos_uri() {
    let plan = Dynamic::open();
    let client = plan.registered(with("tos_uri", json!("https://suite.example/tos")));
    let html = plan.page_of(&client);
    assert!(html.contains(r#"href="https://suite.example/tos""#), "for the screenshot: {html}");
    assert!(html.contains("Terms of use of OIDF conformance"), "{html}");
}

#[test]
fn oidcc_registration_jwks_uri() {
    let plan = Dynamic::open();
    let client = plan.registered_with_keys_elsewhere(&plan.key, |_| ());
    let answer = plan.goes_through(&request_of(&client));
    plan.completed(&client, &answer, &plan.key.jwt(&plan.claims(&client)));
}

fn of_sector(plan: &Dynamic) -> impl FnOnce(&mut Value) {
    let uri = plan.elsewhere.url("/sector");
    move |metadata| {
        metadata["subject_type"] = json!("pairwise");
        metadata["sector_identifier_uri"] = json!(uri);
    }
}

#[test]
fn oidcc_registration_sector_uri() {
    let plan = Dynamic::open();
    assert!(plan.discovered()["subject_types_supported"].as_array().unwrap().contains(&json!("pairwise")));
    plan.elsewhere.publishes("/sector", &json!([REDIRECT_URI]));
    let client = plan.registered(of_sector(&plan));
    plan.flow(&client, &request_of(&client));
}

#[test]
fn oidcc_registration_sector_bad() {
    let plan = Dynamic::open();
    plan.elsewhere.publishes("/sector", &json!(["https://other.example/cb"]));
    plan.does_not_register("invalid_client_metadata", of_sector(&plan));
}

/// The object as the module makes it: it says `iss` and `aud` of itself, and not until when it is good.
fn object_of(plan: &Dynamic, request: &AuthorizationRequest, client: &Client) -> Value {
    let mut claims = request.claims();
    (claims["iss"], claims["aud"]) = (json!(client.id), json!(plan.server.url()));
    claims
}

#[test]
fn oidcc_request_uri_signed_rs256() {
    let plan = Dynamic::open();
    let announced = plan.discovered();
    assert_eq!(announced["request_uri_parameter_supported"], true);
    let algorithms = announced["request_object_signing_alg_values_supported"].as_array().unwrap().clone();
    assert!(algorithms.contains(&json!("RS256")));
    let uri = plan.elsewhere.url("/requests/1#GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM");
    let client = plan.registered(|metadata| {
        metadata["request_uris"] = json!([uri]);
        metadata["request_object_signing_alg"] = json!("RS256");
    });
    let request = request_of(&client);
    let object = plan.signed(&object_of(&plan, &request, &client));
    plan.elsewhere.publishes_as("/requests/1", "application/jwt", &object);
    let brought = AuthorizationRequest::by_reference(&client, &uri);
    plan.flow(&client, &brought.with("response_type", "code").with("scope", "openid"));
}

#[test]
fn oidcc_request_uri_unsigned() {
    let plan = Dynamic::open();
    let announced = plan.discovered()["request_object_signing_alg_values_supported"].clone();
    assert!(!announced.as_array().unwrap().contains(&json!("none")), "then the module skips itself");
    let uri = plan.elsewhere.url("/requests/1");
    let client = plan.registered(with("request_uris", json!([uri])));
    let request = request_of(&client);
    let object = format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded(request.claims().to_string()));
    plan.elsewhere.publishes_as("/requests/1", "application/jwt", &object);
    let answer = plan.server.person().follows(&AuthorizationRequest::by_reference(&client, &uri)).returns();
    assert_eq!(answer.error(), "request_not_supported");
}

#[test]
fn oidcc_ensure_request_object_with_redirect_uri() {
    let plan = Dynamic::open();
    let announced = plan.server.http().get(METADATA).send().expect(200).json();
    let algorithms = announced["request_object_signing_alg_values_supported"].as_array().unwrap().clone();
    assert!(!algorithms.contains(&json!("none")), "then the module skips itself");
    let client = plan.registered(|_| ());
    let request = request_of(&client);
    let object = plan.signed(&object_of(&plan, &request, &client));
    let bad = AuthorizationRequest::signed(&client, &object).with("redirect_uri", "https://bad.example/cb");
    plan.flow(&client, &bad);
}

#[test]
fn oidcc_ensure_client_assertion_with_iss_aud_succeeds() {
    let plan = Dynamic::open();
    let client = plan.registered(|_| ());
    let mut claims = plan.claims(&client);
    claims["aud"] = json!(plan.server.url());
    let answer = plan.goes_through(&request_of(&client));
    plan.completed(&client, &answer, &plan.signed(&claims));
}

fn refreshing(metadata: &mut Value) {
    metadata["grant_types"] = json!(["authorization_code", "refresh_token"]);
}

#[test]
fn oidcc_refresh_token() {
    let plan = Dynamic::open();
    let [first, second] = [plan.registered(refreshing), plan.registered(refreshing)];
    let mut last = String::new();
    for client in [&first, &second] {
        let given = plan.flow(client, &request_of(client));
        let refresh = given.text("refresh_token");
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        let again = plan.ask(&plan.signed(&plan.claims(client)), &fields).expect(200);
        assert_ne!(again.text("access_token"), given.text("access_token"));
        plan.server.userinfo(&again.text("access_token")).expect(200);
        last = again.text("refresh_token");
    }
    let fields = [("grant_type", "refresh_token"), ("refresh_token", last.as_str())];
    plan.ask(&plan.signed(&plan.claims(&first)), &fields).expect_error(400, "invalid_grant");
}

/// The module waits for a minute; the new key is looked for as soon as it is used, though not twice within seconds.
#[test]
fn oidcc_refresh_token_rp_key_rotation() {
    let plan = Dynamic::open();
    let client = plan.registered_with_keys_elsewhere(&plan.key, refreshing);
    let request = request_of(&client).with("scope", "openid offline_access");
    let answer = plan.goes_through(&request);
    let given = plan.completed(&client, &answer, &plan.key.jwt(&plan.claims(&client)));
    let refresh = given.text("refresh_token");
    let new = ClientKey::new("RS256");
    plan.elsewhere.publishes("/jwks", &new.jwks());
    wait_until("the new key is found", Duration::from_secs(60), || {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        (plan.ask(&new.jwt(&plan.claims(&client)), &fields).status == 200).then_some(())
    });
}

#[test]
fn oidcc_server_rotate_keys() {
    let plan = Dynamic::open();
    let kids = || -> Vec<String> {
        let keys = plan.server.http().get("/oauth2/jwks").send().expect(200).json()["keys"].clone();
        keys.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    let before = kids();
    plan.server.run(&["keys", "rotate", "--kind", "signing", "--algorithm", "RS256"]).exits(0);
    let after = wait_until("the new key is published", Duration::from_secs(10), || {
        let after = kids();
        (after.len() > before.len()).then_some(after)
    });
    assert!(before.iter().all(|kid| after.contains(kid)), "{before:?} {after:?}");
}

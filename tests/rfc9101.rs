//! RFC 9101 (request objects) and OpenID Connect Core §6 at the authorization endpoint and at that of RFC 9126. One test
//! per MUST.
//!
//! That an object expires for who comes from the client, and not for who signs in meanwhile, is in
//! `crates/oauth/tests/request_objects.rs`.

#[path = "rfc9101/by_reference.rs"]
mod by_reference;

use obol_testkit::{
    AuthorizationRequest, Client, ClientKey, ClientSpec, FORTI_AUTHORIZE, JWKS, METADATA, PAR, REDIRECT_URI,
    Return, Server, encoded, hs256, now_secs, obol,
};
use serde_json::{Value, json};

const FORM: &str = "application/x-www-form-urlencoded";

/// A server, an application with a key beside its secret, and the key.
struct Signing {
    server: Server,
    app: Client,
    key: ClientKey,
}

impl Signing {
    fn new() -> Self {
        Self::with("ES256", |app| app)
    }

    fn with(algorithm: &'static str, options: impl FnOnce(ClientSpec) -> ClientSpec) -> Self {
        Self::on(obol!().server().alice().start(), algorithm, options)
    }

    fn on(server: Server, algorithm: &'static str, options: impl FnOnce(ClientSpec) -> ClientSpec) -> Self {
        let key = ClientKey::new(algorithm);
        let keys = server.installation().write("keys.json", &key.jwks().to_string());
        let app = server.add_client(&options(ClientSpec::application("app").option("--jwks", &keys)));
        Self { server, app, key }
    }

    /// What a good object of a good request says.
    fn claims(&self) -> Value {
        let mut claims = AuthorizationRequest::of(&self.app).claims();
        claims["iss"] = json!(self.app.id);
        claims["aud"] = json!(self.server.url());
        claims["exp"] = json!(now_secs() + 60);
        claims
    }

    /// A request whose object differs from a good one by this.
    fn request(&self, change: impl FnOnce(&mut Value)) -> AuthorizationRequest {
        let mut claims = self.claims();
        change(&mut claims);
        self.bring(&self.key.jwt(&claims))
    }

    /// What a browser brings for this object.
    fn bring(&self, object: &str) -> AuthorizationRequest {
        AuthorizationRequest::signed(&self.app, object)
    }

    fn goes_through(&self, request: &AuthorizationRequest) -> Return {
        self.server.person().goes_through(request)
    }

    /// The error that comes back to the client, where the parameters beside the object say.
    fn error(&self, object: &str) -> Return {
        let request = AuthorizationRequest::of(&self.app).with("request", object).with("state", "beside");
        self.server.person().follows(&request).returns()
    }

    fn assert_not_good(&self, object: &str, what: &str) {
        let answer = self.error(object);
        assert_eq!(answer.error(), "invalid_request_object", "{what}: {answer:?}");
        assert_eq!((answer.uri.as_str(), answer.get("state")), (REDIRECT_URI, Some("beside")), "{what}");
        // It is not believed where to go back: a page says it, unless there is only one such place.
        let nowhere = self.bring(object).with("scope", "openid");
        self.server.person().follows(&nowhere).refused(400);
        let elsewhere = self.bring(object).with("redirect_uri", "https://evil.example/cb");
        self.server.person().follows(&elsewhere).refused(400);
        let answer = self.server.person().follows(&self.bring(object)).returns();
        assert_eq!((answer.error(), answer.uri.as_str()), ("invalid_request_object", REDIRECT_URI), "{what}");
    }
}

fn set(name: &'static str, value: Value) -> impl FnOnce(&mut Value) {
    move |claims| claims[name] = value
}

#[test]
fn rfc9101_6_a_request_signed_with_a_key_of_each_kind_is_good() {
    for algorithm in ClientKey::ALGORITHMS {
        let house = Signing::with(algorithm, |app| app);
        let answer = house.goes_through(&house.request(|_| ()));
        assert_eq!(answer.get("state"), Some("a state"), "{algorithm}");
        house.server.tokens_for(&house.app, answer.code());
    }
}

#[test]
fn rfc9101_6_3_only_the_parameters_inside_count() {
    let house = Signing::new();
    let inside = house.request(|claims| claims["state"] = json!("inside"));
    let beside = inside
        .clone()
        .with("state", "beside")
        .with("redirect_uri", "https://evil.example/cb")
        .with("response_mode", "fragment")
        .with("prompt", "none")
        .with("code_challenge", "another")
        .with("nonce", "beside")
        .with("resource", "https://api.example/");
    for request in [inside, beside] {
        let answer = house.goes_through(&request);
        assert_eq!((answer.uri.as_str(), answer.mode), (REDIRECT_URI, "query"));
        assert_eq!(answer.get("state"), Some("inside"));
        let tokens = house.server.redeem(&house.app, answer.code()).expect(200);
        let id_token = obol_testkit::Jwt::verified(&tokens.text("id_token"), &house.server);
        assert_eq!(id_token.claims.get("nonce"), None);
    }
    let lacking = house.request(|claims| drop(claims.as_object_mut().unwrap().remove("code_challenge")));
    let beside = AuthorizationRequest::of(&house.app).with("request", object_of(&lacking));
    let answer = house.server.person().follows(&beside).returns();
    assert_eq!(answer.error(), "invalid_request", "what is missing inside is missing");
}

/// The object that a request brings.
fn object_of(request: &AuthorizationRequest) -> &str {
    let (_, object) = request.params().find(|(name, _)| *name == "request").expect("there is one");
    object
}

#[test]
fn rfc9101_4_parameters_are_texts_numbers_and_claims_an_object() {
    let house = Signing::new();
    let request = house.request(|claims| {
        claims["max_age"] = json!(600);
        claims["nonce"] = json!("a nonce");
        claims["claims"] = json!({ "id_token": { "auth_time": { "essential": true } } });
        claims["unknown"] = json!({ "a": [1] });
        claims["login_hint"] = Value::Null;
    });
    let answer = house.goes_through(&request);
    let tokens = house.server.redeem(&house.app, answer.code()).expect(200);
    let id_token = obol_testkit::Jwt::verified(&tokens.text("id_token"), &house.server).claims;
    assert_eq!(id_token["nonce"], "a nonce");
    assert!(id_token["auth_time"].is_i64(), "{id_token}");
    for (name, value) in [("max_age", json!(-1)), ("scope", json!(["openid"])), ("prompt", json!({ "a": 1 }))]
    {
        let answer = house.server.person().follows(&house.request(set(name, value))).returns();
        assert_eq!(answer.error(), "invalid_request", "{name}");
    }
}

#[test]
fn rfc9101_5_client_id_is_in_the_query_and_is_that_of_the_object() {
    let house = Signing::new();
    let good = house.request(|_| ());
    house.server.person().follows(&good.clone().without("client_id")).refused(400);
    let other = house.server.add_client(&ClientSpec::application("other"));
    let answer = house.server.person().follows(&good.with("client_id", &other.id)).returns();
    assert_eq!(answer.error(), "request_not_supported", "it has no keys");
    for client_id in [json!("other"), Value::Null, json!(["app"]), json!("")] {
        let mut claims = house.claims();
        claims["client_id"] = client_id.clone();
        house.assert_not_good(&house.key.jwt(&claims), &client_id.to_string());
    }
}

#[test]
fn rfc9101_4_an_object_says_from_whom_and_for_whom_it_is_and_until_when() {
    let house = Signing::new();
    let (url, now) = (house.server.url(), now_secs());
    for (name, value) in [
        ("iss", Value::Null),
        ("iss", json!("other")),
        ("iss", json!(["app"])),
        ("aud", Value::Null),
        ("aud", json!("https://other.example")),
        ("aud", json!(format!("{url}/"))),
        ("aud", json!(format!("{url}/oauth2/token"))),
        ("aud", json!([])),
        ("aud", json!({ "0": url })),
        ("exp", json!(now - 1)),
        ("exp", json!("tomorrow")),
        ("exp", json!(true)),
        ("nbf", json!(now + 60)),
        ("nbf", json!("now")),
        ("request", json!("e30.e30.")),
        ("request_uri", json!("https://app.example/request")),
    ] {
        let mut claims = house.claims();
        claims[name] = value.clone();
        house.assert_not_good(&house.key.jwt(&claims), &format!("{name} {value}"));
    }
    let several = json!(["https://other.example", url]);
    for (name, value) in [("aud", several), ("nbf", json!(now)), ("exp", json!(now + 86_400))] {
        house.goes_through(&house.request(set(name, value)));
    }
    house.goes_through(&house.request(|claims| drop(claims.as_object_mut().unwrap().remove("exp"))));
}

#[test]
fn rfc9101_6_2_an_object_that_is_not_signed_by_the_client_is_refused() {
    let house = Signing::new();
    let attacker = ClientKey::new("ES256");
    let (kid, said) = (house.key.kid(), house.claims().to_string());
    let header = |more: &str| format!(r#"{{"alg":"ES256","kid":"{kid}"{more}}}"#);
    let good = house.key.sign(&header(""), &said);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, _) = message.split_once('.').unwrap();
    let twice = said.replacen('{', r#"{"scope":"openid email","#, 1);
    for (what, object) in [
        ("another key", attacker.jwt(&house.claims())),
        ("another key under our kid", attacker.sign(&header(""), &said)),
        (
            "a key that the header brings",
            attacker.sign(&header(&format!(r#","jwk":{}"#, attacker.jwk())), &said),
        ),
        ("kid unknown", house.key.sign(r#"{"alg":"ES256","kid":"x"}"#, &said)),
        (
            "another payload",
            format!("{head}.{}.{signature}", encoded(said.replace("openid", "openid email"))),
        ),
        ("no signature", format!("{message}.")),
        ("cut", message.to_owned()),
        ("crit", house.key.sign(&header(r#","crit":["exp"]"#), &said)),
        ("a parameter twice", house.key.sign(&header(""), &twice)),
        ("a list", house.key.sign(&header(""), "[]")),
        ("typ at+jwt", house.key.sign(&header(r#","typ":"at+jwt""#), &said)),
        (
            "typ client-authentication+jwt",
            house.key.sign(&header(r#","typ":"client-authentication+jwt""#), &said),
        ),
        ("typ logout+jwt", house.key.sign(&header(r#","typ":"logout+jwt""#), &said)),
        ("not a JWT", "e30.e30.".to_owned()),
        ("encrypted", format!("{message}.{signature}.{signature}.{signature}")),
    ] {
        house.assert_not_good(&object, what);
    }
    for typ in ["oauth-authz-req+jwt", "JWT", "application/oauth-authz-req+jwt"] {
        let object = house.key.sign(&header(&format!(r#","typ":"{typ}""#)), &house.claims().to_string());
        house.goes_through(&house.bring(&object));
    }
}

#[test]
fn rfc9101_10_1_unsigned_objects_and_those_with_a_shared_secret_are_not_supported() {
    let house = Signing::new();
    let said = house.claims().to_string();
    let unsigned = format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded(&said));
    let with_secret = hs256(house.app.own_secret().as_bytes(), r#"{"alg":"HS256"}"#, &said);
    let public = house.key.jwk()["x"].as_str().unwrap().to_owned();
    let with_public = hs256(public.as_bytes(), r#"{"alg":"HS256"}"#, &said);
    for object in [unsigned, with_secret, with_public] {
        assert_eq!(house.error(&object).error(), "request_not_supported", "{object}");
    }
    // Nor is that of a client without keys, whatever it says.
    let bare = house.server.add_client(&ClientSpec::application("bare"));
    let request = AuthorizationRequest::of(&bare).with("request", &house.key.jwt(&house.claims()));
    assert_eq!(house.server.person().follows(&request).returns().error(), "request_not_supported");
}

#[test]
fn rfc9101_10_1_a_client_that_names_its_algorithm_signs_with_that_one() {
    let house = Signing::with("PS256", |app| app.option("--request-object-alg", "RS256"));
    house.assert_not_good(&house.key.jwt(&house.claims()), "PS256");
    house.server.run(&["client", "set", "app", "--request-object-alg", "PS256"]).exits(0);
    house.goes_through(&house.request(|_| ()));
}

#[test]
fn oidc_core_6_1_what_stands_beside_the_object_for_oauth_says_the_same() {
    let house = Signing::new();
    let request = house.request(|_| ());
    house.goes_through(&request.clone().with("response_type", "code").with("scope", "openid"));
    for (name, value) in [("response_type", "token"), ("scope", "openid email"), ("scope", "email")] {
        let beside = AuthorizationRequest::of(&house.app).with("request", object_of(&request));
        let answer = house.server.person().follows(&beside.with(name, value)).returns();
        assert_eq!(answer.error(), "invalid_request_object", "{name}");
    }
}

#[test]
fn rfc9101_5_request_and_request_uri_do_not_go_together_and_nothing_is_fetched_that_is_not_registered() {
    let house = Signing::new();
    let beside = AuthorizationRequest::of(&house.app).with("request_uri", "https://app.example/request");
    let answer = house.server.person().follows(&beside).returns();
    assert_eq!(answer.error(), "request_uri_not_supported");
    let both = beside.with("request", object_of(&house.request(|_| ())));
    assert_eq!(house.server.person().follows(&both).returns().error(), "invalid_request");
}

#[test]
fn rfc9101_10_5_where_signed_requests_are_required_a_plain_one_is_refused() {
    let house = Signing::with("ES256", |app| app.option("--request-object", "required"));
    let plain = AuthorizationRequest::of(&house.app);
    let answer = house.server.person().follows(&plain).returns();
    assert_eq!(answer.error(), "invalid_request");
    assert!(answer.get("error_description").unwrap().contains("must sign"), "{answer:?}");
    house.server.http().push(&house.app, &plain).expect_error(400, "invalid_request");
    house.goes_through(&house.request(|_| ()));
    let pushed = house.server.pushed(&house.app, &house.request(|_| ()));
    house.goes_through(&pushed);
    house.server.run(&["client", "set", "app", "--request-object", "optional"]).exits(0);
    house.goes_through(&plain);
    let bare = ["client", "set", "bare", "--request-object", "required"];
    house.server.add_client(&ClientSpec::application("bare"));
    let refused = house.server.run(&bare).exits(1);
    assert!(refused.stderr.contains("`jwks` or `jwks_uri`"), "{refused:?}");
}

#[test]
fn rfc9126_3_a_signed_request_can_be_pushed() {
    let house = Signing::new();
    let request = house.request(|claims| claims["state"] = json!("inside"));
    let beside = request.with("state", "beside").with("redirect_uri", "https://evil.example/cb");
    let answer = house.goes_through(&house.server.pushed(&house.app, &beside));
    assert_eq!((answer.uri.as_str(), answer.get("state")), (REDIRECT_URI, Some("inside")));
    house.server.tokens_for(&house.app, answer.code());

    let push = |object: &str| house.server.http().push(&house.app, &house.bring(object));
    let now = now_secs();
    for (name, value) in [
        ("exp", json!(now - 1)),
        ("iss", json!("other")),
        ("aud", json!("https://other.example")),
        ("client_id", json!("other")),
        ("request_uri", json!("urn:ietf:params:oauth:request_uri:x")),
    ] {
        let mut claims = house.claims();
        claims[name] = value;
        push(&house.key.jwt(&claims)).expect_error(400, "invalid_request_object");
    }
    push(&ClientKey::new("ES256").jwt(&house.claims())).expect_error(400, "invalid_request_object");
    let mut claims = house.claims();
    claims["redirect_uri"] = json!("https://evil.example/cb");
    push(&house.key.jwt(&claims)).expect_error(400, "invalid_request");
}

/// RFC 9126 §3: the client that the object names is the one that authenticates.
#[test]
fn rfc9126_3_a_client_pushes_no_object_of_another() {
    let house = Signing::new();
    let keys = house.server.installation().write("more.json", &house.key.jwks().to_string());
    let other = house.server.add_client(&ClientSpec::application("other").option("--jwks", &keys));
    let form = format!(
        "client_id=other&client_secret={}&request={}",
        other.own_secret(),
        house.key.jwt(&house.claims())
    );
    let answer = house.server.http().post(PAR).body(FORM, form).send();
    answer.expect_error(400, "invalid_request_object");
}

/// S-50.
#[test]
fn rfc9101_10_8_an_assertion_is_no_request_object() {
    let house = Signing::new();
    let mut assertion = json!({
        "iss": "app", "sub": "app", "aud": house.server.url(), "exp": now_secs() + 60, "jti": "1",
    });
    house.assert_not_good(&house.key.jwt(&assertion), "an assertion");
    // One that names the client once more is a request for nothing.
    assertion["client_id"] = json!("app");
    let object = house.bring(&house.key.jwt(&assertion));
    house.server.http().push(&house.app, &object).expect_error(400, "invalid_request");
}

/// S-50: the other way about.
#[test]
fn rfc9101_10_8_a_request_object_is_no_assertion() {
    let house = Signing::new();
    house.server.run(&["client", "set", "app", "--auth-method", "private_key_jwt"]).exits(0);
    let ask = |object: &str| {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "x"),
            ("client_assertion_type", kind),
            ("client_assertion", object),
        ];
        house.server.http().post("/oauth2/token").form(&form).send()
    };
    ask(&house.key.jwt(&house.claims())).expect_error(401, "invalid_client");
    // Also if it says all that an assertion says: its type tells them apart, or else what it asks for.
    let mut both = house.claims();
    both["sub"] = json!("app");
    both["jti"] = json!("2");
    for (typ, said) in
        [(Some("oauth-authz-req+jwt"), "`typ`"), (Some("JWT"), "`response_type`"), (None, "`response_type`")]
    {
        let mut header = house.key.header();
        typ.into_iter().for_each(|typ| header["typ"] = json!(typ));
        let object = house.key.sign(&header.to_string(), &both.to_string());
        let refused = ask(&object).expect_error(401, "invalid_client");
        assert!(refused.text("error_description").contains(said), "{typ:?}: {refused:?}");
    }
    both.as_object_mut().unwrap().remove("response_type");
    ask(&house.key.jwt(&both)).expect_error(400, "invalid_grant");
}

/// S-50: also where a client has named the keys of this server as its own.
#[test]
fn rfc9101_10_8_an_id_token_is_no_request_object() {
    let house = Signing::new();
    let answer = house.goes_through(&house.request(|_| ()));
    let id_token = house.server.redeem(&house.app, answer.code()).expect(200).text("id_token");
    let keys = house.server.http().get(JWKS).send().expect(200).json().to_string();
    let keys = house.server.installation().write("ours.json", &keys);
    house.server.run(&["client", "set", "app", "--jwks", &keys]).exits(0);
    let refused = house.error(&id_token);
    assert_eq!(refused.error(), "invalid_request_object");
    assert!(refused.get("error_description").unwrap().contains("`iss`"), "{refused:?}");
}

#[test]
fn the_surface_of_fortiauthenticator_reads_none() {
    let house = Signing::new();
    let request = AuthorizationRequest::of(&house.app).to(FORTI_AUTHORIZE);
    let request = request.with("request", &house.key.jwt(&house.claims()));
    assert_eq!(house.server.person().follows(&request).returns().error(), "request_not_supported");
}

#[test]
fn rfc9101_5_an_object_may_be_posted() {
    let house = Signing::new();
    let mut person = house.server.person();
    let obol_testkit::Arrival::SignIn(page) = person.is_posted(&house.request(|_| ())) else {
        panic!("somebody has to sign in")
    };
    let obol_testkit::Arrival::Consent(page) = person.signs_in(&page) else { panic!("is asked") };
    let obol_testkit::Arrival::Return(answer) = person.allows(&page) else { panic!("goes back") };
    house.server.tokens_for(&house.app, answer.code());
}

#[test]
fn rfc9101_10_5_what_is_read_is_announced() {
    let server = obol!().server().start();
    let document = server.http().get(METADATA).send().expect(200).json();
    assert_eq!(document["request_parameter_supported"], true);
    assert_eq!(document["request_uri_parameter_supported"], true);
    assert_eq!(document["require_request_uri_registration"], true);
    assert_eq!(document["require_signed_request_object"], false);
    let algorithms = json!(["ES256", "RS256", "PS256", "EdDSA"]);
    assert_eq!(document["request_object_signing_alg_values_supported"], algorithms);
}

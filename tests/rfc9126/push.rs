//! §2: what a client sends, and gets.

use http::Method;
use obol_testkit::{AuthorizationRequest, Client, ClientKey, ClientSpec, PAR, REDIRECT_URI, now_secs, obol};
use serde_json::json;

const FORM: &str = "application/x-www-form-urlencoded";
const URN: &str = "urn:ietf:params:oauth:request_uri:";

#[test]
fn rfc9126_2_s_36_the_client_authenticates_as_at_the_token_endpoint() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app);
    server.http().push(&app, &request).expect(201);
    let by_header =
        |secret: &str| server.http().post(PAR).basic(&app.id, secret).body(FORM, request.form()).send();
    by_header(app.own_secret()).expect(201);
    let without_id = request.clone().without("client_id").form();
    server.http().post(PAR).basic(&app.id, app.own_secret()).body(FORM, without_id).send().expect(201);

    by_header("wrong").expect_error(401, "invalid_client");
    for client in [app.without_secret(), app.with_secret("wrong"), Client::bare("nobody")] {
        let request = request.clone().with("client_id", &client.id);
        server.http().push(&client, &request).expect_error(401, "invalid_client");
    }
    server.http().post(PAR).send().expect_error(401, "invalid_client");
}

#[test]
fn rfc9126_2_a_public_client_shows_itself_by_its_id() {
    let server = obol!().server();
    let spec = ClientSpec::new("phone", "public").grants(&["authorization_code"]);
    let phone = server.add_client(&spec.option("--redirect-uri", REDIRECT_URI));
    let server = server.start();
    let request = AuthorizationRequest::of(&phone);
    server.http().push(&phone, &request).expect(201);
    server.http().push(&phone.with_secret("x"), &request).expect_error(401, "invalid_client");
    server.http().push(&phone, &request.without_challenge()).expect_error(400, "invalid_request");
}

#[test]
fn rfc9126_2_s_15_the_parameters_stand_in_a_form_in_the_body() {
    let (server, app) = obol!().application();
    let form = AuthorizationRequest::of(&app).with("client_secret", app.own_secret()).form();
    server.http().post(&format!("{PAR}?{form}")).send().expect_error(400, "invalid_request");
    let in_url = AuthorizationRequest::of(&app).form();
    let credentials = app.fields(&[]);
    let sent = server.http().post(&format!("{PAR}?{in_url}")).form(&credentials).send();
    sent.expect_error(400, "invalid_request");
    let fields = app.fields(&[("response_type", "code"), ("redirect_uri", REDIRECT_URI)]);
    server.http().post(PAR).json(&fields).send().expect_error(400, "invalid_request");
    server.http().post(PAR).body(FORM, form).send().expect(201);
}

#[test]
fn rfc9126_2_1_request_uri_is_not_pushed() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app);
    let pushed = server.http().push(&app, &request).expect(201).text("request_uri");
    for uri in [&*pushed, "https://app.example/request", "x"] {
        let request = request.clone().with("request_uri", uri);
        server.http().push(&app, &request).expect_error(400, "invalid_request");
    }
}

#[test]
fn rfc9126_2_1_the_request_is_checked_like_one_that_a_browser_brings() {
    let (server, app) = obol!().application();
    let good = AuthorizationRequest::of(&app);
    for (name, value, error) in [
        ("redirect_uri", "https://app.example/other", "invalid_request"),
        ("redirect_uri", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("response_mode", "fax", "invalid_request"),
        ("scope", "openid admin", "invalid_scope"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("max_age", "soon", "invalid_request"),
        ("resource", "https://api.example", "invalid_target"),
        ("claims", "{", "invalid_request"),
        ("id_token_hint", "x", "invalid_request"),
        ("registration", "{}", "registration_not_supported"),
    ] {
        let answer = server.http().push(&app, &good.clone().with(name, value));
        assert_eq!(answer.header("location"), None, "{name}: never a redirect");
        answer.expect_error(400, error);
    }
    server.http().push(&app, &good.clone().and("state", "another")).expect_error(400, "invalid_request");
    let other = server.add_client(&ClientSpec::confidential("other").option("--redirect-uri", REDIRECT_URI));
    let request = AuthorizationRequest::of(&other);
    server.http().push(&other, &request).expect_error(400, "unauthorized_client");
}

#[test]
fn rfc9126_2_2_the_answer_is_a_reference_that_nobody_guesses_and_its_seconds() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app);
    let answers = [(); 2].map(|()| server.http().push(&app, &request).expect(201));
    for answer in &answers {
        assert_eq!(answer.keys(), ["expires_in", "request_uri"]);
        assert_eq!(answer.integer("expires_in"), 90);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let uri = answer.text("request_uri");
        let reference = uri.strip_prefix(URN).expect("the prefix of §2.2");
        // 22 letters of base64 hold 128 bits.
        assert!(reference.len() >= 22 && !reference.contains("app"), "{uri}");
    }
    assert_ne!(answers[0].text("request_uri"), answers[1].text("request_uri"));
}

#[test]
fn rfc9126_2_2_the_operator_says_how_long_it_is_good() {
    let (server, app) = {
        let server = obol!().server().option("--pushed-request-ttl", "600");
        let app = server.add_client(&ClientSpec::application("app"));
        (server.start(), app)
    };
    let pushed = server.http().push(&app, &AuthorizationRequest::of(&app)).expect(201);
    assert_eq!(pushed.integer("expires_in"), 600);
    for secs in ["4", "601"] {
        server.run(&["config", "check", "--pushed-request-ttl", secs]).exits(2);
    }
}

#[test]
fn rfc9126_2_3_other_methods_are_405() {
    let (server, app) = obol!().application();
    let path = format!("{PAR}?{}", AuthorizationRequest::of(&app).form());
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = server.http().request(method, &path).send().expect(405);
        assert_eq!(answer.header("allow"), Some("POST"));
    }
}

#[test]
fn rfc9126_2_3_what_is_too_large_is_413() {
    let (server, app) = obol!().application();
    let of_size = |bytes: usize| AuthorizationRequest::of(&app).with("state", &"x".repeat(bytes));
    server.http().push(&app, &of_size(15_000)).expect(201);
    for bytes in [17_000, 70_000] {
        server.http().push(&app, &of_size(bytes)).expect_error(413, "invalid_request");
    }
}

#[test]
fn rfc9126_2_3_who_pushes_for_a_public_client_and_brings_nothing_to_its_end_is_slowed_down() {
    let server = obol!().server().alice();
    let spec = ClientSpec::new("phone", "public").grants(&["authorization_code"]);
    let phone = server.add_client(&spec.option("--redirect-uri", REDIRECT_URI));
    let app = server.add_client(&ClientSpec::application("app"));
    let server = server.start();
    let request = AuthorizationRequest::of(&phone);
    let first = server.pushed(&phone, &request);
    for _ in 1..200 {
        server.http().push(&phone, &request).expect(201);
    }
    let refused = server.http().push(&phone, &request).expect_error(429, "temporarily_unavailable");
    assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    let elsewhere = server.http().from([127, 0, 0, 2]);
    elsewhere.push(&phone, &request).expect(201);
    server.http().push(&app, &AuthorizationRequest::of(&app)).expect(201);

    assert!(!server.person().goes_through(&first).code().is_empty());
    server.http().push(&phone, &request).expect(201);
}

#[test]
fn the_credentials_of_the_client_are_not_kept() {
    let server = obol!().server();
    let spec =
        ClientSpec::application("app").secret("a secret of sixteen characters".replace(' ', "-").as_str());
    let app = server.add_client(&spec);
    let server = server.start();
    let request = AuthorizationRequest::of(&app).with("state", "a-state-to-be-found");
    server.http().post(PAR).form(&app.fields(&[])).send().expect_error(400, "invalid_request");
    let sent = format!("{}&client_secret={}", request.form(), app.own_secret());
    server.http().post(PAR).body(FORM, sent).send().expect(201);
    let key = ClientKey::new("ES256");
    let keys = server.installation().write("keys.json", &key.jwks().to_string());
    let set = ["client", "set", "app", "--auth-method", "private_key_jwt", "--jwks", &keys];
    server.run(&set).exits(0);
    let now = now_secs();
    let (iss, sub, aud) = ("app", "app", server.url());
    let assertion = key.jwt(&json!({ "iss": iss, "sub": sub, "aud": aud, "exp": now + 60, "jti": "an-id" }));
    let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    let form = request.form();
    let sent = format!("{form}&client_assertion_type={kind}&client_assertion={assertion}");
    server.http().post(PAR).body(FORM, sent).send().expect(201);
    let stored = server.stored();
    let holds = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("a-state-to-be-found"), "the request is looked for where it is");
    assert!(!holds(app.own_secret()) && !holds(&assertion) && !holds("assertion-type"));
}

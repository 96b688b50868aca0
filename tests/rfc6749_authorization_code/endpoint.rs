//! §3.1: the authorization endpoint, the redirection endpoint, and who is never redirected.

use obol_testkit::{Arrival, AuthorizationRequest, Client, ClientSpec, REDIRECT_URI, obol};

#[test]
fn rfc6749_3_1_the_endpoint_takes_get_and_post() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app);
    let mut person = server.person();
    person.follows(&request).sign_in();
    person.is_posted(&request).sign_in();
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = server.http().request(method.parse().unwrap(), &request.path()).send().expect(405);
        assert_eq!(answer.header("allow"), Some("GET, POST"));
    }
}

#[test]
fn rfc6749_3_1_s_14_parameters_without_a_value_count_as_absent_and_unknown_ones_are_ignored() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app);
    let empty = request.clone().with("state", "").with("nonce", "").with("extra", "foobar");
    let answer = server.person().goes_through(&empty);
    assert_eq!(answer.names(), ["code", "iss"]);
    let answer = server.person().follows(&request.with("response_type", "")).returns();
    assert_eq!(answer.error(), "invalid_request");
}

#[test]
fn rfc6749_3_1_s_13_a_parameter_sent_twice_is_refused() {
    let (server, app) = obol!().application();
    let names = ["client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "extra"];
    for name in names {
        let request = AuthorizationRequest::of(&app).with(name, "one").and(name, "one");
        let answer = server.person().follows(&request).refused(400);
        assert!(String::from_utf8_lossy(&answer.body).contains("invalid_request"), "{name}: {answer:?}");
    }
}

#[test]
fn rfc6749_3_1_s_15_credentials_in_the_url_of_the_token_endpoint_are_refused_and_not_logged() {
    let server = obol!().server().alice().option("--log-level", "trace");
    let app = server.add_client(&ClientSpec::application("app"));
    let mut server = server.start();
    let code = server.person().goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let path = format!("/oauth2/token?client_id=app&client_secret={}", app.own_secret());
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT_URI)];
    server.http().post(&path).form(&fields).send().expect_error(400, "invalid_request");
    server.tokens_for(&app, &code);
    let log = server.log().clone();
    server.stop();
    let logged = log.to_the_end();
    assert!(logged.iter().any(|line| line.contains("invalid_request")), "the log tells of each request");
    assert!(logged.iter().all(|line| !line.contains(app.own_secret())));
}

#[test]
fn rfc6749_3_1_1_the_response_type_is_required_and_one_that_is_known() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app);
    let without = server.person().follows(&request.clone().without("response_type")).returns();
    assert_eq!(without.error(), "invalid_request");
    let others = ["token", "id_token", "code token", "code id_token", "none", "CODE", "code code"];
    for other in others {
        let answer = server.person().follows(&request.clone().with("response_type", other)).returns();
        assert_eq!((answer.error(), answer.mode), ("unsupported_response_type", "query"), "{other}");
    }
}

#[test]
fn s_32_no_edited_request_brings_a_token_through_the_browser() {
    let (server, app) = obol!().application();
    for (response_type, mode) in [
        ("token", "fragment"),
        ("id_token token", "fragment"),
        ("code token", "form_post"),
        ("token", "query"),
    ] {
        let request = AuthorizationRequest::of(&app).with("response_type", response_type);
        let answer = server.person().follows(&request.with("response_mode", mode)).returns();
        assert_eq!(answer.error(), "unsupported_response_type");
        assert_eq!(answer.names(), ["error", "error_description", "iss", "state"]);
    }
}

#[test]
fn rfc6749_3_1_2_the_query_of_a_redirect_uri_is_kept() {
    let uri = "https://app.example/cb?tenant=a%20b&x";
    let (server, app) = obol!().application_of(|app| app.option("--redirect-uri", uri));
    let answer = server.person().goes_through(&AuthorizationRequest::of(&app).with("redirect_uri", uri));
    assert_eq!(answer.get("tenant"), Some("a b"));
    assert_eq!(answer.get("x"), Some(""));
    assert_eq!((answer.uri.as_str(), answer.code().is_empty()), (REDIRECT_URI, false));
}

#[test]
fn rfc6749_3_1_2_s_21_a_redirect_uri_with_a_fragment_cannot_be_registered() {
    let installation = obol!().installation();
    for uri in [
        "https://app.example/cb#x",
        "/cb",
        "http://app.example/cb",
        "javascript:alert(1)",
        "https://*.example/",
    ] {
        let line =
            ["client", "add", "--id", "app", "--type", "confidential", "--grant", "authorization_code"];
        installation.run(&[&line[..], &["--redirect-uri", uri]].concat()).exits(1);
    }
}

#[test]
fn rfc6749_3_1_2_2_a_client_without_a_redirect_uri_cannot_use_the_endpoint() {
    let installation = obol!().installation();
    let line = ["client", "add", "--id", "app", "--type", "confidential", "--grant", "authorization_code"];
    installation.run(&line).exits(1);
}

#[test]
fn rfc6749_3_1_2_3_which_of_several_redirect_uris_is_meant_must_be_said() {
    let (server, app) =
        obol!().application_of(|app| app.option("--redirect-uri", "https://app.example/other"));
    let request = AuthorizationRequest::of(&app).without("scope");
    server.person().follows(&request.clone().without("redirect_uri")).refused(400);
    let answer = server.person().goes_through(&request.with("redirect_uri", "https://app.example/other"));
    assert_eq!(answer.uri, "https://app.example/other");
}

#[test]
fn rfc6749_3_1_2_3_the_only_redirect_uri_need_not_be_said() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).without("redirect_uri").without("scope");
    let answer = server.person().goes_through(&request);
    assert_eq!(answer.uri, REDIRECT_URI);
    let verifier = ("code_verifier", obol_testkit::VERIFIER);
    server.redeem_with(&app, &[("code", answer.code()), verifier]).expect(200);
}

/// Where the browser must stay: what is wrong is the client or its redirect URI.
fn hopeless(app: &Client) -> Vec<AuthorizationRequest> {
    let request = || AuthorizationRequest::of(app);
    let uris = [
        "https://evil.example/cb",
        "https://app.example/cb/",
        "https://app.example/cb?x=1",
        "https://app.example/c",
        "https://app.example.evil.example/cb",
        "http://app.example/cb",
        "https://APP.example/cb",
        "https://app.example/cb#x",
        "javascript:alert(1)",
        "//app.example/cb",
    ];
    let mut all: Vec<_> = uris.iter().map(|uri| request().with("redirect_uri", uri)).collect();
    all.extend([
        request().without("redirect_uri"),
        request().without("client_id"),
        request().with("client_id", "nobody"),
        request().with("client_id", ""),
    ]);
    all
}

#[test]
fn rfc6749_3_1_2_4_s_17_with_a_bad_client_or_redirect_uri_nobody_is_redirected() {
    let (server, app) = obol!().application();
    for request in hopeless(&app) {
        let variants = [
            request.clone(),
            request.clone().with("prompt", "none"),
            request.clone().with("response_mode", "form_post"),
            request.clone().with("response_type", "token"),
            request.clone().with("request", "e30.e30."),
        ];
        for request in variants {
            let answer = server.person().follows(&request).refused(400);
            let html = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!html.contains("evil.example") && answer.header("location").is_none(), "{html}");
        }
    }
}

#[test]
fn s_19_also_somebody_who_is_signed_in_and_has_allowed_it_is_not_redirected_elsewhere() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    person.goes_through(&AuthorizationRequest::of(&app));
    for request in hopeless(&app) {
        person.follows(&request).refused(400);
    }
}

#[test]
fn s_20_only_the_port_of_a_loopback_address_of_a_native_client_is_free() {
    let server = obol!().server().alice();
    let native = ClientSpec::new("native", "public").grants(&["authorization_code"]);
    let native =
        native.option("--application-type", "native").option("--redirect-uri", "http://127.0.0.1/cb");
    let native = server.add_client(&native);
    let web = ClientSpec::new("web", "confidential").grants(&["authorization_code"]);
    let web = server.add_client(&web.option("--redirect-uri", "http://127.0.0.1/cb"));
    let server = server.start();
    let follow = |client: &Client, uri: &str| {
        server.person().follows(&AuthorizationRequest::of(client).with("redirect_uri", uri).without("scope"))
    };
    follow(&native, "http://127.0.0.1:49152/cb").sign_in();
    for uri in [
        "http://localhost:49152/cb",
        "http://[::1]/cb",
        "http://127.0.0.1:49152/cb2",
        "http://127.0.0.1.evil/cb",
    ] {
        follow(&native, uri).refused(400);
    }
    follow(&web, "http://127.0.0.1/cb").sign_in();
    follow(&web, "http://127.0.0.1:49152/cb").refused(400);
}

#[test]
fn rfc6749_4_1_1_a_disabled_client_is_as_unknown_as_any() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app);
    let unknown = server.person().follows(&request.clone().with("client_id", "nobody")).refused(400);
    server.run(&["client", "disable", "app"]).exits(0);
    let disabled = server.person().follows(&request).refused(400);
    let told = |answer: &obol_testkit::Answer| {
        let html = String::from_utf8_lossy(&answer.body).into_owned();
        html.split("<h2>").next().map(str::to_owned)
    };
    assert_eq!(told(&unknown), told(&disabled));
}

#[test]
fn rfc6749_10_13_s_07_s_08_pages_cannot_be_framed_and_load_nothing_from_elsewhere() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app);
    let mut person = server.person();
    let sign_in = person.follows(&request).sign_in();
    let consent = person.signs_in(&sign_in).consent();
    let refused = server.person().follows(&request.without("client_id")).refused(400);
    for answer in [&sign_in.answer, &consent.answer, &refused] {
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn s_06_there_is_no_cors_at_the_authorization_endpoint() {
    let (server, app) = obol!().application();
    let path = AuthorizationRequest::of(&app).path();
    let answer = server.http().get(&path).header("origin", "https://app.example").send();
    let of_cors = |name: &str| name.starts_with("access-control-");
    assert!(answer.headers.keys().all(|name| !of_cors(name.as_str())), "{answer:?}");
}

#[test]
fn s_18_nothing_of_a_request_comes_back_unescaped() {
    let (server, app) = obol!().application();
    let evil = "\"'><script>alert(1)</script>";
    let request = AuthorizationRequest::of(&app);
    let mut pages = Vec::new();
    for name in ["login_hint", "ui_locales", "state", "nonce", "extra"] {
        pages.push(server.person().follows(&request.clone().with(name, evil)).sign_in().answer);
    }
    for name in ["client_id", "redirect_uri"] {
        pages.push(server.person().follows(&request.clone().with(name, evil)).refused(400));
    }
    for page in pages {
        assert!(!String::from_utf8_lossy(&page.body).contains("<script>alert"), "{page:?}");
    }
    for name in ["scope", "prompt", "response_mode", "max_age", "claims", "resource", "id_token_hint"] {
        let Arrival::Return(answer) = server.person().follows(&request.clone().with(name, evil)) else {
            panic!("{name}")
        };
        assert!(!answer.get("error_description").unwrap().contains('<'), "{answer:?}");
    }
}

#[test]
fn s_35_who_was_let_in_without_being_asked_is_asked_once_that_is_wanted() {
    let (server, app) = obol!().application_of(|app| app.flag("--skip-consent"));
    let request = AuthorizationRequest::of(&app);
    let mut alice = server.person();
    let page = alice.follows(&request).sign_in();
    alice.signs_in(&page).returns().code();
    server.run(&["client", "set", "app", "--consent", "ask"]).exits(0);
    let page = alice.follows(&request).consent();
    alice.allows(&page).returns().code();
    alice.follows(&request).returns().code();
}

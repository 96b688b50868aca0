//! §5.2, OpenID Connect Core §6.2: `request_uri`.

use obol_testkit::{
    AuthorizationRequest, ClientKey, ClientSpec, Elsewhere, FORTI_AUTHORIZE, PAR, REDIRECT_URI, encoded,
    now_secs, obol,
};
use serde_json::{Value, json};

use crate::Signing;

const TYPE: &str = "application/oauth-authz-req+jwt";

/// A server that may ask another, where the application keeps its requests, at these paths.
struct Kept {
    house: Signing,
    elsewhere: Elsewhere,
}

impl Kept {
    fn at(paths: &[&str]) -> Self {
        let elsewhere = Elsewhere::start();
        let server = obol!().server().alice().may_ask(&elsewhere).start();
        let uris: Vec<_> = paths.iter().map(|path| elsewhere.url(path)).collect();
        let named = |app: ClientSpec| uris.iter().fold(app, |app, uri| app.option("--request-uri", uri));
        Self { house: Signing::on(server, "ES256", named), elsewhere }
    }

    /// Keeps there an object that differs from a good one by this.
    fn keep(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut claims = self.house.claims();
        change(&mut claims);
        self.elsewhere.publishes_as(path, TYPE, &self.house.key.jwt(&claims));
    }

    /// What the browser brings for the one there.
    fn by(&self, path: &str) -> AuthorizationRequest {
        AuthorizationRequest::by_reference(&self.house.app, &self.elsewhere.url(path))
    }

    /// The error that comes back to the client, where the parameters beside the reference say.
    #[track_caller]
    fn error(&self, request_uri: &str) -> String {
        let beside = AuthorizationRequest::of(&self.house.app).with("state", "beside");
        let answer = self.house.server.person().follows(&beside.with("request_uri", request_uri)).returns();
        assert_eq!((answer.uri.as_str(), answer.get("state")), (REDIRECT_URI, Some("beside")));
        answer.error().to_owned()
    }
}

#[test]
fn rfc9101_5_2_an_object_is_fetched_from_where_the_client_has_registered_and_counts_like_one_by_value() {
    let kept = Kept::at(&["/request", "/jwt"]);
    kept.keep("/request", |claims| claims["state"] = json!("inside"));
    let beside = kept
        .by("/request")
        .with("state", "beside")
        .with("redirect_uri", "https://evil.example/cb")
        .with("prompt", "none");
    let answer = kept.house.goes_through(&beside);
    assert_eq!((answer.uri.as_str(), answer.get("state")), (REDIRECT_URI, Some("inside")));
    kept.house.server.tokens_for(&kept.house.app, answer.code());

    let object = kept.house.key.jwt(&kept.house.claims());
    kept.elsewhere.publishes_as("/jwt", "Application/JWT; charset=utf-8", &format!("{object}\n"));
    kept.house.goes_through(&kept.by("/jwt"));
    let asked = kept.elsewhere.asked();
    let targets: Vec<_> = asked.iter().map(|asked| (asked.method.as_str(), asked.target.as_str())).collect();
    assert_eq!(targets, [("GET", "/request"), ("GET", "/jwt")], "they are kept from page to page");
}

/// S-77.
#[test]
fn oidc_core_6_2_nothing_is_fetched_but_what_is_registered_letter_by_letter() {
    let kept = Kept::at(&["/request?of=app"]);
    kept.keep("/request?of=app", |_| ());
    let registered = kept.elsewhere.url("/request?of=app");
    let upper = registered.replace("localhost", "LOCALHOST");
    let clear = registered.replace("https:", "http:");
    for uri in [
        &*kept.elsewhere.url("/request"),
        &*kept.elsewhere.url("/request?of=app&x=1"),
        &*kept.elsewhere.url("/request?of=app#1"),
        &*kept.elsewhere.url("/"),
        &upper,
        &clear,
        "https://127.0.0.1/",
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "urn:ietf:params:oauth:request_uri",
        "x",
    ] {
        assert_eq!(kept.error(uri), "invalid_request_uri", "{uri}");
    }
    assert_eq!(kept.elsewhere.asked(), []);
    kept.house.goes_through(&kept.by("/request?of=app"));
    // What one client has registered is nothing to another.
    let other = kept.house.server.add_client(&ClientSpec::application("other"));
    let answer = kept
        .house
        .server
        .person()
        .follows(&AuthorizationRequest::of(&other).with("request_uri", &registered));
    assert_eq!(answer.returns().error(), "request_uri_not_supported");
}

#[test]
fn oidc_core_6_2_a_fragment_is_not_sent_and_another_one_makes_another_object() {
    let kept = Kept::at(&["/request#1", "/request#2"]);
    for state in ["1", "2"] {
        kept.keep("/request", |claims| claims["state"] = json!(state));
        let answer = kept.house.goes_through(&kept.by(&format!("/request#{state}")));
        assert_eq!(answer.get("state"), Some(state));
    }
    assert!(kept.elsewhere.asked().iter().all(|asked| asked.target == "/request"));
    let again = kept.house.goes_through(&kept.by("/request#1"));
    assert_eq!((again.get("state"), kept.elsewhere.asked().len()), (Some("1"), 2), "it is kept");
}

#[test]
fn rfc9101_5_2_3_what_is_no_request_object_there_is_none() {
    let paths = ["/json", "/plain", "/none", "/html", "/missing", "/moved", "/jwks", "/large"];
    let kept = Kept::at(&paths);
    let object = kept.house.key.jwt(&kept.house.claims());
    for (path, media_type) in [("/json", "application/json"), ("/plain", "text/plain"), ("/none", "")] {
        kept.elsewhere.publishes_as(path, media_type, &object);
    }
    kept.elsewhere.publishes_as("/html", "text/html", "<p>Not found</p>");
    kept.elsewhere.publishes("/jwks", &kept.house.key.jwks());
    kept.elsewhere.publishes_as("/large", TYPE, &"x".repeat(100_000));
    let moved = http::Response::builder().status(302).header("location", kept.elsewhere.url("/json"));
    kept.elsewhere.answers_with("/moved", moved);
    for path in paths {
        assert_eq!(kept.error(&kept.elsewhere.url(path)), "invalid_request_uri", "{path}");
    }
    assert_eq!(kept.elsewhere.asked().len(), paths.len(), "no redirect is followed");
    // Where nothing beside it says where to go back, a page says so.
    let lost = kept.by("/missing").with("scope", "openid").with("redirect_uri", "https://evil.example/cb");
    kept.house.server.person().follows(&lost).refused(400);
}

#[test]
fn rfc9101_6_an_object_that_was_fetched_is_checked_like_one_by_value() {
    let kept = Kept::at(&["/expired", "/other", "/nested", "/forged", "/unsigned", "/text"]);
    kept.keep("/expired", |claims| claims["exp"] = json!(now_secs() - 1));
    kept.keep("/other", |claims| claims["client_id"] = json!("other"));
    kept.keep("/nested", |claims| claims["request_uri"] = json!(kept.elsewhere.url("/other")));
    kept.elsewhere.publishes_as("/forged", TYPE, &ClientKey::new("ES256").jwt(&kept.house.claims()));
    kept.elsewhere.publishes_as("/text", TYPE, "Not found");
    let said = kept.house.claims().to_string();
    let unsigned = format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded(said));
    kept.elsewhere.publishes_as("/unsigned", TYPE, &unsigned);
    for (path, error) in [
        ("/expired", "invalid_request_object"),
        ("/other", "invalid_request_object"),
        ("/nested", "invalid_request_object"),
        ("/forged", "invalid_request_object"),
        ("/text", "invalid_request_object"),
        ("/unsigned", "request_not_supported"),
    ] {
        assert_eq!(kept.error(&kept.elsewhere.url(path)), error, "{path}");
    }
}

/// S-92: what the operator does not allow is not asked, also when a client has registered it.
#[test]
fn rfc9101_10_4_1_an_address_near_the_server_is_not_asked() {
    let elsewhere = Elsewhere::start();
    let server = obol!().server().alice().trusts(&elsewhere).start();
    let uri = elsewhere.url("/request");
    let house = Signing::on(server, "ES256", |app| app.option("--request-uri", &uri));
    elsewhere.publishes_as("/request", TYPE, &house.key.jwt(&house.claims()));
    let request = AuthorizationRequest::by_reference(&house.app, &uri);
    let answer = house.server.person().follows(&request).returns();
    assert_eq!((answer.error(), answer.uri.as_str()), ("invalid_request_uri", REDIRECT_URI));
    assert_eq!(elsewhere.asked(), []);
}

#[test]
fn rfc9101_5_request_and_request_uri_do_not_go_together_where_both_are_read() {
    let kept = Kept::at(&["/request"]);
    kept.keep("/request", |_| ());
    let object = kept.house.key.jwt(&kept.house.claims());
    let both = AuthorizationRequest::of(&kept.house.app).with("request", &object);
    let both = both.with("request_uri", &kept.elsewhere.url("/request"));
    let answer = kept.house.server.person().follows(&both).returns();
    assert_eq!((answer.error(), kept.elsewhere.asked().len()), ("invalid_request", 0));
    let forti = kept.by("/request").to(FORTI_AUTHORIZE).with("redirect_uri", REDIRECT_URI);
    assert_eq!(kept.house.server.person().follows(&forti).returns().error(), "request_uri_not_supported");
}

#[test]
fn rfc9126_2_1_a_reference_is_not_pushed_and_pushed_references_go_on() {
    let kept = Kept::at(&["/request"]);
    kept.keep("/request", |_| ());
    let form = kept.house.app.fields(&[]);
    let uri = kept.elsewhere.url("/request");
    let form = [&form[..], &[("request_uri", &*uri)]].concat();
    kept.house.server.http().post(PAR).form(&form).send().expect_error(400, "invalid_request");
    let pushed = kept.house.server.pushed(&kept.house.app, &AuthorizationRequest::of(&kept.house.app));
    kept.house.goes_through(&pushed);
    assert_eq!(kept.elsewhere.asked(), []);
}

#[test]
fn rfc9101_10_5_a_reference_is_good_where_signed_requests_are_required() {
    let kept = Kept::at(&["/request"]);
    kept.keep("/request", |_| ());
    kept.house.server.run(&["client", "set", "app", "--request-object", "required"]).exits(0);
    kept.house.goes_through(&kept.by("/request"));
    let plain = AuthorizationRequest::of(&kept.house.app);
    assert_eq!(kept.house.server.person().follows(&plain).returns().error(), "invalid_request");
}

#[test]
fn oidc_core_6_2_addresses_of_requests_are_short_https_urls() {
    let server = obol!().server().start();
    server.add_client(&ClientSpec::application("app"));
    let long = format!("https://app.example/{}", "x".repeat(500));
    for uri in ["http://app.example/r", "app.example/r", "https:/r", "https://a:b@app.example/r", &*long] {
        let refused = server.run(&["client", "set", "app", "--request-uri", uri]).exits(1);
        assert!(refused.stderr.contains("https URL"), "{refused:?}");
    }
    let uri = "https://app.example/r?x=1#GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM";
    server.run(&["client", "set", "app", "--request-uri", uri]).exits(0);
    let shown = server.run(&["client", "show", "app", "--json"]).exits(0).json();
    assert_eq!(shown["request_uris"], json!([uri]));
}

//! draft-ietf-oauth-client-id-metadata-document-02: clients that come with a document of their own.

use std::time::Duration;

use obol_testkit::{
    Arrival, AuthorizationRequest, Client, ClientKey, ClientSpec, Elsewhere, METADATA, REDIRECT_URI, Server,
    ServerBuilder, VERIFIER, now_secs, obol, unescaped, wait_until,
};
use serde_json::{Value, json};

const PATH: &str = "/client.json";
const ISSUER: &str = "https://id.example.test";
const ON: &str = "--client-id-metadata-documents";

/// A server that lets such clients in, and one of them.
struct Scene {
    server: Server,
    elsewhere: Elsewhere,
    client: Client,
}

impl Scene {
    fn open() -> Self {
        Self::open_with(|server, _| server)
    }

    /// With further options of `serve`.
    fn open_with(options: impl FnOnce(ServerBuilder, &Elsewhere) -> ServerBuilder) -> Self {
        Self::of(|server, elsewhere| options(server.flag(ON), elsewhere))
    }

    /// With these options alone.
    fn of(options: impl FnOnce(ServerBuilder, &Elsewhere) -> ServerBuilder) -> Self {
        let elsewhere = Elsewhere::start();
        let client = Client::bare(&elsewhere.url(PATH));
        let server = obol!().server().alice().may_ask(&elsewhere);
        let scene = Self { server: options(server, &elsewhere).start(), elsewhere, client };
        scene.publishes(json!({}));
        scene
    }

    /// Its document, with these members besides, or instead.
    fn publishes(&self, members: Value) {
        let mut document = json!({
            "client_id": self.client.id,
            "client_name": "Example App",
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        });
        document.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        self.elsewhere.publishes(PATH, &document);
    }

    fn request(&self) -> AuthorizationRequest {
        AuthorizationRequest::of(&self.client)
    }

    /// What the page says about why it is not let in.
    #[track_caller]
    fn is_refused(&self) -> String {
        self.refuses(&self.request())
    }

    /// The same of this request.
    #[track_caller]
    fn refuses(&self, request: &AuthorizationRequest) -> String {
        let page = self.server.person().follows(request).refused(400);
        unescaped(std::str::from_utf8(&page.body).unwrap())
    }

    /// The ids of all clients.
    fn clients(&self) -> Vec<String> {
        let listed = self.server.run(&["client", "list", "--json"]).exits(0).json();
        listed
            .as_array()
            .unwrap()
            .iter()
            .map(|client| client["client_id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What was kept for a while is forgotten.
    fn starts_again(&mut self) {
        self.server.stop();
        self.server.start_again();
    }
}

#[test]
fn cimd_5_a_person_signs_in_at_a_client_that_nobody_has_registered() {
    let scene = Scene::open();
    let code = scene.server.person().goes_through(&scene.request().with("scope", "openid offline_access"));
    let tokens = scene.server.tokens_for(&scene.client, code.code());
    scene.server.verify(&scene.client, &tokens.access).expect(200);
    assert_eq!(scene.server.userinfo(&tokens.access).expect(200).keys(), ["sub"]);
    let refreshed = scene.server.rfc_refresh(&scene.client, tokens.refresh()).expect(200);
    scene.server.verify(&scene.client, &refreshed.text("access_token")).expect(200);
    scene.server.rfc_revoke(&scene.client, &refreshed.text("access_token")).expect(200);
    scene.server.verify(&scene.client, &refreshed.text("access_token")).expect(401);
    // Asked once, for all pages of this authorization.
    let asked: Vec<_> =
        scene.elsewhere.asked().into_iter().map(|asked| (asked.method, asked.target)).collect();
    assert_eq!(asked, [("GET".to_owned(), PATH.to_owned())]);
}

#[test]
fn cimd_8_5_people_are_shown_the_host_and_asked_each_time() {
    let scene = Scene::open();
    let mut person = scene.server.person();
    for round in 0..2 {
        let mut page = person.follows(&scene.request());
        if let Arrival::SignIn(shown) = page {
            assert!(shown.says(&scene.elsewhere.host()), "{shown:?}");
            page = person.signs_in(&shown);
        }
        let shown = page.consent();
        let host = scene.elsewhere.host();
        assert!(shown.says(&format!("{host} (Example App)")), "{round}: {shown:?}");
        assert!(shown.says(&format!("whoever holds {host}")), "{round}: {shown:?}");
        person.allows(&shown).returns().code();
    }
    let silent = person.follows(&scene.request().with("prompt", "none")).returns();
    assert_eq!(silent.error(), "consent_required");
}

#[test]
fn what_strangers_name_makes_no_client_and_only_a_person_who_allows_does() {
    let scene = Scene::open();
    for number in 0..20 {
        let path = format!("/{number}.json");
        let url = scene.elsewhere.url(&path);
        scene.elsewhere.publishes(&path, &json!({ "client_id": url, "redirect_uris": [REDIRECT_URI] }));
        scene.server.person().follows(&scene.request().with("client_id", &url)).sign_in();
    }
    let mut person = scene.server.person();
    let page = person.follows(&scene.request()).sign_in();
    let page = person.signs_in(&page).consent();
    assert_eq!(scene.elsewhere.asked().len(), 21);
    assert_eq!(scene.clients(), [""; 0]);
    assert_eq!(person.denies(&page).returns().error(), "access_denied");
    assert_eq!(scene.clients(), [""; 0]);

    scene.server.person().goes_through(&scene.request()).code();
    assert_eq!(scene.clients(), std::slice::from_ref(&scene.client.id));
    scene
        .server
        .await_audit("the client", |line| line.event() == "client.added" && line.text("username") == "alice");
    let shown = scene.server.run(&["client", "show", &scene.client.id, "--json"]).exits(0).json();
    assert_eq!((&shown["type"], &shown["from_metadata_document"]), (&json!("public"), &json!(true)));
    assert_eq!(shown["optional_scopes"], json!(["openid", "profile", "email", "offline_access"]));
}

#[test]
fn cimd_4_the_document_names_the_url_at_which_it_stands() {
    let scene = Scene::open();
    scene.publishes(json!({ "client_id": scene.elsewhere.url("/other.json") }));
    assert!(scene.is_refused().contains("is not the URL"));
}

#[test]
fn cimd_4_1_no_shared_secret_counts() {
    let scene = Scene::open();
    scene.publishes(json!({ "token_endpoint_auth_method": "client_secret_basic" }));
    assert!(scene.is_refused().contains("token_endpoint_auth_method"));
    let mut scene = scene;
    scene.starts_again();
    scene.publishes(json!({ "client_secret": "a secret that everybody can read" }));
    assert!(scene.is_refused().contains("client secret"));
}

#[test]
fn cimd_8_2_a_client_that_publishes_keys_authenticates_with_one() {
    let scene = Scene::open_with(|server, _| server.option("--issuer", ISSUER));
    let key = ClientKey::new("ES256");
    scene.elsewhere.publishes("/keys.json", &key.jwks());
    let jwks_uri = scene.elsewhere.url("/keys.json");
    scene.publishes(json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": jwks_uri }));
    let code = || scene.server.person().goes_through(&scene.request()).code().to_owned();
    scene.server.redeem(&scene.client, &code()).expect_error(401, "invalid_client");

    let now = now_secs();
    let id = &scene.client.id;
    let claims = json!({ "iss": id, "sub": id, "aud": ISSUER, "jti": "once", "iat": now, "exp": now + 60 });
    let (code, assertion) = (code(), key.jwt(&claims));
    let fields = [
        ("code", &*code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &*assertion),
    ];
    let tokens = scene.server.redeem_with(&scene.client, &fields).expect(200);
    scene.server.userinfo(&tokens.text("access_token")).expect(200);
}

#[test]
fn cimd_4_2_a_redirect_uri_stands_in_the_document_letter_by_letter() {
    let scene = Scene::open();
    for other in ["https://app.example/cb/", "https://app.example/CB", "https://evil.example/cb"] {
        scene.server.person().follows(&scene.request().with("redirect_uri", other)).refused(400);
    }
    scene.server.person().goes_through(&scene.request()).code();
}

#[test]
fn rfc8252_7_3_a_client_on_a_device_chooses_its_port() {
    let scene = Scene::open();
    scene.publishes(json!({ "redirect_uris": ["http://localhost/cb", "http://127.0.0.1/cb"] }));
    let request = scene.request().with("redirect_uri", "http://127.0.0.1:41234/cb");
    let answer = scene.server.person().goes_through(&request);
    assert_eq!(answer.uri, "http://127.0.0.1:41234/cb");
    scene.server.person().follows(&scene.request().with("redirect_uri", "http://localhost/cb")).refused(400);
}

#[test]
fn rfc7636_4_4_1_a_challenge_is_required() {
    let scene = Scene::open();
    let answer = scene.server.person().follows(&scene.request().without_challenge()).returns();
    assert_eq!(answer.error(), "invalid_request");
}

#[test]
fn cimd_5_1_what_cannot_be_fetched_is_refused_and_nothing_is_told_of_why() {
    let scene = Scene::open_with(|server, _| server.option("--log-level", "debug"));
    let page = |path: &str| scene.refuses(&scene.request().with("client_id", &scene.elsewhere.url(path)));
    let redirect = http::Response::builder().status(302).header("location", scene.client.id.clone());
    scene.elsewhere.answers_with("/moved", redirect);
    for (path, reason) in [("/nothing", "it answered 404"), ("/moved", "redirects are not followed")] {
        let page = page(path);
        assert!(page.contains("cannot be fetched"), "{page}");
        assert!(!page.contains("answered") && !page.contains("redirects"), "{page}");
        // Who runs the server finds the reason in the log.
        let said = || scene.server.log().all().into_iter().find(|line| line.contains(reason));
        wait_until(reason, Duration::from_secs(5), said);
    }
}

#[test]
fn cimd_8_4_a_changed_document_counts_and_one_that_is_gone_lets_nobody_in() {
    let mut scene = Scene::open();
    let code = scene.server.person().goes_through(&scene.request()).code().to_owned();
    let tokens = scene.server.tokens_for(&scene.client, &code);

    scene.starts_again();
    scene.publishes(json!({ "redirect_uris": ["https://new.example/cb"], "client_name": "New Name" }));
    scene.server.person().follows(&scene.request()).refused(400);
    let request = scene.request().with("redirect_uri", "https://new.example/cb");
    let code = scene.server.person().goes_through(&request).code().to_owned();
    let fields = [("code", &*code), ("redirect_uri", "https://new.example/cb"), ("code_verifier", VERIFIER)];
    scene.server.redeem_with(&scene.client, &fields).expect(200);
    let shown = scene.server.run(&["client", "show", &scene.client.id, "--json"]).exits(0).json();
    assert_eq!(shown["redirect_uris"], json!(["https://new.example/cb"]));
    assert!(shown["name"].as_str().unwrap().ends_with("(New Name)"), "{shown}");

    scene.starts_again();
    scene.elsewhere.answers_with(PATH, http::Response::builder().status(404));
    scene.is_refused();
    // What was given stays until somebody ends it.
    scene.server.verify(&scene.client, &tokens.access).expect(200);
    scene.server.rfc_refresh(&scene.client, tokens.refresh()).expect(200);
}

#[test]
fn an_operator_ends_such_a_client_like_any_other() {
    let scene = Scene::open();
    let code = scene.server.person().goes_through(&scene.request()).code().to_owned();
    let tokens = scene.server.tokens_for(&scene.client, &code);
    scene.server.run(&["client", "disable", &scene.client.id]).exits(0);
    scene.server.verify(&scene.client, &tokens.access).expect(401);
    scene.is_refused();
    scene.server.run(&["client", "enable", &scene.client.id]).exits(0);
    scene.server.person().goes_through(&scene.request()).code();

    // An id is never given out again.
    scene.server.run(&["client", "delete", &scene.client.id]).exits(0);
    let mut person = scene.server.person();
    let page = person.follows(&scene.request()).sign_in();
    let page = person.signs_in(&page).consent();
    assert_eq!(person.allows(&page).returns().error(), "unauthorized_client");
    assert_eq!(scene.clients(), [""; 0]);
}

#[test]
fn cimd_7_2_a_url_that_an_operator_has_registered_is_not_asked() {
    let elsewhere = Elsewhere::start();
    let server = obol!().server().alice().may_ask(&elsewhere).flag(ON);
    let client = server.add_client(&ClientSpec::application(&elsewhere.url(PATH)));
    let server = server.start();
    let code = server.person().goes_through(&AuthorizationRequest::of(&client));
    server.tokens_for(&client, code.code());
    assert_eq!(elsewhere.asked(), []);
}

#[test]
fn cimd_8_6_private_addresses_are_not_asked() {
    let elsewhere = Elsewhere::start();
    let server = obol!().server().alice().trusts(&elsewhere).flag(ON).start();
    let port = elsewhere.host().rsplit_once(':').unwrap().1.to_owned();
    for host in
        ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "169.254.169.254"]
    {
        let client = Client::bare(&format!("https://{host}:{port}{PATH}"));
        server.person().follows(&AuthorizationRequest::of(&client)).refused(400);
    }
    assert_eq!(elsewhere.asked(), []);
}

#[test]
fn cimd_8_9_an_operator_names_the_hosts_that_count() {
    let scene =
        Scene::open_with(|server, elsewhere| server.option("--client-id-metadata-hosts", &elsewhere.host()));
    scene.server.person().goes_through(&scene.request()).code();
    let scene = Scene::open_with(|server, _| server.option("--client-id-metadata-hosts", "apps.example"));
    scene.is_refused();
    assert_eq!(scene.elsewhere.asked(), []);
}

#[test]
fn cimd_3_a_client_id_that_is_a_url_is_a_plain_one() {
    let scene = Scene::open();
    let host = scene.elsewhere.host();
    for id in [
        format!("https://{host}"),
        format!("https://{host}/a/../client.json"),
        format!("https://{host}/client.json#"),
        format!("https://alice@{host}/client.json"),
        format!("http://{host}/client.json"),
        format!("https://{host}/{}", "x".repeat(128)),
    ] {
        scene.server.person().follows(&scene.request().with("client_id", &id)).refused(400);
    }
    assert_eq!(scene.elsewhere.asked(), []);
}

#[test]
fn cimd_6_the_metadata_says_whether_such_clients_are_let_in() {
    let on = Scene::open();
    let off = Scene::of(|server, _| server);
    for path in [METADATA, "/.well-known/openid-configuration"] {
        let member = |scene: &Scene| {
            let document = scene.server.http().get(path).send().expect(200).json();
            document.get("client_id_metadata_document_supported").cloned()
        };
        assert_eq!((member(&on), member(&off)), (Some(json!(true)), None), "{path}");
    }
    off.is_refused();
    assert_eq!(off.elsewhere.asked(), []);
}

#[test]
fn other_endpoints_ask_nobody() {
    let scene = Scene::open();
    scene.server.redeem(&scene.client, "obc_none").expect_error(401, "invalid_client");
    scene.server.verify(&scene.client, "oba_none").expect(401);
    scene.server.http().push(&scene.client, &scene.request()).expect_error(401, "invalid_client");
    assert_eq!(scene.elsewhere.asked(), []);
}

#[test]
fn rfc9126_2_a_client_that_was_allowed_may_push_its_request() {
    let scene = Scene::open();
    scene.server.person().goes_through(&scene.request()).code();
    let pushed = scene.server.pushed(&scene.client, &scene.request());
    let code = scene.server.person().goes_through(&pushed).code().to_owned();
    scene.server.redeem(&scene.client, &code).expect(200);
}

#[test]
fn rfc8707_2_such_a_client_asks_for_the_resources_that_the_operator_has_named() {
    let scene = Scene::open_with(|server, _| {
        let server = server.option("--protected-resources", "https://api.example/mcp");
        server.option("--client-id-metadata-scopes", "orders")
    });
    let request = scene.request().with("scope", "orders").with("resource", "https://api.example/mcp");
    let code = scene.server.person().goes_through(&request).code().to_owned();
    let answer = scene.server.redeem(&scene.client, &code).expect(200);
    assert_eq!(answer.text("scope"), "orders");
    for (name, value, error) in
        [("resource", "https://other.example/", "invalid_target"), ("scope", "openid", "invalid_scope")]
    {
        let refused = scene.server.person().follows(&request.clone().with(name, value)).returns();
        assert_eq!(refused.error(), error);
    }
}

//! A rehearsal of the plans RP-Initiated Logout OP and Back-Channel Logout OP.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use obol_testkit::{
    Arrival, AuthorizationRequest, Client, ClientSpec, Elsewhere, Jwt, PASSWORD, Person, REDIRECT_URI,
    Server, obol, wait_until,
};

const BACK: &str = "https://app.example/post_logout_redirect";
const TOLD: &str = "/backchannel_logout";
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who has gone through the authorization flow that every module begins with.
struct LogoutPlan {
    server: Server,
    elsewhere: Elsewhere,
    client: Client,
    person: Person,
    id_token: String,
}

impl LogoutPlan {
    fn begin() -> Self {
        let elsewhere = Elsewhere::start();
        elsewhere.answers_with(TOLD, http::Response::builder().header("cache-control", "no-store"));
        let server = obol!().server().user("alice", PASSWORD).may_ask(&elsewhere);
        let client = ClientSpec::application("one")
            .flag("--pkce-optional")
            .option("--id-token-alg", "RS256")
            .option("--post-logout-redirect-uri", BACK)
            .option("--backchannel-logout-uri", &elsewhere.url(TOLD));
        let client = server.add_client(&client);
        let server = server.start();
        let mut person = server.person();
        let code = person.goes_through(&Self::request(&client)).code().to_owned();
        let fields = [("code", code.as_str()), ("redirect_uri", REDIRECT_URI)];
        let id_token = server.redeem_with(&client, &fields).expect(200).text("id_token");
        Self { server, elsewhere, client, person, id_token }
    }

    fn request(client: &Client) -> AuthorizationRequest {
        AuthorizationRequest::of(client).without_challenge().with("nonce", "a nonce")
    }

    /// Goes to the end session endpoint with these.
    fn ends(&mut self, params: &[(&str, &str)]) -> Arrival {
        let mut form = form_urlencoded::Serializer::new(String::new());
        self.person.opens(&format!("/oauth2/logout?{}", form.extend_pairs(params).finish()))
    }

    /// The same with the ID token and the good address, and with this in place of one of them.
    fn ends_with(&mut self, changed: (&str, &str)) -> Arrival {
        let hint = self.id_token.clone();
        let mut params =
            vec![("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BACK), ("state", "a state")];
        params.retain(|(name, _)| *name != changed.0);
        if !changed.1.is_empty() {
            params.push(changed);
        }
        self.ends(&params)
    }

    /// `prompt=none` says whether somebody is signed in.
    #[track_caller]
    fn is_signed_in(&mut self) -> bool {
        let silent = Self::request(&self.client).with("prompt", "none");
        let answer = self.person.follows(&silent).returns();
        match answer.get("error") {
            None => !answer.code().is_empty(),
            Some(error) => {
                assert_eq!(error, "login_required");
                false
            }
        }
    }

    /// The page stays here and is an error: nothing has ended.
    #[track_caller]
    fn stays_with_an_error(&mut self, arrival: Arrival) {
        let Arrival::Other(page) = arrival else { panic!("{arrival:?}") };
        assert!((400..500).contains(&page.status), "{page:?}");
        assert!(self.is_signed_in());
    }

    /// The page asks; when the person agrees it says that nobody is signed in any more.
    #[track_caller]
    fn asks_and_signs_out(&mut self, path: &str) {
        let browser = self.person.browser();
        let page = browser.open(path).expect(200);
        assert!(page.says("Sign out?"), "{}", page.html());
        let done = browser.send(&page.form("/sign-out"), &[]).expect(200);
        assert!(done.leaves_to().is_none() && done.says("You are signed out"), "{}", done.html());
        assert!(!self.is_signed_in());
    }
}

#[test]
fn oidcc_rp_initiated_logout_discovery_endpoint_verification() {
    let server = obol!().server().option("--issuer", "https://id.example.org").start();
    let document = server.http().get("/.well-known/openid-configuration").send().expect(200).json();
    assert_eq!(document["end_session_endpoint"], "https://id.example.org/oauth2/logout");
}

#[test]
fn oidcc_rp_initiated_logout() {
    let mut plan = LogoutPlan::begin();
    assert!(plan.is_signed_in());
    let back = plan.ends_with(("state", "another state")).returns();
    assert_eq!((back.uri.as_str(), back.get("state")), (BACK, Some("another state")));
    assert_eq!(back.names(), ["state"]);
    assert!(!plan.is_signed_in());
}

#[test]
fn oidcc_rp_initiated_logout_no_state() {
    let mut plan = LogoutPlan::begin();
    let back = plan.ends_with(("state", "")).returns();
    assert_eq!((back.uri.as_str(), back.names().is_empty()), (BACK, true));
    assert!(!plan.is_signed_in());
}

#[test]
fn oidcc_rp_initiated_logout_bad_post_logout_redirect_uri() {
    let mut plan = LogoutPlan::begin();
    let arrival = plan.ends_with(("post_logout_redirect_uri", "https://app.example/post_logout_redirect/x"));
    plan.stays_with_an_error(arrival);
}

#[test]
fn oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri() {
    let mut plan = LogoutPlan::begin();
    let arrival = plan.ends_with(("post_logout_redirect_uri", &format!("{BACK}?foo=bar")));
    plan.stays_with_an_error(arrival);
}

#[test]
fn oidcc_rp_initiated_logout_modified_id_token_hint() {
    let mut plan = LogoutPlan::begin();
    let claims = plan.id_token.split('.').nth(1).expect("three parts").to_owned();
    let unsigned = format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
    let arrival = plan.ends_with(("id_token_hint", &unsigned));
    plan.stays_with_an_error(arrival);
}

#[test]
fn oidcc_rp_initiated_logout_bad_id_token_hint() {
    let mut plan = LogoutPlan::begin();
    // Another server has signed the same claims.
    let other = LogoutPlan::begin().id_token;
    let arrival = plan.ends_with(("id_token_hint", &other));
    plan.stays_with_an_error(arrival);
}

#[test]
fn oidcc_rp_initiated_logout_no_id_token_hint() {
    let mut plan = LogoutPlan::begin();
    let arrival = plan.ends_with(("id_token_hint", ""));
    plan.stays_with_an_error(arrival);
}

#[test]
fn oidcc_rp_initiated_logout_no_params() {
    LogoutPlan::begin().asks_and_signs_out("/oauth2/logout");
}

#[test]
fn oidcc_rp_initiated_logout_only_state() {
    LogoutPlan::begin().asks_and_signs_out("/oauth2/logout?state=a+state");
}

#[test]
fn oidcc_rp_initiated_logout_no_post_logout_redirect_uri() {
    let mut plan = LogoutPlan::begin();
    let page = plan.ends_with(("post_logout_redirect_uri", "")).sign_in();
    assert!(page.says("You are signed out"), "{}", page.html());
    assert!(!plan.is_signed_in());
}

#[test]
fn oidcc_backchannel_logout_discovery_endpoint_verification() {
    let server = obol!().server().option("--issuer", "https://id.example.org").start();
    let document = server.http().get("/.well-known/openid-configuration").send().expect(200).json();
    for name in ["backchannel_logout_supported", "backchannel_logout_session_supported"] {
        assert_eq!(document[name], true, "{name}");
    }
    assert_eq!(document["end_session_endpoint"], "https://id.example.org/oauth2/logout");
}

#[test]
fn oidcc_backchannel_rp_initiated_logout() {
    let mut plan = LogoutPlan::begin();
    let back = plan.ends_with(("state", "another state")).returns();
    assert_eq!((back.uri.as_str(), back.get("state")), (BACK, Some("another state")));
    let post = wait_until("the client is told", PATIENCE, || plan.elsewhere.asked().into_iter().next());
    let sent: Vec<_> = form_urlencoded::parse(post.body.as_bytes()).into_owned().collect();
    let [(name, token)] = &sent[..] else { panic!("{post:?}") };
    assert_eq!((name.as_str(), post.method.as_str()), ("logout_token", "POST"));
    let (token, id_token) = (Jwt::verified(token, &plan.server), Jwt::read(&plan.id_token));
    for claim in ["iss", "aud", "sub", "sid"] {
        assert_eq!(token.claims[claim], id_token.claims[claim], "{claim}");
    }
    assert!(token.claims["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object());
    assert!(token.claims["jti"].is_string() && token.claims["iat"].is_i64());
    assert_eq!(token.claims.get("nonce"), None);
    assert_eq!(token.header["alg"], "RS256");
    assert!(!plan.is_signed_in());
}

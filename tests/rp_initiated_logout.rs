//! OpenID Connect RP-Initiated Logout. One test per MUST, and that what an application asks cannot be forced on a person.

use obol_testkit::{
    ALICE, AuthorizationRequest, Client, ClientSpec, PASSWORD, Page, Person, REDIRECT_URI, Server, Tokens,
    obol,
};

const LOGOUT: &str = "/oauth2/logout";
const BACK: &str = "https://app.example/bye";

/// A server, an application that has registered [`BACK`], and another that has not.
fn house() -> (Server, Client, Client) {
    let server = obol!().server().alice();
    let app = server.add_client(&ClientSpec::application("app").option("--post-logout-redirect-uri", BACK));
    let other = server.add_client(&ClientSpec::application("other"));
    (server.start(), app, other)
}

/// Alice, signed in to an application: her browser, its tokens, its ID token.
fn signed_in(server: &Server, app: &Client) -> (Person, Tokens, String) {
    let mut alice = server.person();
    let code = alice.goes_through(&AuthorizationRequest::of(app)).code().to_owned();
    let answer = server.redeem(app, &code);
    let id_token = answer.text("id_token");
    (alice, Tokens::of(answer), id_token)
}

fn url(params: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    format!("{LOGOUT}?{}", form.extend_pairs(params).finish())
}

/// The page that asks, which it is.
#[track_caller]
fn asked(person: &mut Person, path: &str) -> Page {
    let page = person.browser().open(path).expect(200);
    assert!(page.says("Sign out?"), "{}", page.html());
    page
}

#[test]
fn rp_logout_2_who_brings_the_id_token_is_believed_and_all_of_the_session_ends() {
    let (server, app, _) = house();
    let (mut alice, tokens, hint) = signed_in(&server, &app);
    let answer = alice.opens(&url(&[
        ("id_token_hint", &hint),
        ("post_logout_redirect_uri", BACK),
        ("state", "a&b"),
        ("client_id", "app"),
    ]));
    let answer = answer.returns();
    assert_eq!((answer.uri.as_str(), answer.get("state")), (BACK, Some("a&b")));
    assert_eq!(answer.names(), ["state"], "nothing else goes along");
    assert!(!alice.is_signed_in());
    assert!(!server.stands(&app, &tokens.access));
    server.rfc_refresh(&app, tokens.refresh()).expect_error(400, "invalid_grant");
    server.await_audit("the end of the session", |line| line.event() == "session.ended");
}

#[test]
fn rp_logout_2_get_and_post_are_alike() {
    let (server, app, _) = house();
    let (mut alice, _, hint) = signed_in(&server, &app);
    let form = url(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BACK)]);
    let page = alice.browser().is_posted(LOGOUT, form.split_once('?').unwrap().1.to_owned());
    assert_eq!(page.leaves_to().as_deref(), Some(BACK));
    assert!(!alice.is_signed_in());
}

#[test]
fn rp_logout_2_s_78_without_a_hint_of_who_is_signed_in_the_person_is_asked() {
    let (server, app, _) = house();
    server.add_user("bob", PASSWORD);
    let mut bob = server.person_called("bob", PASSWORD);
    let code = bob.goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let of_bob = server.redeem(&app, &code).text("id_token");
    let (mut alice, tokens, _) = signed_in(&server, &app);
    for params in [
        &[][..],
        &[("client_id", "app"), ("post_logout_redirect_uri", BACK)],
        &[("id_token_hint", of_bob.as_str()), ("post_logout_redirect_uri", BACK)],
        &[("logout_hint", ALICE)],
    ] {
        let page = asked(&mut alice, &url(params));
        assert!(alice.is_signed_in() && server.stands(&app, &tokens.access), "{params:?}");
        assert!(page.says("alice"), "{params:?}");
    }
    let page = asked(&mut alice, &url(&[("client_id", "app"), ("post_logout_redirect_uri", BACK)]));
    let left = alice.browser().send(&page.form("/sign-out"), &[]);
    assert_eq!(left.leaves_to().as_deref(), Some(BACK));
    assert!(!alice.is_signed_in() && !server.stands(&app, &tokens.access));
    assert!(bob.is_signed_in(), "whose token was shown is not signed out");
}

#[test]
fn rp_logout_3_s_23_an_address_that_is_not_registered_letter_by_letter_is_not_gone_to_and_nothing_ends() {
    let (server, app, other) = house();
    let (mut alice, tokens, hint) = signed_in(&server, &app);
    let (_, _, of_other) = signed_in(&server, &other);
    let back = |uri: &'static str| vec![("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", uri)];
    let cases = [
        back("https://app.example/bye/"),
        back("https://app.example/bye?x"),
        back("https://app.example/BYE"),
        back("https://evil.example/bye"),
        back(REDIRECT_URI),
        vec![("post_logout_redirect_uri", BACK)],
        vec![("id_token_hint", of_other.as_str()), ("post_logout_redirect_uri", BACK)],
        vec![("id_token_hint", hint.as_str()), ("client_id", "other")],
        vec![("client_id", "nobody"), ("post_logout_redirect_uri", BACK)],
    ];
    for params in cases {
        let page = alice.browser().open(&url(&params));
        assert!((400..500).contains(&page.answer.status), "{params:?}: {:?}", page.answer);
        assert_eq!(page.leaves_to(), None, "{params:?}");
        assert!(alice.is_signed_in() && server.stands(&app, &tokens.access), "{params:?}");
    }
}

#[test]
fn rp_logout_2_what_is_no_id_token_of_ours_is_refused() {
    let (server, app, _) = house();
    let (mut alice, tokens, hint) = signed_in(&server, &app);
    let (message, signature) = hint.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let changed = format!("{message}.{other}{}", &signature[1..]);
    for hint in [changed.as_str(), message, &tokens.access, "x", "a.b.c"] {
        let page = alice.browser().open(&url(&[("id_token_hint", hint)]));
        assert_eq!(page.answer.status, 400, "{hint}");
        assert!(alice.is_signed_in(), "{hint}");
    }
}

#[test]
fn rp_logout_2_who_is_not_signed_in_is_sent_back() {
    let (server, app, _) = house();
    let mut nobody = server.person();
    let (_, _, hint) = signed_in(&server, &app);
    let answer = nobody.opens(&url(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BACK)]));
    assert_eq!(answer.returns().uri, BACK);
    assert!(!nobody.is_signed_in());
}

#[test]
fn another_site_cannot_send_the_form_that_signs_out() {
    let (server, app, _) = house();
    let (mut alice, _, _) = signed_in(&server, &app);
    let page = asked(&mut alice, &url(&[]));
    let form = page.form("/sign-out");
    let refused = alice.browser().post(
        &form,
        &[],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
    );
    assert_eq!(refused.status, 403);
    assert!(alice.is_signed_in());
    // Nor does it count for somebody else who is signed in by now.
    server.add_user("bob", PASSWORD);
    let mut bob = server.person_called("bob", PASSWORD);
    let sign_in = bob.opens("/sessions").sign_in();
    bob.signs_in(&sign_in);
    let refused = bob.browser().post(&form, &[], &[("origin", "null"), ("sec-fetch-site", "same-origin")]);
    assert!((400..500).contains(&refused.status), "{refused:?}");
    assert!(bob.is_signed_in());
}

#[test]
fn rp_logout_2_1_discovery_names_the_endpoint() {
    let (server, ..) = house();
    let document = server.http().get("/.well-known/openid-configuration").send().expect(200).json();
    assert_eq!(document["end_session_endpoint"], format!("{}{LOGOUT}", server.url()));
}

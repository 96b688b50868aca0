//! What is not the person's own doing is not done.

use super::*;
use obol_testkit::Form;

/// A form with another ticket.
fn with_ticket(form: &Form, ticket: &str) -> Form {
    let mut form = form.clone();
    for (name, value) in &mut form.hidden {
        if name == "ticket" {
            ticket.clone_into(value);
        }
    }
    form
}

fn ticket_of(form: &Form) -> String {
    form.hidden.iter().find(|(name, _)| name == "ticket").expect("a ticket").1.clone()
}

#[test]
fn s_34_a_form_that_was_given_to_another_browser_signs_nobody_in() {
    let site = Site::open();
    let given = site.browser().open(&request("web", ""));
    let mut other = site.browser();
    other.open("/sessions");
    for mut browser in [other, site.browser()] {
        let page = sign_in(&mut browser, &given, ALICE).expect(409);
        assert!(page.says("was not opened in this browser") && page.says("Start again"), "{page:?}");
        assert!(!browser.cookies().contains_key("obol-session"), "{:?}", browser.cookies());
        let again = page.html().split_once("primary\" href=\"").unwrap().1.split_once('"').unwrap().0;
        let again = again.replace("&#x2f;", "/").replace("&amp;", "&");
        assert_eq!(browser.open(&again).expect(200).heading(), "Sign in", "no dead end");
    }
}

#[test]
fn s_34_a_ticket_that_is_damaged_or_for_something_else_is_good_for_nothing() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let consent = browser.open(&request("web", "")).form("/consent");
    let sign_in = browser.clone().open(&request("web", "&prompt=login")).form("/sign-in");
    let right = [("username", ALICE), ("password", PASSWORD), ("decision", "allow")];
    let whole = ticket_of(&consent);
    let mut flipped = whole.clone().into_bytes();
    flipped[40] = if flipped[40] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let cut = &whole[..whole.len() - 1];
    for ticket in [&*flipped, cut, "", "obt_", "x", &ticket_of(&sign_in)] {
        let page = browser.send(&with_ticket(&consent, ticket), &right);
        assert_eq!(page.answer.status, 400, "{ticket}: {page:?}");
    }
    for ticket in [&*flipped, &whole] {
        let page = browser.send(&with_ticket(&sign_in, ticket), &right);
        assert_eq!(page.answer.status, 400, "{ticket}: {page:?}");
        browser.open(&format!("/continue?ticket={ticket}")).expect(400);
    }
    let allowed = browser.send(&consent, &right);
    assert!(allowed.left_with("code").is_some(), "the whole one is good: {allowed:?}");
}

#[test]
fn s_34_no_other_site_can_send_a_form() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let page = browser.open("/sessions");
    let consent = browser.open(&request("web", "")).form("/consent");
    let signing_in = browser.open(&request("web", "&prompt=login")).form("/sign-in");
    let forms = [page.form("/sign-out"), page.form("/sessions/end-all"), consent, signing_in];
    let fields = [("username", ALICE), ("password", PASSWORD), ("decision", "allow")];
    for form in &forms {
        for headers in [
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
            &[("sec-fetch-site", "cross-site"), ("origin", "null")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
            &[("origin", "https://evil.example")],
            &[("origin", "http://127.0.0.1:1")],
        ] {
            let answer = browser.post(form, &fields, headers);
            assert_eq!(answer.status, 403, "{} {headers:?}: {answer:?}", form.action);
            assert_eq!(answer.header("set-cookie"), None);
        }
    }
    assert!(browser.open("/sessions").says("Signed in as alice"), "nothing was ended");
}

#[test]
fn s_34_a_form_of_another_session_does_nothing() {
    let site = Site::open();
    let mut alice = site.signed_in(ALICE);
    let mut bob = site.signed_in(BOB);
    let bobs_page = bob.open("/sessions");
    for action in ["/sign-out", "/sessions/end-all"] {
        let mut form = bobs_page.form(action);
        alice.send(&form, &[]).expect(410);
        form.hidden.clear();
        alice.send(&form, &[]).expect(410);
        alice.send(&form, &[("form_token", "")]).expect(410);
    }
    assert!(alice.open("/sessions").says("Signed in as alice"));
    assert!(bob.open("/sessions").says("Signed in as bob"));
}

#[test]
fn s_34_a_consent_counts_for_the_person_on_the_page_only() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let alices = browser.open(&request("web", "")).form("/consent");
    // A second tab: bob signs in, and has allowed this client before.
    let page = browser.open(&request("web", "&prompt=login"));
    let page = sign_in(&mut browser, &page, BOB);
    browser.send(&page.form("/consent"), &[("decision", "allow")]);

    let page = browser.send(&alices, &[("decision", "allow")]).expect(200);
    assert!(page.leaves_to().is_none() && page.says("Continue as bob"), "{page:?}");
    let page = browser.send(&page.forms()[0], &[("go_on", "yes")]);
    assert!(page.left_with("code").is_some(), "bob says so himself: {page:?}");

    // And after signing out nobody is asked for alice.
    let alices = site.signed_in(ALICE).open(&request("web", "")).form("/consent");
    let out = browser.open("/sessions").form("/sign-out");
    browser.send(&out, &[]);
    let page = browser.send(&alices, &[("decision", "allow")]);
    assert!(page.leaves_to().is_none(), "{page:?}");
}

#[test]
fn a_consent_without_the_token_of_the_session_is_asked_for_again() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let mut form = browser.open(&request("web", "")).form("/consent");
    form.hidden.retain(|(name, _)| name == "ticket");
    for token in [&[][..], &[("form_token", "00")]] {
        let fields = [token, &[("decision", "allow")]].concat();
        let page = browser.send(&form, &fields).expect(200);
        assert_eq!((page.heading(), page.leaves_to()), ("Allow access?".to_owned(), None));
    }
}

#[test]
fn somebody_else_in_the_same_browser_ends_what_was_given_before() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let (access, refresh) = site.tokens(&mut browser);
    assert!(site.server.stands(&site.quiet, &access));
    let page = browser.open(&request("quiet", "&prompt=login"));
    sign_in(&mut browser, &page, BOB);
    assert!(!site.server.stands(&site.quiet, &access));
    assert!(!site.refreshes(&site.quiet, &refresh));
    assert!(browser.open("/sessions").says("Signed in as bob"));
}

#[test]
fn s_84_the_secret_is_another_after_each_sign_in() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let before = browser.clone();
    let page = browser.open(&request("quiet", "&prompt=login"));
    sign_in(&mut browser, &page, ALICE);
    assert_ne!(before.cookies()["obol-session"], browser.cookies()["obol-session"]);
    assert_eq!(before.clone().open("/sessions").heading(), "Sign in", "the old one is good for nothing");
}

#[test]
fn s_17_what_is_wrong_with_client_or_redirect_uri_is_said_on_a_page() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    for uri in [
        request("nobody", ""),
        request("web", "").replace("app.example", "evil.example"),
        request("web", "").replace("app.example%2Fcb", "app.example%2Fcb%2F"),
        request("nobody", "&prompt=none"),
        request("nobody", "&response_mode=form_post"),
        "/oauth2/authorize".to_owned(),
        request("web", "&client_id=web"),
        request("web", "&state=%zz"),
    ] {
        let page = browser.open(&uri).expect(400);
        assert_eq!((page.heading(), page.leaves_to()), ("This did not work".to_owned(), None), "{uri}");
        assert!(page.says(page.answer.header("x-request-id").unwrap()), "{uri}");
    }
}

#[test]
fn s_18_nothing_of_a_request_is_shown_as_it_is() {
    let site = Site::open();
    let hostile = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%27";
    let mut browser = site.browser();
    for uri in [
        request(hostile, ""),
        request("web", &format!("&login_hint={hostile}&ui_locales={hostile}")),
        request("web", "").replace("xyz", hostile),
        request("web", "").replace("https%3A%2F%2Fapp.example%2Fcb", hostile),
        format!("/continue?ticket={hostile}"),
        format!("/sessions?ticket={hostile}"),
        format!("/oauth2/authorize?{hostile}={hostile}"),
    ] {
        let page = browser.open(&uri);
        assert!(!page.html().contains("<script") && !page.html().contains("\"\">"), "{uri}: {page:?}");
    }
    let mut browser = site.signed_in(ALICE);
    let uri = request("quiet", "&response_mode=form_post").replace("xyz", hostile);
    let page = browser.open(&uri).expect(200);
    let state = page.form(REDIRECT_URI).hidden.into_iter().find(|(name, _)| name == "state").unwrap().1;
    assert_eq!(state, "\"><script>alert(1)</script>'", "and it arrives whole");
    assert_eq!(page.html().matches("<script").count(), 1, "{page:?}");
}

#[test]
fn s_12_a_request_that_cannot_be_carried_along_is_refused() {
    let site = Site::open();
    let mut browser = site.browser();
    let fits = request("web", &format!("&x={}", "y".repeat(5_200)));
    let page = browser.open(&fits).expect(200);
    let page = sign_in(&mut browser, &page, ALICE);
    assert_eq!(page.heading(), "Allow access?", "the longest fits into our own URLs");
    let long = request("web", &format!("&x={}", "y".repeat(5_632)));
    browser.open(&long).expect(414);
    let (path, query) = long.split_once('?').unwrap();
    let form = "application/x-www-form-urlencoded";
    site.server.http().post(path).body(form, query.to_owned()).send().expect(414);
}

#[test]
fn a_session_cookie_that_is_there_twice_was_planted() {
    let site = Site::open();
    let browser = site.signed_in(ALICE);
    let cookie = format!("obol-session={}", browser.cookies()["obol-session"]);
    let mut twice = site.browser().saying("cookie", &cookie).saying("cookie", &cookie);
    assert_eq!(twice.open("/sessions").heading(), "Sign in");
}

#[test]
fn the_name_of_a_client_is_text_on_every_page_that_shows_it() {
    let site = Site::open();
    site.server.run(&["client", "set", "web", "--name", "<img src=x>\"'&{user}"]).exits(0);
    let mut browser = site.browser();
    let page = browser.open(&request("web", ""));
    assert_shown_as_text(&page);
    let page = sign_in(&mut browser, &page, ALICE);
    assert_shown_as_text(&page);
    browser.send(&page.form("/consent"), &[("decision", "allow")]).expect(200);
    assert_shown_as_text(&browser.open("/sessions"));
}

#[track_caller]
fn assert_shown_as_text(page: &obol_testkit::Page) {
    assert!(page.says("<img src=x>\"'&"), "{page:?}");
    assert!(!page.html().contains("<img src=x") && page.html().contains("&lt;img"), "{page:?}");
}

//! What is said to somebody who does not know the password.

use std::time::Duration;

use super::*;

/// The page after a wrong try, without what differs by nature: the name that was typed and the seal of the ticket.
fn refusal(site: &Site, name: &str, password: &str) -> String {
    let mut browser = site.browser();
    let page = browser.open(&request("web", ""));
    let page =
        browser.send(&page.form("/sign-in"), &[("username", name), ("password", password)]).expect(403);
    let ticket = page.form("/sign-in").hidden.remove(0).1;
    let (before, rest) = page.html().split_once("name=\"username\" type=\"text\" value=\"").unwrap();
    let (_typed, after) = rest.split_once('"').unwrap();
    format!("{before}{after}").replace(&ticket, &"t".repeat(ticket.len()))
}

#[test]
fn s_82_wrong_unknown_disabled_and_locked_look_the_same() {
    let site = Site::open();
    let wrong = refusal(&site, ALICE, "wrong");
    assert!(wrong.contains("role=\"alert\"") && wrong.contains("aria-describedby=\"problem\""), "{wrong}");
    assert_eq!(refusal(&site, "nobody", "wrong"), wrong);
    assert_eq!(refusal(&site, "no/name\u{e4}", PASSWORD), wrong);
    site.server.run(&["user", "disable", BOB]).exits(0);
    assert_eq!(refusal(&site, BOB, PASSWORD), wrong);
    assert_eq!(refusal(&site, ALICE, &"x".repeat(1025)), wrong);
    let refused = |reason: &str| {
        let wanted = |line: &obol_testkit::AuditLine| {
            line.event() == "sign_in.refused" && line.text("reason").contains(reason)
        };
        site.server.await_audit(reason, wanted);
    };
    for reason in ["wrong password", "unknown user", "user disabled", "longer than 1024"] {
        refused(reason);
    }
    for _ in 0..10 {
        refusal(&site, ALICE, "wrong");
    }
    assert_eq!(refusal(&site, ALICE, PASSWORD), wrong, "the right one, after too many wrong ones");
    refused("too many wrong passwords");
}

#[test]
fn s_81_wrong_passwords_on_pages_and_at_the_token_endpoint_are_counted_together() {
    let site = Site::open();
    for _ in 0..10 {
        refusal(&site, ALICE, "wrong");
    }
    let other = site.server.add_client(&ClientSpec::public("other"));
    let fields = [("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)];
    site.server.post_form("/oauth2/token", &other, &fields).expect_error(400, "invalid_grant");
}

#[test]
fn a_wrong_password_keeps_the_name_and_the_way() {
    let site = Site::open();
    let mut browser = site.browser();
    let page = browser.open(&request("web", ""));
    let page =
        browser.send(&page.form("/sign-in"), &[("username", ALICE), ("password", "wrong")]).expect(403);
    assert!(page.says("Example Shop") && page.html().contains("value=\"alice\""), "{page:?}");
    assert!(page.html().contains("<title>You are not signed in"), "{page:?}");
    let page = sign_in(&mut browser, &page, ALICE);
    assert_eq!(page.heading(), "Allow access?");
}

#[test]
fn what_is_not_filled_in_is_asked_for() {
    let site = Site::open();
    let mut browser = site.browser();
    let page = browser.open(&request("web", ""));
    for fields in [&[("username", ALICE)][..], &[("password", "x")], &[("username", ""), ("password", "x")]] {
        let page = browser.send(&page.form("/sign-in"), fields).expect(400);
        assert!(page.says("Enter your username and password."), "{page:?}");
    }
}

#[test]
fn oidc_core_3_1_2_1_login_hint_stands_in_the_form() {
    let site = Site::open();
    let hint = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let page = site.browser().open(&request("web", &format!("&login_hint={hint}")));
    assert!(page.html().contains("value=\"&quot;&gt;&lt;script&gt;"), "{page:?}");
    assert!(!page.html().contains("<script"), "{page:?}");
}

#[test]
fn s_89_no_password_ticket_or_cookie_is_logged() {
    let site = Site::of(obol!().server().option("--log-level", "trace"));
    let mut browser = site.browser();
    let page = browser.open(&request("web", ""));
    let ticket = page.form("/sign-in").hidden.remove(0).1;
    browser.send(&page.form("/sign-in"), &[("username", ALICE), ("password", "hunter2-wrong")]);
    let page = sign_in(&mut browser, &page, ALICE);
    browser.send(&page.form("/consent"), &[("decision", "allow")]);
    site.server.await_audit("consent", |line| line.event() == "consent.given");
    let written = format!("{:?}{:?}", site.server.log().all(), site.server.installation().audit());
    for secret in
        [&ticket, PASSWORD, "hunter2-wrong", &browser.cookies()["obol-session"], "obc_", "obt_", "obw_"]
    {
        assert!(!written.contains(secret), "{secret}");
    }
}

#[test]
fn s_89_no_authorization_request_is_logged_when_a_page_is_refused() {
    let site = Site::of(obol!().server().option("--log-level", "trace"));
    let page = site.browser().open(&request("web", "&nonce=noncenonce&login_hint=hinthint"));
    let mut other = site.browser();
    other.open("/sessions");
    sign_in(&mut other, &page, ALICE).expect(409);
    let log = site.server.log();
    let refused = |line: &str| line.contains("\"trouble\":\"elsewhere\"").then_some(());
    log.wait_for(Duration::from_secs(10), refused).expect("the refusal is logged");
    let written = format!("{:?}", log.all());
    for said in ["noncenonce", "hinthint", CHALLENGE] {
        assert!(!written.contains(said), "{said}");
    }
}

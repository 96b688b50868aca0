//! What people do with a browser besides going on: back, reload, other tabs, coming back late.

use obol_testkit::{ALICE, PASSWORD};

use crate::story::{BOB, BOBS_PASSWORD, tell};

#[test]
fn back_and_reload_lead_on_after_sign_in_and_after_consent() {
    tell(|story| {
        story.follow(&[]);
        story.browser.reload();
        story.sign_in_as_alice();
        story.browser.await_element("button[value=allow]");
        story.browser.reload();
        story.browser.await_element("button[value=allow]");
        story.browser.back();
        story.expect_no_trouble();
        // Where the browser has kept the form of sign-in it may be sent again; else consent is asked for.
        if story.browser.has("#password") {
            story.sign_in_as_alice();
        }
        story.allow();
        assert!(story.stands(&story.redeem(&story.code(1)).access));
        story.browser.await_element("#arrived");
        story.browser.back();
        story.expect_no_trouble();
        if story.browser.has("button[value=allow]") {
            story.allow();
        }
        story.follow(&[]);
        assert!(story.stands(&story.redeem(&story.code(story.application.times())).access));
    });
}

#[test]
fn a_wrong_password_that_is_loaded_anew_is_no_trouble() {
    tell(|story| {
        story.follow(&[]);
        story.sign_in(ALICE, "not her password");
        story.browser.reload();
        story.browser.await_element("#problem");
        story.browser.go(&story.page("/sign-in"));
        assert!(story.browser.text(".lead").contains("see where you are signed in"));
    });
}

#[test]
fn a_page_from_before_the_last_sign_in_says_that_it_is_too_old_and_leads_on() {
    tell(|story| {
        let tokens = story.let_in(1);
        story.see_sessions();
        let old = story.browser.tab();
        story.browser.open_tab();
        story.follow(&[("prompt", "login")]);
        story.sign_in_as_alice();
        story.code(2);
        story.browser.bring_to_front(&old);
        story.browser.click("form[action='/sessions/end-all'] button");
        assert!(story.browser.text(".lead[role=alert]").contains("too old"));
        assert!(story.stands(&tokens.access), "nothing was done");
        story.browser.click("a.primary");
        story.browser.click("form[action='/sessions/end-all'] button");
        story.expect_ended(&tokens);
    });
}

#[test]
fn a_page_that_was_tampered_with_or_is_another_browsers_gives_nothing() {
    tell(|story| {
        story.follow(&[]);
        story.browser.run("document.querySelector('[name=ticket]').value += 'x'");
        story.sign_in_as_alice();
        assert!(story.browser.text(".lead[role=alert]").contains("damaged"));
        assert!(!story.browser.has("a.primary") && story.browser.has("a[href='/sessions']"));
        story.follow(&[]);
        story.browser.forget_cookies();
        story.sign_in_as_alice();
        assert!(story.browser.text(".lead[role=alert]").contains("Nothing was done"));
        story.browser.click("a.primary");
        story.sign_in_as_alice();
        story.allow();
        story.code(1);
    });
}

#[test]
fn consent_is_never_given_in_the_name_of_who_signed_in_meanwhile() {
    tell(|story| {
        story.follow(&[]);
        story.sign_in_as_alice();
        story.browser.await_element("button[value=allow]");
        let (asked, other) = (story.browser.tab(), story.browser.open_tab());
        story.follow(&[("prompt", "login")]);
        story.sign_in(BOB, BOBS_PASSWORD);
        story.browser.await_element("button[value=allow]");
        story.browser.bring_to_front(&asked);
        assert!(story.browser.text("main").contains("signed in as alice"));
        story.allow();
        assert_eq!(story.application.times(), 0, "Bob has allowed nothing");
        assert_eq!(story.browser.text("button[name=go_on]"), "Continue as bob");
        story.browser.click("button[name=go_on]");
        assert!(story.browser.text("main").contains("signed in as bob"), "he is asked");
        story.browser.bring_to_front(&other);
        story.allow();
        let token = story.redeem(&story.code(1)).access;
        let userinfo = story.server.http().get("/oauth2/userinfo").bearer(&token).send().expect(200).json();
        assert_eq!(userinfo["preferred_username"], BOB);
    });
}

#[test]
fn back_after_signing_out_shows_nothing_of_who_was_signed_in() {
    tell(|story| {
        story.let_in(1);
        story.see_sessions();
        story.browser.click("form[action='/sign-out'] button");
        story.browser.back();
        assert!(story.browser.has("#password"));
        let seen = story.browser.text("body");
        assert!(!seen.contains("alice") && !seen.contains("Harbour Shop"), "{seen}");
    });
}

#[test]
fn a_form_of_who_has_signed_out_meanwhile_does_nothing() {
    tell(|story| {
        let tokens = story.let_in(1);
        story.follow(&[("prompt", "consent")]);
        let asked = story.browser.tab();
        let listed = story.browser.open_tab();
        story.see_sessions();
        story.browser.open_tab();
        story.see_sessions();
        story.browser.click("form[action='/sign-out'] button");
        assert!(story.browser.text(".notice").contains("signed out"));
        story.expect_ended(&tokens);
        story.browser.bring_to_front(&listed);
        story.browser.click("#allowed ~ ul button");
        assert!(story.browser.has("#password"), "asked to sign in");
        story.browser.bring_to_front(&asked);
        story.allow();
        assert_eq!(story.application.times(), 1);
        story.sign_in(ALICE, PASSWORD);
        story.allow();
        assert!(story.stands(&story.redeem(&story.code(2)).access));
    });
}

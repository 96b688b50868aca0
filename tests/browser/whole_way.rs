//! From the application's link to tokens, and to their end.

use obol_testkit::{ALICE, PASSWORD, Tokens};

use crate::story::{BOB, BOBS_PASSWORD, tell};

#[test]
fn a_person_signs_in_consents_and_takes_it_back_in_my_sessions() {
    tell(|story| {
        story.follow(&[]);
        assert!(story.browser.title().starts_with("Sign in – Styx Ferries"), "{}", story.browser.title());
        assert!(story.browser.text(".lead").contains("Harbour Shop"));
        story.sign_in_as_alice();
        let asked = story.browser.text("main");
        assert!(asked.contains("Harbour Shop") && asked.contains("read your email address"), "{asked}");
        story.allow();
        let tokens = story.redeem(&story.code(1));
        let userinfo = story.server.http().get("/oauth2/userinfo").bearer(&tokens.access).send().expect(200);
        assert_eq!(userinfo.json()["preferred_username"], ALICE);
        let refreshed = Tokens::of(story.server.rfc_refresh(&story.shop, tokens.refresh()));
        assert!(story.stands(&refreshed.access));

        story.see_sessions();
        assert_eq!(story.browser.count("#where ~ ul > li"), 1);
        assert!(story.browser.text("#where ~ ul").contains("Harbour Shop"));
        let allowed = story.browser.text("#allowed ~ ul");
        assert!(allowed.contains("Harbour Shop") && allowed.contains("read your email address"), "{allowed}");
        story.browser.click("#allowed ~ ul button");
        assert!(story.browser.has(".notice[role=status]"));
        assert!(!story.browser.has("#allowed ~ ul > li"), "nothing is allowed any more");
        story.expect_ended(&refreshed);
        assert!(!story.stands(&tokens.access));
    });
}

#[test]
fn ending_another_session_ends_what_was_given_in_it_and_nothing_else() {
    tell(|story| {
        let elsewhere = story.let_in(1);
        story.browser.forget_cookies();
        story.follow(&[]);
        story.sign_in_as_alice();
        let here = story.redeem(&story.code(2));
        story.see_sessions();
        assert_eq!(story.browser.count("#where ~ ul > li"), 2);
        story.browser.click("form[action='/sessions/end'] button");
        assert_eq!(story.browser.count("#where ~ ul > li"), 1);
        story.expect_ended(&elsewhere);
        assert!(story.stands(&here.access));
        assert_eq!(story.who(), "Signed in as alice");
    });
}

#[test]
fn ending_everything_signs_out_here_as_well() {
    tell(|story| {
        let tokens = story.let_in(1);
        story.see_sessions();
        story.browser.click("form[action='/sessions/end-all'] button");
        assert!(story.browser.has("#password"), "who is signed out is asked to sign in");
        story.expect_ended(&tokens);
    });
}

#[test]
fn consent_is_remembered_until_it_is_withdrawn_or_asked_for_anew() {
    tell(|story| {
        story.let_in(1);
        story.follow(&[]);
        story.code(2);
        story.follow(&[("prompt", "consent")]);
        story.allow();
        story.code(3);
        story.follow(&[("scope", "openid profile email phone")]);
        assert!(story.browser.text("main").contains("read your phone number"), "more is asked about");
        story.see_sessions();
        story.browser.click("#allowed ~ ul button");
        story.follow(&[]);
        story.browser.click("button[value=deny]");
        let refused = story.application.await_brought(4).params;
        assert_eq!(refused["error"], "access_denied");
        story.follow(&[]);
        story.allow();
        story.code(5);
    });
}

#[test]
fn consent_of_one_person_is_none_of_another() {
    tell(|story| {
        story.let_in(1);
        story.browser.forget_cookies();
        story.follow(&[]);
        story.sign_in(BOB, BOBS_PASSWORD);
        assert!(story.browser.text("main").contains("signed in as bob"));
        story.browser.click("button[value=other]");
        assert!(story.browser.has("#password"), "not Bob after all");
        story.sign_in(ALICE, PASSWORD);
        story.code(2);
        assert_eq!(story.who(), "Signed in as alice");
    });
}

//! The way back to the application in each response mode.

use obol_testkit::{Chromium, TOKEN};

use crate::story::{tell, tell_in};

#[test]
fn form_post_brings_the_answer_by_itself() {
    tell(|story| {
        story.follow(&[("response_mode", "form_post")]);
        story.sign_in_as_alice();
        story.allow();
        assert_eq!(story.application.await_brought(1).method, "POST");
        assert!(story.stands(&story.redeem(&story.code(1)).access));
        story.follow(&[("response_mode", "form_post")]);
        assert_eq!(story.application.await_brought(2).method, "POST");
    });
}

#[test]
fn form_post_without_scripts_takes_one_click() {
    tell_in(&Chromium::builder().without_scripts(), |story| {
        story.follow(&[("response_mode", "form_post")]);
        story.sign_in_as_alice();
        story.allow();
        assert!(story.browser.text("main").contains("127.0.0.1"), "it says where to");
        assert_eq!(story.application.times(), 0);
        story.browser.click("#answer button");
        assert_eq!(story.application.await_brought(1).method, "POST");
        assert!(story.stands(&story.redeem(&story.code(1)).access));
        story.see_sessions();
        story.browser.click("form[action='/sign-out'] button");
        assert!(story.browser.has("#password"), "everything else needs no script either");
    });
}

#[test]
fn the_fragment_reaches_the_application_and_no_server() {
    tell(|story| {
        story.follow(&[("response_mode", "fragment")]);
        story.sign_in_as_alice();
        story.allow();
        story.browser.await_element("#arrived");
        assert!(story.application.await_brought(1).params.is_empty());
        let fragment = story.browser.run("return location.hash");
        assert!(fragment.as_str().is_some_and(|fragment| fragment.contains("code=")), "{fragment}");
    });
}

#[test]
fn the_fortiauthenticator_surface_leads_people_the_same_way() {
    tell(|story| {
        let link = story.link(&[]).replace("/oauth2/authorize?", "/api/v1/oauth/authorize/?");
        story.browser.go(&link);
        story.sign_in_as_alice();
        story.allow();
        let brought = story.application.await_brought(1).params;
        assert!(brought["scope"].contains("email"), "{brought:?}");
        story.browser.go(&link);
        let again = story.application.await_brought(2).params;
        assert_ne!(again["code"], brought["code"], "consent is remembered");
        story.browser.go(&format!("{link}&approval_prompt=force"));
        story.allow();
        let tokens = story.redeem_at(TOKEN, &story.application.await_brought(3).params["code"]);
        assert!(story.stands(&tokens.access));
    });
}

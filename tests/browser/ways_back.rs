//! The way back to the application in each response mode.

use obol_testkit::Chromium;

use crate::story::{tell, tell_with};

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
    tell_with(
        &Chromium::builder().without_scripts(),
        |server| server,
        |story| {
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
        },
    );
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

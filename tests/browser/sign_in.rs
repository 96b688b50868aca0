//! At the form of sign-in: wrong passwords, lock-out, twice the same, the keyboard.

use obol_testkit::{ALICE, Chromium, PASSWORD};
use serde_json::json;

use crate::story::{BOB, BOBS_PASSWORD, Story, tell};

/// Wrong passwords after which a person is locked out (the server's default).
const WRONG_BEFORE_LOCK_OUT: usize = 10;

#[test]
fn a_wrong_password_is_said_and_only_the_name_stays() {
    tell(|story| {
        story.follow(&[]);
        assert_eq!(story.browser.focused(), "username");
        story.sign_in(ALICE, "not her password");
        assert!(story.browser.title().starts_with("You are not signed in"), "{}", story.browser.title());
        assert!(story.browser.text("#problem[role=alert]").contains("password"));
        assert_eq!(story.browser.property("#username", "value"), ALICE);
        assert_eq!(story.browser.property("#password", "value"), "");
        assert_eq!(story.browser.focused(), "password");
        assert_eq!(story.browser.property("#password", "ariaInvalid"), "true");
        assert!(!story.browser.url().contains("password"), "{}", story.browser.url());
        story.browser.type_into("#password", PASSWORD);
        story.browser.press_enter();
        story.allow();
        story.code(1);
    });
}

#[test]
fn who_is_locked_out_sees_what_a_wrong_password_shows() {
    tell(|story| {
        story.follow(&[]);
        story.sign_in(BOB, "not his password");
        let wrong = seen(&story.browser);
        for _ in 1..WRONG_BEFORE_LOCK_OUT {
            story.browser.type_into("#password", "not his password");
            story.browser.press_enter();
        }
        story.browser.type_into("#password", BOBS_PASSWORD);
        story.browser.click("form:has(#password) button");
        assert_eq!(seen(&story.browser), wrong);
        story.server.await_audit("the refusal says why to operators", |line| {
            line.text("reason").contains("too many wrong")
        });
        story.sign_in_as_alice();
        story.allow();
        story.code(1);
    });
}

#[test]
fn a_form_of_sign_in_that_is_sent_twice_signs_in() {
    tell(|story| {
        story.follow(&[]);
        // The answer to the first one is lost: the browser sends the same form with the same cookies again.
        send_form(story, &[("username", ALICE), ("password", PASSWORD)]);
        story.sign_in_as_alice();
        story.expect_no_trouble();
        story.browser.await_element("button[value=allow]");
        send_form(story, &[("decision", "allow")]);
        story.allow();
        assert!(story.stands(&story.redeem(&story.code(1)).access));
        assert_eq!(story.who(), "Signed in as alice");
    });
}

#[test]
fn double_clicks_do_what_clicks_do() {
    tell(|story| {
        story.follow(&[]);
        story.browser.type_into("#username", ALICE);
        story.browser.type_into("#password", PASSWORD);
        story.browser.double_click("form:has(#password) button");
        story.browser.await_element("button[value=allow]");
        story.browser.double_click("button[value=allow]");
        assert!(story.stands(&story.redeem(&story.code(1)).access));
        story.see_sessions();
        story.browser.double_click("form[action='/sign-out'] button");
        story.browser.await_element("#password");
        story.expect_no_trouble();
    });
}

#[test]
fn the_keyboard_is_enough_and_shows_where_it_is() {
    tell(|story| {
        const TAB: &str = "\u{e004}";
        story.follow(&[]);
        story.browser.press(&format!("{ALICE}{TAB}{PASSWORD}"));
        expect_visible_focus(&story.browser);
        story.browser.press(TAB);
        expect_visible_focus(&story.browser);
        story.browser.press_enter();
        story.browser.await_element("button[value=allow]");
        // The first thing that the key reaches leads past what stands above the page's own.
        story.browser.press(TAB);
        assert_eq!(story.browser.run("return document.activeElement.className"), "skip");
        expect_visible_focus(&story.browser);
        story.browser.press(TAB);
        assert_eq!(story.browser.run("return document.activeElement.value"), "allow");
        expect_visible_focus(&story.browser);
        story.browser.press_enter();
        story.code(1);
    });
}

/// What a person and a screen reader are told.
#[track_caller]
fn seen(browser: &Chromium) -> (String, String) {
    (browser.title(), browser.text("main"))
}

/// Sends the form that the browser shows, with its hidden fields and cookies, past the browser.
#[track_caller]
fn send_form(story: &Story, typed: &[(&str, &str)]) {
    let script = "const form = document.querySelector('form');
        const fields = [...form.querySelectorAll('input[type=hidden]')].map(field => [field.name, field.value]);
        return { action: new URL(form.action).pathname, fields }";
    let form = story.browser.run(script);
    let hidden: Vec<(String, String)> =
        serde_json::from_value(form["fields"].clone()).expect("pairs of texts");
    let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let fields: Vec<(&str, &str)> = hidden.chain(typed.iter().copied()).collect();
    let cookies = story.browser.cookies();
    let cookies = cookies
        .iter()
        .map(|cookie| format!("{}={}", cookie["name"].as_str().unwrap(), cookie["value"].as_str().unwrap()));
    let action = form["action"].as_str().expect("a form has an action");
    let request = story.server.http().post(action).header("cookie", &cookies.collect::<Vec<_>>().join("; "));
    let status = request.form(&fields).send().status;
    assert!([200, 303].contains(&status), "{action}: {status}");
}

#[track_caller]
fn expect_visible_focus(browser: &Chromium) {
    let shown = browser.run(
        "const style = getComputedStyle(document.activeElement);
         const box = document.activeElement.getBoundingClientRect();
         return [style.outlineStyle, parseFloat(style.outlineWidth) >= 2, box.top >= 0 && box.bottom <= innerHeight]",
    );
    assert_eq!(
        shown,
        json!(["solid", true, true]),
        "{}",
        browser.run("return document.activeElement.outerHTML")
    );
}

//! Every page, in every language, colour scheme and width: it fits, axe finds nothing, and there is a picture of it.

use obol_testkit::{ALICE, Chromium, ClientSpec, PASSWORD, RFC_TOKEN};
use serde_json::json;

use crate::story::{BOB, BOBS_PASSWORD, Story, tell_in};
use crate::{axe, pictures};

const PAGES: [&str; 13] = [
    "sign-in",
    "sign-in-refused",
    "sign-in-missing",
    "consent",
    "go-on-as",
    "form-post",
    "error",
    "expired",
    "sessions",
    "sessions-notice",
    "sessions-empty",
    "signed-out",
    "continue",
];

#[test]
fn every_page_is_good_in_english() {
    let seen = walk("en");
    assert_eq!(seen, PAGES);
    pictures::write_index(&PAGES);
}

#[test]
fn every_page_is_good_in_german() {
    let seen = walk("de");
    assert_eq!(seen, PAGES);
    pictures::write_index(&PAGES);
}

/// Looks at each page in turn; their names.
fn walk(language: &str) -> Vec<&'static str> {
    let mut seen = Vec::new();
    tell_in(&Chromium::builder().language(language), |story| {
        let mut look = |page| {
            look_at(&story.browser, page, language);
            seen.push(page);
        };
        pages_of_signing_in(story, &mut look);
        pages_of_trouble(story, &mut look);
        pages_of_sessions(story, &mut look);
        page_on_the_way(story, &mut look);
    });
    seen
}

fn pages_of_signing_in(story: &Story, look: &mut impl FnMut(&'static str)) {
    story.follow(&[]);
    look("sign-in");
    story.sign_in(ALICE, "not her password");
    look("sign-in-refused");
    story.browser.run("document.querySelectorAll('[required]').forEach(field => field.required = false)");
    story.browser.click("form:has(#password) button");
    look("sign-in-missing");
    story.sign_in(ALICE, PASSWORD);
    story.follow(&[("scope", "openid profile email phone offline_access harbour.pilot")]);
    look("consent");
    story.allow();
    story.redeem(&story.code(1));
    story.follow(&[("prompt", "select_account")]);
    look("go-on-as");
    // Its script would send the form before anybody sees the page.
    let scripts =
        |off: bool| story.browser.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": off }));
    scripts(true);
    story.follow(&[("response_mode", "form_post"), ("scope", "openid")]);
    scripts(false);
    look("form-post");
}

fn pages_of_trouble(story: &Story, look: &mut impl FnMut(&'static str)) {
    story.follow(&[("redirect_uri", "https://harbour.example/elsewhere")]);
    look("error");
    story.see_sessions();
    story.browser.run("document.querySelector('[name=form_token]').value = 'of another sign-in'");
    story.browser.click("form[action='/sign-out'] button");
    look("expired");
}

fn pages_of_sessions(story: &Story, look: &mut impl FnMut(&'static str)) {
    enter_with_other_browsers(story);
    story.see_sessions();
    look("sessions");
    story.browser.click("form[action='/sessions/end'] button");
    look("sessions-notice");
    story.browser.forget_cookies();
    story.see_sessions();
    story.sign_in(BOB, BOBS_PASSWORD);
    look("sessions-empty");
    story.browser.click("form[action='/sign-out'] button");
    look("signed-out");
}

/// What is seen as long as the application does not answer.
fn page_on_the_way(story: &Story, look: &mut impl FnMut(&'static str)) {
    let before = story.application.times();
    story.application.show_nothing();
    story.follow(&[]);
    story.sign_in(BOB, BOBS_PASSWORD);
    story.allow();
    story.code(before + 1);
    look("continue");
}

/// Alice uses more applications, with more browsers.
fn enter_with_other_browsers(story: &Story) {
    const BROWSERS: [&str; 3] = [
        "Ferryman/1.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
         Version/18.5 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
    ];
    let callback = story.application.callback();
    let lookout =
        ClientSpec::new("lookout", "public").option("--name", "Lookout for ships and their passengers");
    let lookout =
        lookout.grants(&["authorization_code", "refresh_token"]).option("--redirect-uri", &callback);
    let lookout = story.server.add_client(&lookout);
    for user_agent in BROWSERS {
        let before = story.application.times();
        story.browser.forget_cookies();
        story.browser.devtools("Emulation.setUserAgentOverride", &json!({ "userAgent": user_agent }));
        story.follow(&[
            ("client_id", "lookout"),
            ("scope", "openid profile groups read"),
            ("prompt", "consent"),
        ]);
        story.sign_in(ALICE, PASSWORD);
        story.allow();
        story.ask_at(RFC_TOKEN, &lookout, &story.code(before + 1)).expect(200);
    }
}

/// Looks at the page that the browser shows, in every way in which people do.
#[track_caller]
fn look_at(browser: &Chromium, page: &str, language: &str) {
    assert_eq!(browser.run("return document.documentElement.lang"), language, "{page}");
    for width in pictures::WIDTHS {
        for scheme in pictures::SCHEMES {
            pictures::show(browser, width, scheme);
            let widths = browser.run("return [document.documentElement.scrollWidth, innerWidth]");
            assert_eq!(widths, json!([width, width]), "{page} needs no scrolling sideways");
            pictures::take(browser, page, language, width, scheme);
            let violations = axe::violations(browser);
            assert!(violations.is_empty(), "{page}, {width} px, {scheme}: {}", violations.join("\n"));
        }
    }
    browser.devtools("Emulation.clearDeviceMetricsOverride", &json!({}));
}

//! "My sessions": what is shown, and that what ends there has ended everywhere when the page says so.

use super::*;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";

fn firefox(site: &Site) -> Browser {
    let mut browser = site.browser().saying("user-agent", FIREFOX);
    let page = browser.open("/sessions");
    sign_in(&mut browser, &page, ALICE);
    browser
}

#[test]
fn what_is_signed_in_where_and_what_is_allowed_is_shown() {
    let site = Site::open();
    let mut other = firefox(&site);
    let page = other.open(&request("web", "&scope=openid%20profile"));
    let code = other.send(&page.form("/consent"), &[("decision", "allow")]).left_with("code").unwrap();
    site.exchange(&site.web, &code).expect(200);

    let mut here = site.signed_in(ALICE);
    let page = here.open("/sessions").expect(200);
    for text in ["Firefox on Linux", "this browser", "Applications: Example Shop", "read your profile"] {
        assert!(page.says(text), "{text}: {page:?}");
    }
    assert_eq!(page.forms().iter().filter(|form| form.action == "/sessions/end").count(), 1, "the other one");
    assert!(!site.signed_in(BOB).open("/sessions").says("Firefox"), "others see nothing of it");
}

#[test]
fn without_a_session_the_page_leads_to_sign_in_and_back() {
    let site = Site::open();
    let mut browser = site.browser();
    let page = browser.open("/sessions").expect(200);
    assert_eq!(page.heading(), "Sign in");
    let page = sign_in(&mut browser, &page, ALICE);
    assert_eq!((page.heading(), &*page.at), ("My sessions".to_owned(), "/sessions"));
}

#[test]
fn ending_one_session_ends_what_was_given_in_it_and_nothing_else() {
    let site = Site::open();
    let (mut other, mut here) = (firefox(&site), site.signed_in(ALICE));
    let (others, ours) = (site.tokens(&mut other), site.tokens(&mut here));
    let held = other.open(&request("quiet", "")).left_with("code").unwrap();
    let page = here.open("/sessions");
    let page = here.send(&page.form("/sessions/end"), &[]).expect(200);
    assert!(page.says("The session has ended"), "{page:?}");
    assert!(!site.server.stands(&site.quiet, &others.0) && !site.refreshes(&site.quiet, &others.1));
    site.exchange(&site.quiet, &held).expect_error(400, "invalid_grant");
    assert_eq!(other.open("/sessions").heading(), "Sign in");
    assert!(site.server.stands(&site.quiet, &ours.0) && site.refreshes(&site.quiet, &ours.1));
    site.server
        .await_audit("the end", |line| line.event() == "session.ended" && line.text("username") == ALICE);
}

#[test]
fn nobody_ends_a_session_of_somebody_else() {
    let site = Site::open();
    let (mut alice, mut bob) = (site.signed_in(ALICE), site.signed_in(BOB));
    firefox(&site);
    let of_alice = alice.open("/sessions").form("/sessions/end");
    let session = of_alice.hidden.iter().find(|(name, _)| name == "session").unwrap().1.clone();
    let mut form = bob.open("/sessions").form("/sign-out");
    form.action = "/sessions/end".to_owned();
    let page = bob.send(&form, &[("session", &session)]).expect(200);
    assert!(page.says("That had already ended."), "{page:?}");
    assert!(alice.open("/sessions").says("Firefox on Linux"));
}

#[test]
fn signing_out_here_forgets_the_session_and_ends_what_it_gave() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let (access, refresh) = site.tokens(&mut browser);
    let held = browser.clone();
    let out = browser.open("/sessions").form("/sign-out");
    let page = browser.send(&out, &[]).expect(200);
    assert!(page.says("You are signed out") && page.heading() == "Sign in", "{page:?}");
    assert!(!browser.cookies().contains_key("obol-session"));
    assert_eq!(held.clone().open("/sessions").heading(), "Sign in", "the secret is good for nothing");
    assert!(!site.server.stands(&site.quiet, &access) && !site.refreshes(&site.quiet, &refresh));
    let again = browser.send(&out, &[]).expect(200);
    assert_eq!(again.heading(), "Sign in", "sent twice");
}

#[test]
fn a_consent_that_is_taken_back_ends_the_clients_access_and_is_asked_for_again() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let page = browser.open(&request("web", ""));
    let code = browser.send(&page.form("/consent"), &[("decision", "allow")]).left_with("code").unwrap();
    let tokens = site.exchange(&site.web, &code).expect(200);
    let quiet = site.tokens(&mut browser);
    let held = browser.open(&request("web", "")).left_with("code").unwrap();

    let forms = browser.open("/sessions").forms();
    let of_web =
        |form: &&obol_testkit::Form| form.hidden.contains(&("client_id".to_owned(), "web".to_owned()));
    let form = forms.iter().find(of_web).expect("it can be taken back");
    let page = browser.send(form, &[]).expect(200);
    assert!(page.says("no longer allowed"), "{page:?}");
    assert!(!site.server.stands(&site.web, &tokens.text("access_token")));
    assert!(!site.refreshes(&site.web, &tokens.text("refresh_token")));
    site.exchange(&site.web, &held).expect_error(400, "invalid_grant");
    assert_eq!(browser.open(&request("web", "")).heading(), "Allow access?");
    assert!(site.server.stands(&site.quiet, &quiet.0), "another client's access stays");
    assert!(browser.send(form, &[]).says("That had already ended."), "sent twice");
}

#[test]
fn ending_everything_ends_every_session_and_every_token() {
    let site = Site::open();
    let (mut other, mut here) = (firefox(&site), site.signed_in(ALICE));
    let (others, ours) = (site.tokens(&mut other), site.tokens(&mut here));
    let all = here.open("/sessions").form("/sessions/end-all");
    let page = here.send(&all, &[]).expect(200);
    assert!(page.says("Every session and all access have ended.") && page.heading() == "Sign in", "{page:?}");
    for (access, refresh) in [others, ours] {
        assert!(!site.server.stands(&site.quiet, &access) && !site.refreshes(&site.quiet, &refresh));
    }
    assert_eq!(other.open("/sessions").heading(), "Sign in");
    let page = here.open("/sessions");
    assert_eq!(
        sign_in(&mut here, &page, ALICE).heading(),
        "My sessions",
        "and one can sign in again at once"
    );
}

#[test]
fn a_person_who_is_disabled_or_gets_another_password_is_signed_out_at_once() {
    let site = Site::open();
    for (name, command) in [(ALICE, &["user", "disable", ALICE][..]), (BOB, &["user", "set-password", BOB])] {
        let mut browser = site.signed_in(name);
        let code = browser.open(&request("quiet", "")).left_with("code").unwrap();
        match command {
            [_, "disable", _] => drop(site.server.run(command).exits(0)),
            _ => {
                let arguments = [command, &["--password-stdin"]].concat();
                site.server
                    .installation()
                    .run_with_input(&arguments, "another coin to be let across\n")
                    .exits(0);
            }
        }
        assert_eq!(browser.open("/sessions").heading(), "Sign in", "{name}");
        assert_eq!(browser.open(&request("quiet", "")).heading(), "Sign in", "{name}");
        site.exchange(&site.quiet, &code).expect_error(400, "invalid_grant");
    }
}

#[test]
fn a_notice_is_told_to_the_browser_that_did_it_only() {
    let site = Site::open();
    let (mut browser, mut other) = (site.signed_in(ALICE), site.signed_in(ALICE));
    let form = browser.open("/sessions").form("/sessions/end");
    let page = browser.send(&form, &[]);
    assert!(page.says("The session has ended"));
    assert!(!other.open(&page.at).says("The session has ended"));
    assert!(!browser.open("/sessions?ticket=obt_x&notice=all_ended").says("have ended"));
}

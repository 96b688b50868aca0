//! §4, §7.3: one answer for one reference.

use std::time::Duration;

use obol_testkit::{Arrival, AuthorizationRequest, Client, Server, at_once, obol, wait_until};

fn pushed(server: &Server, app: &Client) -> AuthorizationRequest {
    server.pushed(app, &AuthorizationRequest::of(app))
}

#[test]
fn rfc9126_4_s_77_after_the_code_the_reference_is_good_for_nothing() {
    let (server, app) = obol!().application();
    let request = pushed(&server, &app);
    let mut alice = server.person();
    assert!(!alice.goes_through(&request).code().is_empty());
    alice.follows(&request).refused(400);
    alice.is_posted(&request).refused(400);
    server.person().follows(&request).refused(400);
}

#[test]
fn s_77_after_an_error_for_the_client_it_is_good_for_nothing_either() {
    let (server, app) = obol!().application();
    let mut alice = server.person();
    let request = pushed(&server, &app);
    let page = alice.follows(&request).sign_in();
    let page = alice.signs_in(&page).consent();
    assert_eq!(alice.denies(&page).returns().error(), "access_denied");
    alice.follows(&request).refused(400);

    let silent = AuthorizationRequest::of(&app).with("prompt", "none");
    let request = server.pushed(&app, &silent);
    assert_eq!(server.person().follows(&request).returns().error(), "login_required");
    server.person().follows(&request).refused(400);
}

#[test]
fn rfc9126_4_until_the_answer_the_person_may_load_the_page_again_and_go_back() {
    let (server, app) = obol!().application();
    let request = pushed(&server, &app);
    let mut alice = server.person();
    alice.follows(&request).sign_in();
    let page = alice.follows(&request).sign_in();
    let wrong = alice.submits(&page, &[("username", "alice"), ("password", "wrong")]).sign_in();
    let consent = alice.signs_in(&wrong).consent();
    let back = alice.follows(&request).consent();
    alice.submits(&consent, &[("decision", "other")]).sign_in();
    assert!(!alice.allows(&back).returns().code().is_empty());
    let again = alice.allows(&consent).refused(400);
    assert_eq!(again.header("location"), None);
}

#[test]
fn s_77_of_fifty_browsers_at_once_one_gets_a_code() {
    let (server, app) = obol!().application();
    let mut alice = server.person();
    alice.goes_through(&pushed(&server, &app));
    for _ in 0..3 {
        let request = pushed(&server, &app);
        let arrivals = at_once(50, |_| alice.clone().follows(&request));
        let mut given = 0;
        for arrival in arrivals {
            match arrival {
                Arrival::Return(answer) => given += usize::from(!answer.code().is_empty()),
                other => drop(other.refused(400)),
            }
        }
        assert_eq!(given, 1);
    }
    let issued = || server.installation().audit().iter().filter(|line| line.event() == "code.issued").count();
    wait_until("the audit knows of the codes", Duration::from_secs(10), || (issued() >= 4).then_some(()));
    assert_eq!(issued(), 4, "no code was made for those who came too late");
}

#[test]
fn s_71_what_ends_the_tokens_of_a_client_ends_its_pushed_requests() {
    let (server, app) = obol!().application();
    for command in [&["client", "disable", "app"][..], &["revoke", "--client", "app", "--yes"]] {
        let request = pushed(&server, &app);
        let mut alice = server.person();
        let page = alice.follows(&request).sign_in();
        server.run(command).exits(0);
        server.run(&["client", "enable", "app"]).exits(0);
        alice.signs_in(&page).refused(400);
        server.person().follows(&request).refused(400);
    }
    let request = pushed(&server, &app);
    server.run(&["client", "delete", "app"]).exits(0);
    server.person().follows(&request).refused(400);
}

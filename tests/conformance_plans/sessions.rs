//! Modules that come twice with the same browser.

use obol_testkit::until_a_later_second;

use crate::{Done, Plan, in_both_plans};

fn auth_time(done: &Done) -> i64 {
    done.id_token.claims["auth_time"].as_i64().expect("it is always said")
}

/// The second request, which must not show a page.
#[track_caller]
fn without_a_page(plan: &Plan<'_>, first: impl FnOnce(&Done) -> obol_testkit::AuthorizationRequest) {
    let mut person = plan.person();
    let one = plan.flow(&mut person, &plan.request().with("max_age", "15000"));
    until_a_later_second();
    let answer = person.follows(&first(&one)).returns();
    let two = plan.completed(plan.client, &answer);
    assert_eq!(auth_time(&one), auth_time(&two));
    assert_eq!(one.id_token.claims["sub"], two.id_token.claims["sub"]);
}

#[test]
fn oidcc_prompt_none_logged_in() {
    in_both_plans(|plan| without_a_page(plan, |_| plan.request().with("prompt", "none")));
}

#[test]
fn oidcc_id_token_hint() {
    in_both_plans(|plan| {
        without_a_page(plan, |one| {
            plan.request().with("prompt", "none").with("id_token_hint", &one.id_token_text)
        });
    });
}

#[test]
fn oidcc_max_age_10000() {
    in_both_plans(|plan| without_a_page(plan, |_| plan.request().with("max_age", "10000")));
}

/// The second request, at which somebody must sign in again.
#[track_caller]
fn with_a_second_sign_in(plan: &Plan<'_>, name: &str, value: &str) {
    let mut person = plan.person();
    let one = plan.flow(&mut person, &plan.request());
    until_a_later_second();
    let page = person.follows(&plan.request().with(name, value)).sign_in();
    let answer = person.signs_in(&page).returns();
    let two = plan.completed(plan.client, &answer);
    assert!(auth_time(&two) > auth_time(&one));
    assert_eq!(one.id_token.claims["sub"], two.id_token.claims["sub"]);
}

#[test]
fn oidcc_prompt_login() {
    in_both_plans(|plan| with_a_second_sign_in(plan, "prompt", "login"));
}

#[test]
fn oidcc_max_age_1() {
    in_both_plans(|plan| with_a_second_sign_in(plan, "max_age", "1"));
}

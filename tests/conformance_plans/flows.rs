//! Modules that send one request, which must succeed.

use obol_testkit::CHALLENGE;

use crate::in_both_plans;

#[test]
fn oidcc_server() {
    in_both_plans(|plan| {
        let done = plan.flow(&mut plan.person(), &plan.request());
        assert_eq!(done.id_token.claims["nonce"], "a nonce");
        let known =
            ["acr", "amr", "at_hash", "aud", "auth_time", "azp", "exp", "iat", "iss", "nonce", "sid", "sub"];
        assert_eq!(done.id_token.claims.as_object().unwrap().keys().collect::<Vec<_>>(), known);
    });
}

#[test]
fn oidcc_ensure_request_without_nonce_succeeds_for_code_flow() {
    in_both_plans(|plan| {
        let done = plan.flow(&mut plan.person(), &plan.request().without("nonce"));
        assert_eq!(done.id_token.claims.get("nonce"), None);
    });
}

fn scope_is_worth(scope: &str, claims: &[&str]) {
    in_both_plans(|plan| {
        let done = plan.flow(&mut plan.person(), &plan.request().with("scope", scope));
        for claim in claims {
            assert!(done.userinfo.get(claim).is_some(), "{claim}: {}", done.userinfo);
        }
        assert_eq!(done.userinfo.as_object().unwrap().len(), claims.len() + 1, "and the subject");
    });
}

const PROFILE: [&str; 14] = [
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
    "preferred_username",
];

#[test]
fn oidcc_scope_profile() {
    scope_is_worth("openid profile", &PROFILE);
}

#[test]
fn oidcc_scope_email() {
    scope_is_worth("openid email", &["email", "email_verified"]);
}

#[test]
fn oidcc_scope_address() {
    scope_is_worth("openid address", &["address"]);
}

#[test]
fn oidcc_scope_phone() {
    scope_is_worth("openid phone", &["phone_number", "phone_number_verified"]);
}

#[test]
fn oidcc_scope_all() {
    let others = ["address", "phone_number", "phone_number_verified", "email", "email_verified"];
    scope_is_worth("openid address phone email profile", &[&others[..], &PROFILE].concat());
}

#[test]
fn oidcc_alternate_happy_flow() {
    in_both_plans(|plan| {
        let request = plan.request().with("scope", "email openid").reversed();
        let done = plan.flow(&mut plan.person(), &request);
        assert_eq!(done.userinfo["email"], "alice@example.org");
    });
}

fn succeeds_with(name: &str, value: &str) {
    in_both_plans(|plan| {
        plan.flow(&mut plan.person(), &plan.request().with(name, value));
    });
}

#[test]
fn oidcc_display_page() {
    succeeds_with("display", "page");
}

#[test]
fn oidcc_display_popup() {
    succeeds_with("display", "popup");
}

#[test]
fn oidcc_ensure_request_with_unknown_parameter_succeeds() {
    succeeds_with("extra", "foobar");
}

#[test]
fn oidcc_login_hint() {
    succeeds_with("login_hint", "buffy@localhost");
}

#[test]
fn oidcc_ui_locales() {
    succeeds_with("ui_locales", "se");
}

#[test]
fn oidcc_claims_locales() {
    succeeds_with("claims_locales", "se");
}

#[test]
fn oidcc_ensure_request_with_acr_values_succeeds() {
    in_both_plans(|plan| {
        let document = plan.server.http().get("/.well-known/openid-configuration").send().expect(200).json();
        let offered: Vec<_> = document["acr_values_supported"].as_array().unwrap().iter().collect();
        let values = offered.iter().map(|value| value.as_str().unwrap()).collect::<Vec<_>>().join(" ");
        let done = plan.flow(&mut plan.person(), &plan.request().with("acr_values", &values));
        assert!(offered.contains(&&done.id_token.claims["acr"]), "without it the module warns");
    });
}

#[test]
fn oidcc_claims_essential() {
    in_both_plans(|plan| {
        let request = plan.request().with("claims", r#"{"userinfo":{"name":{"essential":true}}}"#);
        let done = plan.flow(&mut plan.person(), &request);
        assert_eq!(done.userinfo["name"], "Alice Adams");
        assert_eq!(done.id_token.claims.get("name"), None);
    });
}

#[test]
fn oidcc_ensure_post_request_succeeds() {
    in_both_plans(|plan| {
        let mut person = plan.person();
        let page = person.is_posted(&plan.request()).sign_in();
        let page = person.signs_in(&page).consent();
        let answer = person.allows(&page).returns();
        plan.completed(plan.client, &answer);
    });
}

#[test]
fn oidcc_ensure_request_with_valid_pkce_succeeds() {
    in_both_plans(|plan| {
        let request = plan.request().with("code_challenge", CHALLENGE).with("code_challenge_method", "S256");
        let code = plan.person().goes_through(&request).code().to_owned();
        plan.redeem(plan.client, &code).expect_error(400, "invalid_grant");
        let given = plan.server.redeem(plan.client, &code).expect(200);
        plan.done(plan.client, code, given);
    });
}

//! Modules whose request must not succeed.

use obol_testkit::Return;

use crate::in_both_plans;

#[test]
fn oidcc_response_type_missing() {
    in_both_plans(|plan| {
        let answer = plan.person().follows(&plan.request().without("response_type")).returns();
        assert_eq!(plan.checked_error(&answer), "invalid_request");
    });
}

#[test]
fn oidcc_ensure_registered_redirect_uri() {
    in_both_plans(|plan| {
        let request = plan.request().with("redirect_uri", "https://app.example/cb/unregistered");
        let shown = plan.person().follows(&request).refused(400);
        let html = String::from_utf8_lossy(&shown.body).into_owned();
        assert!(
            html.contains("invalid_request") && html.contains("registered"),
            "for the screenshot: {html}"
        );
    });
}

#[test]
fn oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported() {
    in_both_plans(|plan| {
        let request =
            plan.request().without("state").without("nonce").with("request", "eyJhbGciOiJub25lIn0.e30.");
        let answer: Return = plan.person().follows(&request).returns();
        assert_eq!(answer.error(), "request_not_supported", "then the module skips itself");
    });
}

#[test]
fn oidcc_ensure_request_object_with_redirect_uri() {
    in_both_plans(|plan| {
        let request = plan.request().with("request", "eyJhbGciOiJub25lIn0.e30.");
        let bad = request.with("redirect_uri", "https://app.example/cb/invalid");
        plan.person().follows(&bad).refused(400);
    });
}

#[test]
fn oidcc_prompt_none_not_logged_in() {
    in_both_plans(|plan| {
        let state = "s".repeat(128);
        let request = plan.request().with("prompt", "none").with("state", &state);
        let answer = plan.person().follows(&request).returns();
        assert_eq!((answer.error(), answer.get("state")), ("login_required", Some(state.as_str())));
        assert_eq!(answer.mode, plan.mode);
    });
}

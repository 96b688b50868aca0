//! An application that runs in the browser: its pages ask the endpoints themselves.

use obol_testkit::{ALICE, ClientSpec, VERIFIER};
use serde_json::{Value, json};

use crate::story::{Story, tell};

/// Asks as a page does, and gives the body to the test, or that the browser did not let it through.
const ASK: &str = "const done = arguments[arguments.length - 1];
    fetch(...ARGUMENTS).then(answer => answer.json()).then(done, error => done(String(error)));";

impl Story {
    /// What the page that is open is answered.
    #[track_caller]
    fn page_asks(&self, path: &str, init: &Value) -> Value {
        let arguments = json!([self.page(path), init]).to_string();
        self.browser.run_until_called_back(&ASK.replace("ARGUMENTS", &arguments))
    }
}

#[test]
fn s_06_a_page_of_another_origin_redeems_its_code_and_asks_who_it_is() {
    tell(|story| {
        let callback = story.application.callback();
        let spa = ClientSpec::public("spa").grants(&["authorization_code"]);
        let spa = spa.option("--scope", "openid").option("--scope", "profile");
        story.server.add_client(&spa.option("--redirect-uri", &callback));
        story.follow(&[("client_id", "spa"), ("scope", "openid profile")]);
        story.sign_in_as_alice();
        story.allow();
        let code = story.code(1);

        assert_eq!(
            story.page_asks("/.well-known/openid-configuration", &json!({}))["issuer"],
            story.page("")
        );
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("grant_type", "authorization_code"), ("client_id", "spa"), ("code", &code)])
            .extend_pairs([("redirect_uri", &*callback), ("code_verifier", VERIFIER)])
            .finish();
        let headers = json!({ "content-type": "application/x-www-form-urlencoded" });
        let tokens =
            story.page_asks("/oauth2/token", &json!({ "method": "POST", "headers": headers, "body": form }));
        let bearer =
            format!("Bearer {}", tokens["access_token"].as_str().unwrap_or_else(|| panic!("{tokens}")));
        // A browser looks first whether this may be sent.
        let person = story.page_asks("/oauth2/userinfo", &json!({ "headers": { "authorization": bearer } }));
        assert_eq!(person["preferred_username"], ALICE);
    });
}

#[test]
fn s_06_a_page_that_belongs_to_no_such_client_reads_nothing() {
    let complaints = std::cell::RefCell::new(Vec::new());
    tell(|story| {
        // The shop has a server that asks.
        story.browser.go(&story.application.show("/page", "<!doctype html><title>Shop</title>"));
        for path in ["/.well-known/openid-configuration", "/oauth2/userinfo"] {
            let answered = story.page_asks(path, &json!({ "headers": { "authorization": "Bearer none" } }));
            assert_eq!(answered, "TypeError: Failed to fetch", "{path}");
        }
        complaints.replace(story.browser.complaints());
    });
    let complaints = complaints.into_inner();
    let of_cors = |complaint: &&Value| complaint["message"].to_string().contains("CORS policy");
    assert_eq!(complaints.iter().filter(of_cors).count(), 2, "{complaints:#?}");
}

//! RFC 8707 (resource indicators). One test per MUST.
//!
//! A token is for one resource at most: two in one request are refused like any parameter that comes twice, which §2 leaves
//! to the server.

use obol_testkit::{
    Answer, AuthorizationRequest, Client, ClientSpec, REDIRECT_URI, RFC_TOKEN, Server, VERIFIER, obol,
};

const API: &str = "https://api.example/";
const OTHER: &str = "https://other.example/v1";

fn house() -> (Server, Client) {
    obol!().application_of(|app| app.option("--resource", API).option("--resource", OTHER))
}

fn code(server: &Server, request: &AuthorizationRequest) -> String {
    server.person().goes_through(request).code().to_owned()
}

fn redeem(server: &Server, app: &Client, code: &str, resource: Option<&str>) -> Answer {
    let mut fields = vec![("code", code), ("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER)];
    fields.extend(resource.map(|resource| ("resource", resource)));
    server.redeem_with(app, &fields)
}

fn audience(server: &Server, app: &Client, access_token: &str) -> Option<String> {
    let told = server.introspect(app, access_token).expect(200).json();
    assert_eq!(told["active"], true, "{told}");
    told["aud"].as_str().map(str::to_owned)
}

#[test]
fn rfc8707_2_a_resource_is_an_absolute_uri_without_fragment() {
    let (server, app) = house();
    for resource in ["api", "/v1", "//api.example/", "https://api.example/#x", "https://api example/", "#"] {
        let request = AuthorizationRequest::of(&app).with("resource", resource);
        assert_eq!(server.person().follows(&request).returns().error(), "invalid_target", "{resource}");
    }
}

#[test]
fn rfc8707_2_one_that_the_client_may_not_have_is_invalid_target() {
    let (server, app) = house();
    for resource in ["https://api.example", "https://api.example/v1", "https://API.example/", "urn:x"] {
        let request = AuthorizationRequest::of(&app).with("resource", resource);
        assert_eq!(server.person().follows(&request).returns().error(), "invalid_target", "{resource}");
    }
}

#[test]
fn rfc8707_2_1_s_47_the_token_is_restricted_to_what_the_person_was_asked_for() {
    let (server, app) = house();
    let request = AuthorizationRequest::of(&app).with("resource", API);
    let mut person = server.person();
    let page = person.follows(&request).sign_in();
    let page = person.signs_in(&page).consent();
    assert!(String::from_utf8_lossy(&page.answer.body).contains("api.example"), "S-35: the person sees it");
    let code = person.allows(&page).returns().code().to_owned();
    let access = redeem(&server, &app, &code, None).expect(200).text("access_token");
    assert_eq!(audience(&server, &app, &access).as_deref(), Some(API));
}

#[test]
fn rfc8707_2_2_the_token_request_may_name_it_again_and_no_other() {
    let (server, app) = house();
    let code = code(&server, &AuthorizationRequest::of(&app).with("resource", API));
    redeem(&server, &app, &code, Some(OTHER)).expect_error(400, "invalid_target");
    redeem(&server, &app, &code, Some("https://nobody.example/")).expect_error(400, "invalid_target");
    let access = redeem(&server, &app, &code, Some(API)).expect(200).text("access_token");
    assert_eq!(audience(&server, &app, &access).as_deref(), Some(API));
}

#[test]
fn rfc8707_2_2_a_refreshed_token_keeps_to_it_and_cannot_be_widened() {
    let (server, app) = house();
    let code = code(&server, &AuthorizationRequest::of(&app).with("resource", API));
    let given = redeem(&server, &app, &code, None).expect(200);
    let refresh = |token: &str, resource: &str| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("resource", resource)];
        server.post_form(RFC_TOKEN, &app, &fields)
    };
    refresh(&given.text("refresh_token"), OTHER).expect_error(400, "invalid_target");
    let refreshed = refresh(&given.text("refresh_token"), "").expect(200);
    assert_eq!(audience(&server, &app, &refreshed.text("access_token")).as_deref(), Some(API));
}

#[test]
fn rfc8707_2_2_the_other_grants_take_it_too() {
    let server = obol!().server().alice();
    let spec = ClientSpec::confidential("gateway").option("--resource", API);
    let gateway = server.add_client(&spec);
    let server = server.start();
    let ask = |resource: &str| {
        let fields = [("grant_type", "client_credentials"), ("resource", resource)];
        server.post_form(RFC_TOKEN, &gateway, &fields)
    };
    assert_eq!(audience(&server, &gateway, &ask(API).expect(200).text("access_token")).as_deref(), Some(API));
    ask(OTHER).expect_error(400, "invalid_target");
    ask("not a uri").expect_error(400, "invalid_target");
}

#[test]
fn rfc8707_2_two_resources_in_one_request_give_no_token() {
    let (server, app) = house();
    let code = code(&server, &AuthorizationRequest::of(&app));
    let fields = [("code", code.as_str()), ("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER)];
    let two = [&fields[..], &[("resource", API), ("resource", OTHER)]].concat();
    server.redeem_with(&app, &two).expect_error(400, "invalid_request");
    server.redeem_with(&app, &fields).expect(200);
}

#[test]
fn rfc8707_2_2_a_resource_that_was_taken_from_the_client_is_given_no_more() {
    let (server, app) = obol!().application_of(|app| app.option("--resource", "https://one.example"));
    let request = AuthorizationRequest::of(&app).with("resource", "https://one.example");
    let mut alice = server.person();
    let code = alice.goes_through(&request).code().to_owned();
    let tokens = server.tokens_for(&app, &code);
    let waiting = alice.goes_through(&request).code().to_owned();
    server.run(&["client", "set", "app", "--resource", "https://two.example"]).exits(0);
    server.redeem(&app, &waiting).expect_error(400, "invalid_target");
    server.rfc_refresh(&app, tokens.refresh()).expect_error(400, "invalid_target");
}

#[test]
fn rfc8707_2_2_s_35_what_no_page_has_named_is_not_given_afterwards() {
    let (server, app) = house();
    let code = code(&server, &AuthorizationRequest::of(&app));
    redeem(&server, &app, &code, Some(API)).expect_error(400, "invalid_target");
    let given = redeem(&server, &app, &code, None).expect(200);
    assert_eq!(audience(&server, &app, &given.text("access_token")), None);
    let refresh_token = given.text("refresh_token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &*refresh_token), ("resource", API)];
    server.post_form(RFC_TOKEN, &app, &fields).expect_error(400, "invalid_target");
}

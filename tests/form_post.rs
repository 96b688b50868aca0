//! OAuth 2.0 Form Post Response Mode, and the response modes of OAuth 2.0 Multiple Response Type Encoding Practices.

use obol_testkit::{Arrival, AuthorizationRequest, REDIRECT_URI, obol};

#[test]
fn form_post_2_the_answer_is_a_form_that_goes_to_the_redirect_uri_and_nothing_of_it_is_in_a_url() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).with("response_mode", "form_post");
    let answer = server.person().goes_through(&request);
    assert_eq!((answer.uri.as_str(), answer.mode), (REDIRECT_URI, "form_post"));
    assert_eq!(answer.names(), ["code", "iss", "state"]);
    server.tokens_for(&app, answer.code());
}

#[test]
fn form_post_2_the_query_of_the_redirect_uri_stays_in_the_action() {
    let uri = "https://app.example/cb?tenant=a";
    let (server, app) = obol!().application_of(|app| app.option("--redirect-uri", uri));
    let request = AuthorizationRequest::of(&app).with("redirect_uri", uri);
    let answer = server.person().goes_through(&request.with("response_mode", "form_post"));
    assert_eq!(answer.uri, uri);
}

#[test]
fn form_post_2_errors_travel_the_same_way() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).with("response_mode", "form_post");
    for (request, error) in [
        (request.clone().with("prompt", "none"), "login_required"),
        (request.clone().without("response_type"), "invalid_request"),
        (request.clone().with("scope", "root"), "invalid_scope"),
        (request.clone().with("request", "e30.e30."), "invalid_request_object"),
    ] {
        let answer = server.person().follows(&request).returns();
        assert_eq!((answer.error(), answer.mode), (error, "form_post"));
        assert_eq!(answer.get("state"), Some("a state"));
    }
}

#[test]
fn form_post_2_values_are_escaped_in_the_page() {
    let (server, app) = obol!().application();
    let state = "\"><script>alert('x')</script>&amp;<b>";
    let request = AuthorizationRequest::of(&app).with("response_mode", "form_post").with("state", state);
    let path = request.with("prompt", "none").path();
    let html = String::from_utf8(server.http().get(&path).send().expect(200).body.to_vec()).unwrap();
    assert!(!html.contains("<script>alert") && !html.contains("<b>"), "{html}");
    let Arrival::Return(answer) = server.person().opens(&path) else { panic!("{html}") };
    assert_eq!(answer.get("state"), Some(state));
}

/// §4: the page must not be kept, and what it holds must not reach others.
#[test]
fn form_post_4_the_page_is_not_kept_and_its_script_is_a_file_of_ours() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).with("response_mode", "form_post").with("prompt", "none");
    let answer = server.http().get(&request.path()).send().expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    let policy = answer.header("content-security-policy").unwrap().to_owned();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let html = String::from_utf8(answer.body.to_vec()).unwrap();
    let script =
        html.split("<script src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
    let path = script.strip_prefix(server.url()).unwrap_or(script).replace("&#x2f;", "/");
    let script = server.http().get(&path).send().expect(200);
    assert!(script.header("content-type").unwrap().starts_with("text/javascript"), "{script:?}");
    assert!(html.contains("<button"), "and there is a way without scripts");
}

#[test]
fn multiple_response_types_2_1_the_mode_is_as_asked_and_query_where_nothing_is_said() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).with("prompt", "none");
    assert_eq!(server.person().follows(&request).returns().mode, "query");
    for mode in ["query", "fragment", "form_post"] {
        let answer = server.person().follows(&request.clone().with("response_mode", mode)).returns();
        assert_eq!((answer.mode, answer.error()), (mode, "login_required"));
    }
    let unknown = server.person().follows(&request.with("response_mode", "form_post.jwt")).returns();
    assert_eq!((unknown.mode, unknown.error()), ("query", "invalid_request"));
}

#[test]
fn multiple_response_types_2_1_discovery_lists_the_modes() {
    let (server, _app) = obol!().application();
    let document = server.http().get("/.well-known/openid-configuration").send().expect(200).json();
    assert_eq!(document["response_modes_supported"], serde_json::json!(["query", "fragment", "form_post"]));
}

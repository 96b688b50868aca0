//! RFC 7636 (PKCE), S256 only. One test per MUST.

use obol_testkit::{
    AuthorizationRequest, CHALLENGE, Client, ClientSpec, METADATA, REDIRECT_URI, Server, VERIFIER, obol, s256,
};

fn redeem(server: &Server, app: &Client, code: &str, verifier: Option<&str>) -> obol_testkit::Answer {
    let mut fields = vec![("code", code), ("redirect_uri", REDIRECT_URI)];
    fields.extend(verifier.map(|verifier| ("code_verifier", verifier)));
    server.redeem_with(app, &fields)
}

fn code(server: &Server, request: &AuthorizationRequest) -> String {
    server.person().goes_through(request).code().to_owned()
}

#[test]
fn rfc7636_4_1_a_verifier_may_have_43_to_128_characters_of_all_that_are_unreserved() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    for verifier in ["-._~aZ09".repeat(6), "~".repeat(43), "a.".repeat(64)] {
        let request = AuthorizationRequest::of(&app).with("code_challenge", &s256(&verifier));
        let code = person.goes_through(&request).code().to_owned();
        redeem(&server, &app, &code, Some(&verifier)).expect(200);
    }
}

#[test]
fn rfc7636_4_1_a_shorter_longer_or_other_verifier_is_refused_also_if_its_hash_fits() {
    let (server, app) = obol!().application();
    let mut person = server.person();
    for verifier in
        ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(50)), format!("{} ", "a".repeat(50))]
    {
        let request = AuthorizationRequest::of(&app).with("code_challenge", &s256(&verifier));
        let code = person.goes_through(&request).code().to_owned();
        redeem(&server, &app, &code, Some(&verifier)).expect_error(400, "invalid_grant");
    }
}

#[test]
fn rfc7636_4_2_a_challenge_that_is_no_hash_in_base64url_is_refused() {
    let (server, app) = obol!().application();
    let (padded, short) = (format!("{CHALLENGE}="), &CHALLENGE[..42]);
    let standard = CHALLENGE.replace('-', "+");
    for challenge in [padded.as_str(), short, &standard, "x", VERIFIER.get(..40).unwrap()] {
        let request = AuthorizationRequest::of(&app).with("code_challenge", challenge);
        assert_eq!(server.person().follows(&request).returns().error(), "invalid_request", "{challenge}");
    }
}

/// Without a method it would be `plain` (§4.3), which is not taken (S-28).
#[test]
fn rfc7636_4_3_s_28_plain_is_refused_said_or_implied() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app);
    let implied = request.clone().without("code_challenge_method");
    for request in [
        implied,
        request.clone().with("code_challenge_method", "plain"),
        request.with("code_challenge_method", "s256"),
    ] {
        assert_eq!(server.person().follows(&request).returns().error(), "invalid_request");
    }
}

#[test]
fn rfc7636_4_4_1_a_client_that_needs_a_challenge_gets_invalid_request_without_one() {
    let server = obol!().server().alice();
    let confidential = server.add_client(&ClientSpec::application("app"));
    let public = ClientSpec::new("public", "public").grants(&["authorization_code"]);
    let public = server.add_client(&public.option("--redirect-uri", REDIRECT_URI));
    let server = server.start();
    for client in [&confidential, &public] {
        let request = AuthorizationRequest::of(client).without_challenge();
        let answer = server.person().follows(&request).returns();
        assert_eq!(answer.error(), "invalid_request", "{}", client.id);
        let method_only = request.with("code_challenge_method", "S256");
        assert_eq!(server.person().follows(&method_only).returns().error(), "invalid_request");
    }
}

#[test]
fn rfc7636_4_5_the_example_of_appendix_b_works() {
    let (server, app) = obol!().application();
    assert_eq!(s256(VERIFIER), CHALLENGE);
    let code = code(&server, &AuthorizationRequest::of(&app));
    redeem(&server, &app, &code, Some(VERIFIER)).expect(200);
}

#[test]
fn rfc7636_4_6_a_verifier_that_does_not_fit_is_invalid_grant_and_uses_nothing_up() {
    let (server, app) = obol!().application();
    let code = code(&server, &AuthorizationRequest::of(&app));
    let other = "b".repeat(43);
    for verifier in [Some(CHALLENGE), Some(other.as_str()), Some(&VERIFIER[..42]), Some(""), None] {
        redeem(&server, &app, &code, verifier).expect_error(400, "invalid_grant");
    }
    redeem(&server, &app, &code, Some(VERIFIER)).expect(200);
}

#[test]
fn s_29_neither_challenge_nor_verifier_comes_alone_where_pkce_is_optional() {
    let (server, app) = obol!().application_of(|app| app.flag("--pkce-optional"));
    let request = AuthorizationRequest::of(&app);
    let bound = code(&server, &request);
    redeem(&server, &app, &bound, None).expect_error(400, "invalid_grant");
    let unbound = code(&server, &request.without_challenge());
    redeem(&server, &app, &unbound, Some(VERIFIER)).expect_error(400, "invalid_grant");
    redeem(&server, &app, &unbound, None).expect(200);
}

#[test]
fn s_28_a_public_client_cannot_be_set_to_do_without() {
    let line = ["client", "add", "--id", "app", "--type", "public", "--grant", "authorization_code"];
    let line = [&line[..], &["--redirect-uri", REDIRECT_URI, "--pkce-optional"]].concat();
    let refused = obol!().installation().run(&line).exits(1);
    assert!(refused.stderr.contains("PKCE"), "{refused:?}");
}

/// The attack of §1: the code is taken on its way, and the client has no secret.
#[test]
fn rfc7636_1_a_stolen_code_is_worth_nothing_without_the_verifier() {
    let server = obol!().server().alice();
    let public = ClientSpec::new("public", "public").grants(&["authorization_code"]);
    let public = server.add_client(&public.option("--redirect-uri", REDIRECT_URI));
    let server = server.start();
    let code = code(&server, &AuthorizationRequest::of(&public));
    redeem(&server, &public, &code, None).expect_error(400, "invalid_grant");
    redeem(&server, &public, &code, Some(&"c".repeat(64))).expect_error(400, "invalid_grant");
    redeem(&server, &public, &code, Some(VERIFIER)).expect(200);
}

#[test]
fn rfc7636_6_2_the_metadata_names_the_method() {
    let (server, _app) = obol!().application();
    let document = server.http().get(METADATA).send().expect(200).json();
    assert_eq!(document["code_challenge_methods_supported"], serde_json::json!(["S256"]));
}

//! RFC 9207 (issuer in the authorization response). One test per MUST.

use obol_testkit::{AuthorizationRequest, FORTI_AUTHORIZE, METADATA, obol};

#[test]
fn rfc9207_2_s_31_every_answer_says_the_issuer_errors_too_in_every_mode() {
    let (server, app) = obol!().application();
    for mode in ["query", "fragment", "form_post"] {
        let request = AuthorizationRequest::of(&app).with("response_mode", mode);
        let given = server.person().goes_through(&request);
        assert!(!given.code().is_empty());
        let refused = server.person().follows(&request.clone().with("prompt", "none")).returns();
        let mut person = server.person();
        let page = person.follows(&request.clone().with("prompt", "consent")).sign_in();
        let page = person.signs_in(&page).consent();
        let denied = person.denies(&page).returns();
        for answer in [given, refused, denied] {
            assert_eq!((answer.get("iss"), answer.mode), (Some(server.url()), mode), "{answer:?}");
        }
    }
}

#[test]
fn rfc9207_2_1_the_value_is_a_url_without_query_and_fragment() {
    let (server, app) = obol!().application();
    let answer = server.person().goes_through(&AuthorizationRequest::of(&app));
    let issuer = answer.get("iss").unwrap();
    assert!(issuer.starts_with("http") && !issuer.contains(['?', '#']) && !issuer.ends_with('/'), "{issuer}");
}

#[test]
fn rfc9207_2_3_s_10_the_value_is_letter_by_letter_that_of_the_metadata_whatever_the_host_header_says() {
    let (server, app) = obol!().application();
    let issuer = server.http().get(METADATA).send().expect(200).json()["issuer"].clone();
    let answer = server.person().goes_through(&AuthorizationRequest::of(&app));
    assert_eq!(answer.get("iss"), issuer.as_str());
    let path = AuthorizationRequest::of(&app).with("prompt", "none").path();
    let spoofed = server.http().get(&path).header("x-forwarded-host", "evil.example").send().expect(302);
    assert!(!spoofed.header("location").unwrap().contains("evil"), "{spoofed:?}");
}

#[test]
fn rfc9207_3_the_metadata_promises_it() {
    let (server, _app) = obol!().application();
    for path in [METADATA, "/.well-known/openid-configuration"] {
        let document = server.http().get(path).send().expect(200).json();
        assert_eq!(document["authorization_response_iss_parameter_supported"], true, "{path}");
    }
}

#[test]
fn rfc9207_2_4_the_two_surfaces_have_issuers_of_their_own() {
    let (server, app) = obol!().application();
    let answer = server.person().goes_through(&AuthorizationRequest::of(&app).to(FORTI_AUTHORIZE));
    let document = server.http().get("/api/v1/oauth/.well-known/openid-configuration/").send().expect(200);
    let issuer = document.text("issuer");
    assert_eq!(answer.get("iss"), Some(issuer.as_str()));
    assert_ne!(issuer, server.url());
}

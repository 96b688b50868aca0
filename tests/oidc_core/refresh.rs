//! §12: refresh tokens of somebody who signed in.

use obol_testkit::{AuthorizationRequest, ClientSpec, Jwt, RFC_TOKEN, half_sha256, obol};

#[test]
fn oidc_core_12_2_a_refreshed_id_token_is_about_the_same_sign_in() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).with("nonce", "n1");
    let code = server.person().goes_through(&request).code().to_owned();
    let given = server.redeem(&app, &code).expect(200);
    let first = Jwt::verified(&given.text("id_token"), &server).claims;
    let refreshed = server.rfc_refresh(&app, &given.text("refresh_token")).expect(200);
    let second = Jwt::verified(&refreshed.text("id_token"), &server).claims;
    for same in ["iss", "sub", "aud", "azp", "auth_time", "acr", "amr", "sid"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    assert!(second["iat"].as_i64() >= first["iat"].as_i64());
    assert_eq!(second.get("nonce"), None, "it should not have one, even when the first had");
    assert_eq!(second["at_hash"], half_sha256(&refreshed.text("access_token")));
    assert_ne!(given.text("access_token"), refreshed.text("access_token"));
    server.userinfo(&refreshed.text("access_token")).expect(200);
}

#[test]
fn oidc_core_12_1_a_refresh_token_is_bound_to_its_client() {
    let server = obol!().server().alice();
    let app = server.add_client(&ClientSpec::application("app"));
    let other = server.add_client(&ClientSpec::application("other"));
    let server = server.start();
    let code = server.person().goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let tokens = server.tokens_for(&app, &code);
    server.rfc_refresh(&other, tokens.refresh()).expect_error(400, "invalid_grant");
    server.rfc_refresh(&app, tokens.refresh()).expect(200);
}

#[test]
fn oidc_core_12_1_without_openid_in_a_narrower_scope_there_is_no_id_token() {
    let (server, app) = obol!().application();
    let request = AuthorizationRequest::of(&app).with("scope", "openid read");
    let code = server.person().goes_through(&request).code().to_owned();
    let tokens = server.tokens_for(&app, &code);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh()), ("scope", "read")];
    let answer = server.post_form(RFC_TOKEN, &app, &fields).expect(200);
    assert_eq!(answer.json().get("id_token"), None);
    server.userinfo(&answer.text("access_token")).expect_error(403, "insufficient_scope");
}

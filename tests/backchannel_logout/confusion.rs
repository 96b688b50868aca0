//! §4.1, S-50: a logout token is good for nothing else, and nothing else is one.

use obol_testkit::{
    Arrival, AuthorizationRequest, ClientSpec, INTROSPECT, JWKS, RFC_TOKEN, USERINFO, VERIFY,
};

use crate::house::House;

#[test]
fn bclo_4_1_s_50_a_logout_token_is_no_access_token_refresh_token_or_code() {
    let house = House::open();
    let gateway = house.server.add_client(&ClientSpec::confidential("gateway").introspection());
    house.sign_in().person.signs_out();
    let token = &house.tokens(1)[0];
    let http = house.server.http();
    assert_ne!(http.get(&format!("{VERIFY}?client_id=app")).bearer(token).send().status, 200);
    assert_eq!(http.get(USERINFO).bearer(token).send().status, 401);
    let introspected = http.post(INTROSPECT).form(&gateway.fields(&[("token", token)])).send();
    assert_eq!(introspected.expect(200).json(), serde_json::json!({"active": false}));
    house.server.rfc_refresh(&house.app, token).expect_error(400, "invalid_grant");
    house.server.redeem(&house.app, token).expect_error(400, "invalid_grant");
}

#[test]
fn bclo_4_1_s_50_a_logout_token_is_no_id_token_hint() {
    let house = House::open();
    house.sign_in().person.signs_out();
    let token = &house.tokens(1)[0];
    let mut alice = house.sign_in();
    let page = alice.person.opens(&format!("/oauth2/logout?id_token_hint={token}"));
    assert!(matches!(page, Arrival::Other(ref answer) if answer.status == 400), "{page:?}");
    assert!(!matches!(alice.person.opens("/sessions"), Arrival::SignIn(_)), "she is signed in still");
    let request = AuthorizationRequest::of(&house.app).with("prompt", "none");
    assert!(alice.person.follows(&request).returns().get("code").is_some());
    let hinted = request.with("id_token_hint", token);
    assert_eq!(alice.person.follows(&hinted).returns().error(), "invalid_request");
}

/// Also where a client has named the keys of this server as its own.
#[test]
fn bclo_4_1_s_50_a_logout_token_authenticates_no_client_and_is_no_request_object() {
    let house = House::open();
    house.sign_in().person.signs_out();
    let token = house.tokens(1).remove(0);
    let keys = house.server.http().get(JWKS).send().expect(200).json().to_string();
    let keys = house.server.installation().write("ours.json", &keys);
    let set = ["client", "set", "app", "--auth-method", "private_key_jwt", "--jwks", &keys];
    house.server.run(&set).exits(0);
    let assertion = [
        ("grant_type", "client_credentials"),
        ("client_id", "app"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &token),
    ];
    let refused = house.server.http().post(RFC_TOKEN).form(&assertion).send();
    let refused = refused.expect_error(401, "invalid_client");
    assert!(refused.text("error_description").contains("`typ`"), "{refused:?}");
    let request = AuthorizationRequest::of(&house.app).with("request", &token);
    let refused = house.server.person().follows(&request).returns();
    assert_eq!(refused.error(), "invalid_request_object");
    assert!(refused.get("error_description").unwrap().contains("`typ`"), "{refused:?}");
}

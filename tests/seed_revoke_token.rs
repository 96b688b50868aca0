//! The seed page "OAuth server revoke token (/oauth/revoke_token/)": each statement of it is a test that quotes it.

use obol_testkit::{ALICE, House, PASSWORD, REVOKE, VERIFY, for_each_shape, obol};

/// The page's example, its JSON closed.
const EXAMPLE: &str = "curl -k -v -X POST \\
https://[FAC_IP]/api/v1/oauth/revoke_token/ \\
-H 'Content-Type: application/json' \\
-d '{
\"client_id\": \"fcare\",
\"token\": \"zGSaz2yqfjco7qWLQW2ctZXlhbRRJ\"
}'";

#[test]
fn this_end_point_is_used_to_revoke_an_oauth_access_token() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
        assert!(server.stands(&fcare, &access));
        shape.post(&server, REVOKE, &[("client_id", "fcare"), ("token", &access)]).expect(200);
        assert!(!server.stands(&fcare, &access));
    });
}

#[test]
fn client_id_is_required() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    for_each_shape(|shape| {
        shape.post(&server, REVOKE, &[("token", &access)]).expect(401);
    });
    assert!(server.stands(&fcare, &access));
}

#[test]
fn client_secret_is_required_only_if_application_client_type_is_confidential() {
    let House { server, fcare, gateway } = obol!().house();
    for_each_shape(|shape| {
        let public = server.token_by_password(&fcare, ALICE, PASSWORD).access;
        shape.post(&server, REVOKE, &fcare.fields(&[("token", &public)])).expect(200);
        assert!(!server.stands(&fcare, &public));

        let confidential = server.token_by_password(&gateway, ALICE, PASSWORD).access;
        let bare = gateway.without_secret();
        shape.post(&server, REVOKE, &bare.fields(&[("token", &confidential)])).expect(401);
        assert!(server.stands(&gateway, &confidential));
        shape.post(&server, REVOKE, &gateway.fields(&[("token", &confidential)])).expect(200);
        assert!(!server.stands(&gateway, &confidential));
    });
}

#[test]
fn token_access_token_to_revoke_is_required() {
    let House { server, .. } = obol!().house();
    for_each_shape(|shape| {
        let answer = shape.post(&server, REVOKE, &[("client_id", "fcare")]);
        answer.expect_error(400, "invalid_request");
    });
}

#[test]
fn allowed_method_post_revoke_specified_token() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    let get = server.http().get(&format!("{REVOKE}?client_id=fcare&token={access}")).send().expect(405);
    assert!(get.header("allow").is_some_and(|allow| allow.contains("POST")), "{get:?}");
    assert!(server.stands(&fcare, &access));
}

#[test]
fn code_200_ok_valid_credentials() {
    let House { server, fcare, gateway } = obol!().house();
    for_each_shape(|shape| {
        let unknown = [("token", "zGSaz2yqfjco7qWLQW2ctZXlhbRRJ")];
        shape.post(&server, REVOKE, &fcare.fields(&unknown)).expect(200);
        shape.post(&server, REVOKE, &gateway.fields(&unknown)).expect(200);
    });
}

#[test]
fn code_400_bad_request_if_you_specify_the_correct_client_id_and_client_secret_but_you_enter_an_empty_token()
{
    let House { server, fcare, gateway } = obol!().house();
    for_each_shape(|shape| {
        shape.post(&server, REVOKE, &fcare.fields(&[("token", "")])).expect(400);
        shape.post(&server, REVOKE, &gateway.fields(&[("token", "")])).expect(400);
    });
}

#[test]
fn code_401_unauthorized_if_you_do_not_specify_the_correct_client_id_and_client_secret() {
    let House { server, gateway, .. } = obol!().house();
    let access = server.token_by_password(&gateway, ALICE, PASSWORD).access;
    let secret = gateway.own_secret().to_owned();
    for_each_shape(|shape| {
        for token in [access.as_str(), "unknown", ""] {
            let wrong = gateway.with_secret("not the secret");
            shape.post(&server, REVOKE, &wrong.fields(&[("token", token)])).expect(401);
            let other_id = [("client_id", "Gateway"), ("client_secret", &secret), ("token", token)];
            shape.post(&server, REVOKE, &other_id).expect(401);
        }
    });
    assert!(server.stands(&gateway, &access));
}

#[test]
fn example_revoke_a_token_with_curl() {
    let House { server, fcare, .. } = obol!().house_with(|server| server.tls_self_signed());
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    assert!(server.stands(&fcare, &access));

    let host = server.host();
    let fill = [("[FAC_IP]", host.as_str()), ("zGSaz2yqfjco7qWLQW2ctZXlhbRRJ", access.as_str())];
    let answer = server.curl(EXAMPLE, &fill);
    assert_eq!(answer.status(), 200, "{answer:?}");

    let verify =
        format!("curl -k -v -H 'Authorization: Bearer {access}' https://{host}{VERIFY}?client_id=fcare");
    let answer = server.shell(&verify);
    assert_eq!(answer.status(), 401, "after the revocation: {answer:?}");
}

//! The seed page "OAuth server verify token (/oauth/verify_token/)": each statement of it is a test that quotes it.

use obol_testkit::{ALICE, House, PASSWORD, VERIFY, for_each_slash, obol};

/// The page's example; its URL line adds `?client_id=<client_id>`.
const EXAMPLE: &str = "curl -k -v -X GET \\
https://[FAC_IP]/api/v1/oauth/verify_token/?client_id=<client_id> \\
-H 'Content-Type: application/json' \\
-H 'Authorization: Bearer Ua3tkmlDtePw7EQIXb1a2oGNkw4Li'";

#[test]
fn url_https_server_name_api_v1_oauth_verify_token_client_id() {
    let House { server, fcare, .. } = obol!().house();
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    for_each_slash("/api/v1/oauth/verify_token/", |path| {
        server.http().get(&format!("{path}?client_id=fcare")).bearer(&tokens.access).send().expect(200);
    });
}

#[test]
fn returns_a_http_200_ok_response_if_the_token_is_valid() {
    let House { server, fcare, .. } = obol!().house();
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    server.verify(&fcare, &tokens.access).expect(200);
}

#[test]
fn username_is_returned_upon_success() {
    let House { server, fcare, .. } = obol!().house();
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    let answer = server.verify(&fcare, &tokens.access).expect(200);
    assert_eq!(answer.text("username"), ALICE);
}

#[test]
fn you_do_not_need_to_specify_a_client_secret_as_a_parameter_for_confidential_applications() {
    let House { server, gateway, .. } = obol!().house();
    let tokens = server.token_by_password(&gateway, ALICE, PASSWORD);
    server.verify(&gateway.without_secret(), &tokens.access).expect(200);
}

#[test]
fn client_id_is_required_and_must_be_present_as_a_query_parameter() {
    let House { server, fcare, .. } = obol!().house();
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    for_each_slash(VERIFY, |path| {
        let nowhere = server.http().get(path).bearer(&tokens.access).send();
        nowhere.expect_error(400, "invalid_request");
        let in_the_body =
            server.http().get(path).json(&[("client_id", "fcare")]).bearer(&tokens.access).send();
        in_the_body.expect_error(400, "invalid_request");
    });
}

#[test]
fn allowed_method_get_verify_specified_token() {
    let House { server, fcare, .. } = obol!().house();
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    let path = format!("{VERIFY}?client_id=fcare");
    server.http().get(&path).bearer(&tokens.access).send().expect(200);
    // The sentence of the page that speaks of "a POST request" stands on every page of the guide; the method table decides.
    let post = server.http().post(&path).form(&[]).bearer(&tokens.access).send().expect(405);
    assert!(post.header("allow").is_some_and(|allow| allow.contains("GET")), "{post:?}");
}

#[test]
fn the_access_token_must_be_placed_in_the_authorization_header_as_bearer_access_token() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    let path = format!("{VERIFY}?client_id=fcare");
    let authorized = |value: &str| server.http().get(&path).header("authorization", value).send();

    authorized(&format!("Bearer {access}")).expect(200);
    authorized(&access).expect(401);
    authorized(&format!("Token {access}")).expect(401);
    server.http().get(&format!("{path}&access_token={access}")).send().expect(401);
    server.http().get(&path).header("x-access-token", &access).send().expect(401);
}

#[test]
fn includes_expires_in_field_that_gives_number_of_seconds_until_expiry_of_the_verified_access_token() {
    let House { server, fcare, .. } = obol!().house();
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    let expires_in = server.verify(&fcare, &tokens.access).expect(200).integer("expires_in");
    assert!((3500..=3600).contains(&expires_in), "{expires_in} of the 3600 s of its life");
}

#[test]
fn code_401_unauthorized_because_token_is_not_valid() {
    let House { server, fcare, .. } = obol!().house();
    server.verify(&fcare, "Ua3tkmlDtePw7EQIXb1a2oGNkw4Li").expect(401);

    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    server.revoke(&fcare, &tokens.access).expect(200);
    server.verify(&fcare, &tokens.access).expect(401);
}

#[test]
fn example_verify_a_token_with_curl_response_200_ok() {
    let House { server, fcare, .. } = obol!().house_with(|server| server.tls_self_signed());
    let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
    let host = server.host();
    let fill = [
        ("[FAC_IP]", host.as_str()),
        ("<client_id>", "fcare"),
        ("Ua3tkmlDtePw7EQIXb1a2oGNkw4Li", tokens.access.as_str()),
    ];
    let answer = server.curl(EXAMPLE, &fill);
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(answer.stdout.contains(r#""username""#), "{answer:?}");

    server.revoke(&fcare, &tokens.access).expect(200);
    let answer = server.curl(EXAMPLE, &fill);
    assert_eq!(answer.status(), 401, "after the revocation: {answer:?}");
}

//! RFC 7009 (token revocation) at `/oauth2/revoke`. One test per MUST, and the SHOULDs that we keep.
//!
//! §2.3 (JSONP) is not offered. TLS (§2) is in `server_manners.rs`.

use http::Method;
use obol_testkit::{ALICE, Client, House, PASSWORD, RFC_REVOKE, obol};

#[test]
fn rfc7009_2_refresh_tokens_and_access_tokens_can_be_revoked() {
    let House { server, fcare, gateway } = obol!().house();
    for client in [&fcare, &gateway] {
        let tokens = server.rfc_token_by_password(client, ALICE, PASSWORD);
        server.rfc_revoke(client, &tokens.access).expect(200);
        assert!(!server.stands(client, &tokens.access));

        let tokens = server.rfc_token_by_password(client, ALICE, PASSWORD);
        server.rfc_revoke(client, tokens.refresh()).expect(200);
        server.rfc_refresh(client, tokens.refresh()).expect_error(400, "invalid_grant");
    }
    let alone = server.token_by_client_credentials(&gateway);
    server.rfc_revoke(&gateway, &alone.access).expect(200);
    assert!(!server.is_active(&gateway, &alone.access));
}

#[test]
fn rfc7009_2_1_the_request_is_a_post_of_a_form() {
    let House { server, fcare, .. } = obol!().house();
    let access = server.rfc_token_by_password(&fcare, ALICE, PASSWORD).access;
    let query = format!("{RFC_REVOKE}?client_id=fcare&token={access}");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = server.http().request(method, &query).send().expect(405);
        assert_eq!(answer.header("allow"), Some("POST"), "{answer:?}");
    }
    let in_the_url = server.http().post(&query).form(&[]).send();
    assert!([400, 401].contains(&in_the_url.status), "{in_the_url:?}");
    let json = format!(r#"{{"client_id":"fcare","token":"{access}"}}"#);
    server.http().post(RFC_REVOKE).body("application/json", json).send().expect_error(400, "invalid_request");
    assert!(server.stands(&fcare, &access));
}

#[test]
fn rfc7009_2_1_token_is_required() {
    let House { server, fcare, gateway } = obol!().house();
    for client in [&fcare, &gateway] {
        server.post_form(RFC_REVOKE, client, &[]).expect_error(400, "invalid_request");
        server.post_form(RFC_REVOKE, client, &[("token", "")]).expect_error(400, "invalid_request");
    }
}

#[test]
fn rfc7009_2_1_a_wrong_or_unknown_hint_still_revokes() {
    let House { server, fcare, .. } = obol!().house();
    for hint in ["access_token", "refresh_token", "id_token", "", "\u{1f511}"] {
        for pick in [0, 1] {
            let tokens = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
            let token = [tokens.access.as_str(), tokens.refresh()][pick];
            let fields = [("token", token), ("token_type_hint", hint)];
            server.post_form(RFC_REVOKE, &fcare, &fields).expect(200);
            assert!(!server.stands(&fcare, &tokens.access), "hint {hint:?}");
            server.rfc_refresh(&fcare, tokens.refresh()).expect_error(400, "invalid_grant");
        }
    }
}

#[test]
fn rfc7009_2_1_the_credentials_of_a_confidential_client_are_validated_first() {
    let House { server, gateway, .. } = obol!().house();
    let access = server.rfc_token_by_password(&gateway, ALICE, PASSWORD).access;
    for client in [gateway.without_secret(), gateway.with_secret("wrong"), Client::bare("nobody")] {
        for token in [access.as_str(), "unknown", ""] {
            server.rfc_revoke(&client, token).expect_error(401, "invalid_client");
        }
    }
    let basic = server.http().post(RFC_REVOKE).form(&[("token", &access)]).basic("gateway", "wrong").send();
    let basic = basic.expect_error(401, "invalid_client");
    assert!(basic.header("www-authenticate").is_some_and(|value| value.starts_with("Basic")), "{basic:?}");
    assert!(server.stands(&gateway, &access));

    let right = server.http().post(RFC_REVOKE).form(&[("token", &access)]);
    right.basic("gateway", gateway.own_secret()).send().expect(200);
    assert!(!server.stands(&gateway, &access));
}

#[test]
fn rfc7009_2_1_a_token_that_was_not_issued_to_the_client_is_not_revoked_and_nothing_is_disclosed() {
    let House { server, fcare, gateway } = obol!().house();
    let tokens = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    let unknown = server.rfc_revoke(&gateway, "unknown");
    for token in [tokens.access.as_str(), tokens.refresh()] {
        assert_eq!(server.rfc_revoke(&gateway, token).essence(), unknown.essence());
    }
    assert!(server.stands(&fcare, &tokens.access));
    server.rfc_refresh(&fcare, tokens.refresh()).expect(200);
}

#[test]
fn rfc7009_2_1_invalidation_takes_place_immediately() {
    let House { server, gateway, .. } = obol!().house();
    for _ in 0..50 {
        let access = server.token_by_client_credentials(&gateway).access;
        assert!(server.stands(&gateway, &access));
        server.rfc_revoke(&gateway, &access).expect(200);
        assert!(!server.stands(&gateway, &access));
        assert!(!server.is_active(&gateway, &access));
    }
}

#[test]
fn rfc7009_2_1_revoking_a_refresh_token_ends_the_access_tokens_of_the_same_grant() {
    let House { server, fcare, .. } = obol!().house();
    let first = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    let second = obol_testkit::Tokens::of(server.rfc_refresh(&fcare, first.refresh()));
    server.rfc_revoke(&fcare, second.refresh()).expect(200);
    assert!(!server.stands(&fcare, &first.access));
    assert!(!server.stands(&fcare, &second.access));
}

#[test]
fn rfc7009_2_1_revoking_an_access_token_ends_its_refresh_token() {
    let House { server, fcare, .. } = obol!().house();
    let tokens = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    server.rfc_revoke(&fcare, &tokens.access).expect(200);
    server.rfc_refresh(&fcare, tokens.refresh()).expect_error(400, "invalid_grant");
}

#[test]
fn rfc7009_2_2_an_invalid_token_is_200() {
    let House { server, fcare, .. } = obol!().house();
    let tokens = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    server.rfc_revoke(&fcare, &tokens.access).expect(200);
    for token in ["unknown", "oba_x", &tokens.access, tokens.refresh()] {
        server.rfc_revoke(&fcare, token).expect(200);
    }
}

#[test]
fn rfc7009_2_2_1_errors_are_those_of_rfc6749_5_2() {
    let House { server, fcare, .. } = obol!().house();
    let answer = server.post_form(RFC_REVOKE, &fcare, &[]).expect_error(400, "invalid_request");
    assert_eq!(answer.keys(), ["error", "error_description"]);
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
}

#[test]
fn rfc7009_2_2_1_a_503_says_when_to_try_again_and_the_token_still_stands() {
    let House { server, fcare, .. } = obol!().house_with(|server| server.storage_can_fail());
    let tokens = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    server.refuse_writes();
    for token in [tokens.access.as_str(), tokens.refresh()] {
        let answer = server.rfc_revoke(&fcare, token).expect(503);
        assert!(answer.header("retry-after").is_some_and(|secs| secs.parse::<u32>().is_ok()), "{answer:?}");
    }
    server.allow_writes();
    assert!(server.stands(&fcare, &tokens.access));
}

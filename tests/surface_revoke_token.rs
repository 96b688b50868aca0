//! Surface, "`POST revoke_token/`": one test per row, in both body types, with and without the final slash.

use std::time::Duration;

use obol_testkit::{
    ALICE, Answer, Client, ClientSpec, House, PASSWORD, REVOKE, Server, Shape, for_each_shape, obol,
    wait_until,
};

fn revoke(shape: Shape, server: &Server, client: &Client, token: &str) -> Answer {
    shape.post(server, REVOKE, &client.fields(&[("token", token)]))
}

#[track_caller]
fn expect_success(answer: Answer) {
    let answer = answer.expect(200);
    assert_eq!(answer.keys(), ["status"], "{answer:?}");
    assert_eq!(answer.text("status"), "success");
}

// right client, any non-empty token

#[test]
fn right_client_and_a_live_token_is_200_status_success() {
    let House { server, fcare, gateway } = obol!().house();
    for_each_shape(|shape| {
        for client in [&fcare, &gateway] {
            let access = server.token_by_password(client, ALICE, PASSWORD).access;
            expect_success(revoke(shape, &server, client, &access));
            assert!(!server.stands(client, &access));
        }
    });
}

#[test]
fn revoked_before_is_200() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
        for token in [&tokens.access, &tokens.access, tokens.refresh()] {
            expect_success(revoke(shape, &server, &fcare, token));
        }
    });
}

#[test]
fn unknown_is_200() {
    let House { server, fcare, gateway } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    let cut = &access[..access.len() - 1];
    for_each_shape(|shape| {
        for token in ["x", "zGSaz2yqfjco7qWLQW2ctZXlhbRRJ", "oba_", "obr_AAAA", cut, "\u{1f511} \n"] {
            expect_success(revoke(shape, &server, &fcare, token));
            expect_success(revoke(shape, &server, &gateway, token));
        }
    });
    assert!(server.stands(&fcare, &access), "a cut token revokes nothing");
}

#[test]
fn expired_is_200() {
    let server = obol!().server().alice();
    let brief = server.add_client(&ClientSpec::public("brief").access_ttl(1).refresh_ttl(1));
    let server = server.start();
    let tokens = server.token_by_password(&brief, ALICE, PASSWORD);
    wait_until("the token expires", Duration::from_secs(10), || {
        (!server.stands(&brief, &tokens.access)).then_some(())
    });
    for_each_shape(|shape| {
        expect_success(revoke(shape, &server, &brief, &tokens.access));
        expect_success(revoke(shape, &server, &brief, tokens.refresh()));
    });
}

// token of another client

#[test]
fn a_token_of_another_client_is_200_nothing_is_revoked_and_an_audit_event_says_so() {
    let House { server, fcare, gateway } = obol!().house();
    for_each_shape(|shape| {
        let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
        expect_success(revoke(shape, &server, &gateway, &tokens.access));
        expect_success(revoke(shape, &server, &gateway, tokens.refresh()));
        assert!(server.stands(&fcare, &tokens.access));
        server.refresh(&fcare, tokens.refresh()).expect(200);
    });
    let record = server.await_audit("a foreign client's revocation", |record| {
        record.event() == "revocation.refused" && record.text("client_id") == "gateway"
    });
    assert_eq!(record.value()["done"], false, "{record:?}");
    assert!(!record.text("reason").is_empty(), "{record:?}");
}

#[test]
fn the_answer_for_a_token_of_another_client_is_that_for_an_unknown_one() {
    let House { server, fcare, gateway } = obol!().house();
    let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    for_each_shape(|shape| {
        let foreign = revoke(shape, &server, &gateway, &access);
        assert_eq!(foreign.essence(), revoke(shape, &server, &gateway, "unknown").essence());
    });
}

// client unknown, missing, or secret wrong or missing

#[test]
fn client_unknown_missing_or_secret_wrong_or_missing_is_401_invalid_client_whatever_the_token() {
    let House { server, gateway, .. } = obol!().house();
    let access = server.token_by_password(&gateway, ALICE, PASSWORD).access;
    for_each_shape(|shape| {
        for token in ["", "unknown", &access] {
            for client in [Client::bare("nobody"), gateway.without_secret(), gateway.with_secret("wrong")] {
                revoke(shape, &server, &client, token).expect_error(401, "invalid_client");
            }
            shape.post(&server, REVOKE, &[("token", token)]).expect_error(401, "invalid_client");
        }
        shape.post(&server, REVOKE, &[]).expect_error(401, "invalid_client");
    });
    assert!(server.stands(&gateway, &access));
}

#[test]
fn an_empty_secret_from_a_public_client_is_as_if_not_sent() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
        expect_success(revoke(shape, &server, &fcare.with_secret(""), &access));
        assert!(!server.stands(&fcare, &access));
        revoke(shape, &server, &fcare.with_secret("wrong"), &access).expect_error(401, "invalid_client");
    });
}

// right client, token missing or empty

#[test]
fn right_client_and_token_missing_or_empty_is_400_invalid_request() {
    let House { server, fcare, gateway } = obol!().house();
    for_each_shape(|shape| {
        for client in [&fcare, &gateway] {
            let empty = revoke(shape, &server, client, "").expect_error(400, "invalid_request");
            let missing =
                shape.post(&server, REVOKE, &client.fields(&[])).expect_error(400, "invalid_request");
            assert!(missing.text("message").contains("token"), "{missing:?}");
            assert_eq!(empty.essence(), missing.essence());
        }
    });
}

// could not be made durable

#[test]
fn could_not_be_made_durable_is_503_with_retry_after_and_can_be_sent_again() {
    let House { server, fcare, .. } = obol!().house_with(|server| server.storage_can_fail());
    for_each_shape(|shape| {
        let tokens = server.token_by_password(&fcare, ALICE, PASSWORD);
        server.refuse_writes();
        for token in [&tokens.access, tokens.refresh()] {
            let answer = revoke(shape, &server, &fcare, token).expect(503);
            assert!(
                answer.header("retry-after").is_some_and(|secs| secs.parse::<u32>().is_ok()),
                "{answer:?}"
            );
        }
        server.allow_writes();
        wait_until("writes succeed again", Duration::from_secs(10), || {
            (revoke(shape, &server, &fcare, &tokens.access).status == 200).then_some(())
        });
        assert!(!server.stands(&fcare, &tokens.access));
    });
}

// What 200 means

#[test]
fn after_the_200_no_verify_answers_200_through_any_endpoint() {
    let House { server, gateway, .. } = obol!().house();
    for_each_shape(|shape| {
        let access = server.token_by_password(&gateway, ALICE, PASSWORD).access;
        expect_success(revoke(shape, &server, &gateway, &access));
        assert!(!server.stands(&gateway, &access));
        assert!(!server.is_active(&gateway, &access));
        server.run(&["token", "verify", &access, "--client", "gateway"]).exits(1);
    });
}

#[test]
fn after_the_200_the_token_stays_refused_after_a_crash_and_after_a_restart() {
    let House { mut server, fcare, .. } = obol!().house();
    let live = server.token_by_password(&fcare, ALICE, PASSWORD);
    let revoked: Vec<String> = Shape::ALL
        .into_iter()
        .map(|shape| {
            let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
            expect_success(revoke(shape, &server, &fcare, &access));
            access
        })
        .collect();

    server.kill();
    server.start_again();
    assert!(server.stands(&fcare, &live.access));
    assert!(revoked.iter().all(|access| !server.stands(&fcare, access)), "after the crash");

    server.stop();
    server.start_again();
    assert!(server.stands(&fcare, &live.access));
    assert!(revoked.iter().all(|access| !server.stands(&fcare, access)), "after the restart");
}

#[test]
fn revoking_either_token_of_a_pair_ends_the_pair() {
    let House { server, fcare, .. } = obol!().house();
    for_each_shape(|shape| {
        let by_access = server.token_by_password(&fcare, ALICE, PASSWORD);
        expect_success(revoke(shape, &server, &fcare, &by_access.access));
        server.refresh(&fcare, by_access.refresh()).expect_error(400, "invalid_grant");
        assert!(!server.stands(&fcare, &by_access.access));

        let by_refresh = server.token_by_password(&fcare, ALICE, PASSWORD);
        expect_success(revoke(shape, &server, &fcare, by_refresh.refresh()));
        assert!(!server.stands(&fcare, &by_refresh.access));
        server.refresh(&fcare, by_refresh.refresh()).expect_error(400, "invalid_grant");
    });
}

#[test]
fn the_answer_says_its_position_and_verify_can_ask_for_it() {
    let House { server, fcare, .. } = obol!().house();
    let other = server.token_by_password(&fcare, ALICE, PASSWORD).access;
    for_each_shape(|shape| {
        let access = server.token_by_password(&fcare, ALICE, PASSWORD).access;
        let answer = revoke(shape, &server, &fcare, &access).expect(200);
        let position =
            answer.header("obol-position").expect("an answer to a revocation says its position").to_owned();
        let at_least = |position: &str, token: &str| {
            let request = server.http().get("/api/v1/oauth/verify_token/?client_id=fcare").bearer(token);
            request.header("obol-min-position", position).send()
        };
        at_least(&position, &access).expect(401);
        at_least(&position, &other).expect(200);
        let later = position.parse::<u64>().expect("a position is a number") + 1_000_000;
        at_least(&later.to_string(), &other).expect(503);
    });
}

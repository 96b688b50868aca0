//! Order comes from the log: whatever is denied after a request arrived refuses what the request is given.

mod rooms;

use obol_oauth::administration::ClientSpec;
use obol_oauth::{Answer, ErrorCode, Outcome, RevocationDone};
use obol_store::{AuditEvent, Deny};
use obol_token::ClientId;
use rooms::{ALICE, REVOKE, Rooms, VERIFY, alice};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_while_a_password_is_checked_refuses_the_token() {
    for deny in [Deny::Subject(ALICE), Deny::Client(ClientId::new("app").unwrap()), Deny::Everything] {
        let rooms = Rooms::open().await;
        let needed = rooms.begin_password().await;
        let appended = rooms.store.deny(&deny, needed.arrival.now).await.unwrap();
        let _revoked = rooms.replica.confirm(appended).await.unwrap();

        let refused = rooms.engine.issue_to_person(needed, Ok(alice())).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidCredentials, "{deny:?}");
        let after = rooms.sign_in().await;
        assert!(rooms.stands(&after.access_token).await, "a new sign-in after {deny:?} works");
        assert!(rooms.refresh(after.refresh_token.as_deref().unwrap()).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_and_enabled_again_while_a_password_is_checked_gives_nothing() {
    let rooms = Rooms::open().await;
    let needed = rooms.begin_password().await;
    let (name, now) = ("alice".parse().unwrap(), needed.arrival.now);
    for enabled in [false, true] {
        rooms.store.set_user_enabled(&name, enabled, now).await.unwrap();
    }
    let refused = rooms.engine.issue_to_person(needed, Ok(alice())).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidCredentials);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_either_token_of_a_pair_ends_the_pair() {
    let rooms = Rooms::open().await;
    for which in ["access", "refresh"] {
        let pair = rooms.sign_in().await;
        let refresh_token = pair.refresh_token.clone().unwrap();
        let token = if which == "access" { &pair.access_token } else { &refresh_token };
        let done = rooms.ask(REVOKE, &format!("client_id=app&token={token}"), "").await.unwrap();
        assert!(matches!(done, Outcome::Done(Answer::Revocation(_))));
        assert!(!rooms.stands(&pair.access_token).await, "{which}");
        assert_eq!(rooms.refresh(&refresh_token).await.unwrap_err().code(), ErrorCode::InvalidGrant);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_left_answers_503_and_nothing_else() {
    let rooms = Rooms::open().await;
    let pair = rooms.sign_in().await;
    rooms.replica.leave().await.unwrap();
    let bearer = format!("Bearer {}", pair.access_token);
    let revoke = format!("client_id=app&token={}", pair.access_token);
    for (path, form, authorization) in [(VERIFY, "client_id=app", bearer.as_str()), (REVOKE, &revoke, "")] {
        let refused = rooms.ask(path, form, authorization).await.unwrap_err();
        assert_eq!((refused.code(), refused.retry_after_secs()), (ErrorCode::Unavailable, Some(1)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_family_per_person_holds_also_without_refresh_tokens() {
    let rooms = Rooms::open().await;
    let spec = ClientSpec {
        grants: vec!["password".to_owned()],
        single_family: true,
        ..rooms.spec("app-of-one", &[], None)
    };
    rooms.add(spec).await;
    let first = rooms.sign_in_at("app-of-one").await;
    assert!(first.refresh_token.is_none());
    assert!(rooms.stands_at("app-of-one", &first.access_token).await);
    let second = rooms.sign_in_at("app-of-one").await;
    assert!(!rooms.stands_at("app-of-one", &first.access_token).await, "the first was ended by the second");
    assert!(rooms.stands_at("app-of-one", &second.access_token).await);
    assert!(rooms.audit.events().contains(&AuditEvent::TokenRevoked), "a replaced family is audited");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_of_a_family_that_is_gone_stores_nothing() {
    let rooms = Rooms::open().await;
    let pair = rooms.sign_in().await;
    // Access tokens live 60 s and refresh tokens 600 s: both are over, and a later write takes the row along.
    rooms.clock.set_secs_after_start(700);
    let _other = rooms.sign_in().await;
    let before = rooms.replica.applied();
    for _ in 0..3 {
        let form = format!("client_id=app&token={}", pair.access_token);
        let done = rooms.ask(REVOKE, &form, "").await.unwrap();
        assert!(matches!(done, Outcome::Done(Answer::Revocation(RevocationDone::NothingToRevoke))));
    }
    assert_eq!(rooms.replica.applied(), before);
}

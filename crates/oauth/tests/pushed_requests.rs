//! Pushed authorization requests (RFC 9126): how long they are good, and how many are kept.

mod rooms;

use std::sync::Arc;

use obol_oauth::{Answer, Authorized, Decision, ErrorCode, OAuthError, Outcome, PushedAnswer};
use obol_replica::Clock;
use obol_store::{NewPushedRequest, PushOutcome, SessionEndRevokes};
use obol_token::SecretHash;
use rooms::Rooms;
use rooms::browser::{Browser, CALLBACK};

async fn open() -> Rooms {
    let rooms = Rooms::open().await;
    let mut spec = rooms.spec("people", &["authorization_code"], None);
    spec.redirect_uris = vec![CALLBACK.to_owned()];
    rooms.add(spec).await;
    rooms
}

async fn push(rooms: &Rooms) -> Result<PushedAnswer, OAuthError> {
    match rooms.ask("/oauth2/par", &Browser::query(""), "").await? {
        Outcome::Done(Answer::Pushed(pushed)) => Ok(pushed),
        other => panic!("{other:?}"),
    }
}

/// What a browser brings for a request that was pushed.
async fn pushed(rooms: &Rooms) -> String {
    format!("client_id=people&request_uri={}", push(rooms).await.unwrap().request_uri)
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9126_4_a_reference_is_good_until_the_second_it_expires() {
    for (secs, good) in [(0, true), (89, true), (90, false), (91, false)] {
        let rooms = open().await;
        let alice = Browser::signed_in(&rooms).await;
        let query = pushed(&rooms).await;
        rooms.clock.set_secs_after_start(secs);
        match alice.ask(&query, None).await {
            Ok(Authorized::Consent(asked)) => assert!(good && asked.client_id == "people", "{secs}"),
            Err(error) => assert_eq!((good, error.code()), (false, ErrorCode::InvalidRequestUri), "{secs}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_in_time_has_an_hour_from_then_and_who_did_not_has_nothing() {
    for (came, secs, good) in [
        (&[0][..], 90, true),
        (&[10], 3_609, true),
        (&[10], 3_610, false),
        (&[10, 89], 3_688, true),
        (&[10, 89], 3_689, false),
        (&[], 89, true),
        (&[], 90, false),
    ] {
        let rooms = open().await;
        let alice = Browser::signed_in(&rooms).await;
        let query = pushed(&rooms).await;
        for came in came {
            rooms.clock.set_secs_after_start(*came);
            alice.ask(&query, None).await.unwrap();
        }
        // A later page gives no more time.
        rooms.clock.set_secs_after_start(secs - 1);
        alice.ask_again(&query, None).await.unwrap();
        rooms.clock.set_secs_after_start(secs);
        match alice.ask_again(&query, Some(Decision::Allow)).await {
            Ok(Authorized::Answer(answer)) => assert!(good && answer.params[0].0 == "code", "{secs}"),
            Err(error) => assert_eq!((good, error.code()), (false, ErrorCode::InvalidRequestUri), "{secs}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_session_ends_meanwhile_the_client_is_told_and_may_begin_again() {
    let rooms = open().await;
    let alice = Browser::signed_in(&rooms).await;
    let query = pushed(&rooms).await;
    let (session, now) = (&alice.person, rooms.clock.wall());
    rooms
        .store
        .end_session(session.session, session.subject, SessionEndRevokes::Everything, now)
        .await
        .unwrap();
    let answer = alice.answer(&query, Some(Decision::Allow)).await;
    assert_eq!(answer.params[0], ("error", "login_required".to_owned()));
    let used = alice.ask(&query, Some(Decision::Allow)).await.unwrap_err();
    assert_eq!(used.code(), ErrorCode::InvalidRequestUri);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9126_2_3_where_ten_thousand_of_a_client_wait_the_next_is_429() {
    const MOST: u32 = 10_000;
    let rooms = open().await;
    let now = rooms.clock.wall();
    let request = |number: u32| {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        NewPushedRequest {
            hash: SecretHash::from_bytes(hash),
            client_id: "people".parse().unwrap(),
            params: String::new(),
            pushed_at: now,
            expires_at: now.plus_secs(90),
            most: MOST,
        }
    };
    // As many at a time as the writer takes in one commit.
    for first in (1..MOST).step_by(500) {
        let pushes = (first..MOST.min(first + 500)).map(|number| {
            let (store, request) = (Arc::clone(&rooms.store), request(number));
            tokio::spawn(async move { store.push_request(&request).await.unwrap() })
        });
        for push in pushes.collect::<Vec<_>>() {
            assert_eq!(push.await.unwrap(), PushOutcome::Pushed);
        }
    }
    push(&rooms).await.unwrap();
    let refused = push(&rooms).await.unwrap_err();
    assert_eq!((refused.code(), refused.retry_after_secs()), (ErrorCode::TooManyRequests, Some(90)));
}

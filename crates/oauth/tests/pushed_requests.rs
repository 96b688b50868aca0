//! Pushed authorization requests (RFC 9126): how long they are good, and how many are kept, of whom.

mod rooms;

use std::net::IpAddr;
use std::sync::Arc;

use obol_keys::PlainSecret;
use obol_oauth::administration::ChosenSecret;
use obol_oauth::{Answer, Authorized, Decision, ErrorCode, OAuthError, Outcome, PushedAnswer};
use obol_replica::Clock;
use obol_store::{NewPushedRequest, PushOutcome, Registration, SessionEndRevokes};
use obol_token::SecretHash;
use rooms::browser::{Browser, CALLBACK};
use rooms::{GATEWAY_SECRET, LOOPBACK, Rooms};

async fn open() -> Rooms {
    let rooms = Rooms::open().await;
    let mut spec = rooms.spec("people", &["authorization_code"], None);
    spec.redirect_uris = vec![CALLBACK.to_owned()];
    rooms.add(spec).await;
    rooms
}

async fn push(rooms: &Rooms) -> Result<PushedAnswer, OAuthError> {
    push_of(rooms, "people", LOOPBACK).await
}

/// Pushes a request of this client, with the secret of all that have one, from there.
async fn push_of(rooms: &Rooms, client: &str, source: IpAddr) -> Result<PushedAnswer, OAuthError> {
    let (form, secret) = (Browser::query(""), format!("&client_secret={GATEWAY_SECRET}"));
    let form = form.replace("client_id=people", &format!("client_id={client}"));
    let form = if client == "people" { form } else { form + &secret };
    match rooms.ask_from(source, "/oauth2/par", &form, "").await? {
        Outcome::Done(Answer::Pushed(pushed)) => Ok(pushed),
        other => panic!("{other:?}"),
    }
}

/// A confidential client; one that has registered itself, or that the operator has added.
async fn add_confidential(rooms: &Rooms, id: &str, registered: bool) {
    let secret = PlainSecret::chosen(GATEWAY_SECRET.to_owned()).unwrap();
    let mut spec = rooms.spec(id, &["authorization_code"], Some(ChosenSecret::Given(secret)));
    spec.redirect_uris = vec![CALLBACK.to_owned()];
    let access_token = SecretHash::from_bytes([0; 32]);
    spec.settings.registration =
        registered.then_some(Registration { access_token, sector_identifier_uri: None, may_update: true });
    rooms.add(spec).await;
}

fn source(number: u8) -> IpAddr {
    IpAddr::from([198, 51, 100, number])
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

#[tokio::test(flavor = "multi_thread")]
async fn rfc9126_2_3_where_two_hundred_of_a_registered_client_wait_the_next_is_429_and_others_push_on() {
    let rooms = open().await;
    for id in ["registered", "another"] {
        add_confidential(&rooms, id, true).await;
    }
    add_confidential(&rooms, "added", false).await;
    let first = push_of(&rooms, "registered", source(0)).await.unwrap();
    for number in 1..200 {
        push_of(&rooms, "registered", source(number)).await.unwrap();
    }
    let refused = push_of(&rooms, "registered", source(200)).await.unwrap_err();
    assert_eq!((refused.code(), refused.retry_after_secs()), (ErrorCode::TooManyRequests, Some(90)));
    for client in ["another", "added", "people"] {
        push_of(&rooms, client, source(201)).await.unwrap();
    }
    // Each that is brought to its end makes room for one.
    let alice = Browser::signed_in(&rooms).await;
    let query = format!("client_id=registered&request_uri={}", first.request_uri);
    assert_eq!(alice.answer(&query, Some(Decision::Allow)).await.params[0].0, "code");
    push_of(&rooms, "registered", source(202)).await.unwrap();
    push_of(&rooms, "registered", source(203)).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pushes_for_registered_clients_is_slowed_down_over_all_of_them_and_the_operator_s_clients_push_on()
 {
    let rooms = open().await;
    for id in ["registered", "another"] {
        add_confidential(&rooms, id, true).await;
    }
    add_confidential(&rooms, "added", false).await;
    for number in 0..200 {
        push_of(&rooms, ["registered", "another"][number % 2], source(1)).await.unwrap();
    }
    for client in ["registered", "another", "people"] {
        let refused = push_of(&rooms, client, source(1)).await.unwrap_err();
        assert_eq!((refused.code(), refused.retry_after_secs()), (ErrorCode::TooManyRequests, Some(1)));
    }
    push_of(&rooms, "registered", source(2)).await.unwrap();
    for _ in 0..10 {
        push_of(&rooms, "added", source(1)).await.unwrap();
    }
}

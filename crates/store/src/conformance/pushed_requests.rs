//! Rules of [`crate::PushedRequests`].
#![allow(missing_docs, reason = "each rule is said by its name")]

use std::sync::Arc;

use super::samples::{Fresh, at, changed, client_id, deny, hash, pass_time, people, serve};
use crate::{
    ConsumeOutcome, Deny, HoldOutcome, NewPushedRequest, PushOutcome, PushedRequest, Store, StoreError,
};

pub async fn a_pushed_request_is_found_by_its_own_client(store: Fresh) {
    people(&*store).await;
    let request = request(1, "fcare");
    push(&*store, &request).await;
    let expected = PushedRequest { params: request.params.clone(), expires_at: request.expires_at };
    assert_eq!(found(&*store, &request, 1).await, Some(expected));
    for other in [
        NewPushedRequest { client_id: client_id("gateway"), ..request.clone() },
        NewPushedRequest { hash: hash("request", 2), ..request.clone() },
    ] {
        assert_eq!(found(&*store, &other, 1).await, None, "{other:?}");
    }
}

pub async fn nothing_is_pushed_for_a_client_who_is_gone(store: Fresh) {
    people(&*store).await;
    refuses(&*store, &request(1, "unknown"), PushOutcome::Gone).await;
    let fcare = client_id("fcare");
    changed(store.set_client_enabled(&fcare, false, at(1)).await.unwrap());
    refuses(&*store, &request(1, "fcare"), PushOutcome::Gone).await;
    changed(store.set_client_enabled(&fcare, true, at(1)).await.unwrap());
    push(&*store, &request(1, "fcare")).await;
    changed(store.delete_client(&fcare, at(1)).await.unwrap());
    refuses(&*store, &request(2, "fcare"), PushOutcome::Gone).await;
}

pub async fn so_many_requests_of_a_client_are_kept_and_no_more(store: Fresh) {
    people(&*store).await;
    let of_most = |number, client| NewPushedRequest { most: 2, ..request(number, client) };
    for number in [1, 2] {
        push(&*store, &of_most(number, "fcare")).await;
    }
    refuses(&*store, &of_most(3, "fcare"), PushOutcome::TooMany).await;
    push(&*store, &of_most(4, "gateway")).await;
    consume(&*store, &of_most(1, "fcare"), 1, ConsumeOutcome::Consumed).await;
    push(&*store, &of_most(3, "fcare")).await;
    refuses(&*store, &of_most(5, "fcare"), PushOutcome::TooMany).await;
}

pub async fn a_reference_in_use_is_a_conflict(store: Fresh) {
    people(&*store).await;
    let first = request(1, "fcare");
    push(&*store, &first).await;
    let outcome = store.push_request(&request(1, "gateway")).await;
    assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
    assert!(found(&*store, &first, 1).await.is_some());
}

pub async fn a_pushed_request_is_consumed_once_and_by_its_own_client(store: Fresh) {
    people(&*store).await;
    let (request, other) = (request(1, "fcare"), request(2, "fcare"));
    push(&*store, &request).await;
    push(&*store, &other).await;
    let gateways = NewPushedRequest { client_id: client_id("gateway"), ..request.clone() };
    consume(&*store, &gateways, 1, ConsumeOutcome::Gone).await;
    assert!(found(&*store, &request, 1).await.is_some());
    consume(&*store, &request, 1, ConsumeOutcome::Consumed).await;
    assert_eq!(found(&*store, &request, 1).await, None);
    consume(&*store, &request, 1, ConsumeOutcome::Gone).await;
    assert!(found(&*store, &other, 1).await.is_some());
}

pub async fn of_50_parallel_uses_of_one_reference_one_consumes_it(store: Fresh) {
    people(&*store).await;
    let request = request(1, "fcare");
    push(&*store, &request).await;
    let uses = (0..50).map(|_| {
        let (store, request) = (Arc::clone(&store), request.clone());
        tokio::spawn(async move {
            store.consume_pushed_request(request.hash, &request.client_id, at(1)).await.unwrap()
        })
    });
    let mut consumed = 0;
    for one in uses.collect::<Vec<_>>() {
        consumed += usize::from(one.await.unwrap() == ConsumeOutcome::Consumed);
    }
    assert_eq!(consumed, 1);
}

pub async fn a_pushed_request_leaves_when_it_expires_unless_a_browser_has_brought_it(store: Fresh) {
    serve(&*store).await;
    people(&*store).await;
    let [waiting, brought, late] = [1, 2, 3].map(|number| request(number, "fcare"));
    for request in [&waiting, &brought, &late] {
        push(&*store, request).await;
    }
    for request in [&brought, &late] {
        hold(&*store, request, EXPIRES_SECS - 1, HoldOutcome::Held).await;
    }
    for (request, leaves) in [(&waiting, EXPIRES_SECS), (&brought, HELD_SECS)] {
        for (secs, there) in [(leaves - 1, true), (leaves, false)] {
            assert_eq!(found(&*store, request, secs).await.is_some(), there, "{secs}");
        }
    }
    consume(&*store, &waiting, EXPIRES_SECS, ConsumeOutcome::Gone).await;
    pass_time(&*store, at(HELD_SECS - 1)).await;
    consume(&*store, &brought, HELD_SECS - 1, ConsumeOutcome::Consumed).await;
    consume(&*store, &late, HELD_SECS, ConsumeOutcome::Gone).await;
}

pub async fn a_pushed_request_is_held_by_its_own_client_while_it_is_there(store: Fresh) {
    people(&*store).await;
    let (late, used) = (request(1, "fcare"), request(2, "fcare"));
    push(&*store, &late).await;
    let gateways = NewPushedRequest { client_id: client_id("gateway"), ..late.clone() };
    hold(&*store, &gateways, 1, HoldOutcome::Gone).await;
    assert_eq!(found(&*store, &late, EXPIRES_SECS).await, None, "another's hold counts for nothing");
    hold(&*store, &late, EXPIRES_SECS, HoldOutcome::Gone).await;
    assert_eq!(found(&*store, &late, EXPIRES_SECS).await, None, "nothing brings it back");
    push(&*store, &used).await;
    consume(&*store, &used, 1, ConsumeOutcome::Consumed).await;
    hold(&*store, &used, 1, HoldOutcome::Gone).await;
    hold(&*store, &request(3, "fcare"), 1, HoldOutcome::Gone).await;
}

pub async fn requests_that_leave_make_room_and_do_not_set_swept_through(store: Fresh) {
    serve(&*store).await;
    people(&*store).await;
    let only_one = |number| NewPushedRequest { most: 1, ..request(number, "fcare") };
    push(&*store, &only_one(1)).await;
    let before = store.swept_through().await.unwrap();
    pass_time(&*store, at(EXPIRES_SECS - 1)).await;
    refuses(&*store, &only_one(2), PushOutcome::TooMany).await;
    pass_time(&*store, at(EXPIRES_SECS)).await;
    push(&*store, &only_one(2)).await;
    assert_eq!(store.swept_through().await, Ok(before));
}

pub async fn whatever_denies_all_tokens_of_a_client_ends_its_requests(store: Fresh) {
    people(&*store).await;
    let (fcare, fcares, gateways) = (client_id("fcare"), request(1, "fcare"), request(2, "gateway"));
    push(&*store, &gateways).await;
    push(&*store, &fcares).await;
    changed(store.set_client_enabled(&fcare, false, at(1)).await.unwrap());
    changed(store.set_client_enabled(&fcare, true, at(1)).await.unwrap());
    assert_eq!(found(&*store, &fcares, 1).await, None, "enabling brings nothing back");

    push(&*store, &fcares).await;
    deny(&*store, &Deny::Client(fcare.clone()), at(1)).await;
    assert_eq!(found(&*store, &fcares, 1).await, None);

    push(&*store, &fcares).await;
    changed(store.delete_client(&fcare, at(1)).await.unwrap());
    assert_eq!(found(&*store, &fcares, 1).await, None);

    assert!(found(&*store, &gateways, 1).await.is_some(), "no other's");
    deny(&*store, &Deny::Everything, at(1)).await;
    assert_eq!(found(&*store, &gateways, 1).await, None);
}

/// When a browser has to have brought a [`request`].
const EXPIRES_SECS: i64 = 90;
/// When it leaves the store if one has.
const HELD_SECS: i64 = 3_690;

/// A request that this client pushes when the rule begins.
fn request(number: u8, client: &str) -> NewPushedRequest {
    NewPushedRequest {
        hash: hash("request", number),
        client_id: client_id(client),
        params: format!("response_type=code&state={number}"),
        pushed_at: at(0),
        expires_at: at(EXPIRES_SECS),
        most: 100,
    }
}

async fn push(store: &dyn Store, request: &NewPushedRequest) {
    assert_eq!(store.push_request(request).await, Ok(PushOutcome::Pushed), "{request:?}");
}

async fn refuses(store: &dyn Store, request: &NewPushedRequest, why: PushOutcome) {
    assert_eq!(store.push_request(request).await, Ok(why), "{request:?}");
    assert_eq!(found(store, request, 1).await, None);
}

async fn found(store: &dyn Store, request: &NewPushedRequest, secs: i64) -> Option<PushedRequest> {
    store.find_pushed_request(request.hash, &request.client_id, at(secs)).await.unwrap()
}

async fn hold(store: &dyn Store, request: &NewPushedRequest, secs: i64, outcome: HoldOutcome) {
    let held = store.hold_pushed_request(request.hash, &request.client_id, at(secs), at(HELD_SECS)).await;
    assert_eq!(held, Ok(outcome), "{request:?}");
}

async fn consume(store: &dyn Store, request: &NewPushedRequest, secs: i64, outcome: ConsumeOutcome) {
    let consumed = store.consume_pushed_request(request.hash, &request.client_id, at(secs)).await;
    assert_eq!(consumed, Ok(outcome), "{request:?}");
}

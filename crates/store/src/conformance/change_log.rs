//! Rules of [`crate::ChangeLog`].
#![allow(missing_docs, reason = "each rule is said by its name")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use obol_token::{Denied, Expiry, Position, Timestamp};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::samples::{
    ACCESS_SECS, Fresh, PATIENCE, add_client, add_user, at, begin, changed, client, client_id, denial, deny,
    entries, family, hash, log_end, pass_time, people, refresh, replaced, rotate, rotation, serve,
    subject_id, token_id, told, until, user, username,
};
use crate::{Client, ClientKind, Deny, Entry, FirstKeyOutcome, NewKey, NodeId, PasswordHash, RotateOutcome};

pub async fn a_new_log_is_empty(store: Fresh) {
    assert_eq!(store.read_after(Position::START, 10).await, Ok(Vec::new()));
}

pub async fn every_change_gets_a_later_position(store: Fresh) {
    let store = &*store;
    let confidential =
        Client { kind: ClientKind::Confidential(hash("secret", 1).into()), ..client("gateway") };
    let (name, password) = (username("alice"), PasswordHash::from_phc("$argon2id$new"));
    let (id, kind) = (obol_token::KeyId::from_bytes(*b"key1"), obol_token::KeyKind::Sealing);
    let key = NewKey { id, kind, wrapped: vec![1], created_at: at(0) };
    let family = family(1, "gateway", "alice");
    let mut positions = vec![Position::START];
    positions.push(add_client(store, &confidential).await);
    add_user(store, &user("alice")).await;
    match store.add_first_key(&key).await.unwrap() {
        FirstKeyOutcome::Added(appended) => positions.push(appended.position()),
        FirstKeyOutcome::Exists => panic!("there is a key"),
    }
    positions
        .push(replaced(store.set_client_secret(&confidential, &hash("secret", 2).into()).await.unwrap()));
    begin(store, &family).await;
    match rotate(store, &crate::Rotation { presented: refresh(1, 9), ..rotation(&family, 0, 1) }).await {
        RotateOutcome::Reused(appended) => positions.push(appended.position()),
        other => panic!("{other:?}"),
    }
    positions.push(changed(store.set_user_password(&name, &password, at(1)).await.unwrap()));
    positions.push(changed(store.set_user_enabled(&name, false, at(1)).await.unwrap()));
    positions.push(changed(store.delete_user(&name, at(1)).await.unwrap()));
    positions.push(changed(store.set_client_enabled(&confidential.id, false, at(1)).await.unwrap()));
    positions.push(changed(store.set_client_enabled(&confidential.id, true, at(1)).await.unwrap()));
    positions.push(changed(store.delete_client(&confidential.id, at(1)).await.unwrap()));
    positions.push(deny(store, &Deny::Everything, at(1)).await);
    assert!(positions.is_sorted_by(|earlier, later| earlier < later), "{positions:?}");
    assert_eq!(positions.last(), Some(&log_end(store).await));
}

pub async fn the_latest_entry_of_a_thing_takes_the_place_of_the_older(store: Fresh) {
    people(&*store).await;
    let id = client_id("fcare");
    for enabled in [false, true, false, true] {
        let position = changed(store.set_client_enabled(&id, enabled, at(1)).await.unwrap());
        let (told_at, state) = told(&*store, &id).await.unwrap();
        assert_eq!(state, Some(Client { enabled, ..client("fcare") }));
        assert!(told_at <= position && (told_at == position || !enabled), "{told_at} {position}");
    }
    let first = deny(&*store, &Deny::Subject(subject_id("bob")), at(1)).await;
    let second = deny(&*store, &Deny::Subject(subject_id("bob")), at(1)).await;
    assert!(first < second);
    let entries = entries(&*store).await;
    // Two clients, the denial of one, the denial of bob.
    assert_eq!(entries.len(), 4, "{entries:?}");
    assert!(entries.is_sorted_by(|earlier, later| earlier.position < later.position));
}

pub async fn pages_join_without_a_gap(store: Fresh) {
    for number in 1..=50 {
        deny(&*store, &Deny::Token { id: token_id(number), expires_at: Expiry::Never }, at(1)).await;
    }
    let whole = entries(&*store).await;
    assert_eq!(whole.len(), 50);
    for limit in [1, 7, 50, 51] {
        let mut joined: Vec<Entry> = Vec::new();
        while joined.len() < whole.len() {
            let after = joined.last().map_or(Position::START, |entry| entry.position);
            let page = store.read_after(after, limit).await.unwrap();
            assert!((1..=limit).contains(&page.len()));
            joined.extend(page);
        }
        assert_eq!(joined, whole, "in pages of {limit}");
        assert_eq!(store.read_after(log_end(&*store).await, limit).await, Ok(Vec::new()));
    }
    assert_eq!(store.read_after(Position::START, 0).await, Ok(Vec::new()));
}

pub async fn reading_to_the_end_reaches_every_acknowledged_position(store: Fresh) {
    serve(&*store).await;
    let token = |number, secs| Deny::Token { id: token_id(number), expires_at: until(secs) };
    // Nobody has a client yet, and these tokens have expired: such denials refuse nothing, and count all the same.
    let useless = [Deny::Subject(subject_id("alice")), token(1, -100), token(2, 0), token(3, -100)];
    for deny in useless {
        let position = store.deny(&deny, at(0)).await.unwrap().position();
        assert_eq!(log_end(&*store).await, position, "{deny:?}");
    }
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    let position = deny(&*store, &Deny::Family(family.id), at(2 * ACCESS_SECS)).await;
    assert_eq!(log_end(&*store).await, position);
    pass_time(&*store, at(3 * ACCESS_SECS)).await;
    assert!(log_end(&*store).await >= position);
}

pub async fn who_follows_the_log_never_meets_an_entry_behind(store: Fresh) {
    const TASKS: u8 = 8;
    const APPENDS: u8 = 30;
    let done = Arc::new(AtomicBool::new(false));
    let mut followers = JoinSet::new();
    for _ in 0..2 {
        followers.spawn(follow(store.clone(), done.clone()));
    }
    let mut appends = JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        appends.spawn(async move {
            for number in 0..APPENDS {
                let mut id = [task; 16];
                id[0] = number;
                let id = obol_token::TokenId::from_bytes(id);
                deny(&*store, &Deny::Token { id, expires_at: Expiry::Never }, at(1)).await;
            }
        });
    }
    appends.join_all().await;
    done.store(true, Ordering::SeqCst);
    let whole = entries(&*store).await;
    assert_eq!(whole.len(), usize::from(TASKS) * usize::from(APPENDS));
    for followed in followers.join_all().await {
        assert!(followed.is_sorted_by(|earlier, later| earlier < later));
        assert_eq!(followed, whole.iter().map(|entry| entry.position).collect::<Vec<_>>());
    }
}

/// Reads on until all is done and read; an entry that became visible behind the reader is missing from its answer.
async fn follow(store: Fresh, done: Arc<AtomicBool>) -> Vec<Position> {
    let mut positions = Vec::new();
    loop {
        let last_reading = done.load(Ordering::SeqCst);
        let after = positions.last().copied().unwrap_or_default();
        let page = store.read_after(after, 5).await.unwrap();
        if page.is_empty() && last_reading {
            return positions;
        }
        positions.extend(page.iter().map(|entry| entry.position));
        tokio::task::yield_now().await;
    }
}

pub async fn an_append_wakes_who_waits(store: Fresh) {
    for number in 1..=20 {
        let after = log_end(&*store).await;
        let waits = tokio::spawn({
            let store = store.clone();
            async move {
                while store.read_after(after, 1).await.unwrap().is_empty() {
                    store.wait_for_append(after).await;
                }
            }
        });
        tokio::task::yield_now().await;
        deny(&*store, &Deny::Token { id: token_id(number), expires_at: Expiry::Never }, at(1)).await;
        timeout(PATIENCE, waits).await.expect("nobody woke it").unwrap();
    }
}

pub async fn who_waits_behind_the_end_returns_at_once(store: Fresh) {
    deny(&*store, &Deny::Everything, at(1)).await;
    timeout(PATIENCE, store.wait_for_append(Position::START)).await.expect("there is an entry");
}

pub async fn a_denial_leaves_the_log_by_itself_when_its_time_is_over(store: Fresh) {
    serve(&*store).await;
    let what = Denied::Token(token_id(1));
    deny(&*store, &Deny::Token { id: token_id(1), expires_at: until(100) }, at(1)).await;
    pass_time(&*store, at(99)).await;
    assert!(denial(&*store, &what).await.is_some());
    pass_time(&*store, at(100)).await;
    assert_eq!(denial(&*store, &what).await, None);
}

pub async fn nothing_leaves_while_no_node_is_entered(store: Fresh) {
    let what = Denied::Token(token_id(1));
    deny(&*store, &Deny::Token { id: token_id(1), expires_at: until(100) }, at(1)).await;
    pass_time(&*store, at(200)).await;
    assert!(denial(&*store, &what).await.is_some(), "before there is a node");
    assert_eq!(store.swept_through().await, Ok(Timestamp::from_secs(0)));

    serve(&*store).await;
    store.leave(NodeId::from_bytes([1; 16])).await.unwrap();
    pass_time(&*store, at(200)).await;
    assert!(denial(&*store, &what).await.is_some(), "after it has left");

    serve(&*store).await;
    pass_time(&*store, at(200)).await;
    assert_eq!(denial(&*store, &what).await, None);
}

pub async fn denying_everything_sets_swept_through_back(store: Fresh) {
    serve(&*store).await;
    deny(&*store, &Deny::Token { id: token_id(1), expires_at: until(100) }, at(1)).await;
    pass_time(&*store, at(200)).await;
    assert_eq!(store.swept_through().await, Ok(at(200)));
    deny(&*store, &Deny::Everything, at(1)).await;
    assert_eq!(store.swept_through().await, Ok(Timestamp::from_secs(0)));
}

pub async fn swept_through_is_the_latest_moment_at_which_something_left(store: Fresh) {
    serve(&*store).await;
    people(&*store).await;
    let swept = async || store.swept_through().await.unwrap();
    let token = |number, secs| Deny::Token { id: token_id(number), expires_at: until(secs) };
    for (number, secs) in [(1, 100), (2, 300)] {
        deny(&*store, &token(number, secs), at(1)).await;
    }
    pass_time(&*store, at(99)).await;
    assert_eq!(swept().await, Timestamp::from_secs(0), "nothing has left");
    pass_time(&*store, at(150)).await;
    assert_eq!(swept().await, at(150));
    pass_time(&*store, at(299)).await;
    assert_eq!(swept().await, at(150), "nothing has left since");
    pass_time(&*store, at(400)).await;
    assert_eq!(swept().await, at(400));

    // The clock was set back, and what leaves now is over for long.
    deny(&*store, &token(3, 50), at(1)).await;
    deny(&*store, &token(4, 900), at(1)).await;
    pass_time(&*store, at(60)).await;
    assert_eq!(denial(&*store, &Denied::Token(token_id(3))).await, None);
    assert_eq!(swept().await, at(400));

    let family = crate::NewFamily {
        refresh_expires_at: until(500),
        access_expires_at: until(500),
        ..family(1, "fcare", "alice")
    };
    begin(&*store, &family).await;
    pass_time(&*store, at(600)).await;
    assert_eq!(swept().await, at(600), "a family has left");
}

pub async fn of_two_ends_of_a_denial_the_later_counts(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    deny(&*store, &Deny::Family(family.id), at(1)).await;
    // Its row comes back, with an end of its own.
    begin(&*store, &family).await;
    let position = deny(&*store, &Deny::Family(family.id), at(2)).await;
    let denial = denial(&*store, &Denied::Family(family.id)).await.unwrap();
    assert_eq!((denial.position, denial.leaves_at), (position, Expiry::Never));
}

//! Rules of [`crate::Keys`].
#![allow(missing_docs, reason = "each rule is said by its name")]

use obol_token::{KeyId, KeyKind, Position};
use tokio::task::JoinSet;

use super::samples::{Fresh, at, entries};
use crate::{
    AddKeyOutcome, Change, Entry, FirstKeyOutcome, MOST_KEYS, NewKey, PromoteOutcome, Promoted,
    RetireOutcome, Store, WrappedKey,
};

pub async fn the_first_key_is_told_to_the_nodes_and_seals_at_once(store: Fresh) {
    let position = add_first(&*store, 1).await;
    let told = WrappedKey { promoted: Some(Promoted { position, at: at(1) }), ..waiting(1) };
    assert_eq!(entries(&*store).await, [Entry { position, change: Change::Key(told) }]);
}

pub async fn there_is_one_first_key(store: Fresh) {
    assert_eq!(store.has_key().await, Ok(false));
    add_first(&*store, 1).await;
    assert_eq!(store.has_key().await, Ok(true));
    let before = entries(&*store).await;
    for again in [key(1), key(2)] {
        assert_eq!(store.add_first_key(&again).await, Ok(FirstKeyOutcome::Exists));
    }
    assert_eq!(entries(&*store).await, before);
}

pub async fn where_every_key_is_retired_there_is_a_first_one_again(store: Fresh) {
    add_first(&*store, 1).await;
    let (_, first) = told(&*store, 1).await.unwrap();
    let ended = WrappedKey { wrapped: Vec::new(), retired_at: Some(at(7)), ..first };
    let _ = store.put_back_key(&ended).await.unwrap();
    let again = add_first(&*store, 2).await;
    let since = Promoted { position: again, at: key(2).created_at };
    assert_eq!(told(&*store, 2).await, Some((again, WrappedKey { promoted: Some(since), ..waiting(2) })));
    assert_eq!(store.add_first_key(&key(3)).await, Ok(FirstKeyOutcome::Exists));
}

pub async fn of_50_parallel_first_keys_one_is_added(store: Fresh) {
    let mut adds = JoinSet::new();
    for number in 0..50 {
        let store = store.clone();
        adds.spawn(async move { (store.add_first_key(&key(number)).await.unwrap(), number) });
    }
    let outcomes = adds.join_all().await;
    let added: Vec<_> = outcomes.iter().filter(|(outcome, _)| *outcome != FirstKeyOutcome::Exists).collect();
    let [(FirstKeyOutcome::Added(appended), winner)] = &added[..] else {
        panic!("{} were added", added.len())
    };
    let (told_at, told) = told(&*store, *winner).await.unwrap();
    assert_eq!((told_at, told.id), (appended.position(), key(*winner).id));
    assert_eq!(entries(&*store).await.len(), 1);
}

pub async fn an_added_key_is_told_and_waits_until_it_is_promoted(store: Fresh) {
    add_first(&*store, 1).await;
    let added = add(&*store, 2).await;
    assert_eq!(told(&*store, 2).await, Some((added, waiting(2))));

    let promoted = promote(&*store, 2, 9).await;
    assert!(promoted > added);
    let since = Promoted { position: promoted, at: at(9) };
    let now = WrappedKey { promoted: Some(since), ..waiting(2) };
    assert_eq!(told(&*store, 2).await, Some((promoted, now.clone())));
    let first = told(&*store, 1).await.unwrap();
    assert_eq!(store.list_keys().await.unwrap(), [first.1, now], "the one before stays");
}

pub async fn while_a_key_waits_no_other_is_added(store: Fresh) {
    add_first(&*store, 1).await;
    let added = add(&*store, 2).await;
    let AddKeyOutcome::Waits { id, appended } = store.add_key(&key(3)).await.unwrap() else {
        panic!("too many")
    };
    assert_eq!((id, appended.position()), (key(2).id, added));
    assert_eq!(told(&*store, 3).await, None);
    promote(&*store, 2, 5).await;
    let added = add(&*store, 3).await;
    assert_eq!(told(&*store, 3).await.unwrap().0, added);
}

pub async fn a_key_is_promoted_once(store: Fresh) {
    add_first(&*store, 1).await;
    add(&*store, 2).await;
    let promoted = promote(&*store, 2, 5).await;
    let before = entries(&*store).await;
    assert_eq!(promote(&*store, 2, 9).await, promoted, "a second time is the first");
    assert_eq!(store.promote_key(key(7).id, at(9)).await, Ok(PromoteOutcome::Unknown));
    assert_eq!(entries(&*store).await, before);
}

pub async fn of_50_parallel_rotations_one_key_seals(store: Fresh) {
    add_first(&*store, 1).await;
    let mut rotations = JoinSet::new();
    for number in 0..50 {
        let store = store.clone();
        rotations.spawn(async move {
            match store.add_key(&key(100 + number)).await.unwrap() {
                AddKeyOutcome::Waits { id, .. } => Some((id, store.promote_key(id, at(9)).await.unwrap())),
                AddKeyOutcome::TooMany => None,
            }
        });
    }
    let mut outcomes: Vec<_> = rotations.join_all().await.into_iter().flatten().collect();
    let keys = store.list_keys().await.unwrap();
    outcomes.sort_by_key(|(id, _)| *id);
    outcomes.dedup();
    // Who came after a promotion has added another; whoever named the same key was told the same.
    assert_eq!(outcomes.len(), keys.len() - 1);
    let mut places: Vec<_> = keys.iter().map(|key| key.promoted.unwrap().position).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), keys.len(), "one of them is the last");
}

pub async fn a_retired_key_is_told_and_nothing_of_it_stays_but_its_id(store: Fresh) {
    replaced(&*store).await;
    let retired = retire(&*store, 1, 9).await;
    let (told_at, told) = told(&*store, 1).await.unwrap();
    assert_eq!(told_at, retired);
    assert_eq!((told.id, told.wrapped, told.retired_at), (key(1).id, Vec::new(), Some(at(9))));
    assert_eq!(retire(&*store, 1, 12).await, retired, "a second time is the first");
    assert_eq!(store.promote_key(key(1).id, at(9)).await, Ok(PromoteOutcome::Unknown));
    assert!(store.add_key(&key(1)).await.is_err(), "its id is never given out again");
    assert_eq!(store.has_key().await, Ok(true));
}

pub async fn the_key_that_seals_is_not_retired(store: Fresh) {
    add_first(&*store, 1).await;
    assert_eq!(store.retire_key(key(1).id, at(9)).await, Ok(RetireOutcome::InUse));
    add(&*store, 2).await;
    assert_eq!(store.retire_key(key(1).id, at(9)).await, Ok(RetireOutcome::InUse), "2 only waits");
    promote(&*store, 2, 5).await;
    assert_eq!(store.retire_key(key(2).id, at(9)).await, Ok(RetireOutcome::InUse));
    retire(&*store, 1, 9).await;
    assert_eq!(store.retire_key(key(2).id, at(9)).await, Ok(RetireOutcome::InUse), "the only one");
    assert_eq!(store.retire_key(key(7).id, at(9)).await, Ok(RetireOutcome::Unknown));
    assert_eq!(told(&*store, 2).await.unwrap().1.retired_at, None);
}

pub async fn a_key_that_waits_can_be_retired_and_is_not_promoted_then(store: Fresh) {
    add_first(&*store, 1).await;
    add(&*store, 2).await;
    retire(&*store, 2, 5).await;
    assert_eq!(store.promote_key(key(2).id, at(9)).await, Ok(PromoteOutcome::Unknown));
    let added = add(&*store, 3).await;
    assert_eq!(told(&*store, 3).await, Some((added, waiting(3))), "another may wait now");
}

pub async fn there_are_so_many_keys_that_are_not_retired_and_no_more(store: Fresh) {
    add_first(&*store, 0).await;
    let most = u8::try_from(MOST_KEYS).unwrap();
    for number in 1..most {
        add(&*store, number).await;
        promote(&*store, number, 5).await;
    }
    let before = entries(&*store).await;
    assert_eq!(store.add_key(&key(most)).await, Ok(AddKeyOutcome::TooMany));
    assert_eq!(entries(&*store).await, before);
    retire(&*store, 3, 9).await;
    add(&*store, most).await;
}

pub async fn what_was_lost_of_a_key_is_put_back(store: Fresh) {
    let first =
        WrappedKey { promoted: Some(Promoted { position: Position::new(3), at: at(4) }), ..waiting(1) };
    let put_back = store.put_back_key(&first).await.unwrap();
    assert_eq!(told(&*store, 1).await, Some((put_back.position(), first.clone())));

    // What either side knows to have been done is done.
    add(&*store, 2).await;
    let promoted = Some(Promoted { position: Position::new(7), at: at(8) });
    let put_back = store.put_back_key(&WrappedKey { promoted, ..waiting(2) }).await.unwrap();
    let expected = WrappedKey { promoted, ..waiting(2) };
    assert_eq!(told(&*store, 2).await, Some((put_back.position(), expected.clone())));
    let retired = WrappedKey { wrapped: Vec::new(), retired_at: Some(at(9)), ..first.clone() };
    for known in [&retired, &first] {
        let put_back = store.put_back_key(known).await.unwrap();
        assert_eq!(told(&*store, 1).await.unwrap().0, put_back.position());
        let stored = told(&*store, 1).await.unwrap().1;
        assert_eq!((stored.retired_at, stored.promoted), (Some(at(9)), first.promoted));
        assert!(stored.wrapped.is_empty());
    }
    assert_eq!(store.retire_key(key(2).id, at(9)).await, Ok(RetireOutcome::InUse));
}

pub async fn kinds_do_not_touch_each_other(store: Fresh) {
    let mut used = Vec::new();
    for (number, kind) in (1..).zip(KeyKind::ALL) {
        let key = |number| NewKey { kind, ..key(number) };
        let FirstKeyOutcome::Added(appended) = store.add_first_key(&key(number)).await.unwrap() else {
            panic!("{kind:?} has no key yet")
        };
        let told_now = told(&*store, number).await.unwrap();
        assert_eq!((told_now.0, told_now.1.kind), (appended.position(), kind));
        assert_eq!(store.add_first_key(&key(number + 10)).await, Ok(FirstKeyOutcome::Exists));
        let added = store.add_key(&key(number + 20)).await.unwrap();
        let AddKeyOutcome::Waits { id, appended } = added else { panic!("{added:?}") };
        assert_eq!(id, key(number + 20).id, "that of another kind waits for itself");
        assert_eq!(told(&*store, number + 20).await.unwrap().0, appended.position());
        used.push((number, number + 20));
    }
    for (first, next) in &used {
        assert_eq!(store.retire_key(key(*first).id, at(9)).await, Ok(RetireOutcome::InUse), "{first}");
        promote(&*store, *next, 5).await;
        retire(&*store, *first, 9).await;
        assert_eq!(store.retire_key(key(*next).id, at(9)).await, Ok(RetireOutcome::InUse), "{next}");
    }
    let kinds: Vec<_> = store.list_keys().await.unwrap().iter().map(|key| key.kind).collect();
    assert_eq!(kinds, [KeyKind::ALL, KeyKind::ALL].concat());
}

async fn add_first(store: &dyn Store, number: u8) -> Position {
    match store.add_first_key(&key(number)).await.unwrap() {
        FirstKeyOutcome::Added(appended) => appended.position(),
        FirstKeyOutcome::Exists => panic!("there is one"),
    }
}

/// Adds this key, and nothing else.
async fn add(store: &dyn Store, number: u8) -> Position {
    match store.add_key(&key(number)).await.unwrap() {
        AddKeyOutcome::Waits { id, appended } if id == key(number).id => appended.position(),
        other => panic!("{other:?}"),
    }
}

async fn promote(store: &dyn Store, number: u8, secs: i64) -> Position {
    match store.promote_key(key(number).id, at(secs)).await.unwrap() {
        PromoteOutcome::Promoted(appended) => appended.position(),
        PromoteOutcome::Unknown => panic!("unknown"),
    }
}

async fn retire(store: &dyn Store, number: u8, secs: i64) -> Position {
    match store.retire_key(key(number).id, at(secs)).await.unwrap() {
        RetireOutcome::Retired(appended) => appended.position(),
        other => panic!("{other:?}"),
    }
}

/// Key 2 seals, and 1 did before.
async fn replaced(store: &dyn Store) {
    add_first(store, 1).await;
    add(store, 2).await;
    promote(store, 2, 5).await;
}

/// What the log says of this key, and where.
async fn told(store: &dyn Store, number: u8) -> Option<(Position, WrappedKey)> {
    entries(store).await.into_iter().find_map(|entry| match entry.change {
        Change::Key(told) if told.id == key(number).id => Some((entry.position, told)),
        _ => None,
    })
}

fn key(number: u8) -> NewKey {
    let WrappedKey { id, kind, wrapped, created_at, .. } = waiting(number);
    NewKey { id, kind, wrapped, created_at }
}

fn waiting(number: u8) -> WrappedKey {
    WrappedKey {
        id: KeyId::from_bytes([number; 4]),
        kind: KeyKind::Sealing,
        wrapped: vec![0, number, 0xff],
        created_at: at(number.into()),
        promoted: None,
        retired_at: None,
    }
}

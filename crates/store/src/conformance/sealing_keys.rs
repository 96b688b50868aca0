//! Rules of [`crate::SealingKeys`].
#![allow(missing_docs, reason = "each rule is said by its name")]

use obol_token::KeyId;
use tokio::task::JoinSet;

use super::samples::{Fresh, at, entries};
use crate::{Change, Entry, FirstKeyOutcome, WrappedKey};

pub async fn the_first_key_is_told_to_the_nodes(store: Fresh) {
    let key = key(1);
    let outcome = store.add_first_sealing_key(&key).await.unwrap();
    let FirstKeyOutcome::Added(appended) = outcome else { panic!("{outcome:?}") };
    let entry = Entry { position: appended.position(), change: Change::SealingKey(key) };
    assert_eq!(entries(&*store).await, [entry]);
}

pub async fn there_is_one_first_key(store: Fresh) {
    assert_eq!(store.has_sealing_key().await, Ok(false));
    let _ = store.add_first_sealing_key(&key(1)).await.unwrap();
    assert_eq!(store.has_sealing_key().await, Ok(true));
    let before = entries(&*store).await;
    for again in [key(1), key(2)] {
        assert_eq!(store.add_first_sealing_key(&again).await, Ok(FirstKeyOutcome::Exists));
    }
    assert_eq!(entries(&*store).await, before);
}

pub async fn of_50_parallel_first_keys_one_is_added(store: Fresh) {
    let mut adds = JoinSet::new();
    for number in 0..50 {
        let store = store.clone();
        adds.spawn(async move { (store.add_first_sealing_key(&key(number)).await.unwrap(), key(number)) });
    }
    let outcomes = adds.join_all().await;
    let added: Vec<_> = outcomes.iter().filter(|(outcome, _)| *outcome != FirstKeyOutcome::Exists).collect();
    let [(FirstKeyOutcome::Added(appended), winner)] = &added[..] else {
        panic!("{} were added", added.len())
    };
    let entry = Entry { position: appended.position(), change: Change::SealingKey(winner.clone()) };
    assert_eq!(entries(&*store).await, [entry]);
}

fn key(number: u8) -> WrappedKey {
    WrappedKey {
        id: KeyId::from_bytes([number; 4]),
        wrapped: vec![0, number, 0xff],
        created_at: at(0),
        retired_at: None,
    }
}

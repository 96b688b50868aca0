//! Rules of [`crate::Assertions`].
#![allow(missing_docs, reason = "each rule is said by its name")]

use tokio::task::JoinSet;

use super::samples::{Fresh, at, hash, log_end, pass_time, people, serve};
use crate::UseOutcome;

pub async fn an_assertion_is_used_first_and_then_again(store: Fresh) {
    let (one, other) = (hash("assertion", 1), hash("assertion", 2));
    assert_eq!(store.use_assertion(one, at(60), at(0)).await, Ok(UseOutcome::First));
    for leaves_at in [at(60), at(600)] {
        assert_eq!(store.use_assertion(one, leaves_at, at(1)).await, Ok(UseOutcome::Again));
    }
    assert_eq!(store.use_assertion(other, at(60), at(1)).await, Ok(UseOutcome::First));
}

pub async fn a_used_assertion_leaves_at_its_time_and_not_before(store: Fresh) {
    serve(&*store).await;
    let (early, late) = (hash("assertion", 1), hash("assertion", 2));
    assert_eq!(store.use_assertion(early, at(60), at(0)).await, Ok(UseOutcome::First));
    // A later use does not make it stay longer.
    assert_eq!(store.use_assertion(early, at(600), at(0)).await, Ok(UseOutcome::Again));
    assert_eq!(store.use_assertion(late, at(61), at(0)).await, Ok(UseOutcome::First));
    pass_time(&*store, at(59)).await;
    assert_eq!(store.use_assertion(early, at(60), at(59)).await, Ok(UseOutcome::Again));
    pass_time(&*store, at(60)).await;
    assert_eq!(store.use_assertion(early, at(120), at(60)).await, Ok(UseOutcome::First));
    assert_eq!(store.use_assertion(late, at(120), at(60)).await, Ok(UseOutcome::Again));
}

pub async fn using_an_assertion_tells_the_nodes_nothing(store: Fresh) {
    people(&*store).await;
    let end = log_end(&*store).await;
    assert_eq!(store.use_assertion(hash("assertion", 1), at(60), at(0)).await, Ok(UseOutcome::First));
    assert_eq!(log_end(&*store).await, end);
}

pub async fn of_50_parallel_uses_of_one_assertion_one_is_first(store: Fresh) {
    let mut uses = JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        uses.spawn(async move { store.use_assertion(hash("assertion", 1), at(60), at(0)).await.unwrap() });
    }
    let outcomes = uses.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == UseOutcome::First).count(), 1);
}

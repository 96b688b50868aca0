//! Rules of [`crate::Families::rotate_refresh`].
#![allow(missing_docs, reason = "each rule is said by its name")]

use obol_token::Denied;
use tokio::task::JoinSet;

use super::samples::{
    ACCESS_SECS, Fresh, at, begin, client_id, denial, deny, entries, family, hash, is_live, log_end, people,
    rotate, rotation, stored, until,
};
use crate::{Deny, NewFamily, RotateOutcome, Rotation, Store};

pub async fn the_current_token_is_replaced_by_the_next(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    for generation in 0..30 {
        let rotation = rotation(&family, generation, i64::from(generation));
        assert_eq!(rotate(&*store, &rotation).await, RotateOutcome::First);
        let stored = stored(&*store, &family).await;
        assert_eq!(stored.current, rotation.next);
        assert_eq!(stored.refresh_expires_at, rotation.refresh_expires_at);
        assert_eq!((stored.id, stored.issued_at, stored.ended), (family.id, family.issued_at, None));
    }
}

pub async fn a_token_replaced_within_grace_gets_the_stored_answer(store: Fresh) {
    people(&*store).await;
    // Replaced at second 100, presented again: one second before, at and after the end of its grace of 10 s, and the
    // same the other way round, by a clock that was set back meanwhile.
    let after = [(1, 109, true), (2, 110, false), (3, 111, false), (4, 100, true)];
    let set_back = [(5, 91, true), (6, 90, false), (7, 89, false), (8, -86_400, false)];
    for (number, secs, replayed) in after.into_iter().chain(set_back) {
        let family = family(number, "fcare", "alice");
        begin(&*store, &family).await;
        let first = rotation(&family, 0, 100);
        assert_eq!(rotate(&*store, &first).await, RotateOutcome::First);
        let again = Rotation { sealed_answer: vec![0], next: hash("other", 1), ..rotation(&family, 0, secs) };
        match rotate(&*store, &again).await {
            RotateOutcome::Replay(answer) => assert!(replayed && answer == first.sealed_answer, "{secs}"),
            RotateOutcome::Reused(_) => assert!(!replayed, "{secs}"),
            other => panic!("{other:?} at {secs}"),
        }
        assert_eq!(is_live(&*store, &family).await, replayed);
    }
}

pub async fn a_replay_changes_nothing(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    let first = rotation(&family, 0, 100);
    assert_eq!(rotate(&*store, &first).await, RotateOutcome::First);
    let (before, log) = (stored(&*store, &family).await, entries(&*store).await);
    for secs in [100, 105, 109] {
        let again = Rotation { sealed_answer: vec![0], next: hash("other", 1), ..rotation(&family, 0, secs) };
        let answer = first.sealed_answer.clone();
        assert_eq!(rotate(&*store, &again).await, RotateOutcome::Replay(answer));
        assert_eq!(stored(&*store, &family).await, before);
    }
    assert_eq!(entries(&*store).await, log);
    assert_eq!(rotate(&*store, &rotation(&family, 1, 109)).await, RotateOutcome::First);
}

pub async fn a_token_replaced_before_the_last_rotation_is_reused_also_within_grace(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    for generation in [0, 1] {
        assert_eq!(rotate(&*store, &rotation(&family, generation, 100)).await, RotateOutcome::First);
    }
    assert_reused(&*store, &family, &rotation(&family, 0, 101)).await;
}

pub async fn a_token_that_was_never_given_is_reused(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    let never_given = Rotation { presented: hash("never given", 1), ..rotation(&family, 0, 1) };
    assert_reused(&*store, &family, &never_given).await;
}

pub async fn without_grace_a_replaced_token_is_reused_at_once(store: Fresh) {
    people(&*store).await;
    // Also when the clock of the second request is behind that of the first.
    for (number, secs) in [(1, 100), (2, 99)] {
        let family = family(number, "fcare", "alice");
        begin(&*store, &family).await;
        assert_eq!(rotate(&*store, &rotation(&family, 0, 100)).await, RotateOutcome::First);
        let again = Rotation { grace_secs: 0, ..rotation(&family, 0, secs) };
        assert_reused(&*store, &family, &again).await;
    }
}

pub async fn reuse_ends_the_family_and_denies_its_tokens(store: Fresh) {
    people(&*store).await;
    let (family, other) = (family(1, "fcare", "alice"), family(2, "fcare", "alice"));
    begin(&*store, &family).await;
    begin(&*store, &other).await;
    assert_eq!(rotate(&*store, &rotation(&family, 0, 100)).await, RotateOutcome::First);
    assert_reused(&*store, &family, &rotation(&family, 0, 110)).await;

    let denial = denial(&*store, &Denied::Family(family.id)).await.unwrap();
    assert_eq!(denial.leaves_at, until(100 + ACCESS_SECS));
    assert!(is_live(&*store, &other).await);
}

async fn assert_reused(store: &dyn Store, family: &NewFamily, rotation: &Rotation) {
    let outcome = rotate(store, rotation).await;
    let RotateOutcome::Reused(appended) = outcome else { panic!("{outcome:?}") };
    assert_eq!(denial(store, &Denied::Family(family.id)).await.unwrap().position, appended.position());
    assert_eq!(stored(store, family).await.ended.map(crate::Appended::position), Some(appended.position()));
}

pub async fn a_refresh_token_expires_at_its_second(store: Fresh) {
    people(&*store).await;
    for (number, secs, outcome) in [
        (1, 999, RotateOutcome::First),
        (2, 1_000, RotateOutcome::Expired),
        (3, 1_001, RotateOutcome::Expired),
    ] {
        let family = NewFamily { refresh_expires_at: until(1_000), ..family(number, "fcare", "alice") };
        begin(&*store, &family).await;
        assert_eq!(rotate(&*store, &rotation(&family, 0, secs)).await, outcome, "{secs}");
    }
}

pub async fn an_expired_refresh_token_is_expired_also_when_it_was_replaced(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    let short = Rotation { refresh_expires_at: until(105), ..rotation(&family, 0, 100) };
    assert_eq!(rotate(&*store, &short).await, RotateOutcome::First);
    for generation in [0, 1, 7] {
        let outcome = rotate(&*store, &rotation(&family, generation, 105)).await;
        assert_eq!(outcome, RotateOutcome::Expired, "{generation}");
    }
    assert!(is_live(&*store, &family).await);
}

pub async fn an_ended_family_is_ended_for_every_token(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    for generation in [0, 1] {
        let short = Rotation { refresh_expires_at: until(200), ..rotation(&family, generation, 100) };
        assert_eq!(rotate(&*store, &short).await, RotateOutcome::First);
    }
    let end = deny(&*store, &Deny::Family(family.id), at(101)).await;
    // Current, within grace, reused, expired.
    for (generation, secs) in [(2, 102), (1, 102), (0, 102), (2, 200)] {
        let outcome = rotate(&*store, &rotation(&family, generation, secs)).await;
        assert_eq!(outcome, RotateOutcome::Ended, "{generation} at {secs}");
    }
    assert_eq!(stored(&*store, &family).await.ended.map(crate::Appended::position), Some(end));
    assert_eq!(log_end(&*store).await, end);
}

pub async fn an_unknown_lineage_is_unknown(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    let unknown = Rotation { lineage: hash("lineage", 2), ..rotation(&family, 0, 1) };
    assert_eq!(rotate(&*store, &unknown).await, RotateOutcome::Unknown);
    assert_eq!(stored(&*store, &family).await.current, family.current);
}

pub async fn to_another_client_a_family_is_unknown_and_stays(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    let short = Rotation { refresh_expires_at: until(1_000), ..rotation(&family, 0, 100) };
    assert_eq!(rotate(&*store, &short).await, RotateOutcome::First);
    let (before, log) = (stored(&*store, &family).await, entries(&*store).await);
    for other in ["gateway", "FCARE", "unknown"] {
        // Within grace, past it, current, never given, after expiry.
        for (generation, secs) in [(0, 101), (0, 500), (1, 101), (7, 101), (1, 1_000)] {
            let foreign = Rotation { client_id: client_id(other), ..rotation(&family, generation, secs) };
            assert_eq!(rotate(&*store, &foreign).await, RotateOutcome::Unknown);
        }
    }
    assert_eq!(stored(&*store, &family).await, before);
    assert_eq!(entries(&*store).await, log);
}

/// What becomes of 50 parallel rotations of the first token, each with a next token of its own.
async fn rotate_in_parallel(
    store: &Fresh,
    family: &NewFamily,
    grace_secs: u32,
) -> Vec<(RotateOutcome, Rotation)> {
    let mut rotations = JoinSet::new();
    for number in 0..50 {
        let store = store.clone();
        let rotation = Rotation {
            next: hash("next", number),
            sealed_answer: vec![number],
            grace_secs,
            ..rotation(family, 0, 100)
        };
        rotations.spawn(async move { (store.rotate_refresh(&rotation).await.unwrap(), rotation) });
    }
    rotations.join_all().await
}

pub async fn of_50_parallel_rotations_of_one_token_one_is_first(store: Fresh) {
    people(&*store).await;
    for number in 1..=10 {
        let family = family(number, "fcare", "alice");
        begin(&*store, &family).await;
        let (first, others): (Vec<_>, Vec<_>) = rotate_in_parallel(&store, &family, 10)
            .await
            .into_iter()
            .partition(|(outcome, _)| *outcome == RotateOutcome::First);
        let [(_, first)] = &first[..] else { panic!("{} were first", first.len()) };
        for (outcome, _) in others {
            assert_eq!(outcome, RotateOutcome::Replay(first.sealed_answer.clone()));
        }
        assert_eq!(stored(&*store, &family).await.current, first.next);
    }
}

pub async fn of_50_parallel_rotations_without_grace_one_is_first_and_the_family_ends(store: Fresh) {
    people(&*store).await;
    for number in 1..=10 {
        let family = family(number, "fcare", "alice");
        begin(&*store, &family).await;
        let outcomes = rotate_in_parallel(&store, &family, 0).await;
        let count = |wanted: fn(&RotateOutcome) -> bool| {
            outcomes.iter().filter(|(outcome, _)| wanted(outcome)).count()
        };
        assert_eq!(count(|outcome| *outcome == RotateOutcome::First), 1);
        assert_eq!(count(|outcome| matches!(outcome, RotateOutcome::Reused(_))), 1);
        assert_eq!(count(|outcome| *outcome == RotateOutcome::Ended), 48);
        assert!(!is_live(&*store, &family).await);
    }
}

pub async fn a_rotation_never_outlives_a_parallel_denial(store: Fresh) {
    people(&*store).await;
    for number in 1..=40 {
        let family = family(number, "fcare", "alice");
        begin(&*store, &family).await;
        let denies = tokio::spawn({
            let (store, deny) = (store.clone(), Deny::Family(family.id));
            async move { store.deny(&deny, at(100)).await.unwrap().position() }
        });
        let rotated = rotate(&*store, &rotation(&family, 0, 100)).await;
        assert!(matches!(rotated, RotateOutcome::First | RotateOutcome::Ended), "{rotated:?}");
        let position = denies.await.unwrap();
        assert_eq!(stored(&*store, &family).await.ended.map(crate::Appended::position), Some(position));
        for generation in [0, 1] {
            let outcome = rotate(&*store, &rotation(&family, generation, 101)).await;
            assert_eq!(outcome, RotateOutcome::Ended);
        }
    }
}

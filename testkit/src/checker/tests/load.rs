//! Long histories are judged in seconds.

use std::time::Instant;

use super::*;

/// More than a slow machine needs for an unoptimised build, and much less than anything quadratic takes.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_million_events_are_judged_in_seconds() {
    let mut told = Told::new();
    for at in 0..125_000 {
        let name = format!("oba_{at:0150}");
        told = told.token(8 * at, &name);
        for later in 1..6 {
            told = told.verify(8 * at + 20 * later, ["n1", "n2", "n3"][later as usize % 3], &name, YES);
        }
        told = told.revoke(8 * at + 200, token(&name), YES).verify(8 * at + 220, "n2", &name, NO);
    }
    judged_in_time(&told, 1_000_000, 0);
}

#[test]
fn many_ends_of_one_person_with_many_tokens_are_judged_in_seconds() {
    let mut told = Told::new();
    for at in 0..50_000 {
        let name = format!("t{at}");
        let outcome = if at % 2 == 0 { YES } else { LOST };
        told = told.token(40 * at, &name).verify(40 * at + 11, "n1", &name, YES);
        told = told.revoke(40 * at + 22, Target::User("u".into()), outcome);
        told = told.verify(40 * at + 2_200, "n2", &name, NO);
    }
    judged_in_time(&told, 200_000, 0);
}

#[test]
fn one_token_with_everything_wrong_is_judged_in_seconds() {
    let mut told = Told::new().token(0, "t");
    for at in 1..50_000 {
        told = told.revoke(20 * at, token("t"), LOST).verify(20 * at + 11, "n1", "t", YES);
        told = told.verify(20 * at + 12, "n2", "t", NO);
    }
    judged_in_time(&told, 149_998, 1);
    judged_in_time(&told.verify(9_000_000, "n2", "t", YES), 149_999, 2);
}

#[track_caller]
fn judged_in_time(told: &Told, events: usize, breaches: usize) {
    assert_eq!(told.events.len(), events);
    let began = Instant::now();
    let report = told.judge();
    let took = began.elapsed();
    println!("{events} events in {took:?}");
    assert_eq!(report.breaches.len(), breaches, "{report}");
    assert!(took < LIMIT, "{took:?}");
}

//! Rules of [`crate::Denials`].
#![allow(missing_docs, reason = "each rule is said by its name")]

use obol_token::{Denied, Expiry, Timestamp};
use tokio::task::JoinSet;

use super::samples::{
    Fresh, REFRESH_SECS, add_user, at, begin, changed, client_id, denial, deny, family, family_id, is_live,
    log_end, pass_time, people, rotate, rotation, serve, stored, subject_id, token_id, until, user, username,
};
use crate::{Deny, NewFamily, PasswordHash, RotateOutcome};

pub async fn each_denial_is_told_to_the_nodes(store: Fresh) {
    people(&*store).await;
    let (token, subject, client) = (token_id(1), subject_id("alice"), client_id("fcare"));
    let denials = [
        (Deny::Token { id: token, expires_at: until(9) }, Denied::Token(token)),
        (Deny::Family(family_id(1)), Denied::Family(family_id(1))),
        (Deny::Subject(subject), Denied::Subject(subject)),
        (Deny::Client(client.clone()), Denied::Client(client)),
        (Deny::Everything, Denied::Everything),
    ];
    for (asked, denied) in denials {
        let position = deny(&*store, &asked, at(1)).await;
        assert_eq!(denial(&*store, &denied).await.map(|denial| denial.position), Some(position), "{asked:?}");
        assert_eq!(log_end(&*store).await, position);
    }
}

pub async fn an_unknown_family_is_not_ended_and_stores_nothing(store: Fresh) {
    people(&*store).await;
    let end = log_end(&*store).await;
    assert_eq!(store.end_family(family_id(9), at(1)).await, Ok(None));
    assert_eq!(log_end(&*store).await, end);
    let known = family(1, "fcare", "alice");
    begin(&*store, &known).await;
    let ended = store.end_family(known.id, at(1)).await.unwrap().unwrap();
    assert_eq!(stored(&*store, &known).await.ended.map(crate::Appended::position), Some(ended.position()));
    assert_eq!(store.end_family(known.id, at(2)).await, Ok(Some(ended)), "ended once");
}

pub async fn a_token_denied_again_keeps_its_position(store: Fresh) {
    let again = Deny::Token { id: token_id(1), expires_at: until(100) };
    let first = deny(&*store, &again, at(1)).await;
    deny(&*store, &Deny::Token { id: token_id(2), expires_at: until(100) }, at(1)).await;
    let end = log_end(&*store).await;
    assert_eq!(deny(&*store, &again, at(2)).await, first);
    assert_eq!(log_end(&*store).await, end);
}

pub async fn the_denial_of_a_token_leaves_with_the_token(store: Fresh) {
    serve(&*store).await;
    for (number, expires_at) in [(1, until(100)), (2, Expiry::Never)] {
        deny(&*store, &Deny::Token { id: token_id(number), expires_at }, at(1)).await;
        let denial = denial(&*store, &Denied::Token(token_id(number))).await.unwrap();
        assert_eq!(denial.leaves_at, expires_at);
    }
    pass_time(&*store, at(REFRESH_SECS)).await;
    assert!(denial(&*store, &Denied::Token(token_id(2))).await.is_some());
}

pub async fn the_denial_of_a_family_leaves_with_its_last_access_token(store: Fresh) {
    people(&*store).await;
    // The expiries of three access tokens in the order of their issue, and the latest of them.
    let cases = [
        ([until(500), until(900), until(700)], until(900)),
        ([until(900), until(500), until(700)], until(900)),
        ([until(500), until(700), until(900)], until(900)),
        ([until(500), Expiry::Never, until(900)], Expiry::Never),
        ([Expiry::Never, until(500), until(900)], Expiry::Never),
    ];
    for (number, ([first, second, third], latest)) in (1..).zip(cases) {
        let family = NewFamily { access_expires_at: first, ..family(number, "fcare", "alice") };
        begin(&*store, &family).await;
        for (generation, access_expires_at) in [(0, second), (1, third)] {
            let rotation = crate::Rotation { access_expires_at, ..rotation(&family, generation, 1) };
            assert_eq!(rotate(&*store, &rotation).await, RotateOutcome::First);
        }
        let position = deny(&*store, &Deny::Family(family.id), at(2)).await;
        let denial = denial(&*store, &Denied::Family(family.id)).await.unwrap();
        assert_eq!((denial.position, denial.leaves_at), (position, latest));
        assert_eq!(stored(&*store, &family).await.ended.map(crate::Appended::position), Some(position));
    }
}

pub async fn a_family_that_has_ended_is_not_denied_again(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    let by_subject = deny(&*store, &Deny::Subject(family.subject), at(1)).await;
    deny(&*store, &Deny::Everything, at(1)).await;
    let end = log_end(&*store).await;
    assert_eq!(deny(&*store, &Deny::Family(family.id), at(2)).await, by_subject);
    assert_eq!(log_end(&*store).await, end);
    assert_eq!(stored(&*store, &family).await.ended.map(crate::Appended::position), Some(by_subject));
}

pub async fn an_unknown_family_is_denied_once(store: Fresh) {
    people(&*store).await;
    let unknown = Deny::Family(family_id(9));
    let position = deny(&*store, &unknown, at(5)).await;
    let stored = denial(&*store, &Denied::Family(family_id(9))).await.unwrap();
    assert_eq!(stored.position, position);
    deny(&*store, &Deny::Everything, at(6)).await;
    assert_eq!(deny(&*store, &unknown, at(7)).await, position);
}

pub async fn denying_everything_covers_positions_that_a_lost_log_may_have_given(store: Fresh) {
    let before = log_end(&*store).await;
    let denied = deny(&*store, &Deny::Everything, at(1)).await;
    // A backup that is put back ends earlier than the log that it replaces.
    assert!(denied.number() - before.number() > u64::from(u32::MAX), "{denied} after {before}");
    let next = deny(&*store, &Deny::Token { id: token_id(7), expires_at: until(100) }, at(1)).await;
    assert_eq!(next.number(), denied.number() + 1);
}

pub async fn denials_of_people_clients_unknown_families_and_everything_stay(store: Fresh) {
    serve(&*store).await;
    people(&*store).await;
    let denials = [
        (Deny::Subject(subject_id("alice")), Denied::Subject(subject_id("alice"))),
        (Deny::Client(client_id("fcare")), Denied::Client(client_id("fcare"))),
        (Deny::Family(family_id(9)), Denied::Family(family_id(9))),
        (Deny::Everything, Denied::Everything),
    ];
    for (asked, _) in &denials {
        deny(&*store, asked, at(5)).await;
    }
    pass_time(&*store, at(100 * REFRESH_SECS)).await;
    for (_, denied) in &denials {
        let denial = denial(&*store, denied).await.unwrap();
        assert_eq!(denial.leaves_at, Expiry::Never, "{denied:?}");
    }
}

pub async fn the_denial_of_a_person_stays_whatever_the_clock_of_the_request_says(store: Fresh) {
    serve(&*store).await;
    let (long_ago, password) = (Timestamp::from_secs(1), PasswordHash::from_phc("$argon2id$new"));
    for name in ["denied", "disabled", "deleted", "renewed"] {
        add_user(&*store, &user(name)).await;
    }
    deny(&*store, &Deny::Subject(subject_id("denied")), long_ago).await;
    changed(store.set_user_enabled(&username("disabled"), false, long_ago).await.unwrap());
    changed(store.delete_user(&username("deleted"), long_ago).await.unwrap());
    changed(store.set_user_password(&username("renewed"), &password, long_ago).await.unwrap());
    pass_time(&*store, at(100 * REFRESH_SECS)).await;
    for name in ["denied", "disabled", "deleted", "renewed"] {
        let denial = denial(&*store, &Denied::Subject(subject_id(name))).await;
        assert_eq!(denial.map(|denial| denial.leaves_at), Some(Expiry::Never), "{name}");
    }
}

/// Six families and, for each denial, the numbers of those that it covers.
fn families_and_coverage() -> ([NewFamily; 6], [(Deny, Vec<u8>); 6]) {
    let families = [
        family(1, "fcare", "alice"),
        family(2, "fcare", "alice"),
        family(3, "gateway", "alice"),
        family(4, "fcare", "bob"),
        family(5, "gateway", "bob"),
        family(6, "gateway", "bob"),
    ];
    let coverage = [
        (Deny::Token { id: token_id(1), expires_at: until(100) }, vec![]),
        (Deny::Family(family_id(9)), vec![]),
        (Deny::Family(family_id(5)), vec![5]),
        (Deny::Subject(subject_id("alice")), vec![1, 2, 3]),
        (Deny::Client(client_id("fcare")), vec![1, 2, 4]),
        (Deny::Everything, vec![1, 2, 3, 4, 5, 6]),
    ];
    (families, coverage)
}

pub async fn a_denial_ends_the_families_that_it_covers_and_no_other(store: Fresh) {
    people(&*store).await;
    let (families, coverage) = families_and_coverage();
    for family in &families {
        begin(&*store, family).await;
    }
    let mut expected = [None; 6];
    for (asked, covered) in coverage {
        let position = deny(&*store, &asked, at(1)).await;
        for number in covered {
            expected[usize::from(number - 1)].get_or_insert(position);
        }
        for (family, ended) in families.iter().zip(expected) {
            assert_eq!(
                stored(&*store, family).await.ended.map(crate::Appended::position),
                ended,
                "{} after {asked:?}",
                family.id
            );
        }
    }
}

pub async fn count_families_says_what_a_denial_would_end(store: Fresh) {
    people(&*store).await;
    let (families, coverage) = families_and_coverage();
    for family in &families {
        begin(&*store, family).await;
    }
    for (asked, covered) in &coverage {
        assert_eq!(store.count_families(asked, at(1)).await, Ok(covered.len() as u64), "{asked:?}");
    }
    deny(&*store, &Deny::Family(family_id(1)), at(1)).await;
    for (asked, covered) in &coverage {
        let left = covered.iter().filter(|number| **number != 1).count();
        assert_eq!(store.count_families(asked, at(1)).await, Ok(left as u64), "{asked:?}");
    }
    assert!(is_live(&*store, &families[1]).await);
}

pub async fn families_that_are_over_are_not_counted(store: Fresh) {
    people(&*store).await;
    let family = NewFamily {
        refresh_expires_at: until(100),
        access_expires_at: until(50),
        ..family(1, "fcare", "alice")
    };
    begin(&*store, &family).await;
    for deny in [Deny::Family(family.id), Deny::Subject(family.subject), Deny::Everything] {
        assert_eq!(store.count_families(&deny, at(99)).await, Ok(1));
        assert_eq!(store.count_families(&deny, at(100)).await, Ok(0));
    }
}

pub async fn of_50_parallel_denials_of_one_token_all_are_at_one_position(store: Fresh) {
    let mut denials = JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        let token = Deny::Token { id: token_id(1), expires_at: until(100) };
        denials.spawn(async move { store.deny(&token, at(1)).await.unwrap().position() });
    }
    let mut positions = denials.join_all().await;
    positions.dedup();
    assert_eq!(positions, [log_end(&*store).await]);
}

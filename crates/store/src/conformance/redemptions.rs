//! Rules of [`crate::Codes::redeem_code`].
#![allow(missing_docs, reason = "each rule is said by its name")]

use obol_token::{Denied, FamilyId};
use tokio::task::JoinSet;

use super::samples::{
    Fresh, at, begin, changed, client_id, denial, deny, entries, family, hash, is_live, log_end, pass_time,
    rotate, rotation, serve, stored, subject_id, until, username,
};
use super::sign_ins::{
    add_code, all_consent, code, in_session, people_who_consent, redeem, redemption, session, session_id,
    sign_in, stored_code,
};
use crate::{
    Appended, Deny, Family, NewCode, NewFamily, NewSession, RedeemOutcome, Redemption, RotateOutcome,
    Rotation, Store, StoreError,
};

/// A code of alice at `fcare`, given in a session of its own, as a node does that has read the log to its end.
async fn given(store: &dyn Store, number: u8) -> NewCode {
    let session = NewSession { position: log_end(store).await, ..session(number, "alice") };
    sign_in(store, &session).await;
    let code = code(number, "fcare", &session);
    add_code(store, &code).await;
    code
}

/// Nothing begins, and the code is as unused as before.
async fn refuses(store: &dyn Store, redemption: &Redemption, outcome: RedeemOutcome) {
    let before = store.find_code(redemption.hash).await.unwrap();
    assert_eq!(redeem(store, redemption).await, outcome);
    assert_eq!(store.find_family(redemption.family.lineage).await, Ok(None));
    assert_eq!(store.find_code(redemption.hash).await, Ok(before));
}

pub async fn a_redeemed_code_begins_its_family(store: Fresh) {
    people_who_consent(&*store).await;
    let code = given(&*store, 1).await;
    let log = entries(&*store).await;
    let redemption = redemption(1, &code, 5);
    let new = &redemption.family;
    assert_eq!(redeem(&*store, &redemption).await, RedeemOutcome::First(None));
    let expected = Family {
        id: new.id,
        client_id: new.client_id.clone(),
        subject: new.subject,
        scopes: new.scopes.clone(),
        session: Some(code.session),
        details: code.details.clone(),
        current: new.current,
        issued_at: at(5),
        refresh_expires_at: new.refresh_expires_at,
        ended: None,
    };
    assert_eq!(stored(&*store, new).await, expected);
    assert_eq!(stored_code(&*store, &code).await.unwrap().family, Some(new.id));
    assert_eq!(entries(&*store).await, log);
    assert_eq!(rotate(&*store, &rotation(new, 0, 10)).await, RotateOutcome::First);
}

pub async fn a_single_family_that_a_code_begins_ends_the_others(store: Fresh) {
    people_who_consent(&*store).await;
    let other = family(1, "fcare", "alice");
    begin(&*store, &other).await;
    let code = given(&*store, 2).await;
    let redemption = redemption(2, &code, 5);
    let family = NewFamily { single: true, ..redemption.family };
    let outcome = redeem(&*store, &Redemption { family: family.clone(), ..redemption }).await;
    let RedeemOutcome::First(Some(replaced)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(stored(&*store, &other).await.ended, Some(replaced));
    assert!(is_live(&*store, &family).await);
}

pub async fn a_code_expires_at_its_second(store: Fresh) {
    people_who_consent(&*store).await;
    let codes = [given(&*store, 1).await, given(&*store, 2).await];
    for secs in [60, 61, 100_000] {
        refuses(&*store, &redemption(1, &codes[0], secs), RedeemOutcome::Expired).await;
    }
    assert_eq!(redeem(&*store, &redemption(2, &codes[1], 59)).await, RedeemOutcome::First(None));
}

pub async fn a_second_use_within_grace_changes_nothing(store: Fresh) {
    people_who_consent(&*store).await;
    let code = given(&*store, 1).await;
    let first = redemption(1, &code, 10);
    assert_eq!(redeem(&*store, &first).await, RedeemOutcome::First(None));
    let log = entries(&*store).await;
    // The clock may have been set back between the two.
    for (number, secs) in [(2, 10), (3, 11), (4, 9)] {
        let again = redemption(number, &code, secs);
        assert_eq!(redeem(&*store, &again).await, RedeemOutcome::Raced, "{secs}");
        assert_eq!(store.find_family(again.family.lineage).await, Ok(None));
    }
    assert_eq!(entries(&*store).await, log);
    assert!(is_live(&*store, &first.family).await);
    assert_eq!(stored_code(&*store, &code).await.unwrap().family, Some(first.family.id));
}

pub async fn a_late_second_use_ends_the_family_and_denies_its_tokens(store: Fresh) {
    people_who_consent(&*store).await;
    // Late, after the code's expiry, a clock that was set back, and at once where there is no grace.
    for (number, secs, grace_secs) in [(1, 12, 2), (2, 500, 2), (3, 8, 2), (4, 10, 0)] {
        let code = given(&*store, number).await;
        let first = redemption(number, &code, 10);
        assert_eq!(redeem(&*store, &first).await, RedeemOutcome::First(None));
        let again = Redemption { grace_secs, ..redemption(100 + number, &code, secs) };
        let outcome = redeem(&*store, &again).await;
        let RedeemOutcome::Reused(end) = outcome else { panic!("{outcome:?} at {secs}") };
        assert_eq!(stored(&*store, &first.family).await.ended, Some(end));
        let denial = denial(&*store, &Denied::Family(first.family.id)).await.unwrap();
        assert_eq!((denial.position, denial.leaves_at), (end.position(), first.family.access_expires_at));
        assert_eq!(store.find_family(again.family.lineage).await, Ok(None));
        // Once more says the same, and appends nothing.
        let log = entries(&*store).await;
        assert_eq!(redeem(&*store, &again).await, RedeemOutcome::Reused(end));
        assert_eq!(entries(&*store).await, log);
    }
}

pub async fn a_code_whose_family_has_ended_is_reused_at_that_end(store: Fresh) {
    people_who_consent(&*store).await;
    let code = given(&*store, 1).await;
    let first = redemption(1, &code, 10);
    assert_eq!(redeem(&*store, &first).await, RedeemOutcome::First(None));
    let end = deny(&*store, &Deny::Family(first.family.id), at(11)).await;
    let log = entries(&*store).await;
    let outcome = redeem(&*store, &redemption(2, &code, 30)).await;
    let RedeemOutcome::Reused(ended) = outcome else { panic!("{outcome:?}") };
    assert_eq!(ended.position(), end);
    assert_eq!(entries(&*store).await, log);
}

pub async fn a_code_whose_family_has_left_is_still_known_as_used(store: Fresh) {
    serve(&*store).await;
    people_who_consent(&*store).await;
    let code = given(&*store, 1).await;
    let first = redemption(1, &code, 10);
    let family = NewFamily { access_expires_at: until(100), ..first.family.clone() };
    let first = Redemption { family: family.clone(), ..first };
    assert_eq!(redeem(&*store, &first).await, RedeemOutcome::First(None));
    let shorter = rotation(&family, 0, 50);
    let shorter = Rotation { refresh_expires_at: until(200), access_expires_at: until(150), ..shorter };
    assert_eq!(rotate(&*store, &shorter).await, RotateOutcome::First);
    pass_time(&*store, at(200)).await;
    assert_eq!(store.find_family(family.lineage).await, Ok(None));

    let log = entries(&*store).await;
    let outcome = redeem(&*store, &redemption(2, &code, 200)).await;
    let RedeemOutcome::Reused(head) = outcome else { panic!("{outcome:?}") };
    assert_eq!(head.position(), log_end(&*store).await);
    assert_eq!(entries(&*store).await, log);
}

pub async fn an_unknown_code_is_unknown(store: Fresh) {
    people_who_consent(&*store).await;
    let code = given(&*store, 1).await;
    let unknown = Redemption { hash: hash("code", 2), ..redemption(1, &code, 1) };
    refuses(&*store, &unknown, RedeemOutcome::Unknown).await;
}

pub async fn to_another_client_a_code_is_unknown_and_stays(store: Fresh) {
    people_who_consent(&*store).await;
    let code = given(&*store, 1).await;
    let foreign = |number, secs| {
        let redemption = redemption(number, &code, secs);
        let family = NewFamily { client_id: client_id("gateway"), ..redemption.family };
        Redemption { family, ..redemption }
    };
    for secs in [1, 60] {
        refuses(&*store, &foreign(1, secs), RedeemOutcome::Unknown).await;
    }
    let first = redemption(1, &code, 10);
    assert_eq!(redeem(&*store, &first).await, RedeemOutcome::First(None));
    for secs in [11, 50, 100] {
        refuses(&*store, &foreign(2, secs), RedeemOutcome::Unknown).await;
    }
    assert!(is_live(&*store, &first.family).await);
}

pub async fn a_code_begins_no_family_of_another_person_or_session(store: Fresh) {
    people_who_consent(&*store).await;
    let code = given(&*store, 1).await;
    sign_in(&*store, &session(2, "alice")).await;
    let redemption = redemption(1, &code, 1);
    let family = &redemption.family;
    let others = [
        NewFamily { subject: subject_id("bob"), ..family.clone() },
        NewFamily { session: Some(session_id(2)), ..family.clone() },
        NewFamily { session: None, ..family.clone() },
    ];
    for family in others {
        refuses(&*store, &Redemption { family, ..redemption.clone() }, RedeemOutcome::Gone).await;
    }
    assert_eq!(redeem(&*store, &redemption).await, RedeemOutcome::First(None));
}

pub async fn a_code_is_gone_when_its_session_reaches_a_limit(store: Fresh) {
    people_who_consent(&*store).await;
    let idle = NewSession { idle_ends_at: at(30), ..session(1, "alice") };
    let over = NewSession { ends_at: at(30), ..session(2, "alice") };
    for (number, session) in [(1, idle), (2, over)] {
        sign_in(&*store, &session).await;
        let codes = [code(number, "fcare", &session), code(10 + number, "fcare", &session)];
        for code in &codes {
            add_code(&*store, code).await;
        }
        for secs in [30, 31] {
            refuses(&*store, &redemption(number, &codes[0], secs), RedeemOutcome::Gone).await;
        }
        let in_time = redemption(number, &codes[1], 29);
        assert_eq!(redeem(&*store, &in_time).await, RedeemOutcome::First(None));
    }
}

pub async fn a_code_from_before_a_denial_is_gone(store: Fresh) {
    people_who_consent(&*store).await;
    for number in 1..=5 {
        all_consent(&*store).await;
        let code = given(&*store, number).await;
        let (fcare, alice) = (client_id("fcare"), username("alice"));
        match number {
            1 => deny(&*store, &Deny::Subject(code.subject), at(1)).await,
            2 => deny(&*store, &Deny::Client(fcare.clone()), at(1)).await,
            3 => deny(&*store, &Deny::Everything, at(1)).await,
            4 => changed(store.set_client_enabled(&fcare, false, at(1)).await.unwrap()),
            _ => changed(store.set_user_enabled(&alice, false, at(1)).await.unwrap()),
        };
        refuses(&*store, &redemption(number, &code, 1), RedeemOutcome::Gone).await;
        // Enabling brings nothing back.
        changed(store.set_client_enabled(&fcare, true, at(1)).await.unwrap());
        changed(store.set_user_enabled(&alice, true, at(1)).await.unwrap());
        refuses(&*store, &redemption(number, &code, 1), RedeemOutcome::Gone).await;
    }
    let code = given(&*store, 6).await;
    deny(&*store, &Deny::Client(client_id("gateway")), at(1)).await;
    assert_eq!(redeem(&*store, &redemption(6, &code, 1)).await, RedeemOutcome::First(None));
}

pub async fn a_code_that_is_gone_leaves_when_it_expires(store: Fresh) {
    serve(&*store).await;
    people_who_consent(&*store).await;
    let code = given(&*store, 1).await;
    deny(&*store, &Deny::Client(client_id("fcare")), at(1)).await;
    refuses(&*store, &redemption(1, &code, 1), RedeemOutcome::Gone).await;
    pass_time(&*store, at(59)).await;
    assert!(stored_code(&*store, &code).await.is_some());
    pass_time(&*store, at(60)).await;
    assert_eq!(stored_code(&*store, &code).await, None);
}

pub async fn a_code_of_a_session_that_was_renewed_is_good(store: Fresh) {
    people_who_consent(&*store).await;
    let code = given(&*store, 1).await;
    let renewed = NewSession { authenticated_at: at(1), ..session(2, "alice") };
    store.begin_session(&renewed, Some(session(1, "alice").secret)).await.unwrap();
    assert_eq!(redeem(&*store, &redemption(1, &code, 2)).await, RedeemOutcome::First(None));
}

pub async fn an_id_or_lineage_in_use_leaves_the_code_unused(store: Fresh) {
    people_who_consent(&*store).await;
    let code = given(&*store, 1).await;
    let other = in_session(2, "fcare", &session(1, "alice"));
    begin(&*store, &other).await;
    let redemption = redemption(1, &code, 1);
    let family = &redemption.family;
    let same_id = NewFamily { id: other.id, ..family.clone() };
    let same_lineage = NewFamily { lineage: other.lineage, ..family.clone() };
    for family in [same_id, same_lineage] {
        let outcome = store.redeem_code(&Redemption { family, ..redemption.clone() }).await;
        assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
        assert_eq!(stored_code(&*store, &code).await.unwrap().family, None);
    }
    assert_eq!(redeem(&*store, &redemption).await, RedeemOutcome::First(None));
}

/// What becomes of 50 parallel uses of a code, each with a family of its own.
async fn redeem_in_parallel(
    store: &Fresh,
    code: &NewCode,
    grace_secs: u32,
) -> Vec<(RedeemOutcome, NewFamily)> {
    let mut uses = JoinSet::new();
    for number in 100..150 {
        let store = store.clone();
        let redemption = redemption(number, code, 10);
        let own = code.session.as_bytes()[0];
        let mut id = [own; 16];
        id[0] = number;
        let (id, lineage) = (FamilyId::from_bytes(id), hash(&format!("use {number}"), own));
        let family = NewFamily { id, lineage, ..redemption.family };
        let redemption = Redemption { grace_secs, family, ..redemption };
        uses.spawn(async move { (store.redeem_code(&redemption).await.unwrap(), redemption.family) });
    }
    uses.join_all().await
}

pub async fn of_50_parallel_uses_of_one_code_one_is_first_and_a_late_one_ends_its_family(store: Fresh) {
    people_who_consent(&*store).await;
    for number in 1..=10 {
        let code = given(&*store, number).await;
        let (first, others): (Vec<_>, Vec<_>) = redeem_in_parallel(&store, &code, 2)
            .await
            .into_iter()
            .partition(|(outcome, _)| *outcome == RedeemOutcome::First(None));
        let [(_, family)] = &first[..] else { panic!("{} were first", first.len()) };
        assert!(others.iter().all(|(outcome, _)| *outcome == RedeemOutcome::Raced));
        assert!(is_live(&*store, family).await);
        assert_eq!(store.count_families(&Deny::Subject(code.subject), at(10)).await, Ok(1));

        let late = redeem(&*store, &redemption(number, &code, 12)).await;
        let RedeemOutcome::Reused(end) = late else { panic!("{late:?}") };
        assert_eq!(stored(&*store, family).await.ended, Some(end));
        let denial = denial(&*store, &Denied::Family(family.id)).await;
        assert_eq!(denial.map(|denial| denial.position), Some(end.position()));
    }
}

pub async fn of_50_parallel_uses_without_grace_one_is_first_and_the_family_ends(store: Fresh) {
    people_who_consent(&*store).await;
    for number in 1..=10 {
        let code = given(&*store, number).await;
        let before = entries(&*store).await.len();
        let (first, others): (Vec<_>, Vec<_>) = redeem_in_parallel(&store, &code, 0)
            .await
            .into_iter()
            .partition(|(outcome, _)| *outcome == RedeemOutcome::First(None));
        let [(_, family)] = &first[..] else { panic!("{} were first", first.len()) };
        let end = stored(&*store, family).await.ended.unwrap();
        assert!(others.iter().all(|(outcome, _)| *outcome == RedeemOutcome::Reused(end)));
        assert_eq!(entries(&*store).await.len(), before + 1);
        assert_eq!(log_end(&*store).await, Appended::position(end));
    }
}

pub async fn no_code_redeemed_beside_a_disabling_gives_a_family_that_lives(store: Fresh) {
    people_who_consent(&*store).await;
    let (fcare, alice) = (client_id("fcare"), username("alice"));
    for number in 1..=20 {
        let code = given(&*store, number).await;
        let redemption = redemption(number, &code, 1);
        let redeems = tokio::spawn({
            let (store, redemption) = (store.clone(), redemption.clone());
            async move { store.redeem_code(&redemption).await.unwrap() }
        });
        match number % 2 {
            0 => changed(store.set_client_enabled(&fcare, false, at(1)).await.unwrap()),
            _ => changed(store.set_user_enabled(&alice, false, at(1)).await.unwrap()),
        };
        let outcome = redeems.await.unwrap();
        assert!(matches!(outcome, RedeemOutcome::First(None) | RedeemOutcome::Gone), "{outcome:?}");
        assert_eq!(store.count_families(&Deny::Everything, at(1)).await, Ok(0));
        changed(store.set_client_enabled(&fcare, true, at(1)).await.unwrap());
        changed(store.set_user_enabled(&alice, true, at(1)).await.unwrap());
    }
}

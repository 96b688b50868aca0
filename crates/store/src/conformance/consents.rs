//! Rules of [`crate::Consents`].
#![allow(missing_docs, reason = "each rule is said by its name")]

use obol_token::{Denied, SubjectId};

use super::samples::{
    Fresh, REFRESH_SECS, at, begin, changed, client_id, denial, deny, entries, family, is_live, log_end,
    pass_time, people, rotate, rotation, scopes, serve, stored, subject_id, until, username,
};
use super::sign_ins::{
    add_code, code, consent, in_session, people_who_consent, redemption, session, sign_in, standing,
    stored_code,
};
use crate::{Appended, Consent, Deny, NewFamily, PasswordHash, RedeemOutcome, RotateOutcome, Store};

pub async fn a_consent_adds_to_the_one_before(store: Fresh) {
    people(&*store).await;
    let first = Consent { scopes: scopes("openid email"), given_at: at(5), ..consent("alice", "fcare") };
    let second = Consent { scopes: scopes("openid"), given_at: at(9), ..consent("alice", "fcare") };
    let empty = Consent { scopes: scopes(""), given_at: at(11), ..consent("alice", "fcare") };
    let more = Consent { scopes: scopes("read openid"), given_at: at(12), ..consent("alice", "fcare") };
    assert_eq!(find(&*store, &first).await, None);
    for (consent, allowed) in [
        (first, "openid email"),
        (second, "openid email"),
        (empty, "openid email"),
        (more, "openid email read"),
    ] {
        store.give_consent(&consent).await.unwrap();
        let expected = Consent { scopes: scopes(allowed), ..consent };
        assert_eq!(find(&*store, &expected).await, Some(expected.clone()));
        assert_eq!(store.list_consents(expected.subject).await, Ok(vec![expected]));
    }
    for other in [consent("alice", "gateway"), consent("bob", "fcare")] {
        assert_eq!(find(&*store, &other).await, None);
    }
}

pub async fn what_was_withdrawn_does_not_come_back_with_the_next_consent(store: Fresh) {
    people(&*store).await;
    let before = Consent { scopes: scopes("openid email"), ..consent("alice", "fcare") };
    let after = Consent { scopes: scopes("openid read"), ..before.clone() };
    store.give_consent(&before).await.unwrap();
    assert!(store.withdraw_consent(before.subject, &before.client_id, at(1)).await.unwrap().is_some());
    store.give_consent(&after).await.unwrap();
    assert_eq!(find(&*store, &after).await, Some(after));
}

pub async fn the_consents_of_a_person_are_listed_by_client(store: Fresh) {
    people(&*store).await;
    assert_eq!(store.list_consents(subject_id("alice")).await, Ok(Vec::new()));
    for (person, client) in [("alice", "gateway"), ("bob", "gateway"), ("alice", "fcare")] {
        store.give_consent(&consent(person, client)).await.unwrap();
    }
    let expected = vec![consent("alice", "fcare"), consent("alice", "gateway")];
    assert_eq!(store.list_consents(subject_id("alice")).await, Ok(expected));
}

pub async fn giving_a_consent_tells_the_nodes_nothing(store: Fresh) {
    people(&*store).await;
    let before = entries(&*store).await;
    store.give_consent(&consent("alice", "fcare")).await.unwrap();
    assert_eq!(entries(&*store).await, before);
}

pub async fn nothing_is_stored_for_who_is_not_there(store: Fresh) {
    people(&*store).await;
    changed(store.delete_user(&username("bob"), at(1)).await.unwrap());
    changed(store.delete_client(&client_id("gateway"), at(1)).await.unwrap());
    let unknown = Consent { subject: SubjectId::from_bytes([9; 16]), ..consent("alice", "fcare") };
    let deleted = [consent("bob", "fcare"), consent("alice", "gateway")];
    for consent in deleted.into_iter().chain([unknown, consent("alice", "unknown")]) {
        assert_eq!(store.give_consent(&consent).await, Ok(()));
        assert_eq!(find(&*store, &consent).await, None);
        assert_eq!(store.list_consents(consent.subject).await, Ok(Vec::new()));
    }
}

pub async fn consents_go_with_the_person_and_with_the_client(store: Fresh) {
    people_who_consent(&*store).await;
    changed(store.delete_user(&username("alice"), at(1)).await.unwrap());
    assert_eq!(store.list_consents(subject_id("alice")).await, Ok(Vec::new()));
    assert_eq!(store.list_consents(subject_id("bob")).await.unwrap().len(), 2);
    changed(store.delete_client(&client_id("fcare"), at(1)).await.unwrap());
    assert_eq!(store.list_consents(subject_id("bob")).await, Ok(vec![consent("bob", "gateway")]));
}

pub async fn a_consent_outlives_what_ends_tokens(store: Fresh) {
    serve(&*store).await;
    people_who_consent(&*store).await;
    let (given, name) = (consent("alice", "fcare"), username("alice"));
    changed(store.set_user_enabled(&name, false, at(1)).await.unwrap());
    changed(store.set_client_enabled(&given.client_id, false, at(1)).await.unwrap());
    let password = PasswordHash::from_phc("$argon2id$new");
    changed(store.set_user_password(&name, &password, at(1)).await.unwrap());
    pass_time(&*store, at(100 * REFRESH_SECS)).await;
    assert_eq!(find(&*store, &given).await, Some(given));
}

pub async fn withdrawing_ends_what_the_person_gave_the_client_and_nothing_else(store: Fresh) {
    people_who_consent(&*store).await;
    let (session, bobs) = (session(1, "alice"), session(2, "bob"));
    sign_in(&*store, &session).await;
    sign_in(&*store, &bobs).await;
    let codes = [code(1, "fcare", &session), code(2, "gateway", &session), code(3, "fcare", &bobs)];
    for code in &codes {
        add_code(&*store, code).await;
    }
    let covered =
        [in_session(1, "fcare", &session), in_session(2, "fcare", &session), family(3, "fcare", "alice")];
    let kept = [in_session(4, "gateway", &session), in_session(5, "fcare", &bobs)];
    for family in covered.iter().chain(&kept) {
        begin(&*store, family).await;
    }
    let before = entries(&*store).await.len();
    let given = consent("alice", "fcare");
    let last = store.withdraw_consent(given.subject, &given.client_id, at(1)).await.unwrap().unwrap();
    assert_eq!(log_end(&*store).await, last.position());
    assert_eq!(entries(&*store).await.len(), before + covered.len());
    for family in &covered {
        let denial = denial(&*store, &Denied::Family(family.id)).await.unwrap();
        assert_eq!(denial.leaves_at, family.access_expires_at);
        let end = stored(&*store, family).await.ended.map(Appended::position);
        assert_eq!(end, Some(denial.position));
        assert_eq!(rotate(&*store, &rotation(family, 0, 2)).await, RotateOutcome::Ended);
    }
    for family in &kept {
        assert!(is_live(&*store, family).await, "{}", family.id);
    }
    assert_eq!(find(&*store, &given).await, None);
    assert_eq!(stored_code(&*store, &codes[0]).await, None);
    for (number, code) in (11..).zip(&codes[1..]) {
        let outcome = store.redeem_code(&redemption(number, code, 1)).await;
        assert_eq!(outcome, Ok(RedeemOutcome::First(None)));
    }
    for other in [consent("alice", "gateway"), consent("bob", "fcare")] {
        assert_eq!(find(&*store, &other).await, Some(other));
    }
    assert!(standing(&*store, &session, 1).await.is_some());
}

pub async fn a_code_that_was_used_is_known_after_the_consent_is_withdrawn(store: Fresh) {
    people_who_consent(&*store).await;
    let session = session(1, "alice");
    sign_in(&*store, &session).await;
    let code = code(1, "fcare", &session);
    add_code(&*store, &code).await;
    assert_eq!(store.redeem_code(&redemption(1, &code, 1)).await, Ok(RedeemOutcome::First(None)));
    let end = store.withdraw_consent(session.subject, &code.client_id, at(2)).await.unwrap().unwrap();
    assert_eq!(store.redeem_code(&redemption(2, &code, 10)).await, Ok(RedeemOutcome::Reused(end)));
}

pub async fn withdrawing_what_gave_nothing_appends_nothing(store: Fresh) {
    people_who_consent(&*store).await;
    let given = consent("alice", "fcare");
    let over = NewFamily {
        refresh_expires_at: until(50),
        access_expires_at: until(50),
        ..family(1, "fcare", "alice")
    };
    begin(&*store, &over).await;
    let revoked = family(2, "fcare", "alice");
    begin(&*store, &revoked).await;
    deny(&*store, &Deny::Family(revoked.id), at(1)).await;
    let log = entries(&*store).await;
    let proof = store.withdraw_consent(given.subject, &given.client_id, at(50)).await.unwrap();
    assert_eq!(proof.map(Appended::position), Some(log_end(&*store).await));
    assert_eq!(store.withdraw_consent(given.subject, &given.client_id, at(50)).await, Ok(None));
    assert_eq!(store.withdraw_consent(subject_id("nobody"), &given.client_id, at(50)).await, Ok(None));
    assert_eq!(entries(&*store).await, log);
}

pub async fn withdrawing_ends_families_also_where_no_consent_is_stored(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    let end = store.withdraw_consent(family.subject, &family.client_id, at(1)).await.unwrap();
    assert!(end.is_some());
    assert_eq!(stored(&*store, &family).await.ended, end);
}

pub async fn no_code_redeemed_beside_a_withdrawal_gives_a_family_that_lives(store: Fresh) {
    people_who_consent(&*store).await;
    let (session, given) = (session(1, "alice"), consent("alice", "fcare"));
    sign_in(&*store, &session).await;
    for number in 1..=40 {
        store.give_consent(&given).await.unwrap();
        let code = code(number, "fcare", &session);
        add_code(&*store, &code).await;
        let withdraws = tokio::spawn({
            let (store, given) = (store.clone(), given.clone());
            async move { store.withdraw_consent(given.subject, &given.client_id, at(1)).await.unwrap() }
        });
        let redemption = redemption(number, &code, 1);
        let redeemed = store.redeem_code(&redemption).await.unwrap();
        assert!(withdraws.await.unwrap().is_some());
        match redeemed {
            RedeemOutcome::First(None) => assert!(!is_live(&*store, &redemption.family).await),
            RedeemOutcome::Unknown => {
                assert_eq!(store.find_family(redemption.family.lineage).await, Ok(None));
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn find(store: &dyn Store, consent: &Consent) -> Option<Consent> {
    store.find_consent(consent.subject, &consent.client_id).await.unwrap()
}

pub async fn denying_everything_forgets_what_people_have_allowed(store: Fresh) {
    people(&*store).await;
    for (person, client) in [("alice", "fcare"), ("bob", "gateway")] {
        store.give_consent(&consent(person, client)).await.unwrap();
    }
    let _ = store.deny(&Deny::Everything, at(5)).await.unwrap();
    for person in ["alice", "bob"] {
        assert_eq!(store.list_consents(subject_id(person)).await, Ok(Vec::new()));
    }
}

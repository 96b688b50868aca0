//! Rules of [`crate::Sessions::end_session`].
#![allow(missing_docs, reason = "each rule is said by its name")]

use obol_token::{Denied, Expiry};
use tokio::task::JoinSet;

use super::samples::{
    Fresh, at, begin, changed, denial, deny, entries, family, is_live, log_end, rotate, rotation, scopes,
    stored, subject_id, until, username,
};
use super::sign_ins::{
    add_code, code, in_session, people_who_consent, redemption, session, session_id, sign_in, standing,
    stored_code,
};
use crate::{Appended, Deny, NewFamily, RedeemOutcome, RotateOutcome, SessionEndRevokes};

pub async fn ending_a_session_ends_the_families_that_it_began_and_no_other(store: Fresh) {
    people_who_consent(&*store).await;
    let (ended, other, bobs) = (session(1, "alice"), session(2, "alice"), session(3, "bob"));
    for session in [&ended, &other, &bobs] {
        sign_in(&*store, session).await;
    }
    let covered = [
        in_session(1, "fcare", &ended),
        in_session(2, "gateway", &ended),
        NewFamily { access_expires_at: Expiry::Never, ..in_session(3, "fcare", &ended) },
    ];
    let kept = [in_session(4, "fcare", &other), family(5, "fcare", "alice"), in_session(6, "gateway", &bobs)];
    for family in covered.iter().chain(&kept) {
        begin(&*store, family).await;
    }
    let before = entries(&*store).await.len();
    let last = store
        .end_session(ended.id, ended.subject, SessionEndRevokes::Everything, at(1))
        .await
        .unwrap()
        .unwrap();
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
    assert_eq!(standing(&*store, &ended, 1).await, None);
    assert!(standing(&*store, &other, 1).await.is_some() && standing(&*store, &bobs, 1).await.is_some());
}

pub async fn a_session_is_ended_once_and_by_its_person_alone(store: Fresh) {
    people_who_consent(&*store).await;
    let session = session(1, "alice");
    sign_in(&*store, &session).await;
    let family = in_session(1, "fcare", &session);
    begin(&*store, &family).await;
    let log = entries(&*store).await;
    assert_eq!(
        store.end_session(session.id, subject_id("bob"), SessionEndRevokes::Everything, at(1)).await,
        Ok(None)
    );
    assert_eq!(
        store.end_session(session_id(9), session.subject, SessionEndRevokes::Everything, at(1)).await,
        Ok(None)
    );
    assert_eq!(entries(&*store).await, log);
    assert!(standing(&*store, &session, 1).await.is_some() && is_live(&*store, &family).await);

    assert!(
        store
            .end_session(session.id, session.subject, SessionEndRevokes::Everything, at(1))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(
        store.end_session(session.id, session.subject, SessionEndRevokes::Everything, at(1)).await,
        Ok(None)
    );
    store.extend_session(session.id, at(100)).await.unwrap();
    assert_eq!(standing(&*store, &session, 1).await, None);
}

pub async fn ending_a_session_that_gave_nothing_appends_nothing(store: Fresh) {
    people_who_consent(&*store).await;
    let session = session(1, "alice");
    sign_in(&*store, &session).await;
    let revoked = in_session(1, "fcare", &session);
    begin(&*store, &revoked).await;
    deny(&*store, &Deny::Family(revoked.id), at(1)).await;
    let over = in_session(2, "fcare", &session);
    let over = NewFamily { refresh_expires_at: until(50), access_expires_at: until(50), ..over };
    begin(&*store, &over).await;

    let log = entries(&*store).await;
    let proof =
        store.end_session(session.id, session.subject, SessionEndRevokes::Everything, at(50)).await.unwrap();
    assert_eq!(proof.map(Appended::position), Some(log_end(&*store).await));
    assert_eq!(entries(&*store).await, log);
}

pub async fn ending_a_session_ends_its_unused_codes_and_no_other(store: Fresh) {
    people_who_consent(&*store).await;
    let (ended, other) = (session(1, "alice"), session(2, "alice"));
    sign_in(&*store, &ended).await;
    sign_in(&*store, &other).await;
    let (unused, used) = (code(1, "fcare", &ended), code(2, "gateway", &ended));
    let kept = code(3, "fcare", &other);
    for code in [&unused, &used, &kept] {
        add_code(&*store, code).await;
    }
    let first = redemption(2, &used, 1);
    assert_eq!(store.redeem_code(&first).await, Ok(RedeemOutcome::First(None)));

    let last = store
        .end_session(ended.id, ended.subject, SessionEndRevokes::Everything, at(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored_code(&*store, &unused).await, None);
    assert_eq!(store.redeem_code(&redemption(1, &unused, 2)).await, Ok(RedeemOutcome::Unknown));
    assert_eq!(stored(&*store, &first.family).await.ended, Some(last));
    // The one that was used is known still.
    assert_eq!(store.redeem_code(&redemption(9, &used, 10)).await, Ok(RedeemOutcome::Reused(last)));
    assert_eq!(store.redeem_code(&redemption(3, &kept, 10)).await, Ok(RedeemOutcome::First(None)));
}

pub async fn ending_what_is_online_leaves_the_families_with_offline_access(store: Fresh) {
    people_who_consent(&*store).await;
    let ended = session(1, "alice");
    sign_in(&*store, &ended).await;
    let with =
        |number, names: &str| NewFamily { scopes: scopes(names), ..in_session(number, "fcare", &ended) };
    let kept = [with(1, "offline_access"), with(2, "openid offline_access read")];
    let covered =
        [with(3, "read"), with(4, "offline_access.not openid"), with(5, "Offline_Access"), with(6, "")];
    for family in kept.iter().chain(&covered) {
        begin(&*store, family).await;
    }
    let unused = code(1, "fcare", &ended);
    add_code(&*store, &unused).await;
    let online = SessionEndRevokes::Online;
    let last = store.end_session(ended.id, ended.subject, online, at(1)).await.unwrap().unwrap();
    assert_eq!(log_end(&*store).await, last.position());
    for family in &kept {
        assert!(is_live(&*store, family).await, "{}", family.scopes);
        assert_eq!(denial(&*store, &Denied::Family(family.id)).await, None);
        assert_eq!(rotate(&*store, &rotation(family, 0, 2)).await, RotateOutcome::First);
    }
    for family in &covered {
        assert!(!is_live(&*store, family).await, "{}", family.scopes);
        assert!(denial(&*store, &Denied::Family(family.id)).await.is_some());
    }
    assert_eq!(standing(&*store, &ended, 1).await, None);
    assert_eq!(stored_code(&*store, &unused).await, None);
}

pub async fn a_session_that_does_not_stand_can_still_be_ended(store: Fresh) {
    people_who_consent(&*store).await;
    let position = log_end(&*store).await;
    let (idle, disabled) = (session(1, "alice"), session(2, "bob"));
    let disabled = crate::NewSession { position, ..disabled };
    sign_in(&*store, &idle).await;
    sign_in(&*store, &disabled).await;
    let family = in_session(30, "fcare", &idle);
    begin(&*store, &family).await;
    changed(store.set_user_enabled(&username("bob"), false, at(1)).await.unwrap());
    for session in [&idle, &disabled] {
        assert_eq!(standing(&*store, session, 2_000).await, None);
        assert!(
            store
                .end_session(session.id, session.subject, SessionEndRevokes::Everything, at(2_000))
                .await
                .unwrap()
                .is_some()
        );
        assert_eq!(
            store.end_session(session.id, session.subject, SessionEndRevokes::Everything, at(2_000)).await,
            Ok(None)
        );
    }
    assert!(!is_live(&*store, &family).await);
}

pub async fn no_session_of_a_deleted_person_stays(store: Fresh) {
    people_who_consent(&*store).await;
    let (own, other) = (session(1, "alice"), session(2, "bob"));
    sign_in(&*store, &own).await;
    sign_in(&*store, &other).await;
    changed(store.delete_user(&username("alice"), at(1)).await.unwrap());
    assert_eq!(store.end_session(own.id, own.subject, SessionEndRevokes::Everything, at(1)).await, Ok(None));
    assert!(standing(&*store, &other, 1).await.is_some());
}

pub async fn of_50_parallel_ends_of_one_session_one_ends_it(store: Fresh) {
    people_who_consent(&*store).await;
    let session = session(1, "alice");
    sign_in(&*store, &session).await;
    for number in 1..=20 {
        begin(&*store, &in_session(number, "fcare", &session)).await;
    }
    let before = entries(&*store).await.len();
    let mut ends = JoinSet::new();
    for _ in 0..50 {
        let (store, id, subject) = (store.clone(), session.id, session.subject);
        ends.spawn(async move {
            store.end_session(id, subject, SessionEndRevokes::Everything, at(1)).await.unwrap()
        });
    }
    let ends: Vec<_> = ends.join_all().await.into_iter().flatten().collect();
    assert_eq!(ends.len(), 1);
    assert_eq!(entries(&*store).await.len(), before + 20);
}

pub async fn no_code_redeemed_beside_the_end_of_its_session_gives_a_family_that_lives(store: Fresh) {
    people_who_consent(&*store).await;
    for number in 1..=40 {
        let session = session(number, "alice");
        sign_in(&*store, &session).await;
        let code = code(number, "fcare", &session);
        add_code(&*store, &code).await;
        let ends = tokio::spawn({
            let (store, id, subject) = (store.clone(), session.id, session.subject);
            async move { store.end_session(id, subject, SessionEndRevokes::Everything, at(1)).await.unwrap() }
        });
        let redemption = redemption(number, &code, 1);
        let redeemed = store.redeem_code(&redemption).await.unwrap();
        assert!(ends.await.unwrap().is_some());
        match redeemed {
            RedeemOutcome::First(None) => assert!(!is_live(&*store, &redemption.family).await),
            RedeemOutcome::Unknown => {
                assert_eq!(store.find_family(redemption.family.lineage).await, Ok(None));
            }
            other => panic!("{other:?}"),
        }
    }
}

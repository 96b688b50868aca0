//! Rules of [`crate::Families`]: beginning, finding and leaving. Rotation is in `rotations.rs`.
#![allow(missing_docs, reason = "each rule is said by its name")]

use obol_token::{Denied, Expiry, SessionId, SubjectId};
use tokio::task::JoinSet;

use super::samples::{
    Fresh, REFRESH_SECS, at, begin, changed, client_id, denial, deny, entries, family, family_id, hash,
    is_live, log_end, pass_time, people, rotate, rotation, scopes, serve, stored, subject_id, until,
    username,
};
use crate::{BeginOutcome, Deny, Family, NewFamily, RotateOutcome, Rotation, Store, StoreError};

pub async fn a_begun_family_is_found(store: Fresh) {
    people(&*store).await;
    let plain = family(1, "fcare", "alice");
    let endless = NewFamily {
        session: Some(SessionId::from_bytes([7; 16])),
        details: "{\"resource\":\"https://api.example\"}".to_owned(),
        scopes: scopes(""),
        refresh_expires_at: Expiry::Never,
        access_expires_at: Expiry::Never,
        ..family(2, "gateway", "bob")
    };
    for family in [plain, endless] {
        begin(&*store, &family).await;
        let expected = Family {
            id: family.id,
            client_id: family.client_id.clone(),
            subject: family.subject,
            scopes: family.scopes.clone(),
            session: family.session,
            details: family.details.clone(),
            current: family.current,
            issued_at: family.issued_at,
            refresh_expires_at: family.refresh_expires_at,
            ended: None,
        };
        assert_eq!(stored(&*store, &family).await, expected);
        assert_eq!(store.find_family_by_id(family.id).await, Ok(Some(expected)));
    }
    assert_eq!(store.find_family_by_id(family_id(9)).await, Ok(None));
}

pub async fn the_families_of_a_person_that_live_are_listed_the_latest_first(store: Fresh) {
    people(&*store).await;
    assert_eq!(store.list_families(subject_id("alice"), at(0)).await, Ok(Vec::new()));
    for (number, issued_at) in [(1, at(20)), (2, at(40)), (3, at(30))] {
        begin(&*store, &NewFamily { issued_at, ..family(number, "fcare", "alice") }).await;
    }
    let (refresh_expires_at, access_expires_at) = (until(100), until(50));
    begin(&*store, &NewFamily { refresh_expires_at, ..family(4, "gateway", "alice") }).await;
    begin(&*store, &NewFamily { refresh_expires_at, access_expires_at, ..family(5, "fcare", "alice") }).await;
    begin(&*store, &family(6, "fcare", "bob")).await;
    deny(&*store, &Deny::Family(family_id(3)), at(50)).await;
    for (secs, expected) in [(99, &[2, 1, 4, 5][..]), (100, &[2, 1, 4]), (REFRESH_SECS, &[])] {
        let listed = store.list_families(subject_id("alice"), at(secs)).await.unwrap();
        let ids: Vec<_> = listed.iter().map(|family| family.id).collect();
        let expected: Vec<_> = expected.iter().map(|number| family_id(*number)).collect();
        assert_eq!(ids, expected, "{secs}");
    }
}

pub async fn an_unknown_lineage_is_not_found(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    for unknown in [hash("lineage", 2), family.current] {
        assert_eq!(store.find_family(unknown).await, Ok(None));
    }
}

pub async fn nothing_begins_for_a_client_or_person_who_is_gone(store: Fresh) {
    people(&*store).await;
    let (fcare, alice) = (client_id("fcare"), username("alice"));
    refuses(&*store, family(1, "unknown", "alice")).await;
    refuses(&*store, NewFamily { subject: SubjectId::from_bytes([9; 16]), ..family(1, "fcare", "alice") })
        .await;

    changed(store.set_client_enabled(&fcare, false, at(1)).await.unwrap());
    refuses(&*store, family(1, "fcare", "alice")).await;
    changed(store.set_client_enabled(&fcare, true, at(1)).await.unwrap());
    changed(store.set_user_enabled(&alice, false, at(1)).await.unwrap());
    refuses(&*store, family(1, "fcare", "alice")).await;
    changed(store.set_user_enabled(&alice, true, at(1)).await.unwrap());
    begin(&*store, &family(1, "fcare", "alice")).await;

    changed(store.delete_client(&fcare, at(1)).await.unwrap());
    refuses(&*store, family(2, "fcare", "bob")).await;
    changed(store.delete_user(&alice, at(1)).await.unwrap());
    refuses(&*store, family(2, "gateway", "alice")).await;
    begin(&*store, &family(2, "gateway", "bob")).await;
}

pub async fn nothing_begins_for_a_request_from_before_a_denial(store: Fresh) {
    people(&*store).await;
    let (fcare, alice) = (client_id("fcare"), family(1, "fcare", "alice").subject);
    for (number, covering) in [(1, Deny::Subject(alice)), (2, Deny::Client(fcare)), (3, Deny::Everything)] {
        let before = log_end(&*store).await;
        let denied = store.deny(&covering, at(1)).await.unwrap();
        refuses(&*store, NewFamily { position: before, ..family(number, "fcare", "alice") }).await;
        let after = denied.position();
        begin(&*store, &NewFamily { position: after, ..family(number, "fcare", "alice") }).await;
    }
    let before = log_end(&*store).await;
    deny(&*store, &Deny::Subject(family(1, "fcare", "bob").subject), at(1)).await;
    deny(&*store, &Deny::Client(client_id("gateway")), at(1)).await;
    begin(&*store, &NewFamily { position: before, ..family(4, "fcare", "alice") }).await;
}

async fn refuses(store: &dyn Store, family: NewFamily) {
    assert_eq!(store.begin_family(&family).await, Ok(BeginOutcome::Gone));
    assert_eq!(store.find_family(family.lineage).await, Ok(None));
}

pub async fn an_id_or_lineage_in_use_begins_nothing(store: Fresh) {
    people(&*store).await;
    let (first, other) = (family(1, "fcare", "alice"), family(2, "gateway", "bob"));
    begin(&*store, &first).await;
    let before = stored(&*store, &first).await;
    let same_id = NewFamily { id: first.id, single: true, ..other.clone() };
    let same_lineage = NewFamily { lineage: first.lineage, single: true, ..other.clone() };
    for second in [same_id, same_lineage] {
        let outcome = store.begin_family(&second).await;
        assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
    }
    assert_eq!(stored(&*store, &first).await, before);
    assert_eq!(store.find_family(other.lineage).await, Ok(None));
}

pub async fn a_single_family_ends_the_others_of_its_person_at_its_client(store: Fresh) {
    people(&*store).await;
    let replaced = [1, 2, 3].map(|number| NewFamily {
        access_expires_at: until(i64::from(number) * 1_000),
        ..family(number, "fcare", "alice")
    });
    let kept = [family(4, "gateway", "alice"), family(5, "fcare", "bob")];
    for family in replaced.iter().chain(&kept) {
        begin(&*store, family).await;
    }
    let single = NewFamily { single: true, issued_at: at(1), ..family(6, "fcare", "alice") };
    let outcome = store.begin_family(&single).await.unwrap();
    let BeginOutcome::Begun(Some(last)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(log_end(&*store).await, last.position());
    for family in &replaced {
        let denial = denial(&*store, &Denied::Family(family.id)).await.unwrap();
        assert_eq!(denial.leaves_at, family.access_expires_at);
        let ended = stored(&*store, family).await.ended.unwrap().position();
        assert!(denial.position <= ended && ended <= last.position());
        assert_eq!(rotate(&*store, &rotation(family, 0, 2)).await, RotateOutcome::Ended);
    }
    for family in kept.iter().chain([&single]) {
        assert!(is_live(&*store, family).await, "{}", family.id);
    }
}

pub async fn a_single_family_with_nothing_to_replace_denies_nothing(store: Fresh) {
    people(&*store).await;
    let before = entries(&*store).await;
    let ended = family(1, "fcare", "alice");
    begin(&*store, &NewFamily { single: true, ..ended.clone() }).await;
    assert_eq!(entries(&*store).await, before);

    deny(&*store, &Deny::Family(ended.id), at(1)).await;
    let before = entries(&*store).await;
    begin(&*store, &NewFamily { single: true, ..family(2, "fcare", "alice") }).await;
    assert_eq!(entries(&*store).await, before);
}

pub async fn a_family_that_is_not_single_leaves_the_others(store: Fresh) {
    people(&*store).await;
    let families = [1, 2, 3].map(|number| family(number, "fcare", "alice"));
    for family in &families {
        begin(&*store, family).await;
    }
    for family in &families {
        assert!(is_live(&*store, family).await);
    }
}

pub async fn no_family_begun_beside_a_disabling_lives(store: Fresh) {
    people(&*store).await;
    let (client, person) = (client_id("fcare"), username("alice"));
    for round in 0..10 {
        let mut begins = JoinSet::new();
        for number in 0..8 {
            let (store, family) = (store.clone(), family(8 * round + number, "fcare", "alice"));
            begins.spawn(async move { store.begin_family(&family).await.unwrap() });
        }
        match round % 2 {
            0 => changed(store.set_client_enabled(&client, false, at(1)).await.unwrap()),
            _ => changed(store.set_user_enabled(&person, false, at(1)).await.unwrap()),
        };
        begins.join_all().await;
        assert_eq!(store.count_families(&Deny::Everything, at(1)).await, Ok(0), "round {round}");
        changed(store.set_client_enabled(&client, true, at(1)).await.unwrap());
        changed(store.set_user_enabled(&person, true, at(1)).await.unwrap());
    }
}

pub async fn a_family_leaves_when_both_its_tokens_have_expired(store: Fresh) {
    serve(&*store).await;
    people(&*store).await;
    let cases = [(1, until(500), until(900)), (2, until(900), until(500)), (3, until(200), until(200))];
    for (number, refresh_expires_at, access_expires_at) in cases {
        let family = NewFamily {
            refresh_expires_at: until(300),
            access_expires_at: until(300),
            ..family(number, "fcare", "alice")
        };
        begin(&*store, &family).await;
        let rotation = Rotation { refresh_expires_at, access_expires_at, ..rotation(&family, 0, 100) };
        assert_eq!(rotate(&*store, &rotation).await, RotateOutcome::First);
    }
    let ended = NewFamily { refresh_expires_at: until(900), ..family(4, "gateway", "bob") };
    begin(&*store, &NewFamily { access_expires_at: until(1), ..ended.clone() }).await;
    deny(&*store, &Deny::Family(ended.id), at(100)).await;

    // The third family's first access token lives longer than those of the rotation.
    for (secs, there) in
        [(299, [true; 4]), (300, [true, true, false, true]), (899, [true, true, false, true])]
    {
        pass_time(&*store, at(secs)).await;
        assert_eq!(which_are_there(&*store).await, there, "{secs}");
    }
    pass_time(&*store, at(900)).await;
    assert_eq!(which_are_there(&*store).await, [false; 4]);
}

async fn which_are_there(store: &dyn Store) -> [bool; 4] {
    let mut there = [false; 4];
    for (number, there) in (1..).zip(&mut there) {
        *there = store.find_family(hash("lineage", number)).await.unwrap().is_some();
    }
    there
}

pub async fn a_family_without_end_stays(store: Fresh) {
    serve(&*store).await;
    people(&*store).await;
    let endless = NewFamily { refresh_expires_at: Expiry::Never, ..family(1, "fcare", "alice") };
    let with_endless_access = NewFamily { access_expires_at: Expiry::Never, ..family(2, "fcare", "bob") };
    for family in [&endless, &with_endless_access] {
        begin(&*store, family).await;
    }
    pass_time(&*store, at(100 * REFRESH_SECS)).await;
    for family in [&endless, &with_endless_access] {
        assert!(is_live(&*store, family).await);
    }
    let late = rotation(&endless, 0, 101 * REFRESH_SECS);
    assert_eq!(rotate(&*store, &late).await, RotateOutcome::First);
}

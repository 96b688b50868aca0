//! Rules of [`crate::Codes`]: keeping, finding and leaving. Redeeming is in `redemptions.rs`.
#![allow(missing_docs, reason = "each rule is said by its name")]

use obol_token::Expiry;

use super::samples::{
    Fresh, at, changed, client_id, deny, hash, log_end, pass_time, people, serve, subject_id, until, username,
};
use super::sign_ins::{
    add_code, all_consent, code, consent, people_who_consent, redeem, redemption, session, session_id,
    sign_in, stored_code,
};
use crate::{
    AddCodeOutcome, Code, Deny, NewCode, NewFamily, NewSession, RedeemOutcome, Redemption, SessionEndRevokes,
    Store, StoreError,
};

pub async fn an_added_code_is_found(store: Fresh) {
    people_who_consent(&*store).await;
    let session = NewSession { position: log_end(&*store).await, ..session(1, "alice") };
    sign_in(&*store, &session).await;
    let code = code(1, "fcare", &session);
    add_code(&*store, &code).await;
    let expected = Code {
        client_id: code.client_id.clone(),
        subject: code.subject,
        session: code.session,
        details: code.details.clone(),
        issued_at: code.issued_at,
        expires_at: code.expires_at,
        position: code.position,
        family: None,
    };
    assert_eq!(stored_code(&*store, &code).await, Some(expected));
    assert_eq!(store.find_code(hash("code", 2)).await, Ok(None));
}

pub async fn nothing_is_added_without_a_session_of_the_person_that_stands(store: Fresh) {
    people_who_consent(&*store).await;
    let (bobs, ended) = (session(1, "bob"), session(2, "alice"));
    let idle = NewSession { idle_ends_at: at(100), ..session(3, "alice") };
    let over = NewSession { ends_at: at(100), ..session(4, "alice") };
    let denied = NewSession { position: log_end(&*store).await, ..session(5, "alice") };
    for session in [&bobs, &ended, &idle, &over, &denied] {
        sign_in(&*store, session).await;
    }
    store.end_session(ended.id, ended.subject, SessionEndRevokes::Everything, at(1)).await.unwrap();
    deny(&*store, &Deny::Subject(denied.subject), at(1)).await;
    refuses(&*store, &NewCode { session: session_id(9), ..code(1, "fcare", &idle) }).await;
    refuses(&*store, &NewCode { session: bobs.id, ..code(1, "fcare", &idle) }).await;
    refuses(&*store, &code(1, "fcare", &ended)).await;
    refuses(&*store, &NewCode { position: idle.position, ..code(1, "fcare", &denied) }).await;
    for (number, session) in [(10, &idle), (20, &over)] {
        add_code(&*store, &NewCode { issued_at: at(99), ..code(number, "fcare", session) }).await;
        for secs in [100, 101] {
            refuses(&*store, &NewCode { issued_at: at(secs), ..code(1, "fcare", session) }).await;
        }
    }
}

pub async fn nothing_is_added_without_a_consent(store: Fresh) {
    people(&*store).await;
    let session = session(1, "alice");
    sign_in(&*store, &session).await;
    refuses(&*store, &code(1, "fcare", &session)).await;
    for (person, client) in [("alice", "gateway"), ("bob", "fcare")] {
        store.give_consent(&consent(person, client)).await.unwrap();
        refuses(&*store, &code(1, "fcare", &session)).await;
    }
    store.give_consent(&consent("alice", "fcare")).await.unwrap();
    add_code(&*store, &code(1, "fcare", &session)).await;
    store.withdraw_consent(session.subject, &client_id("fcare"), at(1)).await.unwrap();
    refuses(&*store, &code(2, "fcare", &session)).await;
}

pub async fn nothing_is_added_for_a_client_or_person_who_is_gone(store: Fresh) {
    people_who_consent(&*store).await;
    let (session, fcare, alice) = (session(1, "alice"), client_id("fcare"), username("alice"));
    sign_in(&*store, &session).await;
    refuses(&*store, &code(1, "unknown", &session)).await;

    changed(store.set_client_enabled(&fcare, false, at(1)).await.unwrap());
    refuses(&*store, &code(1, "fcare", &session)).await;
    changed(store.set_client_enabled(&fcare, true, at(1)).await.unwrap());
    changed(store.set_user_enabled(&alice, false, at(1)).await.unwrap());
    refuses(&*store, &code(1, "fcare", &session)).await;
    changed(store.set_user_enabled(&alice, true, at(1)).await.unwrap());
    add_code(&*store, &code(1, "fcare", &session)).await;

    changed(store.delete_client(&fcare, at(1)).await.unwrap());
    refuses(&*store, &code(2, "fcare", &session)).await;
    changed(store.delete_user(&alice, at(1)).await.unwrap());
    refuses(&*store, &code(2, "gateway", &session)).await;
}

pub async fn nothing_is_added_for_a_request_from_before_a_denial(store: Fresh) {
    people_who_consent(&*store).await;
    let session = session(1, "alice");
    sign_in(&*store, &session).await;
    let covering = [Deny::Subject(session.subject), Deny::Client(client_id("fcare")), Deny::Everything];
    for (number, covering) in (1..).zip(covering) {
        let before = log_end(&*store).await;
        let after = deny(&*store, &covering, at(1)).await;
        all_consent(&*store).await;
        refuses(&*store, &NewCode { position: before, ..code(number, "fcare", &session) }).await;
        add_code(&*store, &NewCode { position: after, ..code(number, "fcare", &session) }).await;
    }
    let before = log_end(&*store).await;
    deny(&*store, &Deny::Subject(subject_id("bob")), at(1)).await;
    deny(&*store, &Deny::Client(client_id("gateway")), at(1)).await;
    add_code(&*store, &NewCode { position: before, ..code(9, "fcare", &session) }).await;
}

async fn refuses(store: &dyn Store, code: &NewCode) {
    assert_eq!(store.add_code(code).await, Ok(AddCodeOutcome::Gone), "{code:?}");
    assert_eq!(stored_code(store, code).await, None);
}

pub async fn a_code_in_use_is_a_conflict(store: Fresh) {
    people_who_consent(&*store).await;
    let session = session(1, "alice");
    sign_in(&*store, &session).await;
    let first = code(1, "fcare", &session);
    add_code(&*store, &first).await;
    let before = stored_code(&*store, &first).await;
    let outcome = store.add_code(&code(1, "gateway", &session)).await;
    assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
    assert_eq!(stored_code(&*store, &first).await, before);
}

pub async fn deleting_a_person_or_a_client_ends_the_unused_codes(store: Fresh) {
    people_who_consent(&*store).await;
    let (alices, bobs) = (session(1, "alice"), session(2, "bob"));
    sign_in(&*store, &alices).await;
    sign_in(&*store, &bobs).await;
    let codes = [
        code(1, "fcare", &alices),
        code(2, "gateway", &alices),
        code(3, "fcare", &bobs),
        code(4, "gateway", &bobs),
    ];
    for code in &codes {
        add_code(&*store, code).await;
    }
    changed(store.delete_user(&username("alice"), at(1)).await.unwrap());
    assert_eq!(which_are_there(&*store, &codes).await, [false, false, true, true]);
    changed(store.delete_client(&client_id("fcare"), at(1)).await.unwrap());
    assert_eq!(which_are_there(&*store, &codes).await, [false, false, false, true]);
    assert_eq!(redeem(&*store, &redemption(4, &codes[3], 1)).await, RedeemOutcome::First(None));
}

pub async fn a_code_leaves_when_it_expires_or_with_the_first_tokens_it_gave(store: Fresh) {
    serve(&*store).await;
    people_who_consent(&*store).await;
    let session = session(1, "alice");
    sign_in(&*store, &session).await;
    let codes = [1, 2, 3, 4].map(|number| code(number, "fcare", &session));
    for code in &codes {
        add_code(&*store, code).await;
    }
    let expiries = [(2, until(300), until(200)), (3, until(200), until(300)), (4, Expiry::Never, until(50))];
    for ((number, refresh_expires_at, access_expires_at), code) in expiries.into_iter().zip(&codes[1..]) {
        let redemption = redemption(number, code, 1);
        let family = NewFamily { refresh_expires_at, access_expires_at, ..redemption.family };
        assert_eq!(redeem(&*store, &Redemption { family, ..redemption }).await, RedeemOutcome::First(None));
    }
    for (secs, there) in [
        (59, [true, true, true, true]),
        (60, [false, true, true, true]),
        (299, [false, true, true, true]),
        (300, [false, false, false, true]),
        (1_000_000, [false, false, false, true]),
    ] {
        pass_time(&*store, at(secs)).await;
        assert_eq!(which_are_there(&*store, &codes).await, there, "{secs}");
    }
}

pub async fn codes_that_leave_do_not_set_swept_through(store: Fresh) {
    serve(&*store).await;
    people_who_consent(&*store).await;
    let session = session(1, "alice");
    sign_in(&*store, &session).await;
    let code = code(1, "fcare", &session);
    add_code(&*store, &code).await;
    let before = store.swept_through().await.unwrap();
    pass_time(&*store, at(60)).await;
    assert_eq!(stored_code(&*store, &code).await, None);
    assert_eq!(store.swept_through().await, Ok(before));
}

async fn which_are_there(store: &dyn Store, codes: &[NewCode; 4]) -> [bool; 4] {
    let mut there = [false; 4];
    for (code, there) in codes.iter().zip(&mut there) {
        *there = stored_code(store, code).await.is_some();
    }
    there
}

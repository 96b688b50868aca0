//! Rules of [`crate::Sessions`]: beginning, standing and renewing. Ending is in `session_ends.rs`.
#![allow(missing_docs, reason = "each rule is said by its name")]

use obol_token::{Position, SubjectId};
use tokio::task::JoinSet;

use super::samples::{
    Fresh, at, changed, client_id, deny, hash, log_end, pass_time, people, serve, subject_id, username,
};
use super::sign_ins::{IDLE_SECS, SESSION_SECS, session, session_id, sign_in, standing};
use crate::{
    BeginSessionOutcome, Deny, NewSession, PasswordHash, Session, SessionEndRevokes, Store, StoreError,
};

pub async fn a_begun_session_is_found_by_its_secret(store: Fresh) {
    people(&*store).await;
    let begun = session(1, "alice");
    sign_in(&*store, &begun).await;
    let expected = Session {
        id: begun.id,
        subject: begun.subject,
        username: username("alice"),
        authenticated_at: begun.authenticated_at,
        methods: begun.methods.clone(),
        began_at: begun.authenticated_at,
        idle_ends_at: begun.idle_ends_at,
        ends_at: begun.ends_at,
        user_agent: begun.user_agent.clone(),
        source: begun.source.clone(),
    };
    assert_eq!(standing(&*store, &begun, 0).await, Some(expected));
    assert_eq!(store.find_session(hash("session", 2), at(0)).await, Ok(None));
}

pub async fn a_session_ends_at_the_second_of_either_limit(store: Fresh) {
    people(&*store).await;
    let idle_first = NewSession { idle_ends_at: at(100), ends_at: at(200), ..session(1, "alice") };
    let end_first = NewSession { idle_ends_at: at(200), ends_at: at(100), ..session(2, "alice") };
    for session in [idle_first, end_first] {
        sign_in(&*store, &session).await;
        for (secs, stands) in [(99, true), (100, false), (101, false)] {
            assert_eq!(standing(&*store, &session, secs).await.is_some(), stands, "{secs}");
        }
    }
}

pub async fn use_moves_the_idle_limit_on_and_never_back_or_past_the_end(store: Fresh) {
    people(&*store).await;
    let used = NewSession { idle_ends_at: at(100), ends_at: at(200), ..session(1, "alice") };
    sign_in(&*store, &used).await;
    let other = NewSession { idle_ends_at: at(100), ..session(2, "alice") };
    sign_in(&*store, &other).await;
    for (asked, idle_ends_at) in [(150, 150), (120, 150), (199, 199), (500, 200), (600, 200)] {
        assert_eq!(store.extend_session(used.id, at(asked)).await, Ok(()));
        let found = standing(&*store, &used, 99).await.unwrap();
        assert_eq!((found.idle_ends_at, found.ends_at), (at(idle_ends_at), at(200)), "{asked}");
    }
    assert!(standing(&*store, &used, 199).await.is_some());
    assert_eq!(standing(&*store, &used, 200).await, None);
    assert_eq!(standing(&*store, &other, 0).await.unwrap().idle_ends_at, other.idle_ends_at);
    assert_eq!(store.extend_session(session_id(9), at(100)).await, Ok(()));
}

pub async fn nothing_begins_for_a_person_who_is_gone(store: Fresh) {
    people(&*store).await;
    let alice = username("alice");
    refuses(&*store, &NewSession { subject: SubjectId::from_bytes([9; 16]), ..session(1, "alice") }).await;
    changed(store.set_user_enabled(&alice, false, at(1)).await.unwrap());
    refuses(&*store, &session(1, "alice")).await;
    changed(store.set_user_enabled(&alice, true, at(1)).await.unwrap());
    sign_in(&*store, &session(1, "alice")).await;
    changed(store.delete_user(&alice, at(1)).await.unwrap());
    refuses(&*store, &session(2, "alice")).await;
    sign_in(&*store, &session(2, "bob")).await;
}

pub async fn nothing_begins_for_a_request_from_before_a_denial(store: Fresh) {
    people(&*store).await;
    for (number, covering) in [(1, Deny::Subject(subject_id("alice"))), (2, Deny::Everything)] {
        let before = log_end(&*store).await;
        let after = deny(&*store, &covering, at(1)).await;
        refuses(&*store, &NewSession { position: before, ..session(number, "alice") }).await;
        sign_in(&*store, &NewSession { position: after, ..session(number, "alice") }).await;
    }
    let before = log_end(&*store).await;
    deny(&*store, &Deny::Subject(subject_id("bob")), at(1)).await;
    deny(&*store, &Deny::Client(client_id("fcare")), at(1)).await;
    sign_in(&*store, &NewSession { position: before, ..session(3, "alice") }).await;
}

async fn refuses(store: &dyn Store, session: &NewSession) {
    assert_eq!(store.begin_session(session, None).await, Ok(BeginSessionOutcome::Gone));
    assert_eq!(standing(store, session, 0).await, None);
}

pub async fn an_id_or_secret_in_use_begins_nothing(store: Fresh) {
    people(&*store).await;
    let (first, other) = (session(1, "alice"), session(2, "bob"));
    sign_in(&*store, &first).await;
    let before = standing(&*store, &first, 0).await;
    let same_id = NewSession { id: first.id, ..other.clone() };
    let same_secret = NewSession { secret: first.secret, ..other.clone() };
    for second in [same_id, same_secret] {
        let outcome = store.begin_session(&second, None).await;
        assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
    }
    assert_eq!(standing(&*store, &first, 0).await, before);
    assert_eq!(store.list_sessions(other.subject, at(0)).await, Ok(Vec::new()));
}

pub async fn whatever_ends_a_person_s_tokens_ends_the_sessions(store: Fresh) {
    people(&*store).await;
    let (name, subject) = (username("alice"), subject_id("alice"));
    let password = PasswordHash::from_phc("$argon2id$new");
    for number in 1..=5 {
        let position = log_end(&*store).await;
        let (own, other) = (session(number, "alice"), session(100 + number, "bob"));
        let (own, other) = (NewSession { position, ..own }, NewSession { position, ..other });
        sign_in(&*store, &own).await;
        sign_in(&*store, &other).await;
        match number {
            1 => changed(store.set_user_enabled(&name, false, at(1)).await.unwrap()),
            2 => changed(store.set_user_password(&name, &password, at(1)).await.unwrap()),
            3 => deny(&*store, &Deny::Subject(subject), at(1)).await,
            4 => deny(&*store, &Deny::Everything, at(1)).await,
            _ => changed(store.delete_user(&name, at(1)).await.unwrap()),
        };
        assert_eq!(standing(&*store, &own, 2).await, None, "{number}");
        assert_eq!(standing(&*store, &other, 2).await.is_some(), number != 4, "{number}");
        if number == 1 {
            changed(store.set_user_enabled(&name, true, at(2)).await.unwrap());
        }
        store.extend_session(own.id, at(SESSION_SECS)).await.unwrap();
        assert_eq!(standing(&*store, &own, 3).await, None, "{number}");
    }
}

pub async fn a_disabled_person_has_no_session_whatever_its_position(store: Fresh) {
    people(&*store).await;
    let (session, name) = (session(1, "alice"), username("alice"));
    sign_in(&*store, &session).await;
    changed(store.set_user_enabled(&name, false, at(1)).await.unwrap());
    assert_eq!(standing(&*store, &session, 2).await, None);
}

pub async fn a_renewed_session_keeps_its_id_and_its_old_secret_is_good_for_nothing(store: Fresh) {
    people(&*store).await;
    let old = session(1, "alice");
    sign_in(&*store, &old).await;
    let new = NewSession {
        authenticated_at: at(50),
        methods: "pwd otp".to_owned(),
        idle_ends_at: at(150),
        ends_at: at(250),
        source: "192.0.2.8".to_owned(),
        ..session(2, "alice")
    };
    let renewed = store.begin_session(&new, Some(old.secret)).await;
    assert_eq!(renewed, Ok(BeginSessionOutcome::Begun(old.id)));
    assert_eq!(store.find_session(old.secret, at(51)).await, Ok(None));
    let expected = Session {
        id: old.id,
        subject: old.subject,
        username: username("alice"),
        authenticated_at: at(50),
        methods: "pwd otp".to_owned(),
        began_at: at(0),
        idle_ends_at: at(150),
        ends_at: at(250),
        user_agent: "Browser 2".to_owned(),
        source: "192.0.2.8".to_owned(),
    };
    assert_eq!(store.find_session(new.secret, at(51)).await, Ok(Some(expected.clone())));
    assert_eq!(store.list_sessions(old.subject, at(51)).await, Ok(vec![expected]));
    // What was renewed cannot be renewed by what it was before.
    let again = NewSession { authenticated_at: at(52), ..session(3, "alice") };
    let begun = store.begin_session(&again, Some(old.secret)).await;
    assert_eq!(begun, Ok(BeginSessionOutcome::Begun(again.id)));
}

pub async fn a_session_of_another_person_is_not_renewed_and_stays(store: Fresh) {
    people(&*store).await;
    let (other, own) = (session(1, "bob"), session(2, "alice"));
    sign_in(&*store, &other).await;
    let before = standing(&*store, &other, 0).await;
    let begun = store.begin_session(&own, Some(other.secret)).await;
    assert_eq!(begun, Ok(BeginSessionOutcome::Begun(own.id)));
    assert_eq!(standing(&*store, &other, 0).await, before);
    assert!(standing(&*store, &own, 0).await.is_some());
}

pub async fn a_session_that_does_not_stand_is_not_renewed(store: Fresh) {
    people(&*store).await;
    let position = log_end(&*store).await;
    let denied = NewSession { position, ..session(1, "alice") };
    sign_in(&*store, &denied).await;
    deny(&*store, &Deny::Subject(denied.subject), at(1)).await;
    let ended = session(2, "alice");
    sign_in(&*store, &ended).await;
    assert!(
        store
            .end_session(ended.id, ended.subject, SessionEndRevokes::Everything, at(1))
            .await
            .unwrap()
            .is_some()
    );
    let idle = NewSession { idle_ends_at: at(100), ..session(3, "alice") };
    let over = NewSession { idle_ends_at: at(100), ends_at: at(100), ..session(4, "alice") };
    sign_in(&*store, &idle).await;
    sign_in(&*store, &over).await;
    for (number, dead) in (11..).zip([denied, ended, idle.clone(), over, session(9, "alice")]) {
        let new = NewSession { authenticated_at: at(100), ..session(number, "alice") };
        let begun = store.begin_session(&new, Some(dead.secret)).await;
        assert_eq!(begun, Ok(BeginSessionOutcome::Begun(new.id)));
        assert_eq!(standing(&*store, &new, 100).await.unwrap().began_at, at(100));
    }
    // One second earlier it stood.
    let in_time = NewSession { authenticated_at: at(99), ..session(20, "alice") };
    let renewed = store.begin_session(&in_time, Some(idle.secret)).await;
    assert_eq!(renewed, Ok(BeginSessionOutcome::Begun(idle.id)));
}

pub async fn nothing_is_renewed_for_a_request_from_before_a_denial_or_a_person_who_is_gone(store: Fresh) {
    people(&*store).await;
    let old = session(1, "alice");
    sign_in(&*store, &old).await;
    for covering in [Deny::Subject(old.subject), Deny::Everything] {
        let before = log_end(&*store).await;
        deny(&*store, &covering, at(1)).await;
        let late = NewSession { position: before, ..session(2, "alice") };
        assert_eq!(store.begin_session(&late, Some(old.secret)).await, Ok(BeginSessionOutcome::Gone));
        assert!(standing(&*store, &old, 1).await.is_some());
    }
    changed(store.set_user_enabled(&username("alice"), false, at(1)).await.unwrap());
    let outcome = store.begin_session(&session(2, "alice"), Some(old.secret)).await;
    assert_eq!(outcome, Ok(BeginSessionOutcome::Gone));
}

pub async fn a_renewed_session_counts_from_its_new_position(store: Fresh) {
    people(&*store).await;
    let first = session(1, "alice");
    sign_in(&*store, &first).await;
    let new = NewSession { position: log_end(&*store).await, ..session(2, "alice") };
    let renewed = store.begin_session(&new, Some(first.secret)).await;
    assert_eq!(renewed, Ok(BeginSessionOutcome::Begun(first.id)));
    deny(&*store, &Deny::Subject(first.subject), at(2)).await;
    assert_eq!(store.find_session(new.secret, at(3)).await, Ok(None));
}

pub async fn the_sessions_of_a_person_are_listed_the_latest_first(store: Fresh) {
    people(&*store).await;
    assert_eq!(store.list_sessions(subject_id("alice"), at(0)).await, Ok(Vec::new()));
    for (number, secs) in [(1, 20), (2, 40), (3, 30)] {
        sign_in(&*store, &NewSession { authenticated_at: at(secs), ..session(number, "alice") }).await;
    }
    sign_in(&*store, &session(4, "bob")).await;
    let listed = store.list_sessions(subject_id("alice"), at(50)).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|session| session.id).collect();
    assert_eq!(ids, [2, 3, 1].map(session_id));
}

pub async fn a_session_leaves_when_it_ends_in_any_case(store: Fresh) {
    serve(&*store).await;
    people(&*store).await;
    let first = NewSession { ends_at: at(200), idle_ends_at: at(100), ..session(1, "alice") };
    let second = NewSession { ends_at: at(200), idle_ends_at: at(100), ..session(2, "alice") };
    let later = session(3, "alice");
    for session in [&first, &second, &later] {
        sign_in(&*store, session).await;
    }
    let swept_through = store.swept_through().await.unwrap();
    pass_time(&*store, at(199)).await;
    assert!(
        store
            .end_session(first.id, first.subject, SessionEndRevokes::Everything, at(199))
            .await
            .unwrap()
            .is_some()
    );
    pass_time(&*store, at(200)).await;
    assert_eq!(
        store.end_session(second.id, second.subject, SessionEndRevokes::Everything, at(200)).await,
        Ok(None)
    );
    assert!(standing(&*store, &later, IDLE_SECS - 1).await.is_some());
    // It says what left that tokens could be refused by.
    assert_eq!(store.swept_through().await, Ok(swept_through));
}

pub async fn no_session_begun_beside_a_disabling_stands(store: Fresh) {
    people(&*store).await;
    let name = username("alice");
    for round in 0..10 {
        let position: Position = log_end(&*store).await;
        let mut begins = JoinSet::new();
        for number in 0..8 {
            let session = NewSession { position, ..session(8 * round + number, "alice") };
            let store = store.clone();
            begins.spawn(async move { store.begin_session(&session, None).await.unwrap() });
        }
        changed(store.set_user_enabled(&name, false, at(1)).await.unwrap());
        begins.join_all().await;
        changed(store.set_user_enabled(&name, true, at(1)).await.unwrap());
        assert_eq!(store.list_sessions(subject_id("alice"), at(1)).await, Ok(Vec::new()), "round {round}");
    }
}

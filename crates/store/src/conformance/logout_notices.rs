//! Rules of [`crate::LogoutNotices`], and of what writes notices.
#![allow(missing_docs, reason = "each rule is said by its name")]

use std::collections::BTreeSet;

use obol_token::{SessionId, Timestamp};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::samples::{
    Fresh, PATIENCE, at, changed, client_id, deny, log_end, pass_time, serve, subject_id, username,
};
use super::sign_ins::{
    add_code, all_consent, code, people_who_consent, redeem, redemption, session, session_id, sign_in,
};
use crate::{
    Deny, LogoutNotice, NOTICE_LIFETIME_SECS, NewCode, NewSession, PasswordHash, RedeemOutcome, Redemption,
    SessionEndRevokes, Store, WaitingNotices,
};

pub async fn ending_a_session_leaves_a_notice_for_each_client_to_be_told_and_no_other(store: Fresh) {
    people_who_consent(&*store).await;
    let (ended, other) = (session(1, "alice"), session(2, "alice"));
    sign_in(&*store, &ended).await;
    sign_in(&*store, &other).await;
    bring(&*store, 1, "fcare", &ended).await;
    // Twice: told once.
    bring(&*store, 2, "fcare", &ended).await;
    bring(&*store, 3, "fcare", &other).await;
    let untold = code(4, "gateway", &ended);
    add_code(&*store, &untold).await;
    let redeemed = redeem(&*store, &redemption(4, &untold, 1)).await;
    assert_eq!(redeemed, RedeemOutcome::First(None));

    let bob = subject_id("bob");
    assert_eq!(store.end_session(ended.id, bob, SessionEndRevokes::Everything, at(5)).await, Ok(None));
    assert_eq!(told(&*store, at(5)).await, []);
    end(&*store, &ended, at(5)).await;
    let expected = LogoutNotice {
        client_id: client_id("fcare"),
        session: ended.id,
        subject: ended.subject,
        details: "of 2".to_owned(),
        ended_at: at(5),
        tries: 1,
        due_at: at(35),
        leaves_at: at(5).plus_secs(NOTICE_LIFETIME_SECS),
    };
    assert_eq!(told(&*store, at(5)).await, [expected]);
    let again = store.end_session(ended.id, ended.subject, SessionEndRevokes::Everything, at(6)).await;
    assert_eq!(again, Ok(None));
    assert_eq!(told(&*store, at(6)).await, []);
}

pub async fn whatever_ends_the_sessions_of_a_person_leaves_a_notice_for_each(store: Fresh) {
    people_who_consent(&*store).await;
    let (name, subject) = (username("alice"), subject_id("alice"));
    let password = PasswordHash::from_phc("$argon2id$new");
    for number in 1..=5_u8 {
        let position = log_end(&*store).await;
        let of = |number, person| NewSession { position, ..session(number, person) };
        let (own, second, bobs) = (of(number, "alice"), of(20 + number, "alice"), of(40 + number, "bob"));
        for (session, client) in [(&own, "fcare"), (&own, "gateway"), (&second, "fcare"), (&bobs, "fcare")] {
            if client == "fcare" {
                sign_in(&*store, session).await;
            }
            let code = 2 * session.id.as_bytes()[0] + u8::from(client == "gateway");
            bring(&*store, code, client, session).await;
        }
        match number {
            1 => changed(store.set_user_enabled(&name, false, at(1)).await.unwrap()),
            2 => changed(store.set_user_password(&name, &password, at(1)).await.unwrap()),
            3 => deny(&*store, &Deny::Subject(subject), at(1)).await,
            4 => deny(&*store, &Deny::Everything, at(1)).await,
            _ => changed(store.delete_user(&name, at(1)).await.unwrap()),
        };
        let notices = told(&*store, at(1)).await;
        assert!(notices.iter().all(|notice| notice.ended_at == at(1)), "{number}: {notices:?}");
        let mut expected = BTreeSet::from([
            (own.id, subject, "fcare"),
            (own.id, subject, "gateway"),
            (second.id, subject, "fcare"),
        ]);
        if number == 4 {
            // Those of Bob that the rounds before have left.
            expected.extend((41..=44).map(|bobs| (session_id(bobs), subject_id("bob"), "fcare")));
            all_consent(&*store).await;
        }
        let found: BTreeSet<_> = notices
            .iter()
            .map(|notice| (notice.session, notice.subject, notice.client_id.as_str()))
            .collect();
        assert_eq!((found, notices.len()), (expected.clone(), expected.len()), "{number}");
        if number == 1 {
            changed(store.set_user_enabled(&name, true, at(2)).await.unwrap());
        }
        // What has ended ends once.
        deny(&*store, &Deny::Subject(subject), at(2)).await;
        assert_eq!(told(&*store, at(2)).await, [], "{number}");
    }
}

pub async fn what_ends_no_session_leaves_no_notice(store: Fresh) {
    serve(&*store).await;
    people_who_consent(&*store).await;
    let short = NewSession { idle_ends_at: at(50), ends_at: at(50), ..session(1, "alice") };
    let long = session(2, "alice");
    sign_in(&*store, &short).await;
    sign_in(&*store, &long).await;
    bring(&*store, 1, "fcare", &short).await;
    let family = bring(&*store, 2, "fcare", &long).await.family;
    deny(&*store, &Deny::Family(family.id), at(1)).await;
    deny(&*store, &Deny::Client(client_id("fcare")), at(1)).await;
    assert!(store.withdraw_consent(long.subject, &client_id("fcare"), at(1)).await.unwrap().is_some());
    // It runs out and leaves.
    pass_time(&*store, at(50)).await;
    let ended = store.end_session(short.id, short.subject, SessionEndRevokes::Everything, at(50)).await;
    assert_eq!(ended, Ok(None));
    assert_eq!(told(&*store, at(60)).await, []);
    // The client that lost all it had is told all the same when the session ends.
    end(&*store, &long, at(60)).await;
    assert_eq!(told(&*store, at(60)).await.len(), 1);
}

pub async fn a_client_that_is_gone_gets_no_notice(store: Fresh) {
    people_who_consent(&*store).await;
    let ended = session(1, "alice");
    sign_in(&*store, &ended).await;
    bring(&*store, 1, "fcare", &ended).await;
    bring(&*store, 2, "gateway", &ended).await;
    changed(store.set_client_enabled(&client_id("fcare"), false, at(2)).await.unwrap());
    changed(store.delete_client(&client_id("gateway"), at(2)).await.unwrap());
    end(&*store, &ended, at(3)).await;
    assert_eq!(told(&*store, at(3)).await, []);
}

pub async fn a_code_that_gives_nothing_has_brought_nobody_anywhere(store: Fresh) {
    people_who_consent(&*store).await;
    let ended = session(1, "alice");
    sign_in(&*store, &ended).await;
    let expired = code(1, "fcare", &ended);
    add_code(&*store, &expired).await;
    assert_eq!(redeem(&*store, &telling(1, &expired, 60)).await, RedeemOutcome::Expired);
    let unknown = code(2, "gateway", &ended);
    assert_eq!(redeem(&*store, &telling(2, &unknown, 1)).await, RedeemOutcome::Unknown);
    end(&*store, &ended, at(61)).await;
    assert_eq!(told(&*store, at(61)).await, []);
}

pub async fn what_a_client_is_told_beside_is_what_the_latest_code_said(store: Fresh) {
    people_who_consent(&*store).await;
    let ended = session(1, "alice");
    sign_in(&*store, &ended).await;
    for number in [7, 3, 5] {
        bring(&*store, number, "fcare", &ended).await;
    }
    end(&*store, &ended, at(2)).await;
    let details: Vec<_> = told(&*store, at(2)).await.into_iter().map(|notice| notice.details).collect();
    assert_eq!(details, ["of 5"]);
}

pub async fn a_notice_is_due_at_its_second_and_once_for_each_try(store: Fresh) {
    ended_sessions(&*store, 1).await;
    assert_eq!(take(&*store, 10, 9).await, []);
    let first = take(&*store, 10, 10).await;
    assert_eq!(first.iter().map(|notice| notice.tries).collect::<Vec<_>>(), [1]);
    // Whoever has it has died.
    assert_eq!(take(&*store, 10, 39).await, []);
    let second = take(&*store, 10, 40).await;
    assert_eq!(second, [LogoutNotice { tries: 2, due_at: at(70), ..first[0].clone() }]);
}

pub async fn what_was_told_is_gone_and_what_was_put_off_is_due_then(store: Fresh) {
    ended_sessions(&*store, 2).await;
    let taken = take(&*store, 10, 10).await;
    store.remove_notice(&taken[0]).await.unwrap();
    store.put_off_notice(&taken[1], at(100), 1, "no answer").await.unwrap();
    assert_eq!(take(&*store, 10, 99).await, []);
    let again = LogoutNotice { tries: 2, due_at: at(130), ..taken[1].clone() };
    assert_eq!(take(&*store, 10, 100).await, [again]);
    // Once more: nothing to remove, and nothing wrong.
    store.remove_notice(&taken[0]).await.unwrap();
    store.put_off_notice(&taken[0], at(100), 1, "no answer").await.unwrap();
    assert_eq!(store.count_notices().await.unwrap()[0].count, 1);
}

pub async fn who_was_too_late_puts_nothing_off(store: Fresh) {
    ended_sessions(&*store, 1).await;
    let first = take(&*store, 10, 10).await;
    let second = take(&*store, 10, 40).await;
    store.put_off_notice(&first[0], at(9_000), 1, "late").await.unwrap();
    assert_eq!(store.list_clients_to_tell().await.unwrap(), [(client_id("fcare"), at(70))]);
    assert_eq!(store.count_notices().await.unwrap()[0].failure, None);
    store.put_off_notice(&second[0], at(60), 2, "in time").await.unwrap();
    assert_eq!(store.list_clients_to_tell().await.unwrap(), [(client_id("fcare"), at(60))]);
}

pub async fn a_try_that_was_none_is_not_counted(store: Fresh) {
    ended_sessions(&*store, 1).await;
    let first = take(&*store, 10, 10).await;
    let second = take(&*store, 10, 40).await;
    store.put_off_notice(&second[0], at(60), 1, "busy").await.unwrap();
    assert_eq!(store.count_notices().await.unwrap()[0].most_tries, 1);
    // It counts as many tries as whoever had it first has seen, and was taken meanwhile all the same.
    store.put_off_notice(&first[0], at(9_000), 1, "late").await.unwrap();
    let third = take(&*store, 10, 60).await;
    assert_eq!(third, [LogoutNotice { tries: 2, due_at: at(90), ..first[0].clone() }]);
}

pub async fn notices_of_other_clients_are_not_taken(store: Fresh) {
    ended_sessions(&*store, 3).await;
    let gateway = client_id("gateway");
    assert_eq!(store.take_notices(&gateway, 10, at(10), at(40)).await, Ok(Vec::new()));
    // As many as are asked for, those due longest first.
    let first = take(&*store, 2, 10).await;
    assert_eq!(first.len(), 2);
    store.put_off_notice(&first[0], at(20), 1, "first").await.unwrap();
    let rest: Vec<_> = take(&*store, 1, 20).await.into_iter().map(|notice| notice.session).collect();
    let third: Vec<_> =
        (1..=3).map(session_id).filter(|id| first.iter().all(|taken| taken.session != *id)).collect();
    assert_eq!(rest, third);
    assert_eq!(take(&*store, 10, 20).await[0].session, first[0].session);
}

pub async fn of_50_parallel_takers_each_notice_goes_to_one(store: Fresh) {
    ended_sessions(&*store, 40).await;
    let mut takers = JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        takers.spawn(async move { take(&*store, 3, 10).await });
    }
    let taken: Vec<_> = takers.join_all().await.into_iter().flatten().collect();
    let sessions: BTreeSet<SessionId> = taken.iter().map(|notice| notice.session).collect();
    assert_eq!((taken.len(), sessions.len()), (40, 40));
}

pub async fn clients_to_tell_are_listed_with_what_is_due_first(store: Fresh) {
    people_who_consent(&*store).await;
    assert_eq!(store.list_clients_to_tell().await, Ok(Vec::new()));
    for (number, client, secs) in [(1, "gateway", 30), (2, "fcare", 20), (3, "fcare", 10)] {
        let session = session(number, "alice");
        sign_in(&*store, &session).await;
        bring(&*store, number, client, &session).await;
        end(&*store, &session, at(secs)).await;
    }
    let expected = vec![(client_id("fcare"), at(10)), (client_id("gateway"), at(30))];
    assert_eq!(store.list_clients_to_tell().await, Ok(expected));
}

pub async fn what_waits_is_counted_by_client(store: Fresh) {
    ended_sessions(&*store, 3).await;
    let waiting = |most_tries, failure: Option<&str>| WaitingNotices {
        client_id: client_id("fcare"),
        count: 3,
        oldest_ended_at: at(10),
        most_tries,
        failure: failure.map(str::to_owned),
    };
    assert_eq!(store.count_notices().await, Ok(vec![waiting(0, None)]));
    let taken = take(&*store, 2, 10).await;
    store.put_off_notice(&taken[0], at(20), 1, "the former").await.unwrap();
    store.put_off_notice(&taken[1], at(21), 1, "the latter").await.unwrap();
    assert_eq!(store.count_notices().await, Ok(vec![waiting(1, Some("the latter"))]));
}

pub async fn a_notice_leaves_when_its_time_is_over(store: Fresh) {
    serve(&*store).await;
    ended_sessions(&*store, 3).await;
    let over = at(10).plus_secs(NOTICE_LIFETIME_SECS);
    pass_time(&*store, over.plus_secs(-1)).await;
    assert_eq!(store.count_notices().await.unwrap()[0].count, 3);
    pass_time(&*store, over).await;
    assert_eq!(store.count_notices().await, Ok(Vec::new()));
}

pub async fn who_waits_for_notices_is_woken_by_what_ends_sessions(store: Fresh) {
    people_who_consent(&*store).await;
    let (name, password) = (username("bob"), PasswordHash::from_phc("$argon2id$new"));
    for number in 1..=6_u8 {
        let ended = session(number, "alice");
        sign_in(&*store, &ended).await;
        let waiting = store.clone();
        let woken = tokio::spawn(async move { waiting.wait_for_notices().await });
        match number {
            1 => end(&*store, &ended, at(1)).await,
            2 => drop(deny(&*store, &Deny::Subject(ended.subject), at(1)).await),
            3 => drop(deny(&*store, &Deny::Everything, at(1)).await),
            4 => drop(store.set_user_password(&name, &password, at(1)).await.unwrap()),
            5 => drop(store.set_user_enabled(&name, false, at(1)).await.unwrap()),
            _ => drop(store.delete_user(&name, at(1)).await.unwrap()),
        }
        timeout(PATIENCE, woken).await.expect("it was not woken").unwrap();
    }
}

/// A client that got its tokens is told, or the session ended before: there is no third way.
pub async fn no_code_redeemed_beside_the_end_of_its_session_is_forgotten(store: Fresh) {
    people_who_consent(&*store).await;
    for number in 1..=40 {
        let session = session(number, "alice");
        sign_in(&*store, &session).await;
        let code = code(number, "fcare", &session);
        add_code(&*store, &code).await;
        let ends = tokio::spawn({
            let (store, session) = (store.clone(), session.clone());
            async move { end(&*store, &session, at(1)).await }
        });
        let redeemed = redeem(&*store, &telling(number, &code, 1)).await;
        ends.await.unwrap();
        let was_first = matches!(redeemed, RedeemOutcome::First(_));
        assert_eq!(told(&*store, at(1)).await.len(), usize::from(was_first), "{redeemed:?}");
    }
}

/// The same redemption, of a client that is to be told.
fn telling(number: u8, code: &NewCode, secs: i64) -> Redemption {
    Redemption { told_of_end: Some(format!("of {number}")), ..redemption(number, code, secs) }
}

/// Brings the person of this session to a client that is to be told.
async fn bring(store: &dyn Store, number: u8, client: &str, session: &NewSession) -> Redemption {
    let code = code(number, client, session);
    add_code(store, &code).await;
    let redemption = telling(number, &code, 1);
    assert_eq!(redeem(store, &redemption).await, RedeemOutcome::First(None));
    redemption
}

async fn end(store: &dyn Store, session: &NewSession, now: Timestamp) {
    let everything = SessionEndRevokes::Everything;
    let ended = store.end_session(session.id, session.subject, everything, now).await;
    assert!(ended.unwrap().is_some());
}

/// As many sessions, of which `fcare` is to be told that they have ended, at 10 s.
async fn ended_sessions(store: &dyn Store, count: u8) {
    people_who_consent(store).await;
    for number in 1..=count {
        let session = session(number, "alice");
        sign_in(store, &session).await;
        bring(store, number, "fcare", &session).await;
        end(store, &session, at(10)).await;
    }
}

/// Takes for `fcare` at a moment, for a try of 30 s.
async fn take(store: &dyn Store, limit: usize, secs: i64) -> Vec<LogoutNotice> {
    store.take_notices(&client_id("fcare"), limit, at(secs), at(secs + 30)).await.unwrap()
}

/// Takes whatever is due, and removes it.
async fn told(store: &dyn Store, now: Timestamp) -> Vec<LogoutNotice> {
    let mut all = Vec::new();
    for (client_id, _) in store.list_clients_to_tell().await.unwrap() {
        all.extend(store.take_notices(&client_id, 100, now, now.plus_secs(30)).await.unwrap());
    }
    for notice in &all {
        store.remove_notice(notice).await.unwrap();
    }
    all
}

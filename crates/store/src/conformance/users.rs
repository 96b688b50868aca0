//! Rules of [`crate::Users`].
#![allow(missing_docs, reason = "each rule is said by its name")]

use obol_token::{Denied, Expiry};
use tokio::task::JoinSet;

use super::samples::{
    Fresh, add_user, at, begin, changed, denial, entries, family, is_live, log_end, people, replaced,
    subject_id, user, username,
};
use crate::{AddOutcome, ChangeOutcome, PasswordHash, Profile, ReplaceOutcome, StoreError, User};

pub async fn an_added_person_is_found_by_name_and_by_id(store: Fresh) {
    let profile = serde_json::from_str(r#"{"given_name":"No","groups":["staff"]}"#).unwrap();
    let nobody = User { email: None, profile, enabled: false, created_at: at(-5), ..user("nobody") };
    for user in [user("alice"), nobody] {
        add_user(&*store, &user).await;
        assert_eq!(store.find_user(&user.username).await, Ok(Some(user.clone())));
        assert_eq!(store.find_user_by_id(user.id).await, Ok(Some(user)));
    }
    assert_eq!(store.find_user(&username("other")).await, Ok(None));
    assert_eq!(store.find_user_by_id(subject_id("other")).await, Ok(None));
}

pub async fn adding_a_person_tells_the_nodes_nothing(store: Fresh) {
    people(&*store).await;
    let before = entries(&*store).await;
    let position = add_user(&*store, &user("carol")).await;
    assert_eq!(entries(&*store).await, before);
    assert_eq!(log_end(&*store).await, position);
}

pub async fn a_name_in_use_is_taken(store: Fresh) {
    let first = user("alice");
    add_user(&*store, &first).await;
    let second = User { id: subject_id("second"), email: None, ..user("alice") };
    assert_eq!(store.add_user(&second).await, Ok(AddOutcome::Taken));
    assert_eq!(store.list_users().await, Ok(vec![first]));
}

pub async fn the_name_of_a_deleted_person_is_never_given_out_again(store: Fresh) {
    let first = user("alice");
    add_user(&*store, &first).await;
    changed(store.delete_user(&first.username, at(1)).await.unwrap());
    let second = User { id: subject_id("second"), ..user("alice") };
    for again in [first, second] {
        assert_eq!(store.add_user(&again).await, Ok(AddOutcome::NeverAgain));
    }
    assert_eq!(store.list_users().await, Ok(Vec::new()));
}

pub async fn an_id_in_use_is_a_conflict(store: Fresh) {
    let first = user("alice");
    add_user(&*store, &first).await;
    let second = User { id: first.id, ..user("bob") };
    let outcome = store.add_user(&second).await;
    assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
    assert_eq!(store.list_users().await, Ok(vec![first]));
}

pub async fn people_are_listed_by_name(store: Fresh) {
    assert_eq!(store.list_users().await, Ok(Vec::new()));
    for name in ["bob", "a@b", "alice", "b.ob"] {
        add_user(&*store, &user(name)).await;
    }
    assert_eq!(store.list_users().await.unwrap(), ["a@b", "alice", "b.ob", "bob"].map(user));
}

pub async fn a_new_profile_replaces_the_old_and_ends_nothing(store: Fresh) {
    people(&*store).await;
    let (family, alice) = (family(1, "fcare", "alice"), user("alice"));
    begin(&*store, &family).await;
    let log = entries(&*store).await;
    let profiles = [
        (
            Some("new@example.com"),
            r#"{"name":"Älice \u0000 \"A\"","address":{"country":"CH"},"groups":["a","b"]}"#,
        ),
        (None, r#"{"email_verified":true,"updated_at":4000000000}"#),
        (Some("last@example.com"), "{}"),
    ];
    for (email, profile) in profiles {
        let profile: Profile = serde_json::from_str(profile).unwrap();
        let former = store.find_user(&alice.username).await.unwrap().unwrap();
        let position = replaced(store.set_user_profile(&former, email, &profile).await.unwrap());
        assert_eq!(position, log_end(&*store).await);
        let expected = User { email: email.map(str::to_owned), profile, ..alice.clone() };
        assert_eq!(store.find_user(&alice.username).await, Ok(Some(expected.clone())));
        assert_eq!(store.find_user_by_id(alice.id).await, Ok(Some(expected)));
    }
    assert_eq!(entries(&*store).await, log);
    assert!(is_live(&*store, &family).await);
    assert_eq!(store.find_user(&username("bob")).await, Ok(Some(user("bob"))));
}

pub async fn the_profile_of_a_person_who_is_not_as_it_was_read_is_not_replaced(store: Fresh) {
    let read = user("alice");
    add_user(&*store, &read).await;
    let profile: Profile = serde_json::from_str(r#"{"name":"Alice"}"#).unwrap();
    replaced(store.set_user_profile(&read, None, &profile).await.unwrap());
    let outcome = store.set_user_profile(&read, Some("late@example.com"), &Profile::default()).await;
    assert_eq!(outcome, Ok(ReplaceOutcome::Raced));
    let expected = User { email: None, profile, ..read.clone() };
    assert_eq!(store.find_user(&read.username).await, Ok(Some(expected)));
}

pub async fn an_unknown_person_cannot_be_changed(store: Fresh) {
    people(&*store).await;
    let (end, name) = (log_end(&*store).await, username("other"));
    let password = PasswordHash::from_phc("$argon2id$new");
    assert_eq!(store.set_user_enabled(&name, false, at(1)).await, Ok(ChangeOutcome::Unknown));
    assert_eq!(store.set_user_password(&name, &password, at(1)).await, Ok(ChangeOutcome::Unknown));
    assert_eq!(store.delete_user(&name, at(1)).await, Ok(ChangeOutcome::Unknown));
    let profile = Profile::default();
    assert_eq!(store.set_user_profile(&user("other"), None, &profile).await, Ok(ReplaceOutcome::Unknown));
    assert_eq!(log_end(&*store).await, end);
}

pub async fn disabling_denies_the_tokens_and_ends_the_families(store: Fresh) {
    people(&*store).await;
    let name = username("alice");
    for secs in [1, 2] {
        end_of_what_alice_was_given(&store, secs, async |store, secs| {
            store.set_user_enabled(&username("alice"), false, at(secs)).await
        })
        .await;
        let disabled = User { enabled: false, ..user("alice") };
        assert_eq!(store.find_user(&name).await, Ok(Some(disabled)));
        changed(store.set_user_enabled(&name, true, at(secs)).await.unwrap());
    }
}

pub async fn enabling_brings_nothing_back(store: Fresh) {
    people(&*store).await;
    let (family, name) = (family(1, "fcare", "alice"), username("alice"));
    begin(&*store, &family).await;
    changed(store.set_user_enabled(&name, false, at(1)).await.unwrap());
    let denied = Denied::Subject(family.subject);
    let before = denial(&*store, &denied).await;

    changed(store.set_user_enabled(&name, true, at(2)).await.unwrap());
    assert!(!is_live(&*store, &family).await);
    assert_eq!(denial(&*store, &denied).await, before);
    assert_eq!(store.find_user(&name).await, Ok(Some(user("alice"))));
}

pub async fn a_new_password_replaces_the_old_and_ends_what_was_given(store: Fresh) {
    people(&*store).await;
    end_of_what_alice_was_given(&store, 1, async |store, secs| {
        let password = PasswordHash::from_phc("$argon2id$new");
        store.set_user_password(&username("alice"), &password, at(secs)).await
    })
    .await;
    let renewed = User { password: PasswordHash::from_phc("$argon2id$new"), ..user("alice") };
    assert_eq!(store.find_user(&renewed.username).await, Ok(Some(renewed)));
}

pub async fn deleting_denies_the_tokens_and_ends_the_families(store: Fresh) {
    people(&*store).await;
    end_of_what_alice_was_given(&store, 1, async |store, secs| {
        store.delete_user(&username("alice"), at(secs)).await
    })
    .await;
    assert_eq!(store.find_user(&username("alice")).await, Ok(None));
    assert_eq!(store.find_user_by_id(subject_id("alice")).await, Ok(None));
    assert_eq!(store.list_users().await, Ok(vec![user("bob")]));
}

pub async fn a_deleted_person_cannot_be_changed(store: Fresh) {
    people(&*store).await;
    let name = username("alice");
    let position = changed(store.delete_user(&name, at(1)).await.unwrap());
    let password = PasswordHash::from_phc("$argon2id$new");
    assert_eq!(store.set_user_enabled(&name, true, at(2)).await, Ok(ChangeOutcome::Unknown));
    assert_eq!(store.set_user_password(&name, &password, at(2)).await, Ok(ChangeOutcome::Unknown));
    assert_eq!(store.delete_user(&name, at(2)).await, Ok(ChangeOutcome::Unknown));
    let profile = Profile::default();
    assert_eq!(store.set_user_profile(&user("alice"), None, &profile).await, Ok(ReplaceOutcome::Unknown));
    assert_eq!(log_end(&*store).await, position);
}

pub async fn of_50_parallel_adds_of_one_name_one_adds(store: Fresh) {
    let mut adds = JoinSet::new();
    for number in 0..50 {
        let store = store.clone();
        let user = User { id: subject_id(&format!("number {number}")), ..user("alice") };
        adds.spawn(async move { (store.add_user(&user).await.unwrap(), user) });
    }
    let (added, others): (Vec<_>, Vec<_>) =
        adds.join_all().await.into_iter().partition(|(outcome, _)| matches!(outcome, AddOutcome::Added(_)));
    assert!(others.iter().all(|(outcome, _)| *outcome == AddOutcome::Taken));
    let [(_, winner)] = &added[..] else { panic!("{} were added", added.len()) };
    assert_eq!(store.list_users().await, Ok(vec![winner.clone()]));
}

/// A family of alice begins, `act` ends it and denies what she was given; one of bob lives on.
async fn end_of_what_alice_was_given(
    store: &Fresh,
    secs: i64,
    act: impl AsyncFn(&Fresh, i64) -> Result<ChangeOutcome, StoreError>,
) {
    let number = u8::try_from(secs).unwrap();
    let (own, other) = (family(number, "fcare", "alice"), family(100 + number, "fcare", "bob"));
    begin(&**store, &own).await;
    begin(&**store, &other).await;
    let position = changed(act(store, secs).await.unwrap());
    let denial = denial(&**store, &Denied::Subject(own.subject)).await.unwrap();
    assert_eq!(denial.position, position);
    assert_eq!(denial.leaves_at, Expiry::Never);
    assert_eq!(
        store.find_family(own.lineage).await.unwrap().unwrap().ended.map(crate::Appended::position),
        Some(position)
    );
    assert!(is_live(&**store, &other).await);
}

//! The rules of administration, on a real store.

use std::sync::Arc;

use obol_keys::PlainPassword;
use obol_store_sqlite::SqliteStore;
use obol_token::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::watched_users::{AfterLook, WatchedUsers};
use crate::{PasswordCheck, Person, PoolSize, Reason, Refused};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const PASSWORD: &str = "correct horse battery";

struct House {
    store: Arc<SqliteStore>,
    _folder: TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Arc::new(SqliteStore::open(folder.path()).unwrap()), _folder: folder }
    }

    async fn add(&self, name: &str, password: &str) -> Result<Added, AdministrationError> {
        let email = Some("alice@example.com".parse().unwrap());
        let new = NewUser { username: named(name), email, password: plain(password) };
        add_user(&*self.store, new, NOW).await
    }

    async fn sign_in(&self, name: &str, password: &str) -> Result<Person, Refused> {
        let size = PoolSize { threads: 1, waiting: 1 };
        let check = PasswordCheck::start(self.store.clone(), size).unwrap();
        check.check_password(name, plain(password), None, NOW).await
    }
}

fn plain(text: &str) -> PlainPassword {
    PlainPassword::new(text.to_owned()).unwrap()
}

fn named(name: &str) -> Username {
    name.parse().unwrap()
}

fn refused_for(reason: Reason) -> Result<Person, Refused> {
    Err(Refused::Credentials { reason })
}

#[tokio::test]
async fn an_added_person_is_listed_shown_and_signs_in() {
    let house = House::new();
    let bob = house.add("Bob", PASSWORD).await.unwrap().user;
    let alice = house.add("alice", PASSWORD).await.unwrap().user;
    assert_eq!(alice.email.as_deref(), Some("alice@example.com"));
    assert_ne!(alice.id, bob.id);
    assert_eq!(load_user(&*house.store, &named("alice")).await, Ok(alice.clone()));
    assert_eq!(list_users(&*house.store).await, Ok(vec![alice.clone(), bob]));
    let person = Person { subject: alice.id, username: alice.username };
    assert_eq!(house.sign_in("alice", PASSWORD).await, Ok(person));
}

#[tokio::test]
async fn a_name_is_given_out_once_in_all_its_spellings() {
    let house = House::new();
    let _ = house.add("alice", PASSWORD).await.unwrap();
    assert_eq!(house.add("ALICE", PASSWORD).await, Err(AdministrationError::Taken));

    let _ = delete_user(&*house.store, &named("alice"), NOW).await.unwrap();
    assert_eq!(house.add("Alice", PASSWORD).await, Err(AdministrationError::NeverAgain));
    assert_eq!(load_user(&*house.store, &named("alice")).await, Err(AdministrationError::Unknown));
    assert_eq!(house.sign_in("alice", PASSWORD).await, refused_for(Reason::UnknownUser));
}

#[tokio::test]
async fn a_disabled_person_is_refused_until_enabled_again() {
    let house = House::new();
    let _ = house.add("alice", PASSWORD).await.unwrap();
    let _ = set_user_enabled(&*house.store, &named("alice"), false, NOW).await.unwrap();
    assert_eq!(house.sign_in("alice", PASSWORD).await, refused_for(Reason::Disabled));
    let _ = set_user_enabled(&*house.store, &named("alice"), true, NOW).await.unwrap();
    assert!(house.sign_in("alice", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_new_password_takes_the_place_of_the_old_one() {
    let house = House::new();
    let _ = house.add("alice", PASSWORD).await.unwrap();
    let new = plain("another horse battery");
    let _ = set_user_password(&*house.store, &named("alice"), &new, NOW).await.unwrap();
    assert_eq!(house.sign_in("alice", PASSWORD).await, refused_for(Reason::WrongPassword));
    assert!(house.sign_in("alice", "another horse battery").await.is_ok());
}

#[tokio::test]
async fn a_password_that_breaks_a_rule_changes_nothing() {
    let house = House::new();
    let broken = Err(AdministrationError::Password(PasswordRuleError::TooShort));
    assert_eq!(house.add("alice", "short").await.map(|_| ()), broken);
    assert_eq!(list_users(&*house.store).await, Ok(vec![]));

    let _ = house.add("alice", PASSWORD).await.unwrap();
    let changed = set_user_password(&*house.store, &named("alice"), &plain("short"), NOW).await;
    assert_eq!(changed.map(|_| ()), broken);
    assert!(house.sign_in("alice", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_change_of_a_profile_between_read_and_write_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let users = WatchedUsers::new(SqliteStore::open(folder.path()).unwrap());
    let new = NewUser { username: named("alice"), email: None, password: plain(PASSWORD) };
    let _ = add_user(&users, new, NOW).await.unwrap();
    users.after_next_look(AfterLook::Nickname);
    let name = vec![ClaimChange::parse("name", "Alice").unwrap()];
    let _ = change_profile(&users, &named("alice"), None, name, NOW).await.unwrap();
    let alice = load_user(&users, &named("alice")).await.unwrap();
    assert_eq!(
        (alice.profile["name"].as_str(), alice.profile["nickname"].as_str()),
        (Some("Alice"), Some("Al"))
    );
    assert_eq!(alice.email.as_deref(), Some("al@example.com"));
}

#[tokio::test]
async fn changing_nobody_is_said_to_be_unknown() {
    let house = House::new();
    let (users, nobody) = (&*house.store, named("nobody"));
    let unknown = Err(AdministrationError::Unknown);
    assert_eq!(set_user_enabled(users, &nobody, true, NOW).await, unknown);
    assert_eq!(set_user_enabled(users, &nobody, false, NOW).await, unknown);
    assert_eq!(set_user_password(users, &nobody, &plain(PASSWORD), NOW).await, unknown);
    assert_eq!(delete_user(users, &nobody, NOW).await, unknown);
}

#[tokio::test]
async fn what_makes_a_person_less_trusted_has_a_place_in_the_log() {
    let house = House::new();
    let users = &*house.store;
    let mut positions = vec![house.add("alice", PASSWORD).await.unwrap().appended.position()];
    positions.push(set_user_enabled(users, &named("alice"), false, NOW).await.unwrap().position());
    positions
        .push(set_user_password(users, &named("alice"), &plain(PASSWORD), NOW).await.unwrap().position());
    positions.push(delete_user(users, &named("alice"), NOW).await.unwrap().position());
    assert!(positions.is_sorted_by(|earlier, later| earlier < later), "{positions:?}");
}

#[tokio::test]
async fn secrets_never_print() {
    let house = House::new();
    let new = NewUser { username: named("alice"), email: None, password: plain(PASSWORD) };
    assert!(!format!("{new:?}").contains(PASSWORD), "{new:?}");
    let added = house.add("alice", PASSWORD).await.unwrap();
    let printed = format!("{added:?}");
    assert!(!printed.contains("argon2") && !printed.contains(added.user.password.as_phc()), "{printed}");
}

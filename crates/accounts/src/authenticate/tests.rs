//! The rules of signing in, on a real store.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use obol_keys::hash_password;
use obol_store::{AddOutcome, PasswordHash, Profile, StoreError};
use obol_store_sqlite::SqliteStore;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::watched_users::{AfterLook, WatchedUsers};

const RIGHT: &str = "correct horse battery";
const WRONG: &str = "wrong horse battery";
const START: i64 = 1_800_000_000;
const TWO_THREADS: PoolSize = PoolSize { threads: 2, waiting: 64 };

/// A store of its own with `alice`, who is enabled, and `dora`, who is disabled; both have the password [`RIGHT`].
struct House {
    check: Arc<PasswordCheck>,
    users: Arc<WatchedUsers>,
    _folder: TempDir,
}

impl House {
    async fn new(size: PoolSize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path()).unwrap();
        for (number, name, enabled) in [(1, "alice", true), (2, "dora", false)] {
            let user = User {
                id: SubjectId::from_bytes([number; 16]),
                username: name.parse().unwrap(),
                email: None,
                profile: Profile::default(),
                password: hashed(RIGHT),
                enabled,
                created_at: at(0),
            };
            assert!(matches!(store.add_user(&user).await, Ok(AddOutcome::Added(_))));
        }
        let users = Arc::new(WatchedUsers::new(store));
        let check = Arc::new(PasswordCheck::start(users.clone(), size).unwrap());
        Self { check, users, _folder: folder }
    }

    async fn sign_in(&self, name: &str, password: &str, now: Timestamp) -> Result<Person, Refused> {
        self.check.check_password(name, plain(password), None, now).await
    }

    async fn refusal(&self, name: &str, password: &str, now: Timestamp) -> Option<Reason> {
        reason(self.sign_in(name, password, now).await)
    }

    async fn guess_wrong(&self, name: &str, times: usize, now: Timestamp) {
        for _ in 0..times {
            self.sign_in(name, WRONG, now).await.unwrap_err();
        }
    }

    /// What `tries` at once for the same name come to.
    async fn at_once(&self, tries: usize, password: &'static str) -> Vec<Result<Person, Refused>> {
        let mut running = JoinSet::new();
        for _ in 0..tries {
            let check = Arc::clone(&self.check);
            running.spawn(async move { check.check_password("alice", plain(password), None, at(0)).await });
        }
        running.join_all().await
    }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(START + secs)
}

fn plain(text: &str) -> PlainPassword {
    PlainPassword::new(text.to_owned()).unwrap()
}

fn hashed(text: &str) -> PasswordHash {
    PasswordHash::from_phc(&hash_password(&plain(text)).unwrap())
}

fn reason(answer: Result<Person, Refused>) -> Option<Reason> {
    match answer {
        Err(Refused::Credentials { reason }) => Some(reason),
        _ => None,
    }
}

#[tokio::test]
async fn the_right_password_tells_who_it_is_in_every_spelling_of_name_and_local_realm() {
    let house = House::new(TWO_THREADS).await;
    let alice = Person { subject: SubjectId::from_bytes([1; 16]), username: "alice".parse().unwrap() };
    for (name, realm) in [("alice", None), ("ALICE", Some("")), ("Alice", Some(LOCAL_REALM))] {
        let answer = house.check.check_password(name, plain(RIGHT), realm, at(0)).await;
        assert_eq!(answer, Ok(alice.clone()), "{name} {realm:?}");
    }
}

/// Every way to be refused for one's credentials: name, password, realm and the reason.
const REFUSALS: [(&str, &str, Option<&str>, Reason); 9] = [
    ("alice", WRONG, None, Reason::WrongPassword),
    ("nobody", RIGHT, None, Reason::UnknownUser),
    ("", RIGHT, None, Reason::UnknownUser),
    ("two words", RIGHT, None, Reason::UnknownUser),
    ("service-account-gateway", RIGHT, None, Reason::UnknownUser),
    ("dora", RIGHT, None, Reason::Disabled),
    ("dora", WRONG, Some(LOCAL_REALM), Reason::Disabled),
    ("alice", RIGHT, Some("elsewhere"), Reason::UnknownRealm),
    ("locked", RIGHT, None, Reason::Locked),
];

#[tokio::test]
async fn s_82_every_refusal_makes_one_look_up_and_one_argon2_check() {
    let house = House::new(TWO_THREADS).await;
    house.guess_wrong("locked", 10, at(0)).await;
    for (name, password, realm, expected) in REFUSALS {
        let before = (house.users.looks(), house.check.checks_made());
        let answer = house.check.check_password(name, plain(password), realm, at(0)).await;
        let after = (house.users.looks(), house.check.checks_made());
        assert_eq!(reason(answer), Some(expected), "{name:?} {realm:?}");
        assert_eq!(after, (before.0 + 1, before.1 + 1), "{name:?} {realm:?}");
    }
}

#[tokio::test]
async fn r_49_every_refusal_takes_the_same_time() {
    let house = House::new(TWO_THREADS).await;
    house.guess_wrong("locked", 10, at(0)).await;
    // On a machine that does other things the fastest of many turns says what a refusal costs: turns are taken until
    // the costs meet, and costs that differ never do.
    let mut fastest = [Duration::MAX; REFUSALS.len()];
    let spread = |fastest: &[Duration]| *fastest.iter().max().unwrap() - *fastest.iter().min().unwrap();
    let begun_at = Instant::now();
    for turn in 0.. {
        for (fastest, (name, password, realm, _)) in fastest.iter_mut().zip(REFUSALS) {
            let (password, begun) = (plain(password), Instant::now());
            house.check.check_password(name, password, realm, at(0)).await.unwrap_err();
            *fastest = begun.elapsed().min(*fastest);
        }
        if turn > 2 && spread(&fastest) < Duration::from_millis(1) {
            return;
        }
        assert!(begun_at.elapsed() < Duration::from_secs(60), "{fastest:?}");
    }
}

#[test]
fn s_82_every_refusal_reads_the_same() {
    let sentences = REFUSALS.map(|(.., reason)| refused(reason).to_string());
    assert!(sentences.iter().all(|sentence| *sentence == sentences[0]), "{sentences:?}");
}

#[tokio::test]
async fn s_81_after_ten_wrong_passwords_the_right_one_waits_out_the_delay() {
    for (secs, expected) in [(29, Some(Reason::Locked)), (30, None), (31, None)] {
        let house = House::new(TWO_THREADS).await;
        house.guess_wrong("alice", 9, at(-1)).await;
        assert_eq!(house.refusal("alice", WRONG, at(0)).await, Some(Reason::WrongPassword));
        let answer = house.sign_in("alice", RIGHT, at(secs)).await;
        assert_eq!((answer.is_ok(), reason(answer)), (expected.is_none(), expected), "{secs}");
    }
}

#[tokio::test]
async fn s_81_the_delay_grows_with_every_further_wrong_password() {
    let house = House::new(TWO_THREADS).await;
    house.guess_wrong("alice", 10, at(0)).await;
    house.guess_wrong("alice", 1, at(30)).await;
    assert_eq!(house.refusal("alice", RIGHT, at(89)).await, Some(Reason::Locked));
    assert!(house.sign_in("alice", RIGHT, at(90)).await.is_ok());
}

#[tokio::test]
async fn s_81_a_success_gives_ten_free_tries_again() {
    let house = House::new(TWO_THREADS).await;
    for _ in 0..2 {
        house.guess_wrong("alice", 9, at(0)).await;
        assert!(house.sign_in("alice", RIGHT, at(0)).await.is_ok());
    }
}

#[tokio::test]
async fn s_81_all_spellings_of_a_name_are_counted_together() {
    for (one, other) in [("alice", "ALICE"), ("nobody", "NoBody"), ("two words", "TWO words")] {
        let house = House::new(TWO_THREADS).await;
        house.guess_wrong(one, 5, at(0)).await;
        house.guess_wrong(other, 5, at(0)).await;
        assert_eq!(house.refusal(one, RIGHT, at(0)).await, Some(Reason::Locked), "{one}");
    }
}

#[tokio::test]
async fn r_51_parallel_guesses_never_outnumber_the_limit() {
    let house = House::new(PoolSize { threads: 8, waiting: 64 }).await;
    let reasons: Vec<_> = house.at_once(40, WRONG).await.into_iter().map(reason).collect();
    let of = |expected| reasons.iter().filter(|reason| **reason == Some(expected)).count();
    assert_eq!((of(Reason::WrongPassword), of(Reason::Locked)), (10, 30));
    assert_eq!(house.refusal("alice", RIGHT, at(0)).await, Some(Reason::Locked));
}

#[tokio::test]
async fn right_passwords_of_one_person_in_parallel_are_all_accepted() {
    let house = House::new(PoolSize { threads: PoolSize::MOST_THREADS, waiting: 64 }).await;
    let answers = house.at_once(40, RIGHT).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test]
async fn a_full_pool_is_busy_counts_nothing_and_frees_again() {
    let house = House::new(PoolSize { threads: 1, waiting: 0 }).await;
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (release, released) = mpsc::channel();
    let check = Arc::clone(&house.check);
    let held = tokio::spawn(async move {
        check.pool.run(move || (begun.send(()).unwrap(), released.recv().unwrap())).await.unwrap();
    });
    has_begun.await.unwrap();

    for _ in 0..20 {
        let answer = house.sign_in("alice", WRONG, at(0)).await;
        assert_eq!(answer, Err(Refused::Busy { retry_after_secs: 1 }));
    }
    assert_eq!(house.check.checks_made(), 0);

    release.send(()).unwrap();
    held.await.unwrap();
    assert!(house.sign_in("alice", RIGHT, at(0)).await.is_ok());
}

#[tokio::test]
async fn what_changed_during_the_check_counts() {
    for (change, expected) in [
        (AfterLook::NewPassword, Reason::WrongPassword),
        (AfterLook::Disable, Reason::Disabled),
        (AfterLook::Delete, Reason::UnknownUser),
    ] {
        let house = House::new(TWO_THREADS).await;
        house.users.after_next_look(change);
        assert_eq!(house.refusal("alice", RIGHT, at(0)).await, Some(expected));
    }
}

#[tokio::test]
async fn storage_that_fails_is_no_refusal_of_credentials() {
    let house = House::new(TWO_THREADS).await;
    house.users.after_next_look(AfterLook::Fail);
    let failed = StoreError::Unavailable("on purpose".to_owned());
    assert_eq!(house.sign_in("alice", RIGHT, at(0)).await, Err(Refused::Unavailable(failed)));
    assert_eq!(house.check.checks_made(), 0);
}

#[tokio::test]
async fn a_damaged_hash_is_no_refusal_of_credentials() {
    let house = House::new(TWO_THREADS).await;
    let damaged = PasswordHash::from_phc("$argon2id$");
    let _ = house.users.set_user_password(&"alice".parse().unwrap(), &damaged, at(0)).await.unwrap();
    let answer = house.sign_in("alice", RIGHT, at(0)).await;
    assert!(matches!(answer, Err(Refused::Unavailable(StoreError::Corrupt(_)))), "{answer:?}");
}

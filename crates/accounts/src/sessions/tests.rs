//! The rules of sessions, on a real store.

use std::sync::Arc;

use obol_store::{
    AddOutcome, ChangeLog, ChangeOutcome, PasswordHash, Profile, SessionEndRevokes, User, Users,
};
use obol_store_sqlite::SqliteStore;
use tempfile::TempDir;

use super::*;

const START: i64 = 1_800_000_000;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// A store of its own with `alice` and `bob`.
struct House {
    desk: SessionDesk,
    store: Arc<SqliteStore>,
    _folder: TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
        for (number, name) in [(1, "alice"), (2, "bob")] {
            let user = User {
                id: SubjectId::from_bytes([number; 16]),
                username: name.parse().unwrap(),
                email: None,
                profile: Profile::new(),
                password: PasswordHash::from_phc("$argon2id$"),
                enabled: true,
                created_at: at(0),
            };
            assert!(matches!(store.add_user(&user).await, Ok(AddOutcome::Added(_))));
        }
        let everything = SessionEndRevokes::Everything;
        let desk =
            SessionDesk::new(Arc::clone(&store) as Arc<dyn Store>, SessionLimits::default(), everything);
        Self { desk, store, _folder: folder }
    }

    async fn sign_in(&self, person: u8, secs: i64, former: Option<&SessionSecret>) -> Begun {
        let sign_in = self.signing_in(person, secs).await;
        self.desk.begin(&sign_in, former).await.unwrap()
    }

    async fn signing_in(&self, person: u8, secs: i64) -> SignIn {
        SignIn {
            subject: SubjectId::from_bytes([person; 16]),
            now: at(secs),
            position: self.log_end().await,
            user_agent: "x".repeat(1000),
            source: "192.0.2.7".to_owned(),
        }
    }

    async fn log_end(&self) -> Position {
        let entries = self.store.read_after(Position::START, 1000).await.unwrap();
        entries.last().map_or(Position::START, |entry| entry.position)
    }

    async fn stands(&self, secret: &SessionSecret, secs: i64) -> bool {
        self.desk.find(secret, at(secs)).await.unwrap().is_some()
    }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(START + secs)
}

const ALICE: u8 = 1;
const BOB: u8 = 2;

#[tokio::test]
async fn asvs_7_2_4_each_sign_in_makes_a_new_secret_and_the_old_one_is_good_for_nothing() {
    let house = House::new().await;
    let first = house.sign_in(ALICE, 0, None).await;
    let second = house.sign_in(ALICE, 10, Some(&first.secret)).await;
    assert_eq!(first.session, second.session, "the same person goes on in the same session");
    assert!(second.ended.is_none());
    assert!(!house.stands(&first.secret, 11).await);
    let session = house.desk.find(&second.secret, at(11)).await.unwrap().unwrap();
    assert_eq!((session.authenticated_at, session.began_at), (at(10), at(0)));
    assert_eq!(session.user_agent.len(), SessionDesk::MAX_USER_AGENT_CHARS);
}

#[tokio::test]
async fn somebody_else_in_the_same_browser_ends_the_session_before() {
    let house = House::new().await;
    let alices = house.sign_in(ALICE, 0, None).await;
    let bobs = house.sign_in(BOB, 10, Some(&alices.secret)).await;
    let (former, _ended) = bobs.ended.unwrap();
    assert_eq!(former.id, alices.session);
    assert!(!house.stands(&alices.secret, 11).await && house.stands(&bobs.secret, 11).await);
}

#[tokio::test]
async fn who_may_not_sign_in_ends_nothing() {
    let house = House::new().await;
    let alices = house.sign_in(ALICE, 0, None).await;
    let bob = house.signing_in(BOB, 10).await;
    let disabled = house.store.set_user_enabled(&"bob".parse().unwrap(), false, at(10)).await;
    assert!(matches!(disabled, Ok(ChangeOutcome::Changed(_))));
    let refused = house.desk.begin(&bob, Some(&alices.secret)).await;
    assert_eq!(refused.unwrap_err(), BeginError::Gone);
    assert!(house.stands(&alices.secret, 11).await);
}

#[tokio::test]
async fn a_person_who_was_denied_everything_after_the_request_arrived_does_not_get_in() {
    let house = House::new().await;
    let alice = house.signing_in(ALICE, 0).await;
    let _ended = house.desk.end_all(alice.subject, at(0)).await.unwrap();
    assert_eq!(house.desk.begin(&alice, None).await.unwrap_err(), BeginError::Gone);
    let again = house.sign_in(ALICE, 1, None).await;
    assert!(house.stands(&again.secret, 2).await, "a new sign-in right afterwards works");
}

#[tokio::test]
async fn asvs_7_3_2_a_session_that_is_not_used_ends() {
    let house = House::new().await;
    let begun = house.sign_in(ALICE, 0, None).await;
    assert!(house.stands(&begun.secret, HOUR - 1).await);
    let later = 2 * HOUR - 2;
    assert!(house.stands(&begun.secret, later).await, "the use before has moved the end on");
    assert!(!house.stands(&begun.secret, later + HOUR).await);
    assert!(
        !house.stands(&begun.secret, later + HOUR + 1).await,
        "who comes too late does not bring it back"
    );
}

#[tokio::test]
async fn asvs_7_3_1_a_session_ends_however_much_it_is_used() {
    let house = House::new().await;
    let begun = house.sign_in(ALICE, 0, None).await;
    for used_at in (0..12 * HOUR).step_by(1800) {
        assert!(house.stands(&begun.secret, used_at).await, "{used_at}");
    }
    assert!(!house.stands(&begun.secret, 12 * HOUR).await);
}

#[tokio::test]
async fn a_session_is_ended_by_its_own_person_only() {
    let house = House::new().await;
    let alices = house.sign_in(ALICE, 0, None).await;
    let bob = SubjectId::from_bytes([BOB; 16]);
    assert!(house.desk.end(alices.session, bob, at(1)).await.unwrap().is_none());
    assert!(house.stands(&alices.secret, 2).await);
    let alice = SubjectId::from_bytes([ALICE; 16]);
    assert!(house.desk.end(alices.session, alice, at(3)).await.unwrap().is_some());
    assert!(!house.stands(&alices.secret, 4).await);
    assert!(house.desk.end(alices.session, alice, at(5)).await.unwrap().is_none(), "it has ended");
}

#[tokio::test]
async fn ending_all_ends_every_session_of_the_person_and_no_other() {
    let house = House::new().await;
    let [one, two] = [house.sign_in(ALICE, 0, None).await, house.sign_in(ALICE, 1, None).await];
    let bobs = house.sign_in(BOB, 2, None).await;
    let alice = SubjectId::from_bytes([ALICE; 16]);
    assert_eq!(house.desk.list(alice, at(3)).await.unwrap().len(), 2);
    let _ended = house.desk.end_all(alice, at(4)).await.unwrap();
    assert!(!house.stands(&one.secret, 5).await && !house.stands(&two.secret, 5).await);
    assert!(house.stands(&bobs.secret, 5).await);
    assert!(house.desk.list(alice, at(5)).await.unwrap().is_empty());
}

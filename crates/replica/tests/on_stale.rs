//! What a node tells after its lease, by its policy, over a real SQLite folder and by a clock that the test sets.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use obol_keys::MasterKey;
use obol_replica::{
    Boottime, Clock, LeaseOptions, Memory, NotConfirmed, NotVerified, OnStale, Replica, Stale,
};
use obol_store::{AddKeyOutcome, Appended, Deny, NewKey, PromoteOutcome, RetireOutcome, Store};
use obol_store_sqlite::SqliteStore;
use obol_token::{
    Algorithm, Asked, Claims, CredentialKind, Denied, Expiry, KeyId, KeyKind, Position, Refusal, Scratch,
    Timestamp, TokenId, claimed_key, claimed_signing_key, from_text, to_text,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const LEASE: Duration = Duration::from_secs(2);
const MAX_AGE: Duration = Duration::from_secs(60);
const SERVE: OnStale = OnStale::Serve { max_age: MAX_AGE };
const MICRO: Duration = Duration::from_micros(1);
/// Where a token's bytes say with which key it was sealed.
const KEY_ID: Range<usize> = 1..5;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_tells_what_it_last_knew_until_that_has_the_age_of_its_policy() {
    let house = House::open(SERVE).await;
    house.take_database_away();
    for (passed, vouches, tells) in [
        (Duration::ZERO, true, true),
        (LEASE, false, true),
        (MAX_AGE - MICRO, false, true),
        (MAX_AGE, false, false),
        (MAX_AGE + MICRO, false, false),
    ] {
        house.clock.set(passed);
        assert_eq!(house.replica.vouch().is_ok(), vouches, "{passed:?}");
        assert_eq!(house.replica.vouch_now().is_ok(), vouches, "{passed:?}");
        assert_eq!(house.replica.vouch_or_stale().is_ok(), tells, "{passed:?}");
        assert_eq!(house.replica.vouch_or_stale_now().is_ok(), tells, "{passed:?}");
        let status = house.replica.status();
        assert_eq!((status.age, status.is_stale()), (passed, tells && !vouches));
        assert_eq!(status.ready().is_ok(), tells, "{passed:?}");
        assert_eq!(status.weaknesses().len(), if status.is_stale() { 2 } else { 1 }, "{passed:?}");
    }
    house.put_database_back();
    until("it vouches again", || house.replica.vouch().is_ok()).await;
    assert!(!house.replica.vouch_or_stale().unwrap().is_stale());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_refuses_tells_nothing_without_a_lease() {
    let house = House::open(OnStale::Refuse).await;
    house.take_database_away();
    house.clock.set(LEASE);
    assert_eq!(house.replica.vouch_or_stale().err(), Some(Stale));
    assert!(house.replica.status().ready().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_to_be_refused_stays_so_and_what_is_not_known_is_not_refused() {
    let house = House::open(SERVE).await;
    let of_retired = house.sealed(3);
    house.replace_key_of(&of_retired).await;
    let (good, revoked) = (house.sealed(1), house.sealed(2));
    let denial = Deny::Token { id: TokenId::from_bytes([2; 16]), expires_at: Expiry::Never };
    house.confirm(house.store.deny(&denial, NOW).await.unwrap()).await;
    let unreadable = format!("{good}A");
    let forged = changed(&good, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let of_new_key = changed(&good, |bytes| bytes[KEY_ID].copy_from_slice(b"new!"));

    let verdicts = |stale| {
        let vouched = house.replica.vouch_or_stale().unwrap();
        assert_eq!(vouched.is_stale(), stale);
        let of = |token: &str| {
            let mut scratch = Scratch::default();
            vouched.verify(token, Asked::Client("fcare"), NOW, &mut scratch).map(|claims| claims.token_id)
        };
        let denied = Denied::Token(TokenId::from_bytes([2; 16]));
        assert_eq!(of(&good), Ok(TokenId::from_bytes([1; 16])));
        let why = of(&revoked).unwrap_err();
        assert!(matches!(&why, NotVerified::Refused(Refusal::Denied(what, _)) if *what == denied), "{why:?}");
        assert_eq!(of(&of_retired), Err(Refusal::UnknownKey.into()));
        assert_eq!(of(&unreadable), Err(Refusal::Malformed.into()));
        assert_eq!(of(&forged), Err(Refusal::Forged.into()));
        of(&of_new_key)
    };
    assert_eq!(verdicts(false), Err(Refusal::UnknownKey.into()), "who vouches knows every key");
    house.take_database_away();
    house.clock.set(LEASE);
    assert_eq!(verdicts(true), Err(Stale.into()), "it may have come since");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_token_is_refused_by_a_stale_node_only_for_keys_that_it_has_heard_of() {
    let house = House::open(SERVE).await;
    let (good, of_retired) = (house.signed(1), house.signed(3));
    house.retire_signing_key_of(&of_retired).await;
    let (of_next, elsewhere) = (house.signed(2), House::open(SERVE).await.signed(1));
    let noise = "eyJhbGciOiJub25lIn0.e30.";

    let verdicts = |stale| {
        let vouched = house.replica.vouch_or_stale().unwrap();
        assert_eq!(vouched.is_stale(), stale);
        let of = |token: &str| {
            let mut scratch = Scratch::default();
            vouched.verify(token, Asked::Client("fcare"), NOW, &mut scratch).map(|claims| claims.token_id)
        };
        assert_eq!(of(&of_next), Ok(TokenId::from_bytes([2; 16])));
        for retired in [&good, &of_retired] {
            assert_eq!(of(retired), Err(Refusal::UnknownKey.into()));
        }
        assert_eq!(of(noise), Err(Refusal::Malformed.into()));
        of(&elsewhere)
    };
    assert_eq!(verdicts(false), Err(Refusal::UnknownKey.into()), "who vouches knows every key");
    house.take_database_away();
    house.clock.set(LEASE);
    assert_eq!(verdicts(true), Err(Stale.into()), "they may have come since");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_serves_what_is_stale_confirms_nothing_that_it_has_not_read() {
    for (on_stale, confirms) in [(OnStale::Refuse, true), (SERVE, false)] {
        let lease = Duration::from_millis(200);
        let house = House::open_with(LeaseOptions { lease, renew_every: lease / 4, on_stale }).await;
        // It never finds this one, and there are no others.
        let unread = Appended::danger_committed(Position::new(house.replica.applied().number() + 1));
        let confirmed = house.replica.confirm(unread).await;
        match confirms {
            true => assert_eq!(confirmed.unwrap().position(), unread.position(), "its lease would be over"),
            false => {
                assert_eq!(confirmed, Err(NotConfirmed(unread.position())), "it may accept it all the same")
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_read_of_a_key_that_it_cannot_unwrap_tells_nothing_stale() {
    let house = House::open(SERVE).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (id, wrapped) = master(elsewhere.path()).new_sealing_key().unwrap();
    let foreign = NewKey { id, kind: KeyKind::Sealing, wrapped, created_at: NOW };
    let outcome = house.store.add_key(&foreign).await.unwrap();
    assert!(matches!(outcome, AddKeyOutcome::Waits { .. }), "{outcome:?}");
    house.clock.set(LEASE);
    until("it is fenced", || house.replica.vouch_or_stale().is_err()).await;
    assert!(house.replica.status().ready().is_err());
    // Nor when the log cannot be read any more.
    house.take_database_away();
    house.clock.set(2 * LEASE);
    assert_eq!(house.replica.vouch_or_stale().err(), Some(Stale));
    house.put_database_back();
    let _ = house.store.retire_key(id, NOW).await.unwrap();
    until("it follows the log again", || {
        house.clock.set(house.clock.passed() + MICRO);
        let status = house.replica.status();
        !status.lease_left.is_zero() && status.answers_for > status.lease_left
    })
    .await;
    house.take_database_away();
    house.clock.set(house.clock.passed() + LEASE);
    assert!(house.replica.vouch_or_stale().is_ok_and(|vouched| vouched.is_stale()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_left_tells_nothing() {
    let house = House::open(SERVE).await;
    house.replica.leave().await.unwrap();
    assert_eq!(house.replica.vouch_or_stale().err(), Some(Stale));
}

/// A node, and the store as another process sees it.
struct House {
    replica: Arc<Replica>,
    store: Arc<dyn Store>,
    clock: Arc<SetClock>,
    folder: tempfile::TempDir,
}

impl House {
    async fn open(on_stale: OnStale) -> Self {
        Self::open_with(LeaseOptions { lease: LEASE, on_stale, ..LeaseOptions::default() }).await
    }

    async fn open_with(options: LeaseOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = || Arc::new(SqliteStore::open(folder.path()).unwrap());
        let clock = Arc::new(SetClock::default());
        let replica = Replica::start(open(), master(folder.path()), clock.clone(), options).await.unwrap();
        Self { replica, store: open(), clock, folder }
    }

    /// From here on nothing can be read.
    fn take_database_away(&self) {
        let path = |name| self.folder.path().join(name);
        std::fs::rename(path("obol.db"), path("away")).unwrap();
    }

    fn put_database_back(&self) {
        let path = |name| self.folder.path().join(name);
        std::fs::rename(path("away"), path("obol.db")).unwrap();
    }

    async fn confirm(&self, appended: Appended) {
        let _ = self.replica.confirm(appended).await.unwrap();
    }

    fn sealed(&self, number: u8) -> String {
        let memory = self.replica.vouch().unwrap().memory();
        memory.seal(&claims(number, memory), [number; 12]).unwrap()
    }

    fn signed(&self, number: u8) -> String {
        let memory = self.replica.vouch().unwrap().memory();
        let said = r#"{"sub":"fcare"}"#;
        memory.seal_and_sign(&claims(number, memory), said, Algorithm::Es256, [number; 12]).unwrap()
    }

    /// Another key signs from here on, and the one of this token is retired.
    async fn retire_signing_key_of(&self, token: &str) {
        let memory = self.replica.vouch().unwrap().memory();
        let key = memory.new_signing_key(KeyKind::EcP256, NOW).unwrap();
        self.replace(key, claimed_signing_key(token).unwrap()).await;
    }

    /// Another key seals from here on, and the one of this token is retired.
    async fn replace_key_of(&self, token: &str) {
        let key = self.replica.vouch().unwrap().memory().new_sealing_key(NOW).unwrap();
        self.replace(key, claimed_key(token).unwrap()).await;
    }

    async fn replace(&self, key: NewKey, former: KeyId) {
        let added = self.store.add_key(&key).await.unwrap();
        let AddKeyOutcome::Waits { id, appended, .. } = added else { panic!("{added:?}") };
        self.confirm(appended).await;
        let promoted = self.store.promote_key(id, NOW).await.unwrap();
        let PromoteOutcome::Promoted(appended) = promoted else { panic!("{promoted:?}") };
        self.confirm(appended).await;
        let retired = self.store.retire_key(former, NOW).await.unwrap();
        let RetireOutcome::Retired(appended) = retired else { panic!("{retired:?}") };
        self.confirm(appended).await;
    }
}

fn claims(number: u8, memory: &Memory) -> Claims<'static> {
    Claims {
        token_id: TokenId::from_bytes([number; 16]),
        family: None,
        client_id: "fcare",
        subject: None,
        scopes: "read",
        audience: None,
        confirmation: None,
        issued_at: NOW,
        expires_at: Expiry::Never,
        position: memory.applied(),
    }
}

/// Both clocks, which stand until they are set.
#[derive(Default)]
struct SetClock(AtomicU64);

impl SetClock {
    /// This much later than at the start.
    fn set(&self, passed: Duration) {
        self.0.store(u64::try_from(passed.as_micros()).unwrap(), Ordering::SeqCst);
    }

    fn passed(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for SetClock {
    fn wall(&self) -> Timestamp {
        NOW.plus_secs(i64::try_from(self.passed().as_secs()).unwrap())
    }

    fn boottime(&self) -> Boottime {
        Boottime::from_duration(Duration::from_secs(1_000)).plus(self.passed())
    }
}

fn master(folder: &Path) -> MasterKey {
    MasterKey::load_or_create(&folder.join("master.key")).unwrap()
}

/// The token with other bytes and a checksum that fits.
fn changed(token: &str, change: impl FnOnce(&mut [u8])) -> String {
    let mut buffer = [0; 4_096];
    let bytes = from_text(CredentialKind::AccessToken, token, &mut buffer).unwrap();
    change(bytes);
    to_text(CredentialKind::AccessToken, bytes)
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "it never came to that: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

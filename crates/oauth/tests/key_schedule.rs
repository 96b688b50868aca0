//! The steps of the schedule of signing keys, over a real SQLite folder.

mod rooms;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use obol_keys::MasterKey;
use obol_oauth::administration::{KeySchedule, KeyState, Step, Taken, list_keys, steps_due, take_step};
use obol_oauth::{Answer, Authorized, Outcome, Params};
use obol_replica::{LeaseOptions, Replica, SystemClock};
use obol_store::Store;
use obol_store_sqlite::SqliteStore;
use obol_token::{KeyId, KeyKind};
use rooms::browser::{Browser, CALLBACK, VERIFIER};
use rooms::{KEY_SET, Rooms};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_taken_many_times_at_once_happens_once() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path()).await;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let states = signing(&*store).await;
    let [(first_key, KeyState::InUse)] = states[..] else { panic!("one first key: {states:?}") };

    let added = at_once(&node, &store, Step::Add(KeyKind::EcP256)).await;
    let [Taken { key, .. }] = added[..] else { panic!("one has added it: {added:?}") };
    assert_eq!(signing(&*store).await.len(), 2);

    let promoted = at_once(&node, &store, Step::Promote(key)).await;
    assert!(promoted.iter().all(|taken| taken.appended == promoted[0].appended), "{promoted:?}");
    let mut states = signing(&*store).await;
    states.sort_by_key(|(id, _)| *id != first_key);
    assert_eq!(states, [(first_key, KeyState::Kept), (key, KeyState::InUse)]);

    at_once(&node, &store, Step::Retire(first_key)).await;
    let states = signing(&*store).await;
    assert!(states.contains(&(first_key, KeyState::Retired)), "{states:?}");
    assert_eq!(states.len(), 2);
}

/// OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2: an ID token that has expired is a hint still.
#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_key_stays_for_the_day_in_which_its_id_tokens_come_back_as_hints() {
    // For so long a node that was replaced may have signed with it: LATE_SECS.
    const OVER_SECS: i64 = 86_400 + 120;
    let lease = Duration::from_secs(2 * 86_400);
    let rooms = Rooms::open_with(LeaseOptions { lease, ..LeaseOptions::default() }).await;
    let mut spec = rooms.spec("people", &["authorization_code"], None);
    spec.redirect_uris = vec![CALLBACK.to_owned()];
    spec.default_scopes = "openid".parse().unwrap();
    rooms.add(spec).await;
    let alice = Browser::signed_in(&rooms).await;
    let tokens = alice.redeem(&alice.code("").await, VERIFIER).await.unwrap();
    let hint = tokens.id_token.as_deref().expect("`openid` was asked for");
    let [(old, KeyState::InUse)] = signing(&*rooms.store).await[..] else { panic!("one key") };
    let new = take(&rooms, Step::Add(KeyKind::EcP256)).await;
    take(&rooms, Step::Promote(new)).await;

    let year = KeySchedule { signs_for_secs: Some(365 * 86_400), key_set_max_age_secs: 3_600 };
    for (secs, due) in [(0, false), (3_600, false), (OVER_SECS - 1, false), (OVER_SECS, true)] {
        rooms.clock.set_secs_after_start(secs);
        let steps = steps_due(&rooms.replica, &*rooms.store, &year).await.unwrap();
        assert_eq!(steps, if due { vec![Step::Retire(old)] } else { vec![] }, "{secs}");
        assert_eq!(published(&rooms).await, 2, "{secs}");
        assert!(is_hint(&rooms, &alice, hint).await, "{secs}");
    }
    take(&rooms, Step::Retire(old)).await;
    assert_eq!(published(&rooms).await, 1);
    assert!(!is_hint(&rooms, &alice, hint).await);
}

/// Takes a step of which this node knows then; its key.
async fn take(rooms: &Rooms, step: Step) -> KeyId {
    let taken = take_step(&rooms.replica, &*rooms.store, step).await.unwrap().expect("nobody else does");
    let _ = rooms.replica.confirm(taken.appended).await.unwrap();
    taken.key
}

/// How many keys are in the set.
async fn published(rooms: &Rooms) -> usize {
    match rooms.ask(KEY_SET, "", "").await.unwrap() {
        Outcome::Done(Answer::KeySet(set)) => set.keys.len(),
        other => panic!("{other:?}"),
    }
}

/// Whether an ID token is believed by both endpoints that take hints.
async fn is_hint(rooms: &Rooms, alice: &Browser<'_>, id_token: &str) -> bool {
    let params = format!("id_token_hint={id_token}");
    let params = Params::from_form(params.as_bytes()).unwrap();
    let signs_out = rooms.engine.sign_out(&params, Some(&alice.person)).is_ok_and(|asked| !asked.ask);
    let query = Browser::query(&format!("&id_token_hint={id_token}"));
    let goes_on = match alice.ask(&query, None).await.unwrap() {
        Authorized::Answer(answer) => answer.params[0] != ("error", "invalid_request".to_owned()),
        // The session is over after a day as well.
        Authorized::Consent(_) | Authorized::SignIn(_) => true,
    };
    assert_eq!(signs_out, goes_on);
    signs_out
}

async fn start(folder: &Path) -> Arc<Replica> {
    let store = Arc::new(SqliteStore::open(folder).unwrap());
    let master = MasterKey::load_or_create(&folder.join("master.key")).unwrap();
    Replica::start(store, master, Arc::new(SystemClock), LeaseOptions::default()).await.unwrap()
}

/// What came of eight tries at once. One that has yet to read of the key tries again.
async fn at_once(node: &Arc<Replica>, store: &Arc<dyn Store>, step: Step) -> Vec<Taken> {
    let mut taken = JoinSet::new();
    for _ in 0..8 {
        let (node, store) = (Arc::clone(node), Arc::clone(store));
        taken.spawn(async move {
            loop {
                match take_step(&node, &*store, step).await.unwrap() {
                    None if matches!(step, Step::Promote(_)) => {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    taken => return taken,
                }
            }
        });
    }
    taken.join_all().await.into_iter().flatten().collect()
}

async fn signing(store: &dyn Store) -> Vec<(KeyId, KeyState)> {
    let keys = list_keys(store).await.unwrap();
    keys.iter().filter(|key| key.kind.signs()).map(|key| (key.id, key.state)).collect()
}

//! The steps of the schedule of signing keys, over a real SQLite folder.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use obol_keys::MasterKey;
use obol_oauth::administration::{KeyState, Step, Taken, list_keys, take_step};
use obol_replica::{LeaseOptions, Replica, SystemClock};
use obol_store::Store;
use obol_store_sqlite::SqliteStore;
use obol_token::{KeyId, KeyKind};
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

//! Changing sealing keys: the order of the steps, and what operators are told, over a real SQLite folder.

use std::path::Path;
use std::sync::Arc;

use obol_keys::MasterKey;
use obol_oauth::administration::{
    ChosenSecret, ClientSpec, KeyState, RetireKeyError, RotateKeyError, WaitingKey, add_client,
    begin_rotation, change_client, finish_rotation, list_keys, retire_key,
};
use obol_replica::{LeaseOptions, Memory, Revoked, SystemClock, confirm_from_outside};
use obol_store::{Appended, ClientSettings, Deny, FirstKeyOutcome, Store, WrappedKey};
use obol_store_sqlite::SqliteStore;
use obol_token::{ClientId, Expiry, KeyId, KeyKind, Lifetime, Scopes, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

#[tokio::test]
async fn a_key_is_not_promoted_on_the_proof_of_something_older() {
    let place = Place::begun().await;
    let older = place.store.deny(&Deny::Everything, NOW).await.unwrap();
    let older = place.everywhere(older).await;
    let key = place.begin().await.unwrap();
    let refused = finish_rotation(&*place.store, key, older, NOW).await;
    assert_eq!(refused, Err(RotateKeyError::NotEverywhere(key.id)));
    assert_eq!(place.states().await[0], (key.id, KeyState::Waits));
}

#[tokio::test]
async fn a_rotation_goes_on_with_the_key_of_one_that_was_cut_off() {
    let place = Place::begun().await;
    let (first, again) = (place.begin().await.unwrap(), place.begin().await.unwrap());
    assert!(!first.from_before && again.from_before);
    assert_eq!((again.id, again.appended), (first.id, first.appended));
    assert_eq!(place.rotate(NOW).await, first.id);
}

#[tokio::test]
async fn a_key_that_was_retired_meanwhile_is_not_promoted() {
    let place = Place::begun().await;
    let key = place.begin().await.unwrap();
    let everywhere = place.everywhere(key.appended).await;
    let _ = retire_key(&*place.store, key.id, NOW).await.unwrap();
    let refused = finish_rotation(&*place.store, key, everywhere, NOW).await;
    assert_eq!(refused, Err(RotateKeyError::Retired(key.id)));
}

#[tokio::test]
async fn where_no_server_has_ever_started_there_is_nothing_to_rotate() {
    let place = Place::empty();
    assert_eq!(place.begin().await, Err(RotateKeyError::NoKey));
    assert_eq!(list_keys(&*place.store).await, Ok(Vec::new()));
}

#[tokio::test]
async fn where_none_seals_any_more_the_next_rotation_puts_one_in_place() {
    let place = Place::begun().await;
    let first = place.store.list_keys().await.unwrap().remove(0);
    // A node that met the end of this key, and a store that lost it with its successor.
    let ended = WrappedKey { wrapped: Vec::new(), retired_at: Some(NOW), ..first };
    let _ = place.store.put_back_key(&ended).await.unwrap();
    assert!(!place.memory().await.has_key());
    let second = place.rotate(NOW.plus_secs(1)).await;
    assert_eq!(place.states().await, [(ended.id, KeyState::Retired), (second, KeyState::InUse)]);
    assert!(place.memory().await.has_key());
}

#[tokio::test]
async fn of_all_keys_one_seals_and_it_is_not_retired() {
    let place = Place::begun().await;
    let mut keys = vec![place.states().await[0].0];
    for number in 1..16 {
        keys.push(place.rotate(NOW.plus_secs(number)).await);
    }
    let seals = keys.pop().unwrap();
    let mut expected: Vec<_> = keys.iter().map(|id| (*id, KeyState::Kept)).collect();
    expected.push((seals, KeyState::InUse));
    assert_eq!(place.states().await, expected);
    assert_eq!(place.begin().await, Err(RotateKeyError::TooMany));
    let refused = retire_key(&*place.store, seals, NOW).await;
    assert_eq!(refused, Err(RetireKeyError::Seals(seals)));
    let unknown = KeyId::from_bytes([0; 4]);
    let refused = retire_key(&*place.store, unknown, NOW).await;
    assert_eq!(refused, Err(RetireKeyError::Unknown(unknown)));

    let _ = retire_key(&*place.store, keys[3], NOW).await.unwrap();
    expected[3].1 = KeyState::Retired;
    assert_eq!(place.states().await, expected);
    assert!(place.begin().await.is_ok(), "there is room for one more");
}

#[tokio::test]
async fn the_tokens_of_a_key_live_as_long_as_the_longest_that_a_client_gets() {
    let place = Place::begun().await;
    let first = place.states().await[0].0;
    place.add_client("short", 60).await;
    assert_eq!(place.until(first).await, None, "it seals");
    let replaced_at = NOW.plus_secs(1_000);
    let second = place.rotate(replaced_at).await;
    let sealed_late = replaced_at.plus_secs(120);
    assert_eq!(place.until(first).await, Some(Expiry::At(sealed_late.plus_secs(60))));
    assert_eq!(place.until(second).await, None);
    // What came after a later rotation was sealed by another.
    place.rotate(replaced_at.plus_secs(5_000)).await;
    assert_eq!(place.until(first).await, Some(Expiry::At(sealed_late.plus_secs(60))));
    place.add_client("long", 3_600).await;
    assert_eq!(place.until(first).await, Some(Expiry::At(sealed_late.plus_secs(3_600))));
    place.add_client("forever", 0).await;
    assert_eq!(place.until(first).await, Some(Expiry::Never));
    let _ = retire_key(&*place.store, first, NOW).await.unwrap();
    assert_eq!(place.until(first).await, None, "they are refused");
}

#[tokio::test]
async fn a_shorter_lifetime_does_not_take_the_key_from_the_tokens_of_before() {
    let place = Place::begun().await;
    let first = place.states().await[0].0;
    place.add_client("app", 3_600).await;
    let set = async |secs| {
        let shorten = |spec: &mut ClientSpec| spec.access_token_lifetime = Lifetime::from_setting_secs(secs);
        let _ = change_client(&*place.store, &ClientId::new("app").unwrap(), shorten).await.unwrap();
    };
    set(60).await;
    set(120).await;
    let replaced_at = NOW.plus_secs(1_000);
    place.rotate(replaced_at).await;
    let sealed_late = replaced_at.plus_secs(120);
    assert_eq!(place.until(first).await, Some(Expiry::At(sealed_late.plus_secs(3_600))));
    set(7_200).await;
    assert_eq!(place.until(first).await, Some(Expiry::At(sealed_late.plus_secs(7_200))));
    set(0).await;
    set(60).await;
    assert_eq!(place.until(first).await, Some(Expiry::Never));
}

struct Place {
    store: Arc<dyn Store>,
    folder: tempfile::TempDir,
}

impl Place {
    /// With the key of a first start.
    async fn begun() -> Self {
        let place = Self::empty();
        let key = place.memory().await.new_sealing_key(NOW).unwrap();
        let added = place.store.add_first_key(&key).await.unwrap();
        assert!(matches!(added, FirstKeyOutcome::Added(_)));
        place
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Arc::new(SqliteStore::open(folder.path()).unwrap()), folder }
    }

    async fn memory(&self) -> Memory {
        let memory = Memory::new(master(self.folder.path()));
        memory.catch_up(&*self.store).await.unwrap();
        memory
    }

    async fn begin(&self) -> Result<WaitingKey, RotateKeyError> {
        begin_rotation(&self.memory().await, &*self.store, KeyKind::Sealing, NOW).await
    }

    /// No server runs, so it is confirmed at once.
    async fn everywhere(&self, appended: Appended) -> Revoked {
        let options = LeaseOptions::default();
        confirm_from_outside(&*self.store, &SystemClock, &options, appended).await.unwrap()
    }

    async fn rotate(&self, now: Timestamp) -> KeyId {
        let key = self.begin().await.unwrap();
        let everywhere = self.everywhere(key.appended).await;
        let _ = finish_rotation(&*self.store, key, everywhere, now).await.unwrap();
        key.id
    }

    async fn states(&self) -> Vec<(KeyId, KeyState)> {
        let mut keys = list_keys(&*self.store).await.unwrap();
        keys.sort_by_key(|key| key.in_use_since);
        keys.iter().map(|key| (key.id, key.state)).collect()
    }

    async fn until(&self, id: KeyId) -> Option<Expiry> {
        let keys = list_keys(&*self.store).await.unwrap();
        keys.into_iter().find(|key| key.id == id).unwrap().tokens_until
    }

    async fn add_client(&self, id: &str, ttl_secs: u32) {
        let spec = ClientSpec {
            id: ClientId::new(id).unwrap(),
            name: String::new(),
            secret: Some(ChosenSecret::Generate),
            grants: Vec::new(),
            default_scopes: "read".parse().unwrap(),
            optional_scopes: Scopes::default(),
            redirect_uris: Vec::new(),
            access_token_lifetime: Lifetime::from_setting_secs(ttl_secs),
            refresh_token_lifetime: Lifetime::from_setting_secs(600),
            may_introspect: false,
            single_family: false,
            settings: ClientSettings::default(),
        };
        let _ = add_client(&*self.store, spec, NOW).await.unwrap();
    }
}

fn master(folder: &Path) -> MasterKey {
    MasterKey::load_or_create(&folder.join("master.key")).unwrap()
}

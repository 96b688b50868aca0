//! Sealing keys that are changed while a node runs, over a real SQLite folder.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use obol_keys::MasterKey;
use obol_replica::{LeaseOptions, Memory, Replica, Stale, SystemClock, confirm_from_outside};
use obol_store::{AddKeyOutcome, Appended, NewKey, PromoteOutcome, RetireOutcome, Store};
use obol_store_sqlite::SqliteStore;
use obol_token::{
    Asked, Claims, CredentialKind, Expiry, KeyId, KeyKind, Position, Refusal, Scratch, Timestamp, TokenId,
    from_text,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_only_added_opens_at_every_node_and_seals_at_none() {
    let house = House::start().await;
    let first = sealed(house.replica.vouch().unwrap().memory());
    let added = house.add().await;
    let _ = house.confirm(added.1).await;
    let memory = house.replica.vouch().unwrap().memory();
    assert_eq!(key_of(&sealed(memory)), key_of(&first), "it waits");

    // A node that has read of the promotion already.
    let promoted = house.promote(added.0).await;
    let ahead = house.load_memory().await;
    assert!(ahead.applied() >= promoted.position());
    let second = sealed(&ahead);
    assert_eq!(key_of(&second), added.0);
    for token in [&first, &second] {
        assert_eq!(verdict(&ahead, token), Ok(()));
        assert_eq!(verdict(memory, token), Ok(()), "a node that was told of the addition opens both");
    }
    let _ = house.confirm(promoted).await;
    assert_eq!(key_of(&sealed(memory)), added.0, "it seals");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_retired_key_has_sealed_is_refused_when_that_is_confirmed_and_what_others_have_is_not() {
    let house = House::start().await;
    let memory = house.replica.vouch().unwrap().memory();
    let first = sealed(memory);
    for _ in 0..3 {
        let (key, _) = house.rotate().await;
        let newer = sealed(memory);
        assert_eq!(key_of(&newer), key);
        assert_eq!((verdict(memory, &first), verdict(memory, &newer)), (Ok(()), Ok(())));
    }
    let retired = house.store.retire_key(key_of(&first), NOW).await.unwrap();
    let RetireOutcome::Retired(appended) = retired else { panic!("{retired:?}") };
    let _ = house.confirm(appended).await;
    let memory = house.replica.vouch().unwrap().memory();
    assert_eq!(verdict(memory, &first), Err(Refusal::UnknownKey));
    assert_eq!(verdict(memory, &sealed(memory)), Ok(()));
    assert_eq!(verdict(&house.load_memory().await, &first), Err(Refusal::UnknownKey), "and after a start");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_this_node_cannot_unwrap_ends_its_lease_and_is_named_with_the_setting() {
    let house = House::start().await;
    let token = sealed(house.replica.vouch().unwrap().memory());
    let other = tempfile::tempdir().unwrap();
    let (id, wrapped) = master(other.path()).new_sealing_key().unwrap();
    let foreign = NewKey { id, kind: KeyKind::Sealing, wrapped, created_at: NOW };
    let outcome = house.store.add_key(&foreign).await.unwrap();
    let AddKeyOutcome::Waits { appended, .. } = outcome else { panic!("{outcome:?}") };
    // Whoever waits for it waits for the end of the lease of a node that cannot take it in.
    let _ = house.confirm(appended).await;
    assert_eq!(house.replica.vouch().err(), Some(Stale));
    let memory = Memory::new(master(house.folder.path()));
    let said = memory.catch_up(&*house.store).await.unwrap_err().to_string();
    assert!(said.contains(&id.to_string()) && said.contains("--master-key-file"), "{said}");

    // It was never used: once it is retired all is as before.
    let _ = house.store.retire_key(id, NOW).await.unwrap();
    let began = Instant::now();
    while house.replica.vouch().is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "it follows the log again");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(verdict(house.replica.vouch().unwrap().memory(), &token), Ok(()));
}

/// A node, and the store as another process sees it.
struct House {
    replica: Arc<Replica>,
    store: Arc<dyn Store>,
    folder: tempfile::TempDir,
}

impl House {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = || Arc::new(SqliteStore::open(folder.path()).unwrap());
        let options = LeaseOptions::default();
        let replica = Replica::start(open(), master(folder.path()), Arc::new(SystemClock), options);
        Self { replica: replica.await.unwrap(), store: open(), folder }
    }

    async fn rotate(&self) -> (KeyId, Appended) {
        let (id, added) = self.add().await;
        let _ = self.confirm(added).await;
        let promoted = self.promote(id).await;
        let _ = self.confirm(promoted).await;
        (id, promoted)
    }

    async fn add(&self) -> (KeyId, Appended) {
        let key = self.load_memory().await.new_sealing_key(NOW).unwrap();
        match self.store.add_key(&key).await.unwrap() {
            AddKeyOutcome::Waits { id, appended } if id == key.id => (id, appended),
            other => panic!("{other:?}"),
        }
    }

    async fn promote(&self, id: KeyId) -> Appended {
        match self.store.promote_key(id, NOW).await.unwrap() {
            PromoteOutcome::Promoted(appended) => appended,
            PromoteOutcome::Unknown => panic!("unknown"),
        }
    }

    async fn confirm(&self, appended: Appended) -> Position {
        let options = LeaseOptions::default();
        let confirmed = confirm_from_outside(&*self.store, &SystemClock, &options, appended).await;
        confirmed.unwrap().position()
    }

    /// What another node would know now.
    async fn load_memory(&self) -> Memory {
        let memory = Memory::new(master(self.folder.path()));
        memory.catch_up(&*self.store).await.unwrap();
        memory
    }
}

fn master(folder: &Path) -> MasterKey {
    MasterKey::load_or_create(&folder.join("master.key")).unwrap()
}

fn sealed(memory: &Memory) -> String {
    let claims = Claims {
        token_id: TokenId::from_bytes([1; 16]),
        family: None,
        client_id: "fcare",
        subject: None,
        scopes: "read",
        audience: None,
        confirmation: None,
        issued_at: NOW,
        expires_at: Expiry::Never,
        position: memory.applied(),
    };
    memory.seal(&claims, [7; 12]).unwrap()
}

fn verdict(memory: &Memory, token: &str) -> Result<(), Refusal> {
    memory.verify(token, Asked::Client("fcare"), NOW, &mut Scratch::default()).map(drop)
}

/// The key that has sealed this token.
fn key_of(token: &str) -> KeyId {
    let mut buffer = [0; 4_096];
    let bytes = from_text(CredentialKind::AccessToken, token, &mut buffer).unwrap();
    KeyId::from_bytes(bytes[1..5].try_into().unwrap())
}

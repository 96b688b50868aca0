//! What cannot be read as what it should be is an error, never a panic and never a wrong answer.

use std::fs;
use std::path::Path;

use obol_store::{
    ChangeLog, Client, ClientKind, ClientSettings, Clients, Denials, Deny, Families, Keys, NewFamily, NewKey,
    PasswordHash, Profile, StoreError, User, Users,
};
use obol_store_sqlite::SqliteStore;
use obol_token::{
    ClientId, Expiry, FamilyId, KeyId, Lifetime, Position, Scopes, SecretHash, SubjectId, Timestamp,
};
use rusqlite::Connection;
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn client_id() -> ClientId {
    ClientId::new("gateway").unwrap()
}

fn lineage() -> SecretHash {
    SecretHash::from_bytes([1; 32])
}

/// A store with something of everything in it.
async fn filled() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let client = Client {
        id: client_id(),
        name: String::new(),
        kind: ClientKind::Confidential(SecretHash::from_bytes([3; 32]).into()),
        enabled: true,
        grants: Vec::new(),
        default_scopes: Scopes::default(),
        optional_scopes: Scopes::default(),
        redirect_uris: Vec::new(),
        access_token_lifetime: Lifetime::Never,
        refresh_token_lifetime: Lifetime::Never,
        may_introspect: false,
        single_family: false,
        settings: ClientSettings::default(),
        created_at: NOW,
    };
    let user = User {
        id: SubjectId::from_bytes([1; 16]),
        username: "alice".parse().unwrap(),
        email: None,
        profile: Profile::default(),
        password: PasswordHash::from_phc("$argon2id$"),
        enabled: true,
        created_at: NOW,
    };
    let family = NewFamily {
        id: FamilyId::from_bytes([1; 16]),
        client_id: client_id(),
        subject: user.id,
        scopes: Scopes::default(),
        lineage: lineage(),
        current: SecretHash::from_bytes([2; 32]),
        issued_at: NOW,
        refresh_expires_at: Expiry::Never,
        access_expires_at: Expiry::Never,
        single: false,
        session: None,
        details: String::new(),
        position: Position::new(i64::MAX.unsigned_abs()),
    };
    let key = NewKey {
        kind: obol_token::KeyKind::Sealing,
        id: KeyId::from_bytes([1; 4]),
        wrapped: vec![1; 60],
        created_at: NOW,
    };
    let _ = store.add_client(&client).await.unwrap();
    let _ = store.add_user(&user).await.unwrap();
    store.begin_family(&family).await.unwrap();
    let _ = store.add_first_key(&key).await.unwrap();
    let _ = store.deny(&Deny::Subject(user.id), NOW).await.unwrap();
    (store, folder)
}

/// Everything that is read, and the first error of it.
async fn read_all(store: &SqliteStore) -> Result<(), StoreError> {
    store.read_after(Position::START, 1_000).await?;
    store.find_client(&client_id()).await?;
    store.list_clients().await?;
    store.find_user(&"alice".parse().unwrap()).await?;
    store.list_users().await?;
    store.find_family(lineage()).await?;
    store.count_families(&Deny::Everything, NOW).await?;
    Ok(())
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_corrupt() {
    let damages = [
        "UPDATE change_log SET kind = 99 WHERE kind = 3",
        "UPDATE change_log SET id = x'00' WHERE kind = 3",
        "UPDATE change_log SET id = x'ff20' WHERE kind = 6",
        "UPDATE change_log SET id = x'6f74686572' WHERE kind = 6",
        "UPDATE change_log SET id = x'00000000' WHERE kind = 7",
        "UPDATE change_log SET position = -1 WHERE kind = 3; UPDATE change_log SET id = x'00' WHERE kind = 6",
        "UPDATE clients SET secret = x'00'",
        "UPDATE clients SET default_scopes = '\"'",
        "UPDATE clients SET access_lifetime_secs = -1",
        "UPDATE clients SET access_lifetime_secs = 4294967296",
        "UPDATE users SET username = 'Two Words' WHERE username = 'alice'",
        "UPDATE users SET id = x''",
        "UPDATE families SET id = x'00'",
        "UPDATE families SET current_hash = x'00'",
        "UPDATE families SET scopes = CAST(x'ff' AS TEXT)",
        "UPDATE families SET ended = -1",
        "UPDATE keys SET id = x'00'",
    ];
    for damage in damages {
        let (store, folder) = filled().await;
        read_all(&store).await.unwrap();
        let other = Connection::open(folder.path().join("obol.db")).unwrap();
        other.pragma_update(None, "foreign_keys", false).unwrap();
        other.execute_batch(damage).unwrap();
        let error = read_all(&store).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{damage}: {error:?}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_never_a_panic() {
    let (store, folder) = filled().await;
    drop(store);
    let sound = fs::read(folder.path().join("obol.db")).unwrap();
    let mut seed = 1_u64;
    let mut next = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap()
    };
    let mut refused = 0;
    for _ in 0..150 {
        let folder = tempfile::tempdir().unwrap();
        let mut damaged = sound.clone();
        for _ in 0..16 {
            let at = next() % damaged.len();
            damaged[at] ^= 1 << (next() % 8);
        }
        fs::write(folder.path().join("obol.db"), &damaged).unwrap();
        refused += usize::from(!works(folder.path()).await);
    }
    assert!(refused > 0);
}

/// Whether the store opens, reads and takes a write. A thread that had panicked would answer as stopped.
async fn works(folder: &Path) -> bool {
    let Ok(store) = SqliteStore::open(folder) else { return false };
    let outcomes = [read_all(&store).await, store.deny(&Deny::Everything, NOW).await.map(drop)];
    for outcome in &outcomes {
        assert!(!format!("{outcome:?}").contains("stopped"), "{outcome:?}");
    }
    outcomes.iter().all(Result::is_ok)
}

#[tokio::test]
async fn a_file_cut_short_is_refused_or_an_error() {
    let (store, folder) = filled().await;
    drop(store);
    let sound = fs::read(folder.path().join("obol.db")).unwrap();
    assert!(works(folder.path()).await);
    for length in [2, 99, 4_095, 4_096, 8_192, sound.len() / 2] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("obol.db"), &sound[..length]).unwrap();
        assert!(!works(folder.path()).await, "{length} of {}", sound.len());
    }
}

//! Several processes on one folder, each with a store of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use obol_store::{AddOutcome, ChangeLog, Denials, Deny, PasswordHash, Profile, User, Users};
use obol_store_sqlite::SqliteStore;
use obol_token::{Expiry, Position, SubjectId, Timestamp, TokenId};
use tokio::task::JoinSet;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

fn open(folder: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(folder).unwrap())
}

async fn deny_token(store: &SqliteStore, writer: u8, number: u8) -> Position {
    let mut id = [0; 16];
    (id[0], id[1]) = (writer, number);
    let deny = Deny::Token { id: TokenId::from_bytes(id), expires_at: Expiry::Never };
    store.deny(&deny, Timestamp::from_secs(1)).await.unwrap().position()
}

#[tokio::test]
async fn what_another_process_appends_wakes_who_waits() {
    let folder = tempfile::tempdir().unwrap();
    let [here, there] = [open(folder.path()), open(folder.path())];
    let mut after = Position::START;
    for number in 0..20 {
        let waits = here.wait_for_append(after);
        let (appended, woken) = tokio::join!(deny_token(&there, 1, number), timeout(PATIENCE, waits));
        woken.expect("nobody woke it");
        let entries = here.read_after(after, 10).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), [appended]);
        after = appended;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn positions_are_given_once_and_a_follower_misses_none() {
    const APPENDS: u8 = 100;
    let folder = tempfile::tempdir().unwrap();
    let mut writers = JoinSet::new();
    for writer in 1..=3 {
        let store = open(folder.path());
        writers.spawn(async move {
            let mut positions = Vec::new();
            for number in 0..APPENDS {
                positions.push(deny_token(&store, writer, number).await);
            }
            positions
        });
    }
    let follower = open(folder.path());
    let mut followed = Vec::new();
    while followed.len() < 3 * usize::from(APPENDS) {
        let after = followed.last().copied().unwrap_or_default();
        let waited = timeout(PATIENCE, follower.wait_for_append(after)).await;
        waited.expect("an append was not noticed");
        let page = follower.read_after(after, 7).await.unwrap();
        followed.extend(page.iter().map(|entry| entry.position));
    }
    let given: Vec<_> = writers.join_all().await.concat();
    let each_once: BTreeSet<_> = given.iter().copied().collect();
    assert_eq!(each_once.len(), given.len());
    assert_eq!(followed, each_once.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_name_is_given_once_among_processes() {
    let folder = tempfile::tempdir().unwrap();
    let [here, there] = [open(folder.path()), open(folder.path())];
    for number in 0..20 {
        let user = |id: u8| User {
            id: SubjectId::from_bytes([id, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            username: format!("user-{number}").parse().unwrap(),
            email: None,
            profile: Profile::default(),
            password: PasswordHash::from_phc("$argon2id$"),
            enabled: true,
            created_at: Timestamp::from_secs(1),
        };
        let (mine, theirs) = (user(1), user(2));
        let (mine, theirs) = tokio::join!(here.add_user(&mine), there.add_user(&theirs));
        let outcomes = [mine.unwrap(), theirs.unwrap()];
        let added = outcomes.iter().filter(|outcome| matches!(outcome, AddOutcome::Added(_))).count();
        assert_eq!((added, outcomes.contains(&AddOutcome::Taken)), (1, true), "{outcomes:?}");
    }
}

//! The lease protocol over a real SQLite folder, with clocks that the test sets.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use obol_keys::MasterKey;
use obol_replica::{
    Boottime, Clock, LeaseOptions, Memory, NotConfirmed, Replica, Stale, SystemClock, confirm_from_outside,
};
use obol_store::{ChangeLog, Denials, Deny, NodeId, Nodes, ReadFrom, Store, StoreError, Timeline};
use obol_store_sqlite::SqliteStore;
use obol_token::{Denied, Expiry, Position, Timestamp, TokenId};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// The machine's time since boot, with an offset: as if the machine had slept; and a wall clock that stands or jumps.
#[derive(Default)]
struct SleepingClock {
    slept_millis: AtomicU64,
    wall_jump_secs: AtomicI64,
}

impl SleepingClock {
    fn sleep_millis(&self, millis: u64) {
        self.slept_millis.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for SleepingClock {
    fn wall(&self) -> Timestamp {
        NOW.plus_secs(self.wall_jump_secs.load(Ordering::SeqCst))
    }

    fn boottime(&self) -> Boottime {
        SystemClock.boottime().plus(Duration::from_millis(self.slept_millis.load(Ordering::SeqCst)))
    }
}

fn store(folder: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(folder).unwrap())
}

fn master(folder: &Path) -> MasterKey {
    MasterKey::load_or_create(&folder.join("master.key")).unwrap()
}

async fn start(folder: &Path, clock: Arc<SleepingClock>) -> (Arc<Replica>, Arc<SqliteStore>) {
    let store = store(folder);
    let as_store: Arc<dyn Store> = store.clone();
    let replica = Replica::start(as_store, master(folder), clock, LeaseOptions::default()).await.unwrap();
    (replica, store)
}

/// Renewed four times.
fn short_lease(millis: u64) -> LeaseOptions {
    let lease = Duration::from_millis(millis);
    LeaseOptions { lease, renew_every: lease / 4, ..LeaseOptions::default() }
}

async fn renew(store: &SqliteStore, node: NodeId, lease: Duration) {
    let from = ReadFrom { after: Position::START, limit: 10, known: Timeline::NONE };
    store.read_and_renew(node, lease, from).await.unwrap();
    store.report_applied(node, Position::START).await.unwrap();
}

fn deny_token(number: u8) -> Deny {
    Deny::Token { id: TokenId::from_bytes([number; 16]), expires_at: Expiry::Never }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_slept_vouches_only_after_it_has_read_the_log_again() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SleepingClock::default());
    let (replica, _store) = start(folder.path(), clock.clone()).await;
    assert!(replica.vouch().is_ok());
    clock.sleep_millis(1_900);
    assert!(replica.vouch().is_ok(), "within the lease");
    clock.sleep_millis(2_100);
    assert_eq!(replica.vouch().err(), Some(Stale));
    let began = Instant::now();
    while replica.vouch().is_err() {
        assert!(began.elapsed() < Duration::from_secs(5), "it renews by itself");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_another_process_is_told_that_it_is_revoked_this_node_knows() {
    let folder = tempfile::tempdir().unwrap();
    let (replica, _store) = start(folder.path(), Arc::default()).await;
    let other = store(folder.path());
    for number in 0..50 {
        let appended = other.deny(&deny_token(number), NOW).await.unwrap();
        let revoked =
            confirm_from_outside(&*other, &SystemClock, &LeaseOptions::default(), appended).await.unwrap();
        assert_eq!(revoked.position(), appended.position());
        assert!(replica.applied() >= appended.position(), "{number}");
        assert_eq!(replica.vouch().unwrap().memory().deny_list().len(), usize::from(number) + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_costs_one_lease_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let hanging = store(folder.path());
    let node = NodeId::from_bytes([7; 16]);
    hanging.register_node(node).await.unwrap();
    let options = short_lease(400);
    renew(&hanging, node, options.lease).await;

    let other = store(folder.path());
    let appended = other.deny(&deny_token(1), NOW).await.unwrap();
    let began = Instant::now();
    let _revoked = confirm_from_outside(&*other, &SystemClock, &options, appended).await.unwrap();
    let waited = began.elapsed();
    assert!(waited >= options.lease, "it may answer until its lease ends: {waited:?}");
    assert!(waited < options.lease + Duration::from_millis(500), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_lease_of_the_server_counts_for_those_who_wait() {
    let folder = tempfile::tempdir().unwrap();
    let hanging = store(folder.path());
    let node = NodeId::from_bytes([7; 16]);
    hanging.register_node(node).await.unwrap();
    renew(&hanging, node, Duration::from_millis(900)).await;

    let other = store(folder.path());
    let appended = other.deny(&deny_token(1), NOW).await.unwrap();
    let short = short_lease(200);
    let began = Instant::now();
    let _revoked = confirm_from_outside(&*other, &SystemClock, &short, appended).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(900));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_nobody_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (replica, _store) = start(folder.path(), Arc::default()).await;
    replica.leave().await.unwrap();
    assert_eq!(replica.vouch().err(), Some(Stale), "who has left does not answer");
    let other = store(folder.path());
    let appended = other.deny(&deny_token(1), NOW).await.unwrap();
    let began = Instant::now();
    let _revoked =
        confirm_from_outside(&*other, &SystemClock, &LeaseOptions::default(), appended).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_folder_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let (_replica, _store) = start(folder.path(), Arc::default()).await;
    let second: Arc<dyn Store> = store(folder.path());
    let clock = Arc::new(SleepingClock::default());
    let refused = Replica::start(second, master(folder.path()), clock, LeaseOptions::default()).await;
    let refused = refused.err().unwrap();
    assert!(matches!(refused, obol_replica::StartError::Store(StoreError::Conflict(_))), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_follow_a_wall_clock_that_jumps() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SleepingClock::default());
    let (replica, _store) = start(folder.path(), clock.clone()).await;
    for jump_secs in [86_400, -86_400, -NOW.as_secs()] {
        clock.wall_jump_secs.store(jump_secs, Ordering::SeqCst);
        let (now, _) = replica.now();
        assert!(now >= NOW && now < NOW.plus_secs(3_600), "{jump_secs}: {now:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_server_starts_by_a_clock_behind_what_was_removed() {
    for (secs, starts) in [(59, true), (60, true), (61, false), (86_400, false)] {
        let folder = tempfile::tempdir().unwrap();
        let (replica, store) = start(folder.path(), Arc::default()).await;
        let expired = Deny::Token { id: TokenId::from_bytes([9; 16]), expires_at: Expiry::At(NOW) };
        for (deny, now) in [(expired, NOW), (deny_token(1), NOW.plus_secs(secs))] {
            let _ = store.deny(&deny, now).await.unwrap();
        }
        // Removed by that commit, or by this one, since the newest entry stays.
        let _ = store.deny(&deny_token(2), NOW.plus_secs(secs)).await.unwrap();
        assert_eq!(store.swept_through().await, Ok(NOW.plus_secs(secs)));
        replica.leave().await.unwrap();

        let again: Arc<dyn Store> = store.clone();
        let clock = Arc::new(SleepingClock::default());
        let again = Replica::start(again, master(folder.path()), clock, LeaseOptions::default()).await;
        assert_eq!(again.is_ok(), starts, "{secs}");
        if let Err(refused) = again {
            assert!(matches!(refused, obol_replica::StartError::ClockBehind { .. }), "{refused}");
            let sentence = refused.to_string();
            assert!(sentence.contains("2027-01-15T08:00:00Z"), "{sentence}");
            assert!(sentence.contains("set the machine's clock right"), "{sentence}");
            // It has left, so that the next try is not refused as a second server.
            store.register_node(NodeId::from_bytes([7; 16])).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_is_a_function_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (replica, store) = start(folder.path(), Arc::default()).await;
    for number in 0..100 {
        let appended = store.deny(&deny_token(number), NOW).await.unwrap();
        let _revoked = replica.confirm(appended).await.unwrap();
    }
    let fresh = Memory::new(master(folder.path()));
    assert_eq!(fresh.catch_up(&*store).await.unwrap(), replica.applied());
    assert_eq!(fresh.deny_list().len(), replica.vouch().unwrap().memory().deny_list().len());
    assert_eq!(fresh.deny_list().len(), 100);
    let entries = store.read_after(Position::START, 1_000).await.unwrap();
    let denied = entries.iter().filter(|entry| {
        matches!(&entry.change, obol_store::Change::Denied(denial)
            if matches!(denial.what, Denied::Token(_)))
    });
    assert_eq!(denied.count(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_key_that_does_not_fit_is_a_clear_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let (replica, store) = start(folder.path(), Arc::default()).await;
    replica.leave().await.unwrap();
    std::fs::remove_file(folder.path().join("master.key")).unwrap();
    let other = master(folder.path());
    let store: Arc<dyn Store> = store;
    let clock = Arc::new(SleepingClock::default());
    let refused = Replica::start(store, other, clock, LeaseOptions::default()).await.err().unwrap();
    assert!(refused.to_string().contains("put back the file that belongs to this database"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_never_told_of_the_others_confirms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let other = store(folder.path());
    let appended = other.deny(&deny_token(1), NOW).await.unwrap();
    std::fs::rename(folder.path().join("obol.db"), folder.path().join("away")).unwrap();
    let options = short_lease(200);
    let refused = confirm_from_outside(&*other, &SystemClock, &options, appended).await;
    assert_eq!(refused, Err(NotConfirmed(appended.position())));
}

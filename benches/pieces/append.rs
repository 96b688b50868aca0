//! Microseconds until denials are on stable storage: SQLite on the disk of the build folder, without HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, Throughput};
use obol_store::{Denials, Deny};
use obol_store_sqlite::SqliteStore;
use obol_token::TokenId;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::samples::{EXPIRY, NOW, id};

const MANY: u64 = 64;

/// - `append/alone`: one denial that waits for nobody: a transaction and a flush, and the way to the writing thread.
/// - `append/64_at_once`: the time of all 64 and, as `elem/s`, denials a second: they share flushes (group commit).
pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder can be made");
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let log = Log::open(folder.path());
    for (name, at_once) in [("alone", 1), ("64_at_once", MANY)] {
        group.throughput(Throughput::Elements(at_once));
        group.bench_function(name, |bencher| bencher.iter(|| log.append(&runtime, at_once)));
    }
    group.finish();
}

struct Log {
    store: Arc<SqliteStore>,
    appended: AtomicU64,
}

impl Log {
    fn open(folder: &std::path::Path) -> Self {
        let store = SqliteStore::open(folder).expect("a store can be made");
        Self { store: Arc::new(store), appended: AtomicU64::new(0) }
    }

    /// Denies so many tokens, each another one, and waits for all.
    fn append(&self, runtime: &Runtime, at_once: u64) {
        runtime.block_on(async {
            let mut waiting = JoinSet::new();
            for _ in 0..at_once {
                let number = self.appended.fetch_add(1, Ordering::Relaxed);
                let (store, id) = (self.store.clone(), TokenId::from_bytes(id(number)));
                waiting.spawn(async move { store.deny(&Deny::Token { id, expires_at: EXPIRY }, NOW).await });
            }
            for appended in waiting.join_all().await {
                let _ = appended.expect("the disk takes it");
            }
        });
    }
}

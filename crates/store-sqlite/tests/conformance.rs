//! The suite that every backend runs.

use std::sync::Arc;

use obol_store::Store;
use obol_store_sqlite::SqliteStore;
use tempfile::TempDir;

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Arc::new(SqliteStore::open(folder.path()).unwrap()), folder)
}

obol_store::conformance::suite!(crate::fresh);

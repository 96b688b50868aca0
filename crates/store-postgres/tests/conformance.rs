//! The suite that every backend runs.

use std::sync::Arc;

use obol_store::Store;
use obol_store_postgres::{PostgresOptions, PostgresStore};
use obol_testkit::Postgres;

async fn fresh() -> (Arc<dyn Store>, Arc<Postgres>) {
    let server = Postgres::shared();
    let options = PostgresOptions::new(&server.database());
    PostgresStore::migrate(&options).await.unwrap();
    (Arc::new(PostgresStore::open(&options).await.unwrap()), server)
}

obol_store::conformance::suite!(crate::fresh);

//! Where an installation keeps everything: in a SQLite file of its data folder, or in PostgreSQL.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use obol_keys::MasterKey;
use obol_store::Store;
use obol_store_postgres::{PostgresOptions, PostgresStore};
use obol_store_sqlite::SqliteStore;

use crate::config::{MASTER_KEY_VARIABLE, Settings, master_key_text};
use crate::failure::Failure;

/// Opens the store, and makes what is missing: data folder, file, and, unless told not to, tables.
///
/// # Errors
/// A sentence that says what to change.
pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    let Some(options) = postgres_options(settings) else {
        return Ok(Arc::new(SqliteStore::open(&settings.data)?));
    };
    // For the audit file and what else is a node's own.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&settings.data)
        .with_context(|| format!("cannot make the data folder {}", settings.data.display()))?;
    if settings.migrate {
        PostgresStore::migrate(&options).await?;
    }
    Ok(Arc::new(PostgresStore::open(&options).await?))
}

/// Brings the tables to what this version needs.
///
/// # Errors
/// A sentence that says what to change.
pub(crate) async fn migrate(settings: &Settings) -> anyhow::Result<()> {
    match postgres_options(settings) {
        Some(options) => PostgresStore::migrate(&options).await?,
        None => drop(SqliteStore::open(&settings.data)?),
    }
    Ok(())
}

/// Refuses a command that would begin an installation instead of working on one.
///
/// # Errors
/// When the data folder holds none.
pub(crate) fn require(settings: &Settings) -> Result<(), Failure> {
    if settings.database_url.is_some() || SqliteStore::is_in(&settings.data) {
        return Ok(());
    }
    let folder = settings.data.display();
    Err(Failure::refused(format_args!(
        "there is no installation in {folder}: name its folder with --data, or its database with --database-url, \
         or begin one with `obol serve`"
    )))
}

/// The key that wraps the keys in the store. An installation that has keys has one already, so none is made
/// for it.
///
/// # Errors
/// A sentence that says what to change.
pub(crate) async fn master_key(settings: &Settings, store: &dyn Store) -> anyhow::Result<MasterKey> {
    if let Some(key) = present_master_key(settings)? {
        return Ok(key);
    }
    let path = master_key_path(settings);
    if store.has_key().await? {
        anyhow::bail!(
            "this installation has keys, and the master key that wraps them is not here: put its file at {}, \
             or name it with --master-key-file",
            path.display()
        );
    }
    Ok(MasterKey::load_or_create(&path)?)
}

/// The master key that is there: in the environment, in the file that the settings name, or in the data folder.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn present_master_key(settings: &Settings) -> anyhow::Result<Option<MasterKey>> {
    if let Some(text) = master_key_text() {
        let key = MasterKey::parse(text);
        return key.map(Some).with_context(|| {
            format!("{MASTER_KEY_VARIABLE} does not hold a master key: it is the text of a file master.key")
        });
    }
    let path = master_key_path(settings);
    path.exists().then(|| Ok(MasterKey::load(&path)?)).transpose()
}

fn master_key_path(settings: &Settings) -> PathBuf {
    settings.master_key_file.clone().unwrap_or_else(|| settings.data.join("master.key"))
}

fn postgres_options(settings: &Settings) -> Option<PostgresOptions> {
    settings.database_url.as_ref().map(|url| PostgresOptions {
        url: url.as_str().to_owned(),
        user_file: settings.database_user_file.clone(),
        password_file: settings.database_password_file.clone(),
    })
}

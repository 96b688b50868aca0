//! `obol backup` and `obol restore`.

use std::path::PathBuf;

use obol_replica::{Clock, SystemClock};
use obol_store::{AuditEvent, Deny};
use obol_store_sqlite::SqliteStore;
use serde::Serialize;

use crate::commands::keys;
use crate::config::Settings;
use crate::failure::{End, Failure};
use crate::installation::{Installation, runtime};
use crate::output::{Answer, Output};
use crate::storage;
use crate::typed::confirmed;

const BACKUP_HELP: &str = "\
The server goes on meanwhile. The file does not hold the master key: keep a copy of master.key
somewhere else, for whoever has both can make tokens. A PostgreSQL database is backed up with its
own tools (pg_basebackup, pg_dump).

Example:
  obol backup /var/backups/obol-$(date +%F).db --data /var/lib/obol";

const RESTORE_HELP: &str = "\
A backup does not know what was revoked after it was made. So everything that was issued until now
is refused once it is put back: people and clients sign in again, and nothing revoked comes back.

With FILE, into a data folder without a database; put master.key there too. Without FILE, after a
PostgreSQL database was put back with its own tools, before the first server starts on it.

Examples:
  obol restore /var/backups/obol-2026-11-21.db --data /var/lib/obol
  obol restore --yes --database-url postgres://obol@db/obol";

/// Where the copy goes.
#[derive(Debug, clap::Args)]
#[command(after_help = BACKUP_HELP)]
pub(crate) struct BackupArgs {
    /// File to be made, readable by its owner alone. It must not be there yet.
    file: PathBuf,
}

/// What is put back.
#[derive(Debug, clap::Args)]
#[command(after_help = RESTORE_HELP)]
pub(crate) struct RestoreArgs {
    /// File that `obol backup` has made. Not given: the database was put back by other means.
    file: Option<PathBuf>,
    /// Do not ask whether to end everything in a database that was put back by other means.
    #[arg(long)]
    yes: bool,
}

/// Copies the database.
///
/// # Errors
/// [`Failure`]; no half file stays.
pub(crate) fn back_up(args: &BackupArgs, settings: &Settings, output: Output) -> Result<End, Failure> {
    if settings.database_url.is_some() {
        let sentence = "a PostgreSQL database is backed up with its own tools: use pg_basebackup or pg_dump, and run \
                        `obol restore` when it was put back";
        return Err(Failure::refused(sentence));
    }
    storage::require(settings)?;
    SqliteStore::back_up(&settings.data, &args.file).map_err(Failure::refused)?;
    output.show(&BackedUp { file: args.file.display().to_string() })?;
    Ok(End::Done)
}

/// Puts a backup back, or makes a database safe that was put back by other means.
///
/// # Errors
/// [`Failure`]
pub(crate) fn restore(args: &RestoreArgs, settings: &Settings, output: Output) -> Result<End, Failure> {
    match &args.file {
        Some(_) if settings.database_url.is_some() => {
            let sentence = "a PostgreSQL database is put back with its own tools: then run `obol restore` without a file";
            Err(Failure::refused(sentence))
        }
        Some(file) => {
            let put_back =
                runtime()?.block_on(SqliteStore::put_back(file, &settings.data, SystemClock.wall()));
            let position = put_back.map_err(Failure::refused)?.number();
            Installation::visit(settings, async |installation| {
                record(installation, None);
                output.show(&Restored { position })?;
                Ok(End::Done)
            })
        }
        None => Installation::visit(settings, async |installation| {
            if !args.yes && !confirmed("End everything that was issued until now?")? {
                return Err(Failure::refused("nothing was changed"));
            }
            let denied = installation.store().deny(&Deny::Everything, SystemClock.wall()).await;
            record(installation, denied.as_ref().err().map(ToString::to_string));
            let revoked = installation.confirm(denied.map_err(Failure::refused)?).await?;
            keys::replace_all(installation, settings).await?;
            output.show(&Restored { position: revoked.position().number() })?;
            Ok(End::Done)
        }),
    }
}

fn record(installation: &Installation, refused: Option<String>) {
    installation.record(AuditEvent::TokenRevoked, refused, |record| {
        record.reason = Some("everything, for a backup was put back".into());
    });
}

#[derive(Serialize)]
struct BackedUp {
    file: String,
}

impl Answer for BackedUp {
    fn text(&self) -> String {
        format!("The database is copied to {}. Keep a copy of master.key elsewhere.", self.file)
    }
}

#[derive(Serialize)]
struct Restored {
    position: u64,
}

impl Answer for Restored {
    fn text(&self) -> String {
        let position = self.position;
        format!("Everything that was issued until now is refused (position {position}). Start the server.")
    }
}

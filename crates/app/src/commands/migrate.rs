//! `obol migrate`: the tables of the database.

use serde::Serialize;

use crate::config::Settings;
use crate::failure::{End, Failure};
use crate::installation::runtime;
use crate::output::{Answer, Output};
use crate::storage;

const HELP: &str = "\
The server does this itself when it starts, unless it is told not to (--migrate false). As a
command of its own it can run as a user of the database with more rights, before the nodes of a
newer version start. It is safe when several do it at once, and when it is done already.

Example:
  obol migrate --database-url postgres://owner@db/obol --database-password-file owner-password";

/// Takes the options of every command only.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct MigrateArgs {}

/// Makes the tables, or changes them to what this version needs.
///
/// # Errors
/// When the database cannot be used, with what to change.
pub(crate) fn run(settings: &Settings, output: Output) -> Result<End, Failure> {
    runtime()?.block_on(storage::migrate(settings))?;
    output.show(&Migrated { migrated: true })?;
    Ok(End::Done)
}

#[derive(Serialize)]
struct Migrated {
    migrated: bool,
}

impl Answer for Migrated {
    fn text(&self) -> String {
        "The tables are those of this version.".to_owned()
    }
}

//! `obol manual DIR`.

use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;
use serde::Serialize;

use crate::cli::Cli;
use crate::failure::{End, Failure};
use crate::output::{Answer, Output};

const AFTER_HELP: &str = "\
Example:
  obol manual ~/.local/share/man/man1 && man obol";

/// Where to.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ManualArgs {
    /// Folder that takes the pages: obol.1, and one for each command. Made if it is not there.
    folder: PathBuf,
}

/// Writes the pages.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn run(args: &ManualArgs, output: Output) -> Result<End, Failure> {
    let folder = &args.folder;
    let write = || {
        std::fs::create_dir_all(folder)?;
        clap_mangen::generate_to(Cli::command(), folder)
    };
    write().with_context(|| format!("cannot write the pages to {}", folder.display()))?;
    output.show(&Written { folder: folder.display().to_string() })?;
    Ok(End::Done)
}

#[derive(Serialize)]
struct Written {
    folder: String,
}

impl Answer for Written {
    fn text(&self) -> String {
        format!("The pages are in {}.", self.folder)
    }
}

//! `obol completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::{End, Failure};
use crate::output;

const AFTER_HELP: &str = "\
Example:
  obol completions bash > ~/.local/share/bash-completion/completions/obol";

/// Which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CompletionsArgs {
    /// Shell for which the completions are printed.
    shell: Shell,
}

/// Prints the completions.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn run(args: &CompletionsArgs) -> Result<End, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "obol", &mut script);
    output::print_line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(End::Done)
}

//! The command line: what a person can ask of the program.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::backup::{BackupArgs, RestoreArgs};
use crate::commands::bench::BenchArgs;
use crate::commands::client::ClientCommand;
use crate::commands::completions::CompletionsArgs;
use crate::commands::config::ConfigCommand;
use crate::commands::doctor::DoctorArgs;
use crate::commands::drain::DrainArgs;
use crate::commands::keys::KeysCommand;
use crate::commands::manual::ManualArgs;
use crate::commands::migrate::MigrateArgs;
use crate::commands::nodes::NodesCommand;
use crate::commands::revoke::RevokeArgs;
use crate::commands::serve::ServeArgs;
use crate::commands::token::TokenCommand;
use crate::commands::user::UserCommand;
use crate::config::{EVERYWHERE, OptionsEverywhere};

const AFTER_HELP: &str = "\
To begin:
  obol serve --dev                      start, with a client and a user to try it with
  obol user add alice --password-stdin  add a person, with the password on standard input
  obol client add --id app --type public --grant password --grant refresh_token

Options may stand in the environment (OBOL_DATA for --data) and in a file (see `obol config
sample`); the command line counts first, then the environment, then the file.

The commands work while the server runs, on the same data folder, and return when it honours
what they changed.

Exit codes: 0 done, 1 refused (the reason is on standard error), 2 called wrongly.";

/// What `--version` says.
#[cfg(not(feature = "planted-bugs"))]
const VERSION: &str = env!("CARGO_PKG_VERSION");
#[cfg(feature = "planted-bugs")]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " with planted bugs: for tests only");

/// A self-hosted OAuth 2 token server: issues, verifies and revokes tokens.
#[derive(Debug, Parser)]
#[command(name = "obol", version = VERSION, max_term_width = 110, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: OptionsEverywhere,
    /// File with options, as `obol config sample` prints it. Not given: no file is read.
    #[arg(long, value_name = "FILE", env = "OBOL_CONFIG", hide_env_values = true, global = true, help_heading = EVERYWHERE)]
    pub(crate) config: Option<PathBuf>,
    /// Answer with JSON on one line, keys in alphabetical order, instead of text.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(ServeArgs),
    /// Add, show and change the programs that ask for tokens.
    #[command(subcommand)]
    Client(ClientCommand),
    /// Add, show and change people.
    #[command(subcommand)]
    User(UserCommand),
    /// Look at one token, or end it.
    #[command(subcommand)]
    Token(TokenCommand),
    /// End many tokens at once: of a person, of a client, of one sign-in, or all.
    Revoke(RevokeArgs),
    /// Show and change the keys that seal access tokens.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Show the servers that answer for an installation.
    #[command(subcommand)]
    Nodes(NodesCommand),
    /// Copy the database of a data folder while the server runs.
    Backup(BackupArgs),
    /// Put a backup back, so that nothing that was revoked comes back with it.
    Restore(RestoreArgs),
    /// Take the server of a data folder out, without a failed request.
    Drain(DrainArgs),
    /// Say whether the installation is sound, and what to do where it is not.
    Doctor(DoctorArgs),
    /// Make the tables of the database, or change them to what this version needs.
    Migrate(MigrateArgs),
    /// Measure how fast obol is on this machine, beside the least that an HTTP server must do.
    Bench(Box<BenchArgs>),
    /// Check the configuration, or print a sample of the file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print what makes a shell complete the options of obol.
    Completions(CompletionsArgs),
    /// Write the manual pages of obol and of each of its commands.
    Manual(ManualArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_and_argument_says_what_it_does() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.len() > 15, "{} {}: {help}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn the_options_of_every_command_stand_before_and_after_it() {
        for line in [
            ["obol", "--json", "--data", "d", "client", "list"],
            ["obol", "client", "--json", "list", "--data", "d"],
            ["obol", "client", "list", "--data", "d", "--json"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert!(cli.json);
            assert_eq!(cli.options.0.find("data").map(|data| data.texts.concat()), Some("d".to_owned()));
        }
    }
}

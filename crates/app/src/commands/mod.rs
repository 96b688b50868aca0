//! One file per command. They hold no decisions: administration is in `obol-oauth` and `obol-accounts`.

pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod client;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod drain;
pub(crate) mod keys;
pub(crate) mod manual;
pub(crate) mod migrate;
pub(crate) mod nodes;
pub(crate) mod revoke;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod user;

use obol_token::Algorithm;

use crate::cli::{Cli, Command};
use crate::config::{Configuration, Given, LogFormat, LogLevel, Settings};
use crate::failure::{End, Failure};
use crate::logging::Logging;
use crate::output::Output;

/// Runs a command to its end. What was logged is written when this returns.
///
/// # Errors
/// [`Failure`]
pub(crate) fn run(cli: Cli) -> Result<End, Failure> {
    let output = Output { json: cli.json };
    // As with every option, an empty variable counts as none.
    let file = cli.config.as_deref().filter(|path| !path.as_os_str().is_empty());
    let everywhere = cli.options.0;
    let settings = |given: Given| -> Result<Settings, Failure> {
        let given = given.or(Given::from_environment()?);
        Ok(Configuration::load(&given, file)?.settings)
    };
    match cli.command {
        Command::Serve(args) => {
            let settings = settings(everywhere.or(args.options.0))?;
            let _logging = Logging::start(settings.log_level, settings.log_format)?;
            serve::run(&settings, args.dev)
        }
        Command::Bench(args) => bench::run(*args, output),
        Command::Config(command) => config::run(command, everywhere, file, output),
        Command::Completions(args) => completions::run(&args),
        Command::Manual(args) => manual::run(&args, output),
        Command::Client(command) => log_little(|| client::run(command, &settings(everywhere)?, output)),
        Command::User(command) => log_little(|| user::run(command, &settings(everywhere)?, output)),
        Command::Token(command) => log_little(|| token::run(command, &settings(everywhere)?, output)),
        Command::Keys(command) => log_little(|| keys::run(command, &settings(everywhere)?, output)),
        Command::Nodes(command) => log_little(|| nodes::run(command, &settings(everywhere)?, output)),
        Command::Backup(args) => log_little(|| backup::back_up(&args, &settings(everywhere)?, output)),
        Command::Restore(args) => log_little(|| backup::restore(&args, &settings(everywhere)?, output)),
        Command::Drain(_) => log_little(|| drain::run(&settings(everywhere)?, output)),
        Command::Doctor(_) => log_little(|| doctor::run(&settings(everywhere)?, output)),
        Command::Migrate(_) => log_little(|| migrate::run(&settings(everywhere)?, output)),
        Command::Revoke(args) => log_little(|| revoke::run(&args, &settings(everywhere)?, output)),
    }
}

/// Standard error of a command is for people, and shows only what needs one.
fn log_little(run: impl FnOnce() -> Result<End, Failure>) -> Result<End, Failure> {
    let _logging = Logging::start(LogLevel::Warn, LogFormat::Text)?;
    run()
}

/// Reads the name of a signature algorithm, in any case.
fn algorithm(text: &str) -> Result<Algorithm, &'static str> {
    let named = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(text));
    named.ok_or("ES256, RS256, PS256 or EdDSA is expected")
}

//! The obol token server: command line, configuration and wiring.

mod audit_trail;
mod background;
mod cli;
mod commands;
mod config;
mod dev;
mod failure;
mod installation;
mod instant;
mod logging;
mod output;
mod printable;
mod running_server;
mod storage;
mod typed;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match commands::run(cli::Cli::parse()) {
        Ok(end) => end.exit_code(),
        Err(failure) => {
            for sentence in failure.sentences() {
                eprintln!("error: {sentence}");
            }
            failure.exit_code()
        }
    }
}

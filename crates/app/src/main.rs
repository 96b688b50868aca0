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
mod key_keeper;
mod logging;
mod logout_teller;
mod output;
mod printable;
mod running_server;
mod service_manager;
mod storage;
mod typed;
mod wiring;

#[cfg(all(feature = "planted-bugs", not(debug_assertions)))]
compile_error!("planted bugs are for tests: build without --release, or without the feature `planted-bugs`");

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

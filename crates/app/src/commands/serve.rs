//! `obol serve`: the server.

use anyhow::Context;
use obol_replica::{Clock, SystemClock};
use tokio::runtime::{Builder, Runtime};

use crate::config::{ServerOptions, Settings};
use crate::dev;
use crate::failure::{End, Failure};
use crate::output::print_line;
use crate::wiring::Server;

const HELP: &str = "\
The log goes to standard error. SIGTERM and SIGINT stop the server: accepted requests finish
first, for at most 10 s.

Examples:
  obol serve --dev
  obol serve --listen 0.0.0.0:443 --tls-cert /etc/obol/cert.pem --tls-key /etc/obol/key.pem
  obol serve --listen 0.0.0.0:8080 --behind-proxy 10.0.0.0/8 --issuer https://tokens.example.org
  obol serve --config /etc/obol.toml";

/// What the server runs with.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) options: ServerOptions,
    /// For trying out: make the public client fcare, the confidential clients gateway and web-app and the user alice, with fresh
    /// secrets, and print lines ready to paste.
    #[arg(long)]
    pub(crate) dev: bool,
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// When it cannot start, with what to change.
pub(crate) fn run(settings: &Settings, dev: bool) -> Result<End, Failure> {
    #[cfg(feature = "planted-bugs")]
    tracing::error!(bug = ?obol_planted::picked(), "this build has planted bugs: it is for tests only");
    runtime()?.block_on(async {
        let server = Server::open(settings).await?;
        if dev {
            print_line(dev::prepare(&server, SystemClock.wall()).await?.trim_end())?;
        }
        server.serve().await?;
        Ok(End::Done)
    })
}

/// What the server runs on, and the ceiling of `obol bench` too: else the two could not be compared.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("the system gives no threads for the server")
}

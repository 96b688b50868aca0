//! `obol drain`: takes the server of a data folder out, without a failed request.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::config::Settings;
use crate::failure::{End, Failure};
use crate::output::{Answer, Output};
use crate::running_server::Other;

const HELP: &str = "\
The server says 503 at /readyz and goes on answering for as long as its option stop_delay_ms says,
so that a balancer sends new requests elsewhere; then accepted requests finish, and it leaves. The
command returns when it is gone. On the machine of the server, as its user or as root.

Example:
  obol drain --data /var/lib/obol";

/// Longer than a server may take: stop_delay_ms is at most a minute, and the last requests have 10 s.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Takes the options of every command only.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct DrainArgs {}

/// Tells the server to stop, and waits until it has.
///
/// # Errors
/// When no server runs on the data folder, or it may not be told.
pub(crate) fn run(settings: &Settings, output: Output) -> Result<End, Failure> {
    let folder = settings.data.display();
    let none = || Failure::refused(format_args!("no server runs on {folder}: name its folder with --data"));
    let server = Other::find(&settings.data).ok_or_else(none)?;
    let denied = |error| {
        Failure::refused(format_args!("cannot stop the server of {folder} ({error}): run this as its user"))
    };
    server.stop().map_err(denied)?;
    let began = Instant::now();
    while server.runs() {
        if began.elapsed() > PATIENCE {
            return Err(Failure::refused(format_args!(
                "the server of {folder} was told to stop, and still runs"
            )));
        }
        sleep(LOOK_EVERY);
    }
    output.show(&Drained { drained: true })?;
    Ok(End::Done)
}

#[derive(Serialize)]
struct Drained {
    drained: bool,
}

impl Answer for Drained {
    fn text(&self) -> String {
        "The server has finished its requests and is gone.".to_owned()
    }
}

//! What can be asked of `obol bench`, and the plan that it makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use obol_bench::{Credentials, HotPath, Person, Plan, Protocol, RunningServer, Sizes, Sweep, Timing};

use crate::failure::Failure;

const HELP: &str = "\
Nothing of yours is touched: server, client, person and tokens are made in a temporary folder and
leave with it, unless --target names a server that runs already. Every answer is checked; a server
that answers wrongly has no figures, and the exit code is 1.

Beside each figure of obol stands that of the ceiling: a bare HTTP server that parses the same
request and returns the same bytes without doing anything, under the same load in the same run.
A ratio of 1 is the ceiling. Machines differ and are noisy: only ratios of one run count.

Examples:
  obol bench                                every hot path, for about a minute
  obol bench --path verify-valid --connections 1 --repeats 9
  obol bench --all --html bench.html        with all sweeps; takes several minutes and 2 GB of disk
  obol bench --path verify-valid --rate 20000
  obol bench --target http://127.0.0.1:8080 --target-pid 4711 --client-id gateway --client-secret-file s";

/// What to measure.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP, args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(super) part: Option<Part>,
    /// Path to measure; may be given several times. One of verify-valid, verify-revoked, verify-unknown, introspect,
    /// client-credentials, refresh, revoke, password. Not given: all of them, or none beside a --sweep.
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<HotPath>,
    /// Series to measure; may be given several times. One of start, revocations, connections, storm, rate, durability.
    #[arg(long = "sweep", value_name = "SWEEP")]
    sweeps: Vec<Sweep>,
    /// Measure every path and every sweep.
    #[arg(long, conflicts_with_all = ["paths", "sweeps"])]
    all: bool,
    /// Measure everything in a few seconds, to see that it works; the figures say nothing.
    #[arg(long, conflicts_with_all = ["paths", "sweeps", "all"])]
    smoke: bool,
    /// Connections, each with one request at a time.
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Requests a second that are due, whether or not earlier ones were answered; latencies count from when they were
    /// due. Not given: each connection asks as soon as it was answered.
    #[arg(long, value_name = "PER-SEC", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: Option<u32>,
    /// Milliseconds of one run.
    #[arg(long, value_name = "MILLISECS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..=600_000))]
    duration_ms: u32,
    /// Runs of each target; the targets take turns, and the median counts. Many short runs meet a noisy machine better
    /// than few long ones.
    #[arg(long, value_name = "COUNT", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=99))]
    repeats: u32,
    /// Speak TLS, with a certificate made for this run.
    #[arg(long)]
    tls: bool,
    /// Speak HTTP/2, over TLS.
    #[arg(long)]
    http2: bool,
    /// Cores for the server; the load generator gets others.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    server_cores: u32,
    /// Folder in which the temporary folders are made: choose the disk that is to be measured. Not given: the system's
    /// folder for temporary files.
    #[arg(long, value_name = "DIR")]
    place: Option<PathBuf>,
    /// Write a page with tables and plots; it needs no other file.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Write the tables as Markdown: in the place of those that an earlier run has written there, or at the end.
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArgs,
}

/// A server that runs already.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "A server that runs already")]
struct TargetArgs {
    /// URL of a server to measure instead of one of its own. It gets real tokens and revocations;
    /// no sweeps.
    #[arg(long, value_name = "URL", requires = "client_id", requires = "client_secret_file",
        conflicts_with_all = ["sweeps", "all", "smoke"])]
    target: Option<String>,
    /// Its process on this machine, so that CPU time and memory can be seen.
    #[arg(long, value_name = "PID", requires = "target")]
    target_pid: Option<i32>,
    /// File with the certificate to trust, in PEM, for an https URL.
    #[arg(long, value_name = "FILE", requires = "target")]
    target_ca: Option<PathBuf>,
    /// Confidential client to ask as, with the grants of the paths to be measured and the right to introspect.
    #[arg(long, value_name = "ID", requires = "target")]
    client_id: Option<String>,
    /// File with the secret of that client.
    #[arg(long, value_name = "FILE", requires = "target")]
    client_secret_file: Option<PathBuf>,
    /// Person who signs in. Not given: tokens are the client's own, and refresh and password are left out.
    #[arg(long, value_name = "NAME", requires = "password_file")]
    username: Option<String>,
    /// File with the person's password.
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
}

/// A part of the benchmark that is a process of its own.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub(super) enum Part {
    /// The bare server, told on standard input what to answer.
    #[command(hide = true)]
    Ceiling,
}

impl BenchArgs {
    /// What is to be measured.
    ///
    /// # Errors
    /// When the server that runs already cannot be reached as it is named.
    pub(super) fn plan(self) -> Result<Plan, Failure> {
        // The file that runs, also when it is built anew meanwhile: one report is about one build.
        let program = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
        let running = self.target.running_server()?;
        let http2_or_tls =
            self.tls || self.http2 || running.as_ref().is_some_and(|running| running.trust.is_some());
        let everything = self.all || self.smoke;
        let mut paths = self.paths;
        if everything || (paths.is_empty() && self.sweeps.is_empty()) {
            paths = HotPath::ALL.to_vec();
        }
        if running.as_ref().is_some_and(|running| running.credentials.person.is_none()) {
            paths.retain(|path| !path.needs_person());
        }
        let millis = |millis: u32| Duration::from_millis(millis.into());
        let timing = match self.smoke {
            true => Timing { warm_up: millis(20), duration: millis(100), repeats: 1 },
            false => Timing {
                warm_up: millis(self.duration_ms / 4),
                duration: millis(self.duration_ms),
                repeats: self.repeats as usize,
            },
        };
        Ok(Plan {
            program,
            place: self.place,
            running,
            paths,
            sweeps: if everything { Sweep::ALL.to_vec() } else { self.sweeps },
            connections: if self.smoke { 8 } else { self.connections as usize },
            per_sec: self.rate.map(f64::from),
            protocol: if self.http2 { Protocol::Http2 } else { Protocol::Http1 },
            tls: http2_or_tls,
            server_cores: self.server_cores as usize,
            timing,
            sizes: if self.smoke { Sizes::smoke() } else { Sizes::default() },
        })
    }
}

impl TargetArgs {
    fn running_server(&self) -> Result<Option<RunningServer>, Failure> {
        let (Some(url), Some(client_id), Some(secret)) =
            (&self.target, &self.client_id, &self.client_secret_file)
        else {
            return Ok(None);
        };
        let person = match (&self.username, &self.password_file) {
            (Some(username), Some(file)) => {
                Some(Person { username: username.clone(), password: first_line(file)? })
            }
            _ => None,
        };
        let credentials =
            Credentials { client_id: client_id.clone(), client_secret: first_line(secret)?, person };
        let running = RunningServer::at(url, self.target_ca.as_deref(), self.target_pid, credentials);
        running.map(Some).map_err(|error| Failure::Usage(error.to_string()))
    }
}

fn first_line(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

//! `obol bench`: how fast this machine lets obol be, beside the least that any HTTP server must do.

use std::fs::{self, File};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use obol_bench::{
    BenchError, Credentials, HotPath, Person, Plan, Protocol, Report, RunningServer, Sizes, Stop, Sweep,
    Timing,
};
use obol_replica::{Clock, SystemClock};
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{End, Failure};
use crate::instant::rfc3339;
use crate::output::{Answer, Output};

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
    part: Option<Part>,
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
    #[arg(long, value_name = "MILLISECS", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=600_000))]
    duration_ms: u32,
    /// Runs of each target; the targets take turns.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    repeats: u32,
    /// Speak TLS.
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
    html: Option<PathBuf>,
    /// Write the tables as Markdown: in the place of those that an earlier run has written there, or at the end.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
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
    /// File with its secret.
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
enum Part {
    /// The bare server, told on standard input what to answer.
    #[command(hide = true)]
    Ceiling,
}

/// Runs the benchmark, or a part of it.
///
/// # Errors
/// [`Failure`]
pub(crate) fn run(args: BenchArgs, output: Output) -> Result<End, Failure> {
    match args.part {
        Some(Part::Ceiling) => {
            let served = server_runtime()?.block_on(obol_bench::run_ceiling());
            served.context("the bare server cannot run")?;
        }
        None => {
            let files = Files::open(args.html.as_deref(), args.markdown.as_deref())?;
            let report = measure(args.plan()?)?;
            files.write(&report)?;
            output.show(&Measured(report))?;
        }
    }
    Ok(End::Done)
}

/// Where the report goes beside the terminal. They are opened first: it would be a pity to find out at the end that
/// one cannot be written.
struct Files {
    html: Option<(File, PathBuf)>,
    markdown: Option<(PathBuf, String)>,
}

impl Files {
    fn open(html: Option<&Path>, markdown: Option<&Path>) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            let mut options = File::options();
            let file = options.write(true).create(true).truncate(false).open(path);
            file.with_context(|| format!("cannot write {}", path.display()))
        };
        let html = html.map(|path| anyhow::Ok((open(path)?, path.to_owned()))).transpose()?;
        let document = |path: &Path| {
            open(path)?;
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            anyhow::Ok((path.to_owned(), text))
        };
        Ok(Self { html, markdown: markdown.map(document).transpose()? })
    }

    fn write(self, report: &Report) -> anyhow::Result<()> {
        if let Some((mut file, path)) = self.html {
            let written = file.set_len(0).and_then(|()| file.write_all(report.html().as_bytes()));
            written.with_context(|| format!("cannot write {}", path.display()))?;
        }
        if let Some((path, document)) = self.markdown {
            let written = fs::write(&path, report.put_into_markdown(&document));
            written.with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// The runtime of `obol serve`, which the ceiling has to share.
fn server_runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("the system gives no threads for the server")
}

/// Measures on a thread of its own, so that a signal can end it: then it ends its servers and takes its files away.
fn measure(plan: Plan) -> Result<Report, Failure> {
    let runtime =
        Builder::new_current_thread().enable_all().build().context("the system gives no event queue")?;
    let stop = Stop::default();
    let (at, told) = (rfc3339(SystemClock.wall()), stop.clone());
    let show_progress = std::io::stderr().is_terminal();
    let work = move || {
        let say = |line: &str| {
            if show_progress {
                eprintln!("{line}");
            }
        };
        obol_bench::run(&plan, at, &told, &say)
    };
    let measured = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("signals cannot be caught")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be caught")?;
        let mut working = tokio::task::spawn_blocking(work);
        let ended = tokio::select! {
            ended = &mut working => ended,
            _ = terminate.recv() => { stop.tell(); working.await }
            _ = interrupt.recv() => { stop.tell(); working.await }
        };
        anyhow::Ok(ended.context("the benchmark broke off")?)
    })?;
    measured.map_err(|error| match error {
        BenchError::Asked(sentence) => Failure::Usage(sentence),
        error => Failure::refused(error),
    })
}

impl BenchArgs {
    fn plan(self) -> Result<Plan, Failure> {
        let program = std::env::current_exe().context("this program cannot find itself")?;
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

/// What was measured.
#[derive(Serialize)]
struct Measured(Report);

impl Answer for Measured {
    fn text(&self) -> String {
        self.0.text()
    }
}

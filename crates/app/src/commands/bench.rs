//! `obol bench`: how fast this machine lets obol be, beside the least that any HTTP server must do.

mod args;

use std::fs::{self, File};
use std::io::IsTerminal;
use std::path::Path;

use anyhow::Context;
use obol_bench::{BenchError, Plan, Report, Stop};
use obol_replica::{Clock, SystemClock};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use self::args::BenchArgs;
use self::args::Part;
use crate::commands::serve;
use crate::failure::{End, Failure};
use crate::installation::runtime;
use crate::instant::rfc3339;
use crate::output::{Answer, Output};

/// Runs the benchmark, or a part of it.
///
/// # Errors
/// [`Failure`]
pub(crate) fn run(args: BenchArgs, output: Output) -> Result<End, Failure> {
    match args.part {
        Some(Part::Ceiling) => {
            let served = serve::runtime()?.block_on(obol_bench::run_ceiling());
            served.context("the bare server cannot run")?;
        }
        None => {
            let (html, markdown) = (args.html.clone(), args.markdown.clone());
            [&html, &markdown].into_iter().flatten().try_for_each(|file| must_be_writable(file))?;
            let report = measure(args.plan()?)?;
            write_files(&report, html.as_deref(), markdown.as_deref())?;
            output.show(&Measured(report))?;
        }
    }
    Ok(End::Done)
}

/// Writes the report where it was wished beside the terminal.
fn write_files(report: &Report, html: Option<&Path>, markdown: Option<&Path>) -> anyhow::Result<()> {
    let write = |file: &Path, text: &str| {
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    };
    if let Some(file) = html {
        write(file, &report.html())?;
    }
    if let Some(file) = markdown {
        let document = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        write(file, &report.put_into_markdown(&document))?;
    }
    Ok(())
}

/// It would be a pity to find out after the measurement that a file cannot be written.
fn must_be_writable(file: &Path) -> anyhow::Result<()> {
    let opened = File::options().append(true).create(true).open(file);
    opened.map(drop).with_context(|| format!("cannot write {}", file.display()))
}

/// Measures on a thread of its own, so that a signal can end it: then it ends its servers and takes its files away.
fn measure(plan: Plan) -> Result<Report, Failure> {
    let runtime = runtime()?;
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

/// What was measured.
#[derive(Serialize)]
struct Measured(Report);

impl Answer for Measured {
    fn text(&self) -> String {
        self.0.text()
    }
}

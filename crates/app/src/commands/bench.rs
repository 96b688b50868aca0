//! `obol bench`: how fast this machine lets obol be, beside the least that any HTTP server must do.

mod args;

use std::fs::{self, File};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use obol_bench::{BenchError, Plan, Report, Stop};
use obol_replica::{Clock, SystemClock};
use serde::Serialize;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use self::args::BenchArgs;
use self::args::Part;
use crate::commands::serve;
use crate::failure::{End, Failure};
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

/// What was measured.
#[derive(Serialize)]
struct Measured(Report);

impl Answer for Measured {
    fn text(&self) -> String {
        self.0.text()
    }
}

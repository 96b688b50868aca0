//! The log on standard error: text on a terminal, one JSON object a line otherwise. Never a secret in it, and never a
//! reason to wait: lines go through a bounded queue.

mod fields;
mod layer;
mod line;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};

use self::layer::LogLayer;
use self::line::Form;
use crate::background::{Background, Batch};
use crate::config::{LogFormat, LogLevel};

/// The most lines that wait for a reader of standard error; more are counted and dropped. A value has at most 1,024
/// characters, a usual line 200: about 1 MB.
const CAPACITY_LINES: usize = 4_096;

/// How long the end of the program waits for a reader of standard error.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Our crates are logged at the chosen level. Libraries never below warnings: some print headers when they trace.
const OUR_TARGETS: &str = "obol";

/// The running log; dropping it writes what waits.
pub(crate) struct Logging {
    lines: Arc<Background<String>>,
}

impl Logging {
    /// Sends everything that is logged from here on to standard error.
    ///
    /// # Errors
    /// When there is a log already, or no thread for it.
    pub(crate) fn start(level: LogLevel, format: LogFormat) -> anyhow::Result<Self> {
        let form = match format {
            LogFormat::Text => Form::Text,
            LogFormat::Json => Form::Json,
            LogFormat::Auto if io::stderr().is_terminal() => Form::Text,
            LogFormat::Auto => Form::Json,
        };
        let lines = Background::start("log", CAPACITY_LINES, Duration::ZERO, move |batch| {
            write_lines(&mut io::stderr().lock(), batch, form);
            None
        });
        let lines = Arc::new(lines.context("the system gives no thread for the log")?);
        let to_lines = Arc::clone(&lines);
        let layer = LogLayer::new(form, move |line| to_lines.offer(line)).with_filter(targets(level));
        tracing::subscriber::set_global_default(Registry::default().with(layer))?;
        log_panics();
        Ok(Self { lines })
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.lines.flush(LAST_WAIT);
    }
}

fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target(OUR_TARGETS, level)
}

/// There is nobody to tell when standard error cannot be written.
fn write_lines(to: &mut impl Write, batch: Batch<String>, form: Form) {
    let mut text = batch.things.concat();
    if batch.turned_away > 0 {
        text.push_str(&line::lost(form, batch.turned_away));
    }
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

/// A panic is logged with its place only: its message may hold what was being worked on.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, thread = std::thread::current().name(), "a panic");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_never_log_below_warnings() {
        use tracing::Level;
        for level in LogLevel::ALL {
            let targets = targets(level);
            assert!(targets.would_enable("obol_web::server", &Level::ERROR));
            assert!(!targets.would_enable("h2::codec", &Level::INFO), "{level:?}");
            assert_eq!(targets.would_enable("obol", &Level::TRACE), level == LogLevel::Trace);
            assert_eq!(targets.would_enable("h2", &Level::WARN), level != LogLevel::Error);
        }
    }

    #[test]
    fn lines_that_did_not_fit_are_told() {
        let mut written = Vec::new();
        write_lines(&mut written, Batch { things: vec!["a\n".to_owned()], turned_away: 3 }, Form::Json);
        let text = String::from_utf8(written).unwrap();
        let (first, second) = text.split_once('\n').unwrap();
        assert_eq!(first, "a");
        let lost: serde_json::Value = serde_json::from_str(second).unwrap();
        assert_eq!(
            (lost["message"].as_str(), lost["count"].as_u64()),
            (Some("log lines were lost"), Some(3))
        );
    }
}

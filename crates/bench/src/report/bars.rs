//! Bars for the page: plain HTML, so that they fit any width.

use std::fmt::Write;

use super::cell::Cell;
use super::html::escaped;
use super::{Comparison, ConnectionsFigures, PathFigures, RevocationsRow, Row, StormFigures};
use crate::Spread;

/// One bar.
struct Bar {
    label: String,
    value: f64,
    text: String,
    /// Of the ceiling or of the quiet, which the others are compared with.
    is_reference: bool,
}

/// Ratio to the ceiling by CPU time, for each path.
pub(super) fn paths(paths: &[PathFigures]) -> String {
    let bar = |path: &PathFigures| {
        let ratio = path.figures.ratio_by_cpu?;
        Some(Bar::of(path.path, ratio, Cell::spread(ratio, 2).line()))
    };
    bars(
        "CPU time per request of the ceiling over that of obol; the whole width is the ceiling",
        paths.iter().filter_map(bar),
        1.0,
    )
}

/// CPU time per request by live revocations.
pub(super) fn revocations(rows: &[RevocationsRow]) -> String {
    let bar = |row: &RevocationsRow| {
        let cpu = row.verify.as_ref()?.cpu_us_per_request?;
        Some(Bar::of(format!("{} live", Cell::count(row.live).line()), cpu, format!("{:.2} µs", cpu.median)))
    };
    bars("CPU time per verify", rows.iter().filter_map(bar), 0.0)
}

/// Requests a second by connections.
pub(super) fn connections(connections: &ConnectionsFigures) -> String {
    let two = connections.rows.iter().flat_map(|of| {
        let Comparison { server, ceiling, .. } = &of.figures;
        let bar = |row: &Row| {
            let rate = row.requests_per_sec;
            let label = format!("{} · {}", Cell::count(of.connections as u64).line(), row.target);
            Bar { is_reference: row.target != "obol", ..Bar::of(label, rate, Cell::spread(rate, 0).main) }
        };
        [server.as_ref().map(bar), ceiling.as_ref().map(bar)]
    });
    bars("Requests a second by connections", two.flatten(), 0.0)
}

/// A percentile with its name.
type Percentile = (&'static str, fn(&Row) -> Spread);

/// Latency of verify with and without a storm.
pub(super) fn storm(storm: &StormFigures) -> String {
    let percentiles: [Percentile; 3] =
        [("p50", |row| row.p50_us), ("p99", |row| row.p99_us), ("p99.9", |row| row.p999_us)];
    let both = percentiles.into_iter().flat_map(|(name, percentile)| {
        let bar = |row: &Option<Row>, when: &str, is_reference| {
            let latency = percentile(row.as_ref()?);
            let text = format!("{} µs", Cell::spread(latency, 0).main);
            Some(Bar { is_reference, ..Bar::of(format!("{name} · {when}"), latency, text) })
        };
        [bar(&storm.quiet, "without", true), bar(&storm.storm, "storm", false)]
    });
    bars("Latency of verify", both.flatten(), 0.0)
}

impl Bar {
    fn of(label: impl Into<String>, value: Spread, text: String) -> Self {
        Self { label: label.into(), value: value.median, text, is_reference: false }
    }
}

/// Bars from 0 to the greatest value, or to `full` if that is more.
fn bars(caption: &str, bars: impl Iterator<Item = Bar>, full: f64) -> String {
    let bars: Vec<Bar> = bars.collect();
    let full = bars.iter().map(|bar| bar.value).fold(full, f64::max);
    if bars.is_empty() || full <= 0.0 {
        return String::new();
    }
    let mut html = format!("<figure><figcaption>{}</figcaption><ul class=\"bars\">", escaped(caption));
    for bar in &bars {
        let width = (bar.value / full * 100.0).clamp(0.0, 100.0);
        let class = if bar.is_reference { "reference" } else { "own" };
        let (label, text) = (escaped(&bar.label), escaped(&bar.text));
        // Writing to a String cannot fail.
        let _ = write!(
            html,
            "<li><span>{label}</span><span class=\"track\"><span class=\"{class}\" style=\"width:{width:.1}%\">\
             </span></span><b>{text}</b></li>"
        );
    }
    html + "</ul></figure>"
}

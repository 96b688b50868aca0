//! Plots for the page: bars that are plain HTML, so that they fit any width, and one line plot as inline SVG.

use std::fmt::Write;

use super::cell::Cell;
use super::html::escaped;
use super::{Comparison, ConnectionsFigures, PathFigures, RateFigures, RevocationsRow, Row, StormFigures};
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

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;

/// p99 by rate, of the server and of the ceiling; latencies on a logarithmic scale.
pub(super) fn rate(rate: &RateFigures) -> String {
    let points = |of: fn(&Comparison) -> &Option<Row>| -> Vec<(f64, f64)> {
        let point = |row: &super::RateRow| Some((row.per_sec, of(&row.figures).as_ref()?.p99_us.median));
        rate.rows.iter().filter_map(point).collect()
    };
    let (server, ceiling) = (points(|figures| &figures.server), points(|figures| &figures.ceiling));
    let all = || server.iter().chain(&ceiling);
    let most = all().map(|point| point.0).fold(0.0, f64::max);
    let decades =
        |fold: fn(f64, f64) -> f64, start| all().map(|point| point.1.max(1.0).log10()).fold(start, fold);
    let (low, high) = (decades(f64::min, f64::MAX).floor(), decades(f64::max, 0.0).ceil());
    if server.len() < 2 || high <= low || most <= 0.0 {
        return String::new();
    }
    let x = |per_sec: f64| LEFT + per_sec / most * (WIDTH - LEFT - RIGHT);
    let y = |us: f64| TOP + (high - us.max(1.0).log10()) / (high - low) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<figure><figcaption>p99 of verify by requests a second: <span class=\"key own\"></span> obol, \
         <span class=\"key reference\"></span> ceiling</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"p99 latency by rate; the table below has the numbers\">"
    );
    for decade in low as i32..=high as i32 {
        let (at, label) = (y(10_f64.powi(decade)), in_words(10_f64.powi(decade)));
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0
        );
    }
    for part in [0.0, 0.5, 1.0] {
        let (per_sec, anchor) = (most * part, if part == 1.0 { "end" } else { "middle" });
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            x(per_sec),
            HEIGHT - BOTTOM + 18.0,
            Cell::count(per_sec as u64).line()
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">requests/s</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 6.0
    );
    for (class, points) in [("reference", &ceiling), ("own", &server)] {
        let at = |point: &(f64, f64)| format!("{:.1} {:.1}", x(point.0), y(point.1));
        let line: Vec<String> = points.iter().map(at).collect();
        let _ = write!(svg, "<path class=\"line {class}\" d=\"M{}\"/>", line.join("L"));
        for (per_sec, us) in points {
            let _ = write!(
                svg,
                "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                x(*per_sec),
                y(*us)
            );
        }
    }
    svg + "</svg></figure>"
}

fn in_words(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{us:.0} µs"),
        us if us < 1e6 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.0} s", us / 1e6),
    }
}

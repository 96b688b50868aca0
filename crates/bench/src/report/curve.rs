//! The curve of latency by rate, as inline SVG.

use std::fmt::Write;

use super::cell::Cell;
use super::{Comparison, RateFigures, RateRow, Row};

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;

/// p99 by rate, of the server and of the ceiling; empty for fewer than two rates.
pub(super) fn rate(rate: &RateFigures) -> String {
    let points = |of: fn(&Comparison) -> &Option<Row>| -> Vec<Point> {
        let point = |row: &RateRow| {
            Some(Point {
                per_sec: row.figures.due_per_sec?.median,
                us: of(&row.figures).as_ref()?.p99_us.median,
            })
        };
        rate.rows.iter().filter_map(point).collect()
    };
    let (server, ceiling) = (points(|figures| &figures.server), points(|figures| &figures.ceiling));
    let Some(axes) = Axes::around(server.iter().chain(&ceiling)).filter(|_| server.len() > 1) else {
        return String::new();
    };
    format!(
        "<figure><figcaption>p99 of verify by requests a second: <span class=\"key own\"></span> obol, \
         <span class=\"key reference\"></span> ceiling</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"p99 latency by rate; the table below has the numbers\">{}{}{}</svg></figure>",
        axes.drawn(),
        axes.curve("reference", &ceiling),
        axes.curve("own", &server),
    )
}

struct Point {
    per_sec: f64,
    us: f64,
}

/// Requests a second from 0 to the most; latencies on a logarithmic scale of whole decades.
struct Axes {
    most_per_sec: f64,
    low_decade: i32,
    high_decade: i32,
}

impl Axes {
    fn around<'a>(points: impl Iterator<Item = &'a Point>) -> Option<Self> {
        let (mut most_per_sec, mut low, mut high) = (0.0, f64::MAX, f64::MIN);
        for point in points {
            let decade = point.us.max(1.0).log10();
            most_per_sec = point.per_sec.max(most_per_sec);
            (low, high) = (decade.min(low), decade.max(high));
        }
        let low_decade = low.floor() as i32;
        let high_decade = (high.ceil() as i32).max(low_decade.saturating_add(1));
        (most_per_sec > 0.0).then_some(Self { most_per_sec, low_decade, high_decade })
    }

    fn x(&self, per_sec: f64) -> f64 {
        LEFT + per_sec / self.most_per_sec * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, us: f64) -> f64 {
        let decades = f64::from(self.high_decade - self.low_decade);
        TOP + (f64::from(self.high_decade) - us.max(1.0).log10()) / decades * (HEIGHT - TOP - BOTTOM)
    }

    fn drawn(&self) -> String {
        let mut svg = String::new();
        for decade in self.low_decade..=self.high_decade {
            let us = 10_f64.powi(decade);
            let y = self.y(us);
            // Writing to a String cannot fail.
            let _ = write!(svg, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{:.1}\"/>", WIDTH - RIGHT);
            svg += &text(LEFT - 6.0, y + 4.0, "end", &duration(us));
        }
        for (part, anchor) in [(0.0, "middle"), (0.5, "middle"), (1.0, "end")] {
            let per_sec = self.most_per_sec * part;
            let label = Cell::count(per_sec as u64).line();
            svg += &text(self.x(per_sec), HEIGHT - BOTTOM + 18.0, anchor, &label);
        }
        svg + &text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 6.0, "middle", "requests/s")
    }

    fn curve(&self, class: &str, points: &[Point]) -> String {
        let at = |point: &Point| (self.x(point.per_sec), self.y(point.us));
        let line: Vec<String> = points.iter().map(at).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let mut svg = format!("<path class=\"line {class}\" d=\"M{}\"/>", line.join("L"));
        for (x, y) in points.iter().map(at) {
            let _ = write!(svg, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
        }
        svg
    }
}

fn text(x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>")
}

fn duration(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{us:.0} µs"),
        us if us < 1e6 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.0} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_lies_within_the_axes() {
        let points =
            [(10.0, 0.5), (55_000.0, 90_000.0), (20.0, 1_000.0)].map(|(per_sec, us)| Point { per_sec, us });
        let axes = Axes::around(points.iter()).unwrap();
        assert_eq!((axes.low_decade, axes.high_decade), (0, 5));
        for point in &points {
            let (x, y) = (axes.x(point.per_sec), axes.y(point.us));
            assert!((LEFT..=WIDTH - RIGHT).contains(&x) && (TOP..=HEIGHT - BOTTOM).contains(&y), "{x} {y}");
        }
        assert!(axes.y(1.0) > axes.y(10.0), "more is higher");
        assert!(Axes::around([].iter()).is_none());
    }
}

//! The report as tables for a terminal.

use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{Report, Row};
use crate::Spread;

impl Report {
    /// The form for people, without a final line break.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in self.description() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        }
        if !self.paths.is_empty() {
            let _ = write!(text, "\n{}\n", self.paths_table());
        }
        for remark in &self.remarks {
            let _ = write!(text, "\n{remark}");
        }
        text.trim_end().to_owned()
    }

    /// Machine, build and way of measuring, as lines.
    pub(super) fn description(&self) -> Vec<String> {
        let (machine, settings) = (&self.machine, &self.settings);
        let list = |cores: &[usize]| cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let pinned = match settings.server_cores.is_empty() {
            true => "nothing pinned to cores".to_owned(),
            false => {
                let (servers, generator) = (list(&settings.server_cores), list(&settings.generator_cores));
                format!("servers on core {servers}, load generator on core {generator}")
            }
        };
        let governor = machine.governor.as_deref().map(|governor| format!(", governor {governor}"));
        let kind = if machine.virtual_machine { ", virtual machine" } else { "" };
        vec![
            format!(
                "{}, {} cores{kind}{}, {:.1} GiB, {}, {}",
                machine.cpu,
                machine.cores,
                governor.unwrap_or_default(),
                machine.memory_bytes as f64 / (1_u64 << 30) as f64,
                machine.kernel,
                machine.file_system,
            ),
            format!(
                "obol {} ({}), {} build, {}",
                machine.version,
                machine.commit.as_deref().unwrap_or("no checkout"),
                machine.profile,
                machine.rustc,
            ),
            format!(
                "{}: {}{}, {} loop, {} runs of {:.1} s each, {pinned}",
                self.at,
                settings.protocol,
                if settings.tls { " over TLS" } else { "" },
                settings.load,
                settings.repeats,
                settings.duration_ms as f64 / 1e3,
            ),
        ]
    }

    fn paths_table(&self) -> String {
        let header = [
            "path",
            "conns",
            "target",
            "requests/s",
            "p50 µs",
            "p99 µs",
            "p99.9 µs",
            "CPU µs/request",
            "memory MiB",
            "ratio by CPU",
            "by rate",
        ];
        let mut table = plain_table(&header, 3);
        for path in &self.paths {
            let figures = &path.figures;
            for (row, with_ratio) in [(&figures.server, true), (&figures.ceiling, false)] {
                let Some(row) = row else { continue };
                let mut cells = vec![path.path.to_owned(), path.connections.to_string(), row.target.clone()];
                cells.extend(row_cells(row));
                let ratios = [figures.ratio_by_cpu, figures.ratio_by_rate];
                cells.extend(ratios.map(|ratio| or_dash(ratio.filter(|_| with_ratio), 2)));
                table.add_row(cells);
            }
        }
        trimmed(table)
    }
}

/// Rate, latencies, CPU time, memory.
fn row_cells(row: &Row) -> [String; 6] {
    [
        spread(row.requests_per_sec, 0),
        spread(row.p50_us, 0),
        spread(row.p99_us, 0),
        spread(row.p999_us, 0),
        or_dash(row.cpu_us_per_request, 2),
        or_dash(row.resident_bytes.map(|bytes| bytes.scaled(1.0 / f64::from(1 << 20))), 1),
    ]
}

/// `median (min–max)`, or the one value.
pub(super) fn spread(spread: Spread, digits: usize) -> String {
    let Spread { median, min, max } = spread;
    match min == max {
        true => format!("{median:.digits$}"),
        false => format!("{median:.digits$} ({min:.digits$}–{max:.digits$})"),
    }
}

fn or_dash(value: Option<Spread>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| spread(value, digits))
}

fn plain_table(header: &[&str], texts: usize) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    for column in table.column_iter_mut().skip(texts) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn trimmed(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

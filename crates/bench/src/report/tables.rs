//! The report as tables, in no form yet: the terminal, Markdown and the page all show these.

use super::{
    ConnectionsFigures, DurabilityFigures, RateFigures, Report, RevocationsRow, Row, StartFigures,
    StormFigures,
};
use crate::Spread;
use crate::report::cell::Cell;

/// A table with what a reader must know of it.
pub(super) struct Table {
    /// Its name, for anchors.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// A sentence or two; may be empty.
    pub(super) note: String,
    pub(super) header: Vec<&'static str>,
    /// How many of the first columns are texts; the others are numbers.
    pub(super) texts: usize,
    pub(super) rows: Vec<Vec<Cell>>,
}

const LOAD: [&str; 6] = ["requests/s", "p50 µs", "p99 µs", "p99.9 µs", "CPU µs/request", "memory MiB"];
const MIB: f64 = 1.0 / (1 << 20) as f64;

impl Report {
    /// All tables that there are figures for.
    pub(super) fn tables(&self) -> Vec<Table> {
        let sweeps = &self.sweeps;
        let some = [
            self.shown_table(),
            self.paths_table(),
            sweeps.start.as_ref().map(start),
            revocations(&sweeps.revocations),
            sweeps.connections.as_ref().map(connections),
            sweeps.connections.as_ref().map(idle),
            sweeps.storm.as_ref().map(storm),
            sweeps.rate.as_ref().map(rate),
            sweeps.durability.as_ref().map(durability),
        ];
        some.into_iter().flatten().collect()
    }

    fn shown_table(&self) -> Option<Table> {
        let rows = self.shown.iter().map(|shown| {
            let digits = if shown.measured.median.abs() < 10.0 { 2 } else { 1 };
            let verdict = match shown.holds {
                Some(true) => "kept",
                Some(false) => "not kept",
                None => "not clear",
            };
            let measured = Cell::spread(shown.measured, digits).with_unit(shown.unit);
            vec![Cell::text(shown.figure), Cell::text(shown.target), measured, Cell::text(verdict)]
        });
        Table {
            id: "promises",
            title: "Promised figures",
            note: "The median decides.".to_owned(),
            header: vec!["figure", "promised", "measured", "verdict"],
            texts: 2,
            rows: rows.collect(),
        }
        .unless_empty()
    }

    fn paths_table(&self) -> Option<Table> {
        let mut rows = Vec::new();
        for path in &self.paths {
            let figures = &path.figures;
            for (row, is_server) in [(&figures.server, true), (&figures.ceiling, false)] {
                let Some(row) = row else { continue };
                let first = [path.path.to_owned(), path.connections.to_string(), row.target.clone()];
                let ratios = [figures.ratio_by_cpu, figures.ratio_by_rate];
                let ratios = ratios.map(|ratio| Cell::or_dash(ratio.filter(|_| is_server), 2));
                rows.push(first.into_iter().map(Cell::text).chain(load(row)).chain(ratios).collect());
            }
        }
        let first = ["path", "connections", "target"];
        Table {
            id: "paths",
            title: "Hot paths",
            note: "A ratio of 1 is the ceiling.".to_owned(),
            header: first.into_iter().chain(LOAD).chain(["ratio by CPU", "ratio by requests/s"]).collect(),
            texts: 3,
            rows,
        }
        .unless_empty()
    }
}

impl Table {
    fn unless_empty(self) -> Option<Self> {
        (!self.rows.is_empty()).then_some(self)
    }
}

fn start(start: &StartFigures) -> Table {
    let memory = start.idle_bytes.map(|bytes| bytes.scaled(MIB));
    Table {
        id: "start",
        title: "Start on an empty folder",
        note: "From the start of the process to its first 200.".to_owned(),
        header: vec!["start", "to first 200 ms", "memory MiB"],
        texts: 1,
        rows: vec![vec![
            Cell::text("empty folder"),
            Cell::or_dash(start.first_200_ms, 1),
            Cell::or_dash(memory, 1),
        ]],
    }
}

fn revocations(rows: &[RevocationsRow]) -> Option<Table> {
    let cells = |row: &RevocationsRow| {
        let bytes = row.idle_bytes.map(|bytes| bytes as f64 * MIB);
        let figures = row.verify.as_ref().map(load);
        let mut cells = vec![Cell::count(row.live)];
        cells.extend([Cell::number(row.first_200_ms, 0), Cell::number(bytes, 1)]);
        cells.push(Cell::number(row.bytes_per_revocation, 1));
        cells.extend(figures.into_iter().flatten().take(5));
        cells.extend(
            [row.ratio_to_none_by_cpu, row.ratio_to_none_by_rate].map(|ratio| Cell::or_dash(ratio, 2)),
        );
        cells
    };
    let first = ["live revocations", "to first 200 ms", "memory MiB", "bytes each"];
    let last = ["ratio to none by CPU", "ratio to none by requests/s"];
    Table {
        id: "revocations",
        title: "Verify by live revocations",
        note: "Half of them of tokens, half of families. Memory is that after the start; bytes each are what it is \
               more than with none."
            .to_owned(),
        header: first.into_iter().chain(LOAD.into_iter().take(5)).chain(last).collect(),
        texts: 0,
        rows: rows.iter().map(cells).collect(),
    }
    .unless_empty()
}

fn connections(connections: &ConnectionsFigures) -> Table {
    let mut rows = Vec::new();
    for of in &connections.rows {
        for (row, is_server) in [(&of.figures.server, true), (&of.figures.ceiling, false)] {
            let Some(row) = row else { continue };
            let ratios = [of.figures.ratio_by_cpu, of.figures.ratio_by_rate];
            let mut cells = vec![Cell::count(of.connections as u64), Cell::text(row.target.clone())];
            cells.extend(load(row));
            cells.extend(ratios.map(|ratio| Cell::or_dash(ratio.filter(|_| is_server), 2)));
            rows.push(cells);
        }
    }
    let header = ["connections", "target"].into_iter().chain(LOAD);
    Table {
        id: "connections",
        title: "Verify by connections",
        note: String::new(),
        header: header.chain(["ratio by CPU", "ratio by requests/s"]).collect(),
        texts: 2,
        rows,
    }
}

fn idle(connections: &ConnectionsFigures) -> Table {
    let idle = &connections.idle;
    let each = |bytes: Option<f64>| Cell::number(bytes.map(|bytes| bytes / 1024.0), 1);
    Table {
        id: "idle",
        title: "Idle connections",
        note: "What the server's memory is more with them, by connection.".to_owned(),
        header: vec![
            "connections",
            "memory without MiB",
            "before a request KiB each",
            "after a request KiB each",
        ],
        texts: 0,
        rows: vec![vec![
            Cell::count(idle.connections as u64),
            Cell::number(idle.idle_bytes.map(|bytes| bytes as f64 * MIB), 1),
            each(idle.bytes_per_unused_connection),
            each(idle.bytes_per_used_connection),
        ]],
    }
}

fn storm(storm: &StormFigures) -> Table {
    let mut rows = Vec::new();
    for (name, row, revocations, ratio) in [
        ("without", &storm.quiet, None, None),
        ("in the storm", &storm.storm, storm.revocations_per_sec, storm.p99_over_quiet),
    ] {
        let Some(row) = row else { continue };
        let mut cells = vec![Cell::text(name), Cell::or_dash(revocations, 0)];
        cells.extend(load(row).into_iter().take(4));
        cells.extend([Cell::or_dash(row.late_p99_us, 0), Cell::count(row.unsent), Cell::or_dash(ratio, 2)]);
        rows.push(cells);
    }
    let header = ["", "revocations/s"].into_iter().chain(LOAD.into_iter().take(4));
    Table {
        id: "storm",
        title: "Verify while revocations pour in",
        note: format!(
            "Verify at half of what it took in the closed loop just before ({} requests/s) in both; {} revocations/s were due. Latencies count from when a request \
             was due.",
            Cell::or_dash(storm.verify_per_sec, 0).main,
            Cell::count(storm.wished_revocations_per_sec as u64).main
        ),
        header: header.chain(["generator late p99 µs", "unsent", "p99 over without"]).collect(),
        texts: 1,
        rows,
    }
}

fn rate(rate: &RateFigures) -> Table {
    let mut rows = Vec::new();
    for of in &rate.rows {
        for (row, is_server) in [(&of.figures.server, true), (&of.figures.ceiling, false)] {
            let Some(row) = row else { continue };
            let share = Cell::text(format!("{:.0} %", of.share * 100.0));
            let mut cells = vec![share, Cell::text(row.target.clone())];
            cells.extend(load(row).into_iter().take(5));
            cells.extend([Cell::or_dash(row.late_p99_us, 0), Cell::count(row.unsent)]);
            cells.push(Cell::or_dash(of.figures.p99_over_ceiling.filter(|_| is_server), 2));
            rows.push(cells);
        }
    }
    let header = ["of capacity", "target"].into_iter().chain(LOAD.into_iter().take(5));
    Table {
        id: "rate",
        title: "Verify by rate",
        note: "Server and ceiling at the same rate, a part of what the server took in the closed loop just before. \
               Latencies count from when a request was due."
            .to_owned(),
        header: header.chain(["generator late p99 µs", "unsent", "p99 over ceiling"]).collect(),
        texts: 2,
        rows,
    }
}

fn durability(durability: &DurabilityFigures) -> Table {
    let row = |name: String, row: Option<&Row>, over: Cell, times: Cell| {
        let mut cells = vec![Cell::text(name)];
        match row {
            Some(row) => cells.extend(load(row).into_iter().take(3)),
            None => cells.extend([
                Cell::or_dash(durability.commits_per_sec, 0),
                Cell::or_dash(durability.commit_p50_us, 0),
                Cell::dash(),
            ]),
        }
        cells.extend([over, times]);
        cells
    };
    let over = durability.p50_over_commit_us.map(|over: Spread| over.scaled(1e-3));
    let times = Cell::or_dash(durability.times_commits_per_sec, 1);
    let (one, many) = (durability.one_at_a_time.as_ref(), durability.many_at_a_time.as_ref());
    Table {
        id: "durability",
        title: "Durable revocations beside bare commits",
        note: "A bare commit is one row in a SQLite file on the same disk, with a write-ahead log and \
               synchronous=FULL, from one thread."
            .to_owned(),
        header: vec!["", "a second", "p50 µs", "p99 µs", "p50 over a commit ms", "times commits/s"],
        texts: 1,
        rows: vec![
            row("bare commit".to_owned(), None, Cell::dash(), Cell::dash()),
            row("revoke, one at a time".to_owned(), one, Cell::or_dash(over, 3), Cell::dash()),
            row(format!("revoke, {} at a time", durability.many), many, Cell::dash(), times),
        ],
    }
}

/// Rate, latencies, CPU time, memory: the columns of [`LOAD`].
fn load(row: &Row) -> [Cell; 6] {
    let memory = row.resident_bytes.map(|bytes| bytes.scaled(MIB));
    [
        Cell::spread(row.requests_per_sec, 0),
        Cell::spread(row.p50_us, 0),
        Cell::spread(row.p99_us, 0),
        Cell::spread(row.p999_us, 0),
        Cell::or_dash(row.cpu_us_per_request, 2),
        Cell::or_dash(memory, 1),
    ]
}

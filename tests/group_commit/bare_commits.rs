//! The yardstick: bare commits of SQLite, one row each, by a process of its own on the same disk as the server.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use obol_testkit::FaultyDisk;
use rusqlite::Connection;

const COMMITS: usize = 200;
const FLUSHES: usize = 21;

/// Before the figures, on a line of what the process prints.
const FIGURES: &str = "flush and commit, nanoseconds:";

/// The shortest of some times each: what else the machine does only adds to them.
#[derive(Debug)]
pub(crate) struct BareCommits {
    /// A byte written and flushed.
    pub(crate) flush: Duration,
    /// A row inserted, with a write-ahead log and `synchronous=FULL`, as the server's.
    pub(crate) commit: Duration,
}

impl BareCommits {
    /// Runs this test program again, on this disk and in this folder, with the one test that is below.
    #[track_caller]
    pub(crate) fn measure(disk: &FaultyDisk, folder: &Path) -> Self {
        let itself = std::env::current_exe().expect("a running program has a path");
        let mut command = Command::new(itself);
        command.args(["--exact", "--nocapture", "bare_commits::bare_commits_are_rows_in_the_file"]);
        command.envs(disk.environment()).env("TMPDIR", folder);
        let output = command.output().expect("this program can be started again");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        let figures = said.split_once(FIGURES).and_then(|(_, rest)| rest.lines().next()).unwrap_or_default();
        let figures: Vec<_> = figures.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [flush, commit] = figures[..] else { panic!("no figures in {said}") };
        Self { flush: Duration::from_nanos(flush), commit: Duration::from_nanos(commit) }
    }

    /// Commits a second, one after the other.
    pub(crate) fn per_sec(&self) -> f64 {
        1.0 / self.commit.as_secs_f64()
    }
}

/// Where it runs, and on what disk, is what it was given as the place for temporary files.
#[test]
fn bare_commits_are_rows_in_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let flush = flushes(&folder.path().join("flushed")).into_iter().min();
    let database = folder.path().join("bare.db");
    let commit = commits(&database).expect("SQLite commits").into_iter().min();
    let db = Connection::open(database).expect("it can be opened again");
    let rows: i64 = db.query_row("SELECT count(*) FROM bare", [], |row| row.get(0)).expect("it can be read");
    assert_eq!(rows.unsigned_abs(), COMMITS as u64);
    let [flush, commit] =
        [flush, commit].map(|shortest| shortest.expect("something was measured").as_nanos());
    println!("\n{FIGURES} {flush} {commit}");
}

fn flushes(path: &Path) -> Vec<Duration> {
    let mut file = File::create(path).expect("a file can be made");
    let flush = |_| {
        let began = Instant::now();
        file.write_all(b"x").and_then(|()| file.sync_data()).expect("it can be written and flushed");
        began.elapsed()
    };
    (0..FLUSHES).map(flush).collect()
}

fn commits(database: &Path) -> rusqlite::Result<Vec<Duration>> {
    let db = Connection::open(database)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
         CREATE TABLE bare (position INTEGER PRIMARY KEY, id BLOB NOT NULL) STRICT;",
    )?;
    let mut insert = db.prepare("INSERT INTO bare (id) VALUES ($1)")?;
    let mut commit = |_| {
        let began = Instant::now();
        insert.execute([[7_u8; 16].as_slice()]).map(|_| began.elapsed())
    };
    (0..COMMITS).map(&mut commit).collect()
}

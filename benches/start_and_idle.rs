//! Prints how long a start takes until the first 200, and how much memory an idle server holds. Asserts nothing.
//!
//! Run by `cargo xtask bench`, on the release build.

use std::fs;
use std::time::{Duration, Instant};

use obol_testkit::{Client, ClientSpec, Installation, Server, obol};

const STARTS: usize = 11;
const VERIFIES: usize = 1_000;

fn main() {
    println!("machine: {}", machine());
    println!("start to first 200, {STARTS} times each:");
    println!("  empty folder          {}", spread(&starts(Folder::Empty)));
    println!("  folder that was used  {}", spread(&starts(Folder::Used)));

    let (server, robot) = with_client();
    println!("memory of an idle server:");
    println!("  after the start            {}", memory(&server));
    let token = server.token_by_client_credentials(&robot).access;
    let began = Instant::now();
    for _ in 0..VERIFIES {
        server.verify(&robot, &token).expect(200);
    }
    let each = began.elapsed() / u32::try_from(VERIFIES).expect("a small number");
    println!("  after {VERIFIES} verifies        {}", memory(&server));
    println!("  (one verify, with a connection of its own and the client's share: {each:.1?})");
}

#[derive(Clone, Copy)]
enum Folder {
    Empty,
    Used,
}

fn starts(folder: Folder) -> Vec<Duration> {
    (0..STARTS).map(|_| start(folder)).collect()
}

/// From before the process is made to the last byte of the first 200.
fn start(folder: Folder) -> Duration {
    let installation = obol!().installation();
    if let Folder::Used = folder {
        drop(first_200(&installation));
    }
    let began = Instant::now();
    let server = first_200(&installation);
    let took = began.elapsed();
    drop(server);
    took
}

fn first_200(installation: &Installation) -> obol_testkit::Attempted {
    let server = installation.attempt_to_serve(&installation.data(), &[]).listens();
    server.http().get("/readyz").send().expect(200);
    server
}

fn with_client() -> (Server, Client) {
    let builder = obol!().server();
    let robot = builder.add_client(&ClientSpec::confidential("robot"));
    let server = builder.start();
    server.http().get("/readyz").send().expect(200);
    (server, robot)
}

fn spread(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let (first, middle, last) = (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
    format!("median {middle:>8.1?}  min {first:>8.1?}  max {last:>8.1?}")
}

/// What the process holds itself (RSS), and its share when shared pages are divided among those who map them (PSS).
fn memory(server: &Server) -> String {
    let path = format!("/proc/{}/smaps_rollup", server.process_id());
    let rollup = fs::read_to_string(path).expect("the server runs, and is ours");
    let mib = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        format!("{:.1} MiB", kib.expect("smaps_rollup says it") / 1024.0)
    };
    format!("RSS {}  PSS {}  anonymous {}", mib("Rss:"), mib("Pss:"), mib("Anonymous:"))
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    format!("{cores} cores, {}, Linux {}", model.trim_start_matches([' ', '\t', ':']).trim(), kernel.trim())
}

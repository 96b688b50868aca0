//! The long run of `tests/cluster.rs`: faults by chance for as long as is asked, under load, and the checker's verdict.
//!
//! Not one of the tests that run by themselves: `cargo xtask chaos --minutes N --seed S`. Prints what it does, the figures,
//! and each breach with its story. Exit code 1 on a breach, or when the nodes do not recover from a fault.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use obol_testkit::cluster::{Fault, Lived, Load, live_through};
use obol_testkit::{Chance, obol};

const USAGE: &str = "usage: chaos --minutes N [--seed S]";

/// A history of this length is judged as a whole; then all begins anew.
const ROUND: Duration = Duration::from_secs(10 * 60);
/// The longest fault.
const LONGEST: Duration = Duration::from_secs(30);

const LOAD: Load =
    Load { changing: 16, asking: 16, steps_per_second: 6_000, administered: true, at_least: 0 };

fn main() -> ExitCode {
    let Some((minutes, seed)) = arguments(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    println!("chaos for {minutes} min, seed {seed}");
    let ends_at = Instant::now() + Duration::from_secs(60 * minutes);
    let mut chance = Chance::from_seed(seed);
    let mut total = Total::default();
    while Instant::now() < ends_at {
        let round_ends_at = ends_at.min(Instant::now() + ROUND);
        let mut own = chance.fork();
        let round = catch_unwind(AssertUnwindSafe(|| round(round_ends_at, &mut own)));
        let Ok(lived) = round else {
            println!("the nodes did not recover; the log above says from what (seed {seed})");
            return ExitCode::FAILURE;
        };
        println!("{lived}");
        total.add(&lived);
    }
    let Total { operations, episodes, breaches } = total;
    println!("{breaches} breaches in {operations} operations and {episodes} episodes (seed {seed})");
    if breaches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn round(ends_at: Instant, chance: &mut Chance) -> Lived {
    let cluster = Arc::new(obol!().cluster().spare(1).synchronous_standby().people(6).start());
    let mut drawing = chance.fork();
    let faults = std::iter::from_fn(|| (Instant::now() < ends_at).then(|| Fault::any(&mut drawing, LONGEST)));
    live_through(&cluster, faults, LOAD, chance, |fault, journal| {
        println!("{:>9.2?} {fault}", journal.now());
    })
}

#[derive(Default)]
struct Total {
    operations: u64,
    episodes: usize,
    breaches: usize,
}

impl Total {
    fn add(&mut self, lived: &Lived) {
        self.operations += lived.journal.figures().operations();
        self.episodes += lived.journal.figures().episodes();
        self.breaches += lived.report.breaches.len();
    }
}

/// Minutes and seed; a new seed when none is given.
fn arguments(mut given: impl Iterator<Item = String>) -> Option<(u64, u64)> {
    let (mut minutes, mut seed) = (None, Chance::new_seed("chaos"));
    while let Some(name) = given.next() {
        let value = given.next()?.parse().ok()?;
        match name.as_str() {
            "--minutes" => minutes = Some(value),
            "--seed" => seed = value,
            _ => return None,
        }
    }
    Some((minutes?, seed))
}

//! The long run of `tests/cluster.rs`: faults by chance for as long as is asked, under load, and the checker's verdict.
//!
//! Not one of the tests that run by themselves: `cargo xtask chaos --minutes N --seed S`. Prints what it does, the figures,
//! and each breach with its story. Exit code 1 on a breach, or when the nodes do not recover from a fault.
//!
//! With `--bug NAME` and a build with planted bugs it shows whether the run would find that one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use obol_testkit::cluster::{Fault, Lived, Load, live_through};
use obol_testkit::{Chance, obol};

const USAGE: &str = "usage: chaos --minutes N [--seed S] [--bug NAME]";

/// A history of this length is judged as a whole; then all begins anew.
const ROUND: Duration = Duration::from_secs(10 * 60);
/// The longest fault.
const LONGEST: Duration = Duration::from_secs(30);

const LOAD: Load =
    Load { changing: 16, asking: 16, steps_per_second: 6_000, administered: true, at_least: 0 };

fn main() -> ExitCode {
    let Some(Asked { minutes, seed, bug }) = arguments(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    println!("chaos for {minutes} min, seed {seed}");
    if bug.is_some() && !has_planted_bugs() {
        eprintln!("this build has no planted bugs: build it with the feature `planted-bugs`");
        return ExitCode::from(2);
    }
    let ends_at = Instant::now() + Duration::from_secs(60 * minutes);
    let mut chance = Chance::from_seed(seed);
    let mut total = Total::default();
    while Instant::now() < ends_at {
        let round_ends_at = ends_at.min(Instant::now() + ROUND);
        let mut own = chance.fork();
        let round = catch_unwind(AssertUnwindSafe(|| round(round_ends_at, bug.as_deref(), &mut own)));
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

fn round(ends_at: Instant, bug: Option<&str>, chance: &mut Chance) -> Lived {
    let cluster = obol!().cluster().spare(1).synchronous_standby().people(6);
    let cluster = bug.into_iter().fold(cluster, |cluster, bug| cluster.environment("OBOL_PLANTED_BUG", bug));
    let cluster = Arc::new(cluster.start());
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

struct Asked {
    minutes: u64,
    seed: u64,
    bug: Option<String>,
}

/// What the command line says; a new seed when it names none.
fn arguments(mut given: impl Iterator<Item = String>) -> Option<Asked> {
    let (mut minutes, mut seed, mut bug) = (None, Chance::new_seed("chaos"), None);
    while let Some(name) = given.next() {
        let value = given.next()?;
        match name.as_str() {
            "--minutes" => minutes = Some(value.parse().ok()?),
            "--seed" => seed = value.parse().ok()?,
            "--bug" => bug = Some(value),
            _ => return None,
        }
    }
    Some(Asked { minutes: minutes?, seed, bug })
}

fn has_planted_bugs() -> bool {
    let said = obol!().run(std::path::Path::new("/"), &["--version"], &[], "");
    said.stdout.contains("planted bugs")
}

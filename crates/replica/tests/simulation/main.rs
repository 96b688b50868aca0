//! Whole installations in one thread: real replicas, a simulated database, and every kind of fault, by seed.
//!
//! A run is 60 s of three nodes. Nodes and database take turns of 2 ms (`run.rs`); nothing passes between them in less, so
//! the order of the turns changes nothing. A node is a runtime of its own with a clock of its own: it is paused by not
//! running it, and killed by dropping it (`node.rs`). All that is left to chance hangs on the seed and on what it is asked
//! for (`dice.rs`), not on the order of asking. What callers heard is judged by the rules of the checker.
//!
//! `OBOL_TEST_SEEDS=N` runs more seeds, `OBOL_TEST_SEED=S` one, both so many from that one on.

mod database;
mod dice;
mod faults;
mod history;
mod link;
mod machine;
mod node;
mod operations;
mod run;
mod state;
mod store;
mod wire;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use obol_testkit::run_size;
use run::{Ran, run};
use world::{Standby, World, Wrong};

#[test]
fn with_a_synchronous_standby_every_rule_holds() {
    hold(Standby::Synchronous, 150);
}

/// But for the time that it takes to append again what a failover has lost.
#[test]
fn with_an_asynchronous_standby_every_rule_holds_once_what_was_lost_is_appended_again() {
    hold(Standby::Asynchronous, 120);
}

#[test]
fn the_same_seed_makes_the_same_trace() {
    for standby in [Standby::Synchronous, Standby::Asynchronous] {
        for seed in seeds(5) {
            let [first, again] = [1, 2].map(|_| run(World::sound(seed, standby)));
            assert_eq!(first.trace, again.trace, "seed {seed}");
            assert_eq!(first.report, again.report, "seed {seed}");
            assert_ne!(first.trace, run(World::sound(seed + 1, standby)).trace, "seeds {seed} and the next");
        }
    }
}

#[test]
fn clocks_that_are_off_by_five_percent_are_caught() {
    are_caught(Standby::Synchronous, 200, |sound| World { rate_error_ppm: 50_000, ..sound });
}

#[test]
fn a_lease_that_counts_from_after_its_reading_is_caught() {
    wrongs_are_caught(Wrong::LeaseFromAfterReading, Standby::Synchronous, 200);
}

#[test]
fn renewals_that_no_standby_confirms_are_caught() {
    wrongs_are_caught(Wrong::RenewalsOfOnePrimary, Standby::Synchronous, 200);
}

#[test]
fn appending_nothing_again_after_a_failover_is_caught() {
    wrongs_are_caught(Wrong::NothingAppendedAgain, Standby::Asynchronous, 50);
}

/// The seeds of a test: from the one in `OBOL_TEST_SEED` on, as many as in `OBOL_TEST_SEEDS`.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let (first, usual) = match run_size("OBOL_TEST_SEED", u64::MAX) {
        u64::MAX => (0, usual),
        seed => (seed, 1),
    };
    first..first + run_size("OBOL_TEST_SEEDS", usual)
}

#[track_caller]
fn hold(standby: Standby, usual: u64) {
    let (mut failovers, mut lost, mut judged, mut revoked) = (0, 0, 0, 0);
    let broken = first_found(
        seeds(usual),
        |seed| World::sound(seed, standby),
        |ran| {
            (failovers, lost) = (failovers + ran.lost.0, lost + ran.lost.1);
            (judged, revoked) = (judged + ran.report.judged, revoked + ran.revoked);
        },
    );
    println!(
        "{standby:?}: {judged} answers judged, {revoked} revocations acknowledged, {failovers} failovers lost {lost}"
    );
    assert!(judged > 0 && revoked > 0, "nothing happened");
    if let Some((seed, ran)) = broken {
        panic!("OBOL_TEST_SEED={seed}: {}", ran.report);
    }
}

#[track_caller]
fn wrongs_are_caught(wrong: Wrong, standby: Standby, within: u64) {
    are_caught(standby, within, |sound| World { wrong, ..sound });
}

#[track_caller]
fn are_caught(standby: Standby, within: u64, make_wrong: impl Fn(World) -> World + Sync) {
    let found = first_found(0..within, |seed| make_wrong(World::sound(seed, standby)), |_| {});
    let Some((seed, ran)) = found else { panic!("not caught by {within} seeds") };
    println!("caught by seed {seed}: {}", ran.report);
}

/// Runs worlds on all processors until one breaks a rule; each is shown to `see`.
fn first_found(
    seeds: std::ops::Range<u64>,
    world: impl Fn(u64) -> World + Sync,
    see: impl FnMut(&Ran) + Send,
) -> Option<(u64, Ran)> {
    let next = AtomicU64::new(seeds.start);
    let state = std::sync::Mutex::new((see, None));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    let ran = run(world(seed));
                    let mut state = state.lock().expect("no run panics");
                    (state.0)(&ran);
                    if !ran.report.breaches.is_empty() {
                        next.store(seeds.end, Ordering::Relaxed);
                        state.1 = Some((seed, ran));
                    }
                }
            });
        }
    });
    state.into_inner().expect("no run panics").1
}

//! Several nodes on one PostgreSQL, in real processes: what is promised holds through every kind of fault.
//!
//! `OBOL_TEST_SEED` repeats a run's choices. `cargo xtask chaos` is the long run.

#[path = "cluster/alone.rs"]
mod alone;

use std::sync::Arc;
use std::time::Duration;

use obol_testkit::cluster::{Fault, Load, live_through};
use obol_testkit::{Chance, obol};

use self::alone::Alone;

#[test]
fn h1_to_h7_hold_through_faults_of_every_kind() {
    let _alone = Alone::on_this_machine();
    let mut chance = Chance::seeded("faults of every kind");
    let cluster = Arc::new(obol!().cluster().spare(1).synchronous_standby().people(6).start());
    let faults = Fault::one_of_each(&mut chance, Duration::from_secs(4));
    let load = Load { workers: 48, steps_per_second: 5_000, administered: true };
    let lived = live_through(&cluster, faults, load, &mut chance, |fault, journal| {
        println!("{:>8.2?} {fault}", journal.now());
    });
    println!("{lived}");
    assert!(lived.report.breaches.is_empty(), "{}", lived.report);
}

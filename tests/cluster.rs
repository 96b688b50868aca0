//! Several nodes on one PostgreSQL, in real processes: what is promised holds through every kind of fault, and what each
//! fault costs.
//!
//! `OBOL_TEST_SEED` repeats a run's choices, `OBOL_TEST_FAILOVERS` sets the number of failovers. `cargo xtask chaos` is the
//! long run.

#[path = "cluster/alone.rs"]
mod alone;
#[path = "cluster/asked.rs"]
mod asked;
#[path = "cluster/assertions.rs"]
mod assertions;
#[path = "cluster/costs.rs"]
mod costs;
#[path = "cluster/failovers.rs"]
mod failovers;
#[path = "cluster/logouts.rs"]
mod logouts;
#[path = "cluster/on_stale.rs"]
mod on_stale;
#[path = "cluster/people.rs"]
mod people;
#[path = "cluster/pushed_requests.rs"]
mod pushed_requests;
#[path = "cluster/refusals.rs"]
mod refusals;
#[path = "cluster/registration.rs"]
mod registration;
#[path = "cluster/sealing_keys.rs"]
mod sealing_keys;

use std::sync::Arc;
use std::time::Duration;

use obol_testkit::cluster::{Fault, Load, live_through};
use obol_testkit::{Chance, obol};

use self::alone::Alone;

#[test]
fn h1_to_h7_hold_through_faults_of_every_kind() {
    const MORE: usize = 4;
    let _alone = Alone::on_this_machine();
    let mut chance = Chance::seeded("faults of every kind");
    let cluster = Arc::new(obol!().cluster().spare(1).synchronous_standby().people(6).start());
    let mut faults = Fault::one_of_each(&mut chance, Duration::from_secs(3));
    faults.extend((0..MORE).map(|_| Fault::any(&mut chance, Duration::from_secs(2))));
    let load =
        Load { changing: 16, asking: 16, steps_per_second: 6_000, administered: true, at_least: 100_000 };
    let lived = live_through(&cluster, faults, load, &mut chance, |fault, journal| {
        println!("{:>8.2?} {fault}", journal.now());
    });
    println!("{lived}");
    assert!(lived.report.breaches.is_empty(), "{}", lived.report);
}

//! Failovers: nothing acknowledged is lost to a synchronous standby, and what an asynchronous one never had comes back.

use std::sync::Arc;
use std::time::Duration;

use obol_testkit::checker::Outcome;
use obol_testkit::cluster::{Database, Fault, Load, live_through};
use obol_testkit::{Chance, obol, run_size, wait_until};

use crate::alone::Alone;
use crate::asked::{issue, revoke, verify};

/// What a node logs that finds an entry gone.
const LOST: &str = "has lost entries of the change log";

#[test]
fn no_failover_to_a_synchronous_standby_loses_an_acknowledged_write() {
    let _alone = Alone::on_this_machine();
    let failovers = run_size("OBOL_TEST_FAILOVERS", 2);
    let mut chance = Chance::seeded("failovers");
    let cluster = Arc::new(obol!().cluster().synchronous_standby().people(4).start());
    let load = Load { changing: 16, asking: 8, steps_per_second: 3_000, administered: true, at_least: 0 };
    let faults = (0..failovers).map(|_| Fault::FailOver);
    let lived = live_through(&cluster, faults, load, &mut chance, |_, _| {});
    println!("{lived}");
    assert!(lived.report.breaches.is_empty(), "{}", lived.report);
    for node in cluster.nodes() {
        let lost: Vec<String> = node.log().all().into_iter().filter(|line| line.contains(LOST)).collect();
        assert!(lost.is_empty(), "{}: {lost:#?}", node.name());
    }
}

#[test]
fn what_an_asynchronous_standby_never_had_is_appended_again_and_refused_by_who_starts_afterwards() {
    let _alone = Alone::on_this_machine();
    let cluster = obol!().cluster().spare(1).start();
    let (database, service) = (cluster.database(), &cluster.services()[0]);
    database.add_standby();
    let [first, second, third, late] = cluster.nodes() else { panic!("three nodes and a spare one") };
    let (revoked, other) = (issue(&cluster, first), issue(&cluster, first));
    hold_standby_back(database);
    revoke(&cluster, first, &revoked);
    database.fail_over();
    // Nobody accepts it meanwhile: a node that cannot vouch says 503.
    let ready = |node: &obol_testkit::cluster::Node| {
        wait_until("a node is ready after the failover", Duration::from_secs(30), || {
            let said = verify(node, service, &revoked);
            assert_ne!(said, Some(Outcome::Done(())), "{} accepts what was revoked", node.name());
            (said == Some(Outcome::Refused) && node.is_ready()).then_some(())
        });
    };
    [first, second, third].into_iter().for_each(|node| ready(node));
    let mut logs = [first, second, third].into_iter().flat_map(|node| node.log().all());
    assert!(logs.any(|line| line.contains(LOST)), "the entry was not lost: the test shows nothing");
    late.start();
    late.await_ready();
    for node in cluster.nodes() {
        assert_eq!(verify(node, service, &revoked), Some(Outcome::Refused), "{}", node.name());
        assert_eq!(verify(node, service, &other), Some(Outcome::Done(())), "{}", node.name());
    }
}

/// From here on the standby hears of nothing.
#[track_caller]
pub(crate) fn hold_standby_back(database: &Database) {
    database.with_standby(|standby| {
        standby.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
        standby.sql("postgres", "SELECT pg_reload_conf()");
        wait_until("the standby follows no more", Duration::from_secs(20), || {
            let receivers = standby.sql("postgres", "SELECT count(*) FROM pg_stat_wal_receiver");
            (receivers == "0").then_some(())
        });
    });
}

//! The suite finds what it is there to find: seven bugs, each planted where a person might have made it, and for each a
//! script of faults after which the checker must report a breach. Without a bug it must report none.
//!
//! Needs the feature `planted-bugs`; `cargo xtask test` runs it with a build of its own.

#[path = "cluster/alone.rs"]
mod alone;
#[path = "planted_bugs/scripts.rs"]
mod scripts;
#[path = "planted_bugs/witness.rs"]
mod witness;

use obol_planted::Bug;
use obol_testkit::checker::{Report, Rule};
use obol_testkit::cluster::Cluster;
use obol_testkit::obol;

use self::alone::Alone;
use self::witness::Witness;

/// A script, and the rule that it sees broken when its bug is there.
type Script = fn(&Witness<'_>);

const SCRIPTS: [(Bug, Script, Rule); 7] = [
    (Bug::AcknowledgedBeforeCommit, scripts::lost_commit, Rule::H1),
    (Bug::AcknowledgedBeforePeers, scripts::node_cut_off, Rule::H1),
    (Bug::LeaseOnWallClock, scripts::wall_clock_set_back, Rule::H1),
    (Bug::CachedNow, scripts::requests_queued_before_a_paused_node, Rule::H1),
    (Bug::DenyListBeforeLease, scripts::flood_while_a_node_comes_back, Rule::H1),
    (Bug::RefreshSkipsCheck, scripts::family_revoked, Rule::H1),
    (Bug::ServesBeforeCaughtUp, scripts::node_restarted, Rule::H1),
];

#[test]
fn without_a_bug_no_script_sees_a_breach() {
    let _alone = Alone::on_this_machine();
    let cluster = obol!().cluster().start();
    for (bug, script, _) in SCRIPTS {
        let report = seen(&cluster, script);
        assert!(report.breaches.is_empty(), "the script for {}: {report}", bug.name());
        assert!(report.judged > 0, "the script for {} saw nothing", bug.name());
    }
}

#[test]
fn an_acknowledgement_before_the_commit_is_caught() {
    catch(Bug::AcknowledgedBeforeCommit);
}

#[test]
fn an_acknowledgement_before_the_peers_have_applied_is_caught() {
    catch(Bug::AcknowledgedBeforePeers);
}

#[test]
fn a_lease_on_the_wall_clock_is_caught() {
    catch(Bug::LeaseOnWallClock);
}

#[test]
fn a_cached_now_is_caught() {
    catch(Bug::CachedNow);
}

#[test]
fn a_deny_list_that_is_read_before_the_lease_is_caught() {
    catch(Bug::DenyListBeforeLease);
}

#[test]
fn a_refresh_path_that_skips_the_check_is_caught() {
    catch(Bug::RefreshSkipsCheck);
}

#[test]
fn a_node_that_serves_before_it_has_caught_up_is_caught() {
    catch(Bug::ServesBeforeCaughtUp);
}

#[test]
fn a_build_with_planted_bugs_says_so() {
    let place = obol!().installation();
    let said = obol!().run(place.folder(), &["--version"], &[], "").exits(0);
    assert!(said.stdout.contains("planted bugs"), "{}", said.stdout);
}

#[track_caller]
fn catch(bug: Bug) {
    let _alone = Alone::on_this_machine();
    let found = SCRIPTS.iter().find(|(of, ..)| *of == bug);
    let (_, script, rule) = found.expect("every bug has a script");
    let cluster = obol!().cluster().environment(obol_planted::VARIABLE, bug.name()).start();
    let report = seen(&cluster, *script);
    println!("{}: {report}", bug.name());
    let rules: Vec<Rule> = report.breaches.iter().map(|breach| breach.rule).collect();
    assert!(rules.contains(rule), "{} was not caught: {report}", bug.name());
}

/// What the checker says of what a script has seen.
#[track_caller]
fn seen(cluster: &Cluster, script: Script) -> Report {
    cluster.await_ready();
    let witness = Witness::of(cluster);
    script(&witness);
    witness.report()
}

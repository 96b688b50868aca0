//! The sound protocol, searched to the end in several worlds.
//!
//! A lease is one tick where nothing else is said. There is no bound on the length of a run.

use obol_lease_model::{Action, DeadRow, H1, H2, H5, Lease, Mark, Protocol, Renewal, World};
use stateright::{Checker, Model};

/// Rows stay, and whoever waits for one that is not renewed waits a lease.
const KEPT: Protocol = Protocol { dead_row: DeadRow::Kept, ..Protocol::sound() };

const ONE: World = World { folded: true, ..World::one_token() };

#[test]
fn one_token_with_a_lease_of_two_ticks() {
    holds(KEPT, World { lease: 2, ..ONE }, 167_868);
}

#[test]
fn two_tokens() {
    holds(KEPT, World::calm(), 3_375_306);
}

#[test]
fn rows_are_taken_out_and_nodes_start_again() {
    holds(Protocol::sound(), World { restarts: 1, ..ONE }, 325_026);
}

#[test]
fn rows_are_passed_over_and_leases_capped() {
    let capped = Protocol { dead_row: DeadRow::PassedOverAndCapped, ..Protocol::sound() };
    holds(capped, World { restarts: 1, ..ONE }, 327_206);
}

#[test]
fn rows_are_passed_over_and_leases_of_two_ticks_capped() {
    let capped = Protocol { dead_row: DeadRow::PassedOverAndCapped, ..Protocol::sound() };
    holds(capped, World { lease: 2, ..ONE }, 3_427_125);
}

#[test]
fn renewals_arrive_twice() {
    holds(Protocol::sound(), World { duplicates: true, ..ONE }, 714_664);
}

#[test]
fn a_synchronous_standby_takes_over_and_the_old_primary_lives_on() {
    holds(Protocol::sound(), World { failovers: 1, old_primary_lives: true, ..ONE }, 3_094_180);
}

#[test]
fn a_standby_takes_over_and_nodes_start_again() {
    holds(KEPT, World { failovers: 1, restarts: 1, old_primary_lives: true, ..ONE }, 1_519_510);
}

#[test]
fn renewals_may_be_lost_by_a_failover_if_their_marks_never_come_again() {
    let fresh = Protocol { renewal: Renewal::Asynchronous, mark: Mark::Fresh, ..Protocol::sound() };
    holds(fresh, World { failovers: 1, ..ONE }, 2_912_582);
}

#[test]
fn an_asynchronous_standby_takes_over_and_what_it_lost_comes_back() {
    holds(KEPT, World { failovers: 1, synchronous: false, ..ONE }, 1_123_573);
}

/// From the moment when a failover has lost the denial of token 1, which node 2 knows, and that of token 0 has got the
/// same position. All that can follow is searched.
#[test]
fn two_entries_have_had_the_same_position() {
    let before: &[Action] = &[
        Action::Revoke(1),
        Action::Append(1),
        Action::Read(2),
        Action::Apply(2),
        Action::FailOver { entries: 0, put_back: None },
        Action::Revoke(0),
        Action::Append(0),
    ];
    let world = World { failovers: 1, synchronous: false, ..World::calm() };
    let checker = Lease { protocol: KEPT, world, before }.checker().threads(2).spawn_bfs().join();
    [H1, H2, H5].iter().for_each(|rule| checker.assert_no_discovery(rule));
    assert_eq!(checker.unique_state_count(), 686_443);
}

/// No rule is broken in any state, and what must be possible is. The number of states is told so that a change of the
/// model that makes it blind is noticed.
#[track_caller]
fn holds(protocol: Protocol, world: World, states: usize) {
    let checker = Lease { protocol, world, before: &[] }.checker().threads(2).spawn_bfs().join();
    println!("{} states, {} steps", checker.unique_state_count(), checker.state_count());
    checker.assert_properties();
    assert_eq!(checker.unique_state_count(), states);
}

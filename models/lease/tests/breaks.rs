//! The protocol with one choice taken back at a time: each time a rule breaks, and the search finds how.

use obol_lease_model::{
    Action, DeadRow, FailoverSeenBy, H1, H5, Lease, LeaseFrom, Protocol, Renewal, StartOrder, VerifyOrder,
    World,
};
use stateright::{Checker, HasDiscoveries, Model};

const KEPT: Protocol = Protocol { dead_row: DeadRow::Kept, ..Protocol::sound() };

const ONE: World = World::one_token();

/// An asynchronous standby takes over, once.
const LOSSY: World = World { failovers: 1, synchronous: false, ..World::calm() };

#[test]
fn rule_1_a_node_that_loads_before_it_registers() {
    let protocol = Protocol { start: StartOrder::LoadThenRegister, ..KEPT };
    breaks(H1, protocol, World { restarts: 1, ..ONE }, &[]);
}

#[test]
fn rule_3_the_deny_list_is_read_before_the_lease_is_checked() {
    breaks(H1, Protocol { verify: VerifyOrder::DenialsThenLease, ..KEPT }, ONE, &[]);
}

#[test]
fn rule_3_the_lease_counts_from_after_the_reading() {
    breaks(H1, Protocol { lease_from: LeaseFrom::AfterReading, ..KEPT }, ONE, &[]);
}

#[test]
fn rule_4_the_revocation_waits_for_nobody() {
    breaks(H1, Protocol { wait: false, ..KEPT }, ONE, &[]);
}

#[test]
fn rule_8_nothing_is_appended_again() {
    let protocol = Protocol { reappend: false, ..KEPT };
    let acknowledged: &[Action] = &[
        Action::Revoke(0),
        Action::Append(0),
        Action::Read(0),
        Action::Apply(0),
        Action::Tick,
        Action::Acknowledge(0),
    ];
    breaks(H1, protocol, World { tokens: 1, ..LOSSY }, acknowledged);
    breaks(H5, protocol, World { tokens: 1, ..LOSSY }, &[Action::Revoke(0), Action::AppendUnheard(0)]);
}

/// A node that was silent has read before the commit, and its renewal is on the way when its row is passed over.
#[test]
fn a_row_that_was_not_renewed_is_passed_over_and_stays() {
    breaks(H1, Protocol { dead_row: DeadRow::PassedOver, ..KEPT }, ONE, &[]);
}

/// A node that does not hear of the new primary goes on reading the old one, which answers its renewals.
#[test]
fn renewals_do_not_wait_for_the_standby_while_an_old_primary_lives() {
    let world = World { failovers: 1, old_primary_lives: true, ..ONE };
    breaks(H1, Protocol { renewal: Renewal::Asynchronous, ..KEPT }, world, &[]);
}

/// The failover loses a renewal. The next one writes the same number again, and the row looks as if it had not been renewed.
#[test]
fn the_count_of_renewals_comes_again() {
    let protocol = Protocol { renewal: Renewal::Asynchronous, ..Protocol::sound() };
    let put_back: &[Action] = &[
        Action::Tick,
        Action::FailOver { entries: 0, put_back: Some(2) },
        Action::Read(2),
        Action::Apply(2),
        Action::Read(0),
        Action::Apply(0),
    ];
    breaks(H1, protocol, World { failovers: 1, ..ONE }, put_back);
}

/// The new primary has another entry at the position of the lost one, so its log is not shorter.
#[test]
fn a_failover_is_noticed_only_by_a_shorter_log() {
    let protocol = Protocol { failover_seen_by: FailoverSeenBy::Position, ..KEPT };
    let same_position: &[Action] = &[
        Action::Revoke(1),
        Action::Append(1),
        Action::Read(2),
        Action::Apply(2),
        Action::FailOver { entries: 0, put_back: None },
        Action::Revoke(0),
        Action::Append(0),
    ];
    breaks(H1, protocol, LOSSY, same_position);
}

/// A renewal of what was read on the old primary tells those who wait on the new one that another entry was applied.
#[test]
fn a_renewal_is_accepted_on_another_timeline_than_its_reading() {
    let protocol = Protocol { renewal_names_timeline: false, ..KEPT };
    let read_before: &[Action] = &[
        Action::Revoke(1),
        Action::Append(1),
        Action::Read(2),
        Action::FailOver { entries: 0, put_back: None },
        Action::Revoke(0),
        Action::Append(0),
    ];
    breaks(H1, protocol, LOSSY, read_before);
}

/// Rule 7 needs a bound: a commit that arrives whenever it likes changes the answers whenever it likes.
#[test]
fn an_append_arrives_any_time_after_its_caller_was_told_that_it_is_not_known() {
    breaks(H5, KEPT, World { late_append: None, ..ONE }, &[]);
}

/// The promise is not held with asynchronous standbys, even with every rule kept: here with a node killed.
#[test]
fn what_an_asynchronous_failover_lost_is_forgotten_by_a_node_that_starts_again() {
    let refused: &[Action] = &[
        Action::Revoke(0),
        Action::AppendUnheard(0),
        Action::Read(0),
        Action::Apply(0),
        Action::Refuse(0, 0),
        Action::Kill(0),
        Action::FailOver { entries: 0, put_back: None },
    ];
    breaks(obol_lease_model::H2, KEPT, World { restarts: 1, tokens: 1, ..LOSSY }, refused);
}

/// This rule breaks after these steps, and the story is printed.
#[track_caller]
fn breaks(rule: &'static str, protocol: Protocol, world: World, before: &'static [Action]) {
    let search = Lease { protocol, world, before }.checker();
    let wanted = HasDiscoveries::AllOf([rule].into());
    let checker = search.finish_when(wanted).spawn_bfs().join();
    let Some(story) = checker.discovery(rule) else {
        panic!("no story in {} states", checker.unique_state_count())
    };
    println!("{rule} is broken by");
    let actions = story.into_actions();
    before.iter().chain(&actions).for_each(|action| println!("  {action:?}"));
}

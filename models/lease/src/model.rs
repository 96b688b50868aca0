//! The model as stateright sees it: what can happen in a state, and what must hold in all.

use stateright::{Model, Property};

use crate::state::{Broken, Lost, NODES, Revocation, State, Witness};
use crate::{Action, Protocol, World};

/// A protocol in a world.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// What the nodes do.
    pub protocol: Protocol,
    /// What is done to them.
    pub world: World,
    /// What has happened before the search begins.
    pub before: &'static [Action],
}

impl Model for Lease {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State::first(&self.world);
        for action in self.before {
            assert!(self.take(&mut state, *action).is_some(), "{action:?} cannot happen");
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() || is_settled(state) {
            return;
        }
        actions.push(Action::Tick);
        for node in 0..NODES {
            actions.extend(Action::of_node(node));
        }
        (0..self.world.tokens).for_each(|token| actions.extend(Action::of_revocation(token)));
        // Token 1 with node 1 is the mirror image of token 0 with node 0: what can be answered of one can of the other.
        (0..NODES).for_each(|node| actions.extend(Action::of_verify(node, 0)));
        actions.push(Action::FinishVerify);
        if self.world.duplicates {
            actions.extend([Action::StrayArrives, Action::StrayIsLost]);
        }
        if state.failovers_left > 0 {
            actions.extend(Action::of_failover(state.log.length()));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.take(&mut next, action)?;
        if self.world.folded {
            next.fold();
        }
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(H1, |_, state: &State| state.broken != Some(Broken::H1)),
            Property::always(H2, |_, state: &State| state.broken != Some(Broken::H2)),
            Property::always(H5, |_, state: &State| state.broken != Some(Broken::H5)),
            Property::sometimes("every revocation is acknowledged", |lease: &Self, state: &State| {
                let asked = &state.revocations[..usize::from(lease.world.tokens)];
                asked.iter().all(|revocation| *revocation == Revocation::Done)
            }),
            Property::sometimes(
                "a 200 is given while a node is silent and does not know",
                |_, state: &State| {
                    let silent = |node: &crate::state::Node| !node.knows(0) && node.lease_left == 0;
                    state.revocations[0] == Revocation::Done && state.nodes.iter().any(silent)
                },
            ),
            Property::sometimes("an unknown outcome is known everywhere", |_, state: &State| {
                matches!(state.revocations[0], Revocation::Unknown { .. })
                    && state.nodes.iter().all(|node| node.knows(0))
            }),
            Property::sometimes("an unknown outcome is accepted for good", |_, state: &State| {
                state.witness == Some(Witness::AcceptedSettled(0))
            }),
            Property::sometimes("what a failover lost is back", |lease: &Self, state: &State| {
                lease.world.synchronous
                    || lease.world.failovers == 0
                    || state.timeline > 0 && state.lost[0] == Lost::No && state.log.position_of(0).is_some()
            }),
        ]
    }
}

/// Nothing can be broken any more: all nodes know the denial of token 0, and none will forget it.
fn is_settled(state: &State) -> bool {
    let accepted = matches!(state.witness, Some(Witness::AcceptedSettled(_)));
    !accepted && state.restarts_left == 0 && state.nodes.iter().all(|node| node.knows(0))
}

/// After the 200 no node accepts.
pub const H1: &str = "H1: after the 200 no node accepts";
/// A node that refused never accepts again.
pub const H2: &str = "H2: a node that refused never accepts again";
/// An unknown outcome settles.
pub const H5: &str = "H5: an unknown outcome settles";

//! Verifies, and what they must agree with.
//!
//! Answers change nothing but what later answers must agree with. So those are followed that can break a rule: each
//! acceptance that is forbidden when its verify is called, in its two steps; of the others, those that forbid one later.

use crate::state::{Broken, Lost, NodeAt, Pending, Revocation, State, TokenAt, Witness};
use crate::{Lease, VerifyOrder, World};

impl Lease {
    /// A refusal is remembered. The node may have looked at its lease long before, so it need not run any more.
    pub(crate) fn refuse(&self, state: &mut State, node: NodeAt, token: TokenAt) -> Option<()> {
        state.nodes[node].knows(token).then_some(())?;
        match state.witness {
            None => state.witness = Some(Witness::Refused(node as u8, token)),
            Some(Witness::AcceptedSettled(accepted)) if accepted == token => state.broken = Some(Broken::H5),
            Some(_) => return None,
        }
        Some(())
    }

    /// An acceptance after an unknown outcome has settled is remembered.
    pub(crate) fn accept(&self, state: &mut State, node: NodeAt, token: TokenAt) -> Option<()> {
        let vouched = state.nodes[node].lease_left > 0 && !state.nodes[node].knows(token);
        let remembered = vouched && state.witness.is_none() && has_settled(&self.world, state, token);
        remembered.then(|| state.witness = Some(Witness::AcceptedSettled(token)))
    }

    pub(crate) fn call_verify(&self, state: &mut State, node: NodeAt, token: TokenAt) -> Option<()> {
        let forbidden_by = forbidden_by(&self.world, state, node, token)?;
        let at = &state.nodes[node];
        let goes_on = match self.protocol.verify {
            VerifyOrder::LeaseThenDenials => at.lease_left > 0,
            VerifyOrder::DenialsThenLease => at.up && !at.knows(token),
        };
        (goes_on && state.pending.is_none()).then_some(())?;
        state.pending = Some(Pending { node: node as u8, token, forbidden_by });
        Some(())
    }

    pub(crate) fn finish_verify(&self, state: &mut State) -> Option<()> {
        let Pending { node, token, forbidden_by } = state.pending.take()?;
        let at = &state.nodes[usize::from(node)];
        let accepted = match self.protocol.verify {
            VerifyOrder::LeaseThenDenials => !at.knows(token),
            VerifyOrder::DenialsThenLease => at.lease_left > 0,
        };
        if accepted {
            state.broken = Some(forbidden_by);
        }
        Some(())
    }
}

/// The rule that an acceptance breaks if its verify is called now.
fn forbidden_by(world: &World, state: &State, node: NodeAt, token: TokenAt) -> Option<Broken> {
    let acknowledged = state.revocations[usize::from(token)] == Revocation::Done;
    match state.witness {
        _ if acknowledged && state.lost[usize::from(token)] == Lost::No => Some(Broken::H1),
        Some(Witness::Refused(by, refused)) if refused == token => {
            if usize::from(by) == node {
                return Some(Broken::H2);
            }
            has_settled(world, state, token).then_some(Broken::H5)
        }
        _ => None,
    }
}

fn has_settled(world: &World, state: &State, token: TokenAt) -> bool {
    matches!(state.revocations[usize::from(token)], Revocation::Unknown { age, .. } if age == world.settled())
        && state.lost[usize::from(token)] == Lost::No
}

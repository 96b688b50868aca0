//! Unknown outcomes that did not happen, as an acceptance after their settling shows.

use super::ends::Ends;
use super::index::{At, EventAt, Index};

/// Marks every unknown end after whose settling a token was accepted that it would have ended.
pub(super) fn mark(index: &Index<'_>, ends: &mut Ends) {
    let mut accepted = vec![Vec::new(); index.group_count()];
    for token in &index.tokens {
        let Some(last) = token.last_accepted() else { continue };
        for group in &token.groups {
            if ends.group(*group).ends.iter().any(|end| !end.done) {
                accepted[*group].push((token.begun.answered, last));
            }
        }
    }
    for (group, group_ends) in ends.groups_mut() {
        let accepted = latest_by_begin(index, std::mem::take(&mut accepted[group]));
        for end in group_ends.ends.iter_mut().filter(|end| !end.done) {
            let covered = accepted.partition_point(|(begun, _)| *begun < end.covers_certainly_until);
            let latest = covered.checked_sub(1).map(|last| accepted[last].1);
            end.refuted_by = latest.filter(|event| index.spans[*event].called > end.settles);
        }
    }
}

/// By the moment when a token began: of the acceptances of tokens that began until then, the one called last.
fn latest_by_begin(index: &Index<'_>, mut accepted: Vec<(At, EventAt)>) -> Vec<(At, EventAt)> {
    accepted.sort_unstable();
    for at in 1..accepted.len() {
        let before = accepted[at - 1].1;
        if index.spans[before].called > index.spans[accepted[at].1].called {
            accepted[at].1 = before;
        }
    }
    accepted
}

//! F: nodes that do not agree while an end is on its way. Allowed, and counted.

use std::time::Duration;

use super::Operation;
use super::index::{At, EventAt, Index, Token};

/// Acceptances by one node that were called after another node had refused the same token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flapping {
    /// How many.
    pub count: usize,
    /// From the first refusal's answer to the call of the last acceptance, for the token where that took longest.
    pub longest: Duration,
}

pub(super) fn count(index: &Index<'_>) -> Flapping {
    let mut flapping = Flapping::default();
    for token in &index.tokens {
        let Some(refused) = first_refused(index, token) else { continue };
        let accepted = token.accepted.iter().filter(|event| is_verify(index, **event));
        let after = accepted.map(|event| index.spans[*event].called).filter(|called| *called > refused);
        let (mut count, mut last) = (0, refused);
        for called in after {
            (count, last) = (count + 1, called.max(last));
        }
        flapping.count += count;
        flapping.longest = flapping.longest.max(Duration::from_nanos(last - refused));
    }
    flapping
}

fn first_refused(index: &Index<'_>, token: &Token) -> Option<At> {
    let refused = token.refused.iter().filter(|event| is_verify(index, **event));
    refused.map(|event| index.spans[*event].answered).min()
}

fn is_verify(index: &Index<'_>, event: EventAt) -> bool {
    matches!(index.events[event].operation, Operation::Verify { .. })
}

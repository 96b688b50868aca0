//! Ending and explaining a token that an operator has at hand.

use obol_replica::Memory;
use obol_store::{Appended, Store, StoreError};
use obol_token::{Asked, Authority, Claims, Refusal, Scratch, Timestamp};

use crate::features::revocation_rules::{Verdict, carry_out, find_target};

/// What became of an operator's revocation of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum OperatorRevocation {
    /// Denied, now or before; to be confirmed before success is told.
    Denied(Appended),
    /// It has expired and ends nothing else.
    Expired,
    /// It is nothing that this installation issued.
    Unknown,
}

/// Ends an access token or the family of a refresh token, whoever owns it.
///
/// # Errors
/// [`StoreError`]
pub async fn revoke_token(
    memory: &Memory,
    store: &dyn Store,
    token: &str,
    now: Timestamp,
) -> Result<OperatorRevocation, StoreError> {
    let target = find_target(memory, store, token, Authority::Administrator, now).await?;
    Ok(match (carry_out(&target.verdict, store, now).await?, target.verdict) {
        (Some(appended), _) => OperatorRevocation::Denied(appended),
        (None, Verdict::Expired | Verdict::EndFamilyIfKnown(_)) => OperatorRevocation::Expired,
        (None, _) => OperatorRevocation::Unknown,
    })
}

/// What an access token says, and why it does not stand if it does not.
///
/// # Errors
/// The [`Refusal`] when its seal cannot be opened.
pub fn explain<'a>(
    memory: &Memory,
    token: &str,
    now: Timestamp,
    scratch: &'a mut Scratch,
) -> Result<(Claims<'a>, Option<Refusal>), Refusal> {
    let refusal = memory.verify(token, Asked::AnyClient, now, &mut Scratch::default()).err();
    Ok((memory.open(token, scratch)?, refusal))
}

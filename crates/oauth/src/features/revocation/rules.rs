//! Finds what a presented token would end, for whoever asks: a client or the operator.

use obol_keys::RefreshToken;
use obol_replica::Memory;
use obol_store::{Appended, Deny, Store, StoreError};
use obol_token::{Authority, Claims, Decision, FamilyId, Scratch, Timestamp, TokenId, decide_revocation};

/// What a presented token turned out to be, and what must become of it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) verdict: Verdict,
    pub(crate) token_id: Option<TokenId>,
    pub(crate) family: Option<FamilyId>,
    /// The person's name, where the token says it.
    pub(crate) username: Option<String>,
}

impl Target {
    const UNKNOWN: Self = Self { verdict: Verdict::Unknown, token_id: None, family: None, username: None };
}

/// What must become of a presented token.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// This must be denied before the answer.
    Deny(Deny),
    /// The family must end before the answer, if it is still known.
    EndFamilyIfKnown(FamilyId),
    /// It was denied before, by this append.
    AlreadyDenied(Appended),
    /// It belongs to another client.
    NotYours,
    /// It has expired.
    Expired,
    /// It is nothing that we issued, or no longer known.
    Unknown,
}

/// Finds the target of a revocation. The form of the token says what it is, so a wrong hint cannot hide it.
///
/// # Errors
/// [`StoreError`] when the token is a refresh token and storage cannot be asked.
pub(crate) async fn find_target(
    memory: &Memory,
    store: &dyn Store,
    token: &str,
    by: Authority<'_>,
    now: Timestamp,
) -> Result<Target, StoreError> {
    match RefreshToken::parse(token) {
        Some(refresh_token) => find_by_refresh_token(store, &refresh_token, by).await,
        None => Ok(find_by_access_token(memory, token, by, now)),
    }
}

async fn find_by_refresh_token(
    store: &dyn Store,
    token: &RefreshToken,
    by: Authority<'_>,
) -> Result<Target, StoreError> {
    let Some(family) = store.find_family(token.lineage_hash()).await? else {
        return Ok(Target::UNKNOWN);
    };
    let verdict = match (by, family.ended) {
        (Authority::Client(client), _) if *client != family.client_id => Verdict::NotYours,
        (_, Some(appended)) => Verdict::AlreadyDenied(appended),
        (_, None) => Verdict::Deny(Deny::Family(family.id)),
    };
    Ok(Target { verdict, family: Some(family.id), ..Target::UNKNOWN })
}

fn find_by_access_token(memory: &Memory, token: &str, by: Authority<'_>, now: Timestamp) -> Target {
    let mut scratch = Scratch::default();
    match memory.open(token, &mut scratch) {
        Ok(claims) => Target {
            verdict: decide(&claims, memory, by, now),
            token_id: Some(claims.token_id),
            family: claims.family,
            username: claims.subject.map(|subject| subject.username.to_owned()),
        },
        Err(_not_ours) => Target::UNKNOWN,
    }
}

fn decide(claims: &Claims<'_>, memory: &Memory, by: Authority<'_>, now: Timestamp) -> Verdict {
    match decide_revocation(claims, by, memory.deny_list(), now) {
        Decision::EndFamily(family) => Verdict::Deny(Deny::Family(family)),
        Decision::DenyToken(id) => Verdict::Deny(Deny::Token { id, expires_at: claims.expires_at }),
        Decision::EndFamilyIfKnown(family) => Verdict::EndFamilyIfKnown(family),
        Decision::AlreadyDenied(position) => match memory.applied_append(position) {
            Some(appended) => Verdict::AlreadyDenied(appended),
            // The deny list is ahead of the position that it is published with: it is denied once more.
            None => Verdict::Deny(deny_again(claims)),
        },
        Decision::NotYours => Verdict::NotYours,
        Decision::NothingLeft => Verdict::Expired,
    }
}

fn deny_again(claims: &Claims<'_>) -> Deny {
    match claims.family {
        Some(family) => Deny::Family(family),
        None => Deny::Token { id: claims.token_id, expires_at: claims.expires_at },
    }
}

/// Stores what the verdict asks for; `None` when there is nothing to revoke.
///
/// # Errors
/// [`StoreError`]; it may have been stored or not.
pub(crate) async fn carry_out(
    verdict: &Verdict,
    store: &dyn Store,
    now: Timestamp,
) -> Result<Option<Appended>, StoreError> {
    match verdict {
        Verdict::Deny(deny) => store.deny(deny, now).await.map(Some),
        Verdict::EndFamilyIfKnown(family) => store.end_family(*family, now).await,
        Verdict::AlreadyDenied(appended) => Ok(Some(*appended)),
        Verdict::NotYours | Verdict::Expired | Verdict::Unknown => Ok(None),
    }
}

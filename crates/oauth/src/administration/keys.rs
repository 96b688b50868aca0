//! Changing the keys that seal and sign tokens, without a token that is refused because of it.
//!
//! 1. A new key is added: it opens or is published, and does not seal or sign ([`begin_rotation`]).
//! 2. The caller waits until no node answers without having applied that (`obol_replica::confirm_from_outside`).
//!    A signing key waits longer: until who keeps the key set asks for it again (`key_schedule`).
//! 3. The key is promoted: it seals or signs, and the one before goes on opening or verifying ([`finish_rotation`]).
//!
//! Who is cut off in between leaves a key that waits; the next rotation goes on with it. Of two at once both go on with
//! the same key.

use obol_keys::ImportError;
use obol_replica::{Memory, Revoked};
use obol_store::{
    AddKeyOutcome, Appended, ClientSettings, FirstKeyOutcome, MOST_KEYS, PromoteOutcome, RetireOutcome,
    Store, StoreError, WrappedKey,
};
use obol_token::{Expiry, KeyId, KeyKind, Position, Timestamp};

use crate::features::id_token::HINT_SECS;

/// A key that opens at every node that has applied its addition, and does not seal yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it seals only after its promotion"]
pub struct WaitingKey {
    /// Which.
    pub id: KeyId,
    /// Its addition, which every node must have applied before it is promoted.
    pub appended: Appended,
    /// Whether it was added by an earlier rotation, which was not finished.
    pub from_before: bool,
}

/// Why a key could not be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotateKeyError {
    /// No server has ever started.
    #[error("this installation has no sealing key yet: start `obol serve` on it once")]
    NoKey,
    /// The cryptographic library refuses.
    #[error("the cryptographic library made no key")]
    NotMade,
    /// There are as many as there may be.
    #[error(
        "{MOST_KEYS} keys of the kind are in use, and no more can be: retire old ones (obol keys retire)"
    )]
    TooMany,
    /// Nodes may be left that would refuse what it seals.
    #[error("the key {0} has not reached every node yet: rotate again")]
    NotEverywhere(KeyId),
    /// Somebody else has retired it.
    #[error("the key {0} was retired before it was used: rotate again")]
    Retired(KeyId),
    /// Storage refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a key was not retired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetireKeyError {
    /// Nothing could be issued without it.
    #[error("{0} is the key in use of its kind: put another in its place first (obol keys rotate)")]
    Seals(KeyId),
    /// There is none.
    #[error("there is no key {0} (obol keys list)")]
    Unknown(KeyId),
    /// Storage refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a key was not imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportKeyError {
    /// The text holds none that could sign.
    #[error(transparent)]
    Text(#[from] ImportError),
    /// It is here, or was: a key that was retired does not come back.
    #[error("the key {0} is in this installation already, or was (obol keys list)")]
    Known(KeyId),
    /// Another one of its kind comes first.
    #[error("the key {0} of the same kind waits already: finish its rotation, or retire it, first")]
    OtherWaits(KeyId),
    /// As for any new key.
    #[error(transparent)]
    Rotate(#[from] RotateKeyError),
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It opens or verifies, and waits until it is promoted.
    Waits,
    /// It seals and opens, or signs and verifies.
    InUse,
    /// It opens what it has sealed, or verifies what it has signed.
    Kept,
    /// Nothing any more.
    Retired,
}

/// A key as operators see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedKey {
    /// Which.
    pub id: KeyId,
    /// What it is for.
    pub kind: KeyKind,
    /// What it does.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it seals or signs, or when it began to.
    pub in_use_since: Option<Timestamp>,
    /// Until when tokens that it has sealed or signed may live; `None` while it is in use, and when there are none that stand.
    pub tokens_until: Option<Expiry>,
    /// When it was retired.
    pub retired_at: Option<Timestamp>,
}

/// All keys, in the order in which they were made.
///
/// # Errors
/// [`StoreError`]
pub async fn list_keys(store: &dyn Store) -> Result<Vec<ListedKey>, StoreError> {
    let clients = store.list_clients().await?;
    let replaced_at = |keys: &[WrappedKey], kind: KeyKind, position: Position| {
        let promoted = keys.iter().filter(|key| key.kind == kind).filter_map(|key| key.promoted);
        promoted.filter(|later| later.position > position).min_by_key(|later| later.position)
    };
    let keys = store.list_keys().await?;
    let listed = keys.iter().map(|key| {
        let next = key.promoted.and_then(|promoted| replaced_at(&keys, key.kind, promoted.position));
        let state = state(&keys, key);
        let until = next.filter(|_| state == KeyState::Kept).map(|next| {
            // Tokens of deleted clients are refused in any case.
            let last_sealed_at = next.at.plus_secs(LATE_SECS);
            let expiries =
                clients.iter().map(|client| client.longest_access_token_lifetime().from(last_sealed_at));
            let least_secs = if key.kind == KeyKind::Sealing { 0 } else { HINT_SECS };
            let least = Expiry::At(last_sealed_at.plus_secs(least_secs));
            expiries.fold(least, Expiry::max)
        });
        ListedKey {
            id: key.id,
            kind: key.kind,
            state,
            created_at: key.created_at,
            in_use_since: key.promoted.map(|promoted| promoted.at),
            tokens_until: until,
            retired_at: key.retired_at,
        }
    });
    Ok(listed.collect())
}

/// Step 1. The new key is wrapped by the master key of `memory`, which has unwrapped those that are there.
///
/// # Errors
/// [`RotateKeyError`]
pub async fn begin_rotation(
    memory: &Memory,
    store: &dyn Store,
    kind: KeyKind,
    now: Timestamp,
) -> Result<WaitingKey, RotateKeyError> {
    // One where none seals any more gets another; the first of all is made by a server.
    if !memory.has_key() && !store.has_key().await? {
        return Err(RotateKeyError::NoKey);
    }
    let key = match kind {
        KeyKind::Sealing => memory.new_sealing_key(now),
        _ => memory.new_signing_key(kind, now),
    };
    let key = key.ok_or(RotateKeyError::NotMade)?;
    match store.add_key(&key).await? {
        AddKeyOutcome::Waits { id, appended } => Ok(WaitingKey { id, appended, from_before: id != key.id }),
        AddKeyOutcome::TooMany => Err(RotateKeyError::TooMany),
    }
}

/// Makes the first key of a kind with which things are signed for clients of these settings; of each kind of which there is one,
/// nothing. To be confirmed before such a client is added: then no node refuses what another has signed for it.
///
/// # Errors
/// [`RotateKeyError`]
pub async fn add_first_keys(
    memory: &Memory,
    store: &dyn Store,
    settings: &ClientSettings,
    now: Timestamp,
) -> Result<Vec<(KeyId, Appended)>, RotateKeyError> {
    let mut added = Vec::new();
    for algorithm in settings.algorithms() {
        if memory.signing_keys().current(algorithm).is_none() {
            let key = memory.new_signing_key(algorithm.key_kind(), now).ok_or(RotateKeyError::NotMade)?;
            if let FirstKeyOutcome::Added(appended) = store.add_first_key(&key).await? {
                added.push((key.id, appended));
            }
        }
    }
    Ok(added)
}

/// Step 1 with a signing key that was made elsewhere, in PEM.
///
/// # Errors
/// [`ImportKeyError`]
pub async fn import_key(
    memory: &Memory,
    store: &dyn Store,
    pem: &[u8],
    now: Timestamp,
) -> Result<WaitingKey, ImportKeyError> {
    let key = memory.import_signing_key(pem, now)?;
    // One that waits is told as if it had been added now; any other the store refuses.
    if store.list_keys().await.map_err(RotateKeyError::Store)?.iter().any(|known| known.id == key.id) {
        return Err(ImportKeyError::Known(key.id));
    }
    match store.add_key(&key).await {
        Ok(AddKeyOutcome::Waits { id, appended }) if id == key.id => {
            Ok(WaitingKey { id, appended, from_before: false })
        }
        Ok(AddKeyOutcome::Waits { id, .. }) => Err(ImportKeyError::OtherWaits(id)),
        Ok(AddKeyOutcome::TooMany) => Err(RotateKeyError::TooMany.into()),
        Err(StoreError::Conflict(_)) => Err(ImportKeyError::Known(key.id)),
        Err(error) => Err(RotateKeyError::Store(error).into()),
    }
}

/// Step 3, with the proof that every node has applied step 1.
///
/// # Errors
/// [`RotateKeyError`]
pub async fn finish_rotation(
    store: &dyn Store,
    key: WaitingKey,
    everywhere: Revoked,
    now: Timestamp,
) -> Result<Appended, RotateKeyError> {
    if everywhere.position() < key.appended.position() {
        return Err(RotateKeyError::NotEverywhere(key.id));
    }
    match store.promote_key(key.id, now).await? {
        PromoteOutcome::Promoted(appended) => Ok(appended),
        PromoteOutcome::Unknown => Err(RotateKeyError::Retired(key.id)),
    }
}

/// Ends a key: once every node has applied that, each refuses what it has sealed.
///
/// # Errors
/// [`RetireKeyError`]
pub async fn retire_key(store: &dyn Store, id: KeyId, now: Timestamp) -> Result<Appended, RetireKeyError> {
    match store.retire_key(id, now).await? {
        RetireOutcome::Retired(appended) => Ok(appended),
        RetireOutcome::InUse => Err(RetireKeyError::Seals(id)),
        RetireOutcome::Unknown => Err(RetireKeyError::Unknown(id)),
    }
}

/// For so long a node may go on with the keys of before, until it has read of a change: no longer than the longest lease,
/// 60 s, and as much again for clocks that differ.
pub(super) const LATE_SECS: i64 = 120;

fn state(keys: &[WrappedKey], key: &WrappedKey) -> KeyState {
    let of_kind = keys.iter().filter(|other| other.kind == key.kind);
    let in_use = of_kind.filter(|key| key.retired_at.is_none()).filter_map(|key| key.promoted);
    let seals_from = in_use.map(|promoted| promoted.position).max();
    match (key.retired_at, key.promoted.map(|promoted| promoted.position)) {
        (Some(_), _) => KeyState::Retired,
        (None, None) => KeyState::Waits,
        (None, since) if since == seals_from => KeyState::InUse,
        (None, Some(_)) => KeyState::Kept,
    }
}

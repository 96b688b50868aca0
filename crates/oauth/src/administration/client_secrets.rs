//! Secrets of clients: chosen, generated, kept to sign with, replaced.

use obol_keys::PlainSecret;
use obol_replica::Memory;
use obol_store::{Appended, ChangeOutcome, ClientAuthMethod, Clients, StoreError, StoredSecret, replace};
use obol_token::ClientId;

/// The secret of a confidential client to be.
#[derive(Debug)]
pub enum ChosenSecret {
    /// Make one of 256 random bits.
    Generate,
    /// This one, of the operator's choice.
    Given(PlainSecret),
    /// One that is kept under the master key, for a client that signs with it: see [`Self::kept`].
    Kept(KeptSecret),
}

/// A secret and its form under the master key.
#[derive(Debug)]
pub struct KeptSecret {
    plain: PlainSecret,
    sealed: Vec<u8>,
    generated: bool,
}

impl ChosenSecret {
    /// The fewest characters of a secret that a client signs with (RFC 7518 §3.2).
    pub const MIN_SIGNING_CHARS: usize = 32;

    /// The same, to be kept for the client of this id to sign with (`client_secret_jwt`).
    ///
    /// # Errors
    /// [`SecretKeepError`]
    pub fn kept(self, memory: &Memory, id: &ClientId) -> Result<Self, SecretKeepError> {
        let (plain, generated) = match self {
            Self::Kept(_) => return Ok(self),
            Self::Given(secret) => (secret, false),
            Self::Generate => (PlainSecret::generate(), true),
        };
        if plain.reveal().len() < Self::MIN_SIGNING_CHARS {
            return Err(SecretKeepError::TooShort);
        }
        let sealed = memory.wrap_client_secret(id, &plain).ok_or(SecretKeepError::Library)?;
        Ok(Self::Kept(KeptSecret { plain, sealed, generated }))
    }

    /// What is stored of it, and the secret if it has to be shown.
    pub(super) fn made(self) -> (StoredSecret, Option<PlainSecret>) {
        match self {
            Self::Given(secret) => (secret.hash().into(), None),
            Self::Generate => {
                let secret = PlainSecret::generate();
                (secret.hash().into(), Some(secret))
            }
            Self::Kept(KeptSecret { plain, sealed, generated }) => {
                let stored = StoredSecret { hash: plain.hash(), sealed: Some(sealed) };
                (stored, generated.then_some(plain))
            }
        }
    }
}

/// Why a secret cannot be kept for a client to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretKeepError {
    /// It could be guessed by whoever sees an assertion.
    #[error("a secret that a client signs with has at least {} characters", ChosenSecret::MIN_SIGNING_CHARS)]
    TooShort,
    /// The cryptographic library refuses.
    #[error("the cryptographic library did not wrap it")]
    Library,
}

/// Why a secret was not replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotateError {
    /// There is no such client, or it has no secret.
    #[error("there is no client `{0}` with a secret")]
    Unknown(ClientId),
    /// What is kept of the new secret is only its hash, and the client signs with it.
    #[error(
        "the client `{0}` signs with its secret; replace it by one that is kept for that: \
         `obol client rotate-secret --for-signing`"
    )]
    NotKept(ClientId),
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Replaces the secret of a client that has one. The old one is refused once this is confirmed; tokens stay.
///
/// # Errors
/// [`RotateError`]
pub async fn rotate_secret(
    store: &dyn Clients,
    id: &ClientId,
    secret: ChosenSecret,
) -> Result<(Option<PlainSecret>, Appended), RotateError> {
    let (stored, generated) = secret.made();
    let replaced = replace(
        || store.find_client(id),
        |former| match former.settings.token_endpoint_auth_method {
            Some(ClientAuthMethod::ClientSecretJwt) if stored.sealed.is_none() => {
                Err(RotateError::NotKept(id.clone()))
            }
            _ => Ok(stored.clone()),
        },
        |former, secret| async move { store.set_client_secret(&former, &secret).await },
    );
    match replaced.await? {
        ChangeOutcome::Changed(appended) => Ok((generated, appended)),
        ChangeOutcome::Unknown => Err(RotateError::Unknown(id.clone())),
    }
}

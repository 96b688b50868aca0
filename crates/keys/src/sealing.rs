//! The keys that seal access tokens: AES-256-GCM-SIV (RFC 8452).
//!
//! It resists the misuse of a nonce, so random nonces are safe for the life of a key.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use obol_token::{KeyId, OpenSeal, Position, Refusal, Seal, SealFailed};
use zeroize::Zeroize;

use crate::random_bytes;

/// Nonce and tag.
pub(crate) const SEAL_OVERHEAD_BYTES: usize = 12 + 16;

/// One AES-256-GCM-SIV key.
pub(crate) struct SealKey(LessSafeKey);

impl SealKey {
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM_SIV, bytes).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    pub(crate) fn seal(
        &self,
        nonce: [u8; 12],
        associated: &[u8],
        in_out: &mut Vec<u8>,
    ) -> Result<(), SealFailed> {
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), in_out)
            .map_err(|_| SealFailed::Library)
    }

    pub(crate) fn open<'a>(
        &self,
        nonce: [u8; 12],
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        self.0.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(associated), sealed).ok()
    }
}

/// A sealing key, unwrapped. Does not print.
#[derive(Clone)]
pub struct SealingKey {
    id: KeyId,
    key: Arc<SealKey>,
    sealing_from: Option<Position>,
}

impl SealingKey {
    /// The key of these 32 bytes; `None` when the cryptographic library refuses them.
    pub(crate) fn from_bytes(id: KeyId, bytes: &[u8; 32], sealing_from: Option<Position>) -> Option<Self> {
        Some(Self { id, key: Arc::new(SealKey::from_bytes(bytes)?), sealing_from })
    }

    /// Which.
    pub fn id(&self) -> KeyId {
        self.id
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

impl Seal for SealingKey {
    fn key_id(&self) -> KeyId {
        self.id
    }

    fn seal(&self, nonce: [u8; 12], associated: &[u8], in_out: &mut Vec<u8>) -> Result<(), SealFailed> {
        self.key.seal(nonce, associated, in_out)
    }
}

/// The sealing keys in use: those that wait to be promoted, then in the order in which they were.
#[derive(Debug, Clone, Default)]
pub struct KeyRing(Vec<SealingKey>);

impl KeyRing {
    /// This ring with `key` in it, in place of one with the same id.
    #[must_use]
    pub fn with(&self, key: SealingKey) -> Self {
        let mut ring = self.without(key.id);
        ring.0.push(key);
        ring.0.sort_by_key(|key| (key.sealing_from, key.id));
        ring
    }

    /// This ring without the key of this id.
    #[must_use]
    pub fn without(&self, id: KeyId) -> Self {
        Self(self.0.iter().filter(|key| key.id != id).cloned().collect())
    }

    /// Whether the key of this id opens tokens.
    pub(crate) fn has(&self, id: KeyId) -> bool {
        self.0.iter().any(|key| key.id == id)
    }

    /// The key that seals new tokens: of those that were promoted the last.
    pub fn current(&self) -> Option<&SealingKey> {
        self.0.last().filter(|key| key.sealing_from.is_some())
    }
}

impl OpenSeal for KeyRing {
    fn open<'a>(
        &self,
        key: KeyId,
        nonce: [u8; 12],
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a [u8], Refusal> {
        // Most tokens are of the key that seals.
        let key = self.0.iter().rev().find(|candidate| candidate.id == key).ok_or(Refusal::UnknownKey)?;
        key.key.open(nonce, associated, sealed).map(|opened| &*opened).ok_or(Refusal::Forged)
    }
}

/// The 32 bytes of a new sealing key and its id. The bytes are wiped when dropped.
pub(crate) struct FreshKey {
    pub(crate) id: KeyId,
    pub(crate) bytes: [u8; 32],
}

impl FreshKey {
    pub(crate) fn generate() -> Self {
        Self { id: KeyId::from_bytes(random_bytes()), bytes: random_bytes() }
    }
}

impl Drop for FreshKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u8, sealing_from: u64) -> SealingKey {
        SealingKey { sealing_from: Some(Position::new(sealing_from)), ..waiting(id) }
    }

    fn waiting(id: u8) -> SealingKey {
        SealingKey::from_bytes(KeyId::from_bytes([id; 4]), &[id; 32], None).unwrap()
    }

    #[test]
    fn the_last_promoted_key_seals_and_all_open() {
        let ring = KeyRing::default().with(key(2, 20)).with(waiting(3)).with(key(1, 10));
        assert_eq!(ring.current().map(SealingKey::id), Some(KeyId::from_bytes([2; 4])));
        for sealing in [key(1, 10), key(2, 20), waiting(3)] {
            let mut sealed = b"claims".to_vec();
            sealing.seal([7; 12], b"header", &mut sealed).unwrap();
            assert_ne!(&sealed[..6], b"claims");
            let opened = ring.open(sealing.id(), [7; 12], b"header", &mut sealed).map(<[u8]>::to_vec);
            assert_eq!(opened, Ok(b"claims".to_vec()));
        }
    }

    #[test]
    fn a_key_that_waits_does_not_seal_until_it_is_promoted() {
        let ring = KeyRing::default().with(waiting(1));
        assert!(ring.current().is_none());
        assert_eq!(ring.with(key(1, 10)).current().map(SealingKey::id), Some(KeyId::from_bytes([1; 4])));
    }

    #[test]
    fn a_retired_key_neither_seals_nor_opens() {
        let ring = KeyRing::default().with(key(1, 10)).without(KeyId::from_bytes([1; 4]));
        assert!(ring.current().is_none());
        let mut sealed = b"claims".to_vec();
        key(1, 10).seal([7; 12], b"header", &mut sealed).unwrap();
        let refused = ring.open(KeyId::from_bytes([1; 4]), [7; 12], b"header", &mut sealed);
        assert_eq!(refused, Err(Refusal::UnknownKey));
    }

    #[test]
    fn another_header_or_nonce_does_not_open() {
        let ring = KeyRing::default().with(key(1, 10));
        for (nonce, header) in [([8; 12], &b"header"[..]), ([7; 12], &b"Header"[..])] {
            let mut sealed = b"claims".to_vec();
            key(1, 10).seal([7; 12], b"header", &mut sealed).unwrap();
            let refused = ring.open(KeyId::from_bytes([1; 4]), nonce, header, &mut sealed);
            assert_eq!(refused, Err(Refusal::Forged));
        }
    }
}

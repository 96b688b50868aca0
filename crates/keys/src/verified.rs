//! The keys that open and check access tokens, and the signatures that were found to fit lately.
//!
//! To check a signature costs more than all the rest of a verification. What is remembered is only that: the keys, the
//! client, the time and the deny list are looked at anew for every request.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{self, SHA256};
use obol_token::{CheckSignature, KeyId, OpenSeal, Refusal, Signed};

use crate::{KeyRing, SigningRing};

/// The keys that open and check access tokens of both forms.
#[derive(Debug, Clone, Copy)]
pub struct AccessTokenKeys<'a> {
    /// Those that seal.
    pub sealing: &'a KeyRing,
    /// Those that sign.
    pub signing: &'a SigningRing,
    /// What they were found to have signed.
    pub verified: &'a VerifiedSignatures,
}

impl OpenSeal for AccessTokenKeys<'_> {
    fn open<'a>(
        &self,
        key: KeyId,
        nonce: [u8; 12],
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a [u8], Refusal> {
        self.sealing.open(key, nonce, associated, sealed)
    }
}

impl CheckSignature for AccessTokenKeys<'_> {
    fn knows(&self, header: &str) -> bool {
        self.signing.checker(header).is_some()
    }

    fn check(&self, signed: &Signed<'_>) -> Result<(), Refusal> {
        let checker = self.signing.checker(signed.header).ok_or(Refusal::UnknownKey)?;
        let entry = Entry::of(signed);
        if self.verified.has(&entry) {
            return Ok(());
        }
        if !checker.accepts(signed.message.as_bytes(), signed.signature) {
            return Err(Refusal::Forged);
        }
        self.verified.remember(entry);
        Ok(())
    }
}

/// Signatures that were found to fit, in fixed memory: under 64 bytes for each of [`Self::CAPACITY`]. Only genuine tokens enter, so
/// nobody else can push them out.
pub struct VerifiedSignatures(Box<[Mutex<Set>]>);

/// The last few whose seals begin alike.
#[derive(Clone, Copy, Default)]
struct Set {
    entries: [Option<Entry>; WAYS],
    next: usize,
}

const SETS: usize = 1 << 11;
const WAYS: usize = 4;

/// A seal, which is of one message only, and the SHA-256 of the signature that fits that message.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    seal: [u8; 16],
    signature: [u8; 32],
}

impl VerifiedSignatures {
    /// How many are remembered at the most.
    pub const CAPACITY: usize = SETS * WAYS;

    fn has(&self, entry: &Entry) -> bool {
        self.in_set(entry, |set| set.entries.contains(&Some(*entry))).unwrap_or(false)
    }

    fn remember(&self, entry: Entry) {
        let _ = self.in_set(&entry, |set| {
            if let Some(oldest) = set.entries.get_mut(set.next) {
                *oldest = Some(entry);
            }
            set.next = (set.next + 1) % WAYS;
        });
    }

    fn in_set<T>(&self, entry: &Entry, act: impl FnOnce(&mut Set) -> T) -> Option<T> {
        let [first, second, ..] = entry.seal;
        let set = self.0.get(usize::from(u16::from_be_bytes([first, second])) % SETS)?;
        Some(act(&mut set.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Default for VerifiedSignatures {
    fn default() -> Self {
        Self((0..SETS).map(|_| Mutex::default()).collect())
    }
}

impl std::fmt::Debug for VerifiedSignatures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifiedSignatures(..)")
    }
}

impl Entry {
    fn of(signed: &Signed<'_>) -> Self {
        let mut signature = [0; 32];
        let digest = digest::digest(&SHA256, signed.signature);
        signature.iter_mut().zip(digest.as_ref()).for_each(|(byte, digest)| *byte = *digest);
        Self { seal: signed.seal, signature }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u32) -> Entry {
        let mut seal = [0; 16];
        seal[12..].copy_from_slice(&number.to_be_bytes());
        Entry { seal, signature: [number as u8; 32] }
    }

    #[test]
    fn a_signature_is_remembered_with_the_seal_that_it_came_with() {
        let verified = VerifiedSignatures::default();
        verified.remember(entry(1));
        assert!(verified.has(&entry(1)));
        assert!(!verified.has(&Entry { seal: entry(2).seal, ..entry(1) }));
        assert!(!verified.has(&Entry { signature: [9; 32], ..entry(1) }));
    }

    #[test]
    fn of_those_that_share_a_place_the_oldest_is_forgotten() {
        let verified = VerifiedSignatures::default();
        (0..5).for_each(|number| verified.remember(entry(number)));
        assert_eq!(
            [0, 1, 2, 3, 4].map(|number| verified.has(&entry(number))),
            [false, true, true, true, true]
        );
    }

    #[test]
    fn it_takes_the_memory_that_it_says() {
        assert!(size_of::<Mutex<Set>>() * SETS <= 64 * VerifiedSignatures::CAPACITY);
    }
}

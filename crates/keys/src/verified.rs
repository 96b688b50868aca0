//! The keys that open and check access tokens, and the tokens whose signature was found to fit lately.
//!
//! To check a signature costs a hundred times the rest of a verification. What is remembered is only that it fits: the keys,
//! the client, the time and the deny list are looked at anew for every request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use obol_token::{CheckSignature, KeyId, OpenSeal, Refusal, Signed};
use zeroize::Zeroizing;

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

    fn recall(&self, token: &str) -> Option<Arc<[u8]>> {
        let (sealed_with, claims) = self.verified.recall(token)?;
        self.sealing.has(sealed_with).then_some(claims)
    }

    fn check(&self, signed: &Signed<'_>) -> Result<(), Refusal> {
        let checker = self.signing.checker(signed.header).ok_or(Refusal::UnknownKey)?;
        if !checker.accepts(signed.message.as_bytes(), signed.signature) {
            return Err(Refusal::Forged);
        }
        self.verified.remember(signed.token, signed.sealed_with, signed.claims);
        Ok(())
    }
}

/// Tokens whose signature was found to fit: at most [`Self::CAPACITY`], which makes 4 MB of usual ones. Only what this
/// installation has issued enters, so nobody else can push anything out. Wiped when dropped.
pub struct VerifiedSignatures(Box<[Mutex<Set>]>);

/// The last few that share a place.
#[derive(Default)]
struct Set {
    entries: [Option<Entry>; WAYS],
    next: usize,
}

const SETS: usize = 1 << 10;
const WAYS: usize = 4;

struct Entry {
    token: Zeroizing<Box<str>>,
    sealed_with: KeyId,
    claims: Arc<[u8]>,
}

impl VerifiedSignatures {
    /// How many are remembered at the most.
    pub const CAPACITY: usize = SETS * WAYS;

    fn recall(&self, token: &str) -> Option<(KeyId, Arc<[u8]>)> {
        let set = self.set(token)?;
        let entry = set.entries.iter().flatten().find(|entry| **entry.token == *token)?;
        Some((entry.sealed_with, entry.claims.clone()))
    }

    fn remember(&self, token: &str, sealed_with: KeyId, claims: &[u8]) {
        let Some(mut set) = self.set(token) else { return };
        // Another request may have brought it meanwhile.
        if set.entries.iter().flatten().any(|entry| **entry.token == *token) {
            return;
        }
        let next = set.next;
        if let Some(oldest) = set.entries.get_mut(next) {
            *oldest = Some(Entry { token: Zeroizing::new(token.into()), sealed_with, claims: claims.into() });
        }
        set.next = (next + 1) % WAYS;
    }

    /// A signature is as good as random where it matters: before its last letter, which may hold fewer bits.
    fn set(&self, token: &str) -> Option<MutexGuard<'_, Set>> {
        let (_, end) = token.as_bytes().split_last_chunk::<9>()?;
        let [letters @ .., _] = *end;
        // Letters of base64 differ in their low bits.
        let place =
            (u64::from_le_bytes(letters) & 0x3f3f_3f3f_3f3f_3f3f).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let set = self.0.get(usize::try_from(place).ok()? % SETS)?;
        Some(set.lock().unwrap_or_else(PoisonError::into_inner))
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

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    /// Those of all numbers share a place.
    fn token(number: usize) -> String {
        format!("{number}.the.signature")
    }

    const KEY: KeyId = KeyId::from_bytes(*b"key1");

    fn is_recalled(verified: &VerifiedSignatures, number: usize) -> bool {
        verified.recall(&token(number)).is_some()
    }

    #[test]
    fn exactly_the_token_that_was_remembered_is_recalled() {
        let verified = VerifiedSignatures::default();
        verified.remember(&token(1), KEY, b"claims");
        assert_eq!(verified.recall(&token(1)), Some((KEY, b"claims"[..].into())));
        for other in [token(2), format!("{}A", token(1)), token(1).replace('t', "T"), String::new()] {
            assert_eq!(verified.recall(&other), None, "{other}");
        }
    }

    #[test]
    fn of_those_that_share_a_place_the_oldest_is_forgotten() {
        let verified = VerifiedSignatures::default();
        for number in [0, 1, 1, 1, 2, 3, 4] {
            verified.remember(&token(number), KEY, b"claims");
        }
        assert_eq!(
            [0, 1, 2, 3, 4].map(|number| is_recalled(&verified, number)),
            [false, true, true, true, true]
        );
    }

    #[test]
    fn places_are_spread() {
        let verified = VerifiedSignatures::default();
        let tokens: Vec<String> = (0..VerifiedSignatures::CAPACITY)
            .map(|_| {
                let mut signature = String::new();
                URL_SAFE_NO_PAD.encode_string(crate::random_bytes::<64>(), &mut signature);
                signature
            })
            .collect();
        tokens.iter().for_each(|token| verified.remember(token, KEY, b""));
        let kept = tokens.iter().filter(|token| verified.recall(token).is_some()).count();
        assert!(kept > VerifiedSignatures::CAPACITY * 7 / 10, "{kept} of {}", tokens.len());
    }
}

//! The sealed form of an access token.
//!
//! `oba_` + base64url of: version (1) · key id (4) · nonce (12) · sealed claims · tag (16) · CRC-32 (4).
//! Prefix, version and key id are authenticated data, so no other kind of credential passes for an access token.
//! The signed form, which carries the same claims, is in `jwt`.

use crate::credential::{CredentialKind, from_text, to_text};
use crate::{CheckSignature, Claims, ClaimsError, KeyId, Refusal, jwt};

/// The most characters that a token may have; a longer one is refused before any work.
pub const MAX_TOKEN_CHARS: usize = 4096;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const HEADER_BYTES: usize = 1 + 4;

/// The key that closes new tokens. `obol-keys` implements it.
pub trait Seal {
    /// Which key this is.
    fn key_id(&self) -> KeyId;

    /// Encrypts `in_out` in place and appends the tag; `associated` is authenticated beside it.
    ///
    /// # Errors
    /// [`SealFailed`] when the cryptographic library refuses.
    fn seal(&self, nonce: [u8; 12], associated: &[u8], in_out: &mut Vec<u8>) -> Result<(), SealFailed>;
}

/// The keys that open tokens. `obol-keys` implements it.
pub trait OpenSeal {
    /// Decrypts `sealed` (ciphertext and tag) in place and returns what was sealed.
    ///
    /// # Errors
    /// [`Refusal::UnknownKey`] without that key, [`Refusal::Forged`] when it does not fit the seal.
    fn open<'a>(
        &self,
        key: KeyId,
        nonce: [u8; 12],
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a [u8], Refusal>;
}

/// The token could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealFailed {
    /// The claims do not fit the form.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// The sealed token would be longer than [`MAX_TOKEN_CHARS`].
    #[error("the token would be longer than {MAX_TOKEN_CHARS} characters; attach fewer scopes to the client")]
    TooLong,
    /// The cryptographic library refused.
    #[error("the cryptographic library refused to seal or to sign")]
    Library,
}

/// How many bytes of what is authenticated beside a seal are its own: prefix, version and key id.
pub(crate) const ASSOCIATED_BYTES: usize = 4 + HEADER_BYTES;

/// What stood under a seal, and whose seal that was.
pub(crate) struct Opened<'a> {
    pub(crate) plain: &'a [u8],
    pub(crate) key: KeyId,
}

/// Room for the bytes of one opened token, so that opening allocates nothing.
pub struct Scratch([u8; MAX_TOKEN_CHARS / 4 * 3]);

impl Default for Scratch {
    fn default() -> Self {
        Self([0; MAX_TOKEN_CHARS / 4 * 3])
    }
}

/// The text of an access token that says `claims`. A nonce is 12 fresh random bytes.
///
/// # Errors
/// [`SealFailed`] when the claims do not fit or the library refuses.
pub fn seal(claims: &Claims<'_>, key: &impl Seal, nonce: [u8; NONCE_BYTES]) -> Result<String, SealFailed> {
    let mut plain = Vec::with_capacity(160);
    claims.encode(&mut plain)?;
    let text = seal_bytes(CredentialKind::AccessToken, plain, key, nonce)?;
    if text.len() > MAX_TOKEN_CHARS {
        return Err(SealFailed::TooLong);
    }
    Ok(text)
}

/// Opens the seal of an access token of either form, checks its signature if it has one, and reads the claims. Says nothing
/// about expiry or revocation: [`crate::verify`] does.
///
/// # Errors
/// [`Refusal::Malformed`], [`Refusal::UnknownKey`] or [`Refusal::Forged`].
pub fn open<'a>(
    presented: &str,
    keys: &(impl OpenSeal + CheckSignature),
    scratch: &'a mut Scratch,
) -> Result<Claims<'a>, Refusal> {
    if presented.len() > MAX_TOKEN_CHARS {
        return Err(Refusal::Malformed);
    }
    let claims = match presented.starts_with(CredentialKind::AccessToken.prefix()) {
        true => open_bytes(CredentialKind::AccessToken, presented, keys, &mut scratch.0)?,
        false => jwt::open_signed(presented, keys, &mut scratch.0)?,
    };
    Claims::decode(claims).map_err(|_: ClaimsError| Refusal::Forged)
}

/// `plain` under a seal, as the text of a credential of this kind.
///
/// # Errors
/// [`SealFailed::Library`]
pub fn seal_bytes(
    kind: CredentialKind,
    plain: Vec<u8>,
    key: &impl Seal,
    nonce: [u8; NONCE_BYTES],
) -> Result<String, SealFailed> {
    seal_under(kind, plain, &[], key, nonce)
}

/// As [`seal_bytes`]; it opens only beside the same `context`.
pub(crate) fn seal_under(
    kind: CredentialKind,
    plain: Vec<u8>,
    context: &[u8],
    key: &impl Seal,
    nonce: [u8; NONCE_BYTES],
) -> Result<String, SealFailed> {
    let mut sealed = plain;
    let header = header(key.key_id());
    key.seal(nonce, &[&associated(kind, header), context].concat(), &mut sealed)?;
    let mut payload = Vec::with_capacity(HEADER_BYTES + NONCE_BYTES + sealed.len());
    payload.extend_from_slice(&header);
    payload.extend_from_slice(&nonce);
    payload.extend_from_slice(&sealed);
    Ok(to_text(kind, &payload))
}

/// What [`seal_bytes`] has sealed as this kind, opened in `buffer`.
///
/// # Errors
/// [`Refusal::Malformed`], also when it is too long for the buffer, [`Refusal::UnknownKey`] or [`Refusal::Forged`].
pub fn open_bytes<'a>(
    kind: CredentialKind,
    presented: &str,
    keys: &impl OpenSeal,
    buffer: &'a mut [u8],
) -> Result<&'a [u8], Refusal> {
    open_under(kind, presented, &mut [0; ASSOCIATED_BYTES], keys, buffer).map(|opened| opened.plain)
}

/// As [`open_bytes`], of what [`seal_under`] has sealed. `associated` is room for [`ASSOCIATED_BYTES`], then the context.
pub(crate) fn open_under<'a>(
    kind: CredentialKind,
    presented: &str,
    associated: &mut [u8],
    keys: &impl OpenSeal,
    buffer: &'a mut [u8],
) -> Result<Opened<'a>, Refusal> {
    let payload = from_text(kind, presented, buffer).ok_or(Refusal::Malformed)?;
    let (header, rest) = payload.split_first_chunk_mut::<HEADER_BYTES>().ok_or(Refusal::Malformed)?;
    let (nonce, sealed) = rest.split_first_chunk_mut::<NONCE_BYTES>().ok_or(Refusal::Malformed)?;
    let [version, key_id @ ..] = *header;
    if version != VERSION {
        return Err(Refusal::Malformed);
    }
    let own = associated.first_chunk_mut().ok_or(Refusal::Malformed)?;
    *own = self::associated(kind, *header);
    let key = KeyId::from_bytes(key_id);
    Ok(Opened { plain: keys.open(key, *nonce, associated, sealed)?, key })
}

/// The key with which an access token of either form says that it was sealed; `None` if it is none. Proves nothing.
pub fn claimed_key(presented: &str) -> Option<KeyId> {
    if presented.len() > MAX_TOKEN_CHARS {
        return None;
    }
    match presented.starts_with(CredentialKind::AccessToken.prefix()) {
        true => claimed_sealing_key(CredentialKind::AccessToken, presented),
        false => jwt::claimed_sealing_key(presented),
    }
}

pub(crate) fn claimed_sealing_key(kind: CredentialKind, presented: &str) -> Option<KeyId> {
    let mut scratch = Scratch::default();
    let payload = from_text(kind, presented, &mut scratch.0)?;
    match payload.first_chunk::<HEADER_BYTES>()? {
        [VERSION, key_id @ ..] => Some(KeyId::from_bytes(*key_id)),
        _ => None,
    }
}

fn header(key: KeyId) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = *key.as_bytes();
    [VERSION, a, b, c, d]
}

fn associated(kind: CredentialKind, header: [u8; HEADER_BYTES]) -> [u8; ASSOCIATED_BYTES] {
    let mut associated = [0; ASSOCIATED_BYTES];
    let (prefix, rest) = associated.split_at_mut(4);
    prefix.copy_from_slice(kind.prefix().as_bytes());
    rest.copy_from_slice(&header);
    associated
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::claims::tests::sample;
    use crate::{Sign, Signed};

    /// A seal with the shape of a real one and no strength; `obol-keys` tests the real one.
    pub(crate) struct ToySeal(pub(crate) KeyId);

    impl ToySeal {
        fn tag(nonce: [u8; 12], associated: &[u8], sealed: &[u8]) -> [u8; 16] {
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(&nonce);
            hasher.update(associated);
            hasher.update(sealed);
            let mut tag = [0; 16];
            tag[..4].copy_from_slice(&hasher.finalize().to_be_bytes());
            tag
        }
    }

    impl Seal for ToySeal {
        fn key_id(&self) -> KeyId {
            self.0
        }

        fn seal(&self, nonce: [u8; 12], associated: &[u8], in_out: &mut Vec<u8>) -> Result<(), SealFailed> {
            in_out.iter_mut().for_each(|byte| *byte ^= 0x5a);
            let tag = Self::tag(nonce, associated, in_out);
            in_out.extend_from_slice(&tag);
            Ok(())
        }
    }

    impl OpenSeal for ToySeal {
        fn open<'a>(
            &self,
            key: KeyId,
            nonce: [u8; 12],
            associated: &[u8],
            sealed: &'a mut [u8],
        ) -> Result<&'a [u8], Refusal> {
            if key != self.0 {
                return Err(Refusal::UnknownKey);
            }
            let (text, tag) = sealed.split_last_chunk_mut::<16>().ok_or(Refusal::Forged)?;
            if *tag != Self::tag(nonce, associated, text) {
                return Err(Refusal::Forged);
            }
            text.iter_mut().for_each(|byte| *byte ^= 0x5a);
            Ok(text)
        }
    }

    /// Every header is known to it that its own [`Sign`] writes; a signature is the CRC-32 of what is signed.
    impl CheckSignature for ToySeal {
        fn knows(&self, header: &str) -> bool {
            header == Sign::header(self)
        }

        fn check(&self, signed: &Signed<'_>) -> Result<(), Refusal> {
            match self.sign(signed.message.as_bytes()) {
                Ok(signature) if signature == signed.signature => Ok(()),
                _ => Err(Refusal::Forged),
            }
        }

        fn recall(&self, _: &str) -> Option<Arc<[u8]>> {
            None
        }
    }

    impl Sign for ToySeal {
        fn header(&self) -> &str {
            TOY_HEADER
        }

        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SealFailed> {
            Ok(crc32fast::hash(message).to_be_bytes().to_vec())
        }
    }

    /// `{"alg":"ES256","kid":"AAECA…","typ":"at+jwt"}`, encoded; the key id is 00010203.
    pub(crate) const TOY_HEADER: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6IkFBRUNBd0FBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUEiLCJ0eXAiOiJhdCtqd3QifQ";

    pub(crate) const KEY: ToySeal = ToySeal(KeyId::from_bytes(*b"key1"));

    #[test]
    fn a_sealed_token_opens() {
        let token = seal(&sample(), &KEY, [7; 12]).unwrap();
        assert_eq!(open(&token, &KEY, &mut Scratch::default()), Ok(sample()));
    }

    #[test]
    fn a_usual_token_is_about_150_characters() {
        let token = seal(&sample(), &KEY, [7; 12]).unwrap();
        assert!((140..=170).contains(&token.len()), "{}", token.len());
    }

    #[test]
    fn the_key_that_a_token_claims_is_read_without_a_key() {
        let token = seal(&sample(), &KEY, [7; 12]).unwrap();
        assert_eq!(claimed_key(&token), Some(KEY.key_id()));
        for none in ["", "oba_", &token[..20], &format!("{token}A"), &token.replace("oba_", "obr_")] {
            assert_eq!(claimed_key(none), None, "{none}");
        }
    }

    #[test]
    fn another_key_or_version_does_not_open() {
        let token = seal(&sample(), &KEY, [7; 12]).unwrap();
        let other = ToySeal(KeyId::from_bytes(*b"key2"));
        assert_eq!(open(&token, &other, &mut Scratch::default()), Err(Refusal::UnknownKey));

        let mut buffer = [0; 300];
        let payload = from_text(CredentialKind::AccessToken, &token, &mut buffer).unwrap();
        payload[0] = 2;
        let relabelled = to_text(CredentialKind::AccessToken, payload);
        assert_eq!(claimed_key(&relabelled), None);
        assert_eq!(open(&relabelled, &KEY, &mut Scratch::default()), Err(Refusal::Malformed));
    }

    #[test]
    fn a_changed_seal_with_a_mended_checksum_is_forged() {
        let token = seal(&sample(), &KEY, [7; 12]).unwrap();
        let mut buffer = [0; 300];
        let payload = from_text(CredentialKind::AccessToken, &token, &mut buffer).unwrap().to_vec();
        for at in HEADER_BYTES..payload.len() {
            let mut changed = payload.clone();
            changed[at] ^= 1;
            let token = to_text(CredentialKind::AccessToken, &changed);
            assert_eq!(open(&token, &KEY, &mut Scratch::default()), Err(Refusal::Forged), "{at}");
        }
    }

    #[test]
    fn a_token_over_4096_characters_is_refused_before_any_work() {
        struct Untouched;
        impl OpenSeal for Untouched {
            fn open<'a>(
                &self,
                _: KeyId,
                _: [u8; 12],
                _: &[u8],
                _: &'a mut [u8],
            ) -> Result<&'a [u8], Refusal> {
                panic!("opened");
            }
        }
        impl CheckSignature for Untouched {
            fn knows(&self, _: &str) -> bool {
                panic!("looked for")
            }

            fn check(&self, _: &Signed<'_>) -> Result<(), Refusal> {
                panic!("checked")
            }

            fn recall(&self, _: &str) -> Option<Arc<[u8]>> {
                panic!("looked for")
            }
        }
        for start in ["oba_", "eyJ.A."] {
            let long = format!("{start}{}", "A".repeat(MAX_TOKEN_CHARS));
            assert_eq!(open(&long, &Untouched, &mut Scratch::default()), Err(Refusal::Malformed));
            assert_eq!(claimed_key(&long), None);
        }
    }

    #[test]
    fn claims_that_make_the_token_too_long_are_not_sealed() {
        let scopes = "s".repeat(3_000);
        let claims = Claims { scopes: &scopes, ..sample() };
        assert_eq!(seal(&claims, &KEY, [7; 12]), Err(SealFailed::TooLong));
    }
}

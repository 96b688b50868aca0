//! The signed form of an access token, for whoever verifies offline. Home of RFC 9068.
//!
//! `header.payload.signature` in base64url (RFC 7515 §7.1). What counts here is not what the payload says but the sealed claims
//! in its last member, the same as in an opaque token; what it says is for others. The seal covers header and payload.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::access::{ASSOCIATED_BYTES, claimed_sealing_key as claimed_in, open_under, seal_under};
use crate::{
    Algorithm, Claims, ClaimsError, CredentialKind, KeyId, MAX_TOKEN_CHARS, OpenSeal, Refusal, Seal,
    SealFailed,
};

/// The key that signs new tokens. `obol-keys` implements it.
pub trait Sign {
    /// What [`access_token_header`] writes of this key and its algorithm, encoded.
    fn header(&self) -> &str;

    /// The signature of `message`, in the form of RFC 7518 §3.
    ///
    /// # Errors
    /// [`SealFailed::Library`]
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SealFailed>;
}

/// The keys that check signatures. `obol-keys` implements it.
pub trait CheckSignature {
    /// Whether a key that is in use writes this header, letter for letter. None is ever read.
    fn knows(&self, header: &str) -> bool;

    /// The encoded claims of this very token, if [`Self::check`] has found its signature to fit before, and the key that has
    /// sealed them is in use still.
    fn recall(&self, token: &str) -> Option<Arc<[u8]>>;

    /// Checks the signature of a token whose seal fits.
    ///
    /// # Errors
    /// [`Refusal::UnknownKey`] when no key writes such a header, [`Refusal::Forged`] when the signature is none of that key.
    fn check(&self, signed: &Signed<'_>) -> Result<(), Refusal>;
}

/// A signature to check, and what it is about.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The whole token.
    pub token: &'a str,
    /// Its header, as it stands there.
    pub header: &'a str,
    /// What is signed: header and payload, as they stand there.
    pub message: &'a str,
    /// The signature, decoded.
    pub signature: &'a [u8],
    /// The key that has sealed its claims.
    pub sealed_with: KeyId,
    /// Its claims, encoded.
    pub claims: &'a [u8],
}

/// The one header of access tokens of this key and algorithm, encoded (RFC 9068 §2.1). `kid` is in base64url.
pub fn access_token_header(algorithm: Algorithm, kid: &str) -> String {
    let mut encoded = String::new();
    let header = [header_start(algorithm), kid, HEADER_END].concat();
    URL_SAFE_NO_PAD.encode_string(header, &mut encoded);
    encoded
}

const HEADER_END: &str = r#"","typ":"at+jwt"}"#;

const fn header_start(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Es256 => r#"{"alg":"ES256","kid":""#,
        Algorithm::Rs256 => r#"{"alg":"RS256","kid":""#,
        Algorithm::Ps256 => r#"{"alg":"PS256","kid":""#,
        Algorithm::EdDsa => r#"{"alg":"EdDSA","kid":""#,
    }
}

/// The last member of the payload, up to the sealed claims.
const SEALED_MEMBER: &str = r#","obol":""#;
const PAYLOAD_END: &str = r#""}"#;

/// The text of a signed access token of `claims` that says `said` to others: a JSON object of one member or more. A nonce is 12
/// fresh random bytes.
///
/// # Errors
/// [`SealFailed`] when the claims do not fit, `said` is no such object, or the library refuses.
pub fn seal_and_sign(
    claims: &Claims<'_>,
    said: &str,
    seal: &impl Seal,
    sign: &impl Sign,
    nonce: [u8; 12],
) -> Result<String, SealFailed> {
    let members = said.strip_prefix('{').and_then(|said| said.strip_suffix('}'));
    let members = members.filter(|members| !members.is_empty()).ok_or(ClaimsError::Malformed)?;
    let mut plain = Vec::with_capacity(160);
    claims.encode(&mut plain)?;
    let header = sign.header();
    let payload = ["{", members, SEALED_MEMBER].concat();
    let context = [header, ".", &payload].concat();
    let sealed = seal_under(CredentialKind::SignedClaims, plain, context.as_bytes(), seal, nonce)?;
    let mut token = [header, "."].concat();
    URL_SAFE_NO_PAD.encode_string([&payload, &*sealed, PAYLOAD_END].concat(), &mut token);
    let signature = sign.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    if token.len() > MAX_TOKEN_CHARS {
        return Err(SealFailed::TooLong);
    }
    Ok(token)
}

/// The claims in a signed access token whose header is known, whose seal fits and whose signature fits, in this order: what
/// is forged is refused before the dear work.
///
/// # Errors
/// [`Refusal::Malformed`], [`Refusal::UnknownKey`] or [`Refusal::Forged`].
pub(crate) fn open_signed<'a>(
    presented: &str,
    keys: &(impl OpenSeal + CheckSignature),
    buffer: &'a mut [u8],
) -> Result<&'a [u8], Refusal> {
    let Compact { header, message, payload, signature } =
        Compact::parse(presented).ok_or(Refusal::Malformed)?;
    if !keys.knows(header) {
        return Err(claimed_by(header).map_or(Refusal::Malformed, |_| Refusal::UnknownKey));
    }
    if let Some(claims) = keys.recall(presented) {
        let recalled = buffer.get_mut(..claims.len()).ok_or(Refusal::Malformed)?;
        recalled.copy_from_slice(&claims);
        return Ok(recalled);
    }
    let mut room = Room::default();
    let Payload { associated, sealed } = room.decode(header, payload).ok_or(Refusal::Malformed)?;
    let opened = open_under(CredentialKind::SignedClaims, sealed, associated, keys, buffer)?;
    let mut signature_bytes = [0; MAX_SIGNATURE_BYTES];
    let length =
        URL_SAFE_NO_PAD.decode_slice(signature, &mut signature_bytes).map_err(|_| Refusal::Malformed)?;
    let signature = signature_bytes.get(..length).ok_or(Refusal::Malformed)?;
    let (sealed_with, claims) = (opened.key, opened.plain);
    keys.check(&Signed { token: presented, header, message, signature, sealed_with, claims })?;
    Ok(claims)
}

/// Of an RSA key of 8192 bits, the greatest that can be imported.
const MAX_SIGNATURE_BYTES: usize = 1024;

/// The parts of a compact serialization as they stand there.
struct Compact<'a> {
    header: &'a str,
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    fn parse(presented: &'a str) -> Option<Self> {
        let (message, signature) = presented.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        Some(Self { header, message, payload, signature })
    }
}

/// Room for what is authenticated beside the seal, header and payload, the one behind the other.
struct Room([u8; ASSOCIATED_BYTES + MAX_TOKEN_CHARS]);

impl Default for Room {
    fn default() -> Self {
        Self([0; ASSOCIATED_BYTES + MAX_TOKEN_CHARS])
    }
}

/// A payload, cut where the sealed claims begin.
struct Payload<'a> {
    associated: &'a mut [u8],
    sealed: &'a str,
}

impl Room {
    fn decode(&mut self, header: &str, payload: &str) -> Option<Payload<'_>> {
        let begins = ASSOCIATED_BYTES + header.len() + 1;
        let (before, decoded) = self.0.split_at_mut_checked(begins)?;
        let (_, context) = before.split_at_mut_checked(ASSOCIATED_BYTES)?;
        let (dot, text) = context.split_last_mut()?;
        text.copy_from_slice(header.as_bytes());
        *dot = b'.';
        let length = URL_SAFE_NO_PAD.decode_slice(payload, decoded).ok()?;
        let said = decoded.get(..length)?.strip_suffix(PAYLOAD_END.as_bytes())?;
        // A quotation mark within a string would be escaped, and none is in sealed claims.
        let sealed_at = said.iter().rposition(|byte| *byte == b'"')? + 1;
        said.get(..sealed_at)?.strip_suffix(SEALED_MEMBER.as_bytes())?;
        let ends = begins + said.len();
        let (associated, rest) = self.0.split_at_mut_checked(begins + sealed_at)?;
        let sealed = rest.get(..ends - begins - sealed_at)?;
        Some(Payload { associated, sealed: std::str::from_utf8(sealed).ok()? })
    }
}

/// The key with which a token says that it was signed; `None` if it is no signed access token. Proves nothing.
pub fn claimed_signing_key(presented: &str) -> Option<KeyId> {
    let Compact { header, .. } = Compact::parse(presented)?;
    claimed_by(header)
}

/// The key with which a signed access token says that it was sealed. Proves nothing.
pub(crate) fn claimed_sealing_key(presented: &str) -> Option<KeyId> {
    let Compact { header, payload, .. } = Compact::parse(presented)?;
    claimed_by(header)?;
    claimed_in(CredentialKind::SignedClaims, Room::default().decode(header, payload)?.sealed)
}

/// The id of the key of a header that has the form of ours: the first bytes of its `kid`, a thumbprint with SHA-256.
fn claimed_by(header: &str) -> Option<KeyId> {
    let mut buffer = [0; MAX_HEADER_BYTES];
    let length = URL_SAFE_NO_PAD.decode_slice(header, &mut buffer).ok()?;
    let said = std::str::from_utf8(buffer.get(..length)?).ok()?;
    let kid = Algorithm::ALL.into_iter().find_map(|algorithm| said.strip_prefix(header_start(algorithm)))?;
    let mut thumbprint = [0; THUMBPRINT_BYTES + 4];
    let length = URL_SAFE_NO_PAD.decode_slice(kid.strip_suffix(HEADER_END)?, &mut thumbprint).ok()?;
    (length == THUMBPRINT_BYTES).then_some(())?;
    thumbprint.first_chunk().copied().map(KeyId::from_bytes)
}

const THUMBPRINT_BYTES: usize = 32;
/// More than any header of ours has.
const MAX_HEADER_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::tests::{KEY, TOY_HEADER, ToySeal};
    use crate::claims::tests::sample;
    use crate::{Scratch, claimed_key, open, seal_bytes};

    const SAID: &str = r#"{"iss":"https://a","scope":"read \"write\""}"#;

    fn genuine() -> String {
        seal_and_sign(&sample(), SAID, &KEY, &KEY, [7; 12]).unwrap()
    }

    fn verdict(token: &str) -> Result<(), Refusal> {
        open(token, &KEY, &mut Scratch::default()).map(drop)
    }

    fn encoded(bytes: impl AsRef<[u8]>) -> String {
        let mut text = String::new();
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        text
    }

    /// The token of this header and payload, well signed.
    fn signed(header: &str, payload: &[u8]) -> String {
        let message = format!("{header}.{}", encoded(payload));
        let signature = encoded(KEY.sign(message.as_bytes()).unwrap());
        format!("{message}.{signature}")
    }

    fn payload() -> String {
        let token = genuine();
        String::from_utf8(URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn a_signed_token_opens_and_says_what_it_was_given() {
        assert_eq!(open(&genuine(), &KEY, &mut Scratch::default()), Ok(sample()));
        let payload = payload();
        assert!(payload.starts_with(SAID.strip_suffix('}').unwrap()), "{payload}");
        assert_eq!(signed(TOY_HEADER, payload.as_bytes()), genuine());
    }

    #[test]
    fn rfc9068_2_1_the_header_says_algorithm_key_and_type() {
        for algorithm in Algorithm::ALL {
            let header = URL_SAFE_NO_PAD.decode(access_token_header(algorithm, "the-key")).unwrap();
            let expected = format!(r#"{{"alg":"{}","kid":"the-key","typ":"at+jwt"}}"#, algorithm.name());
            assert_eq!(String::from_utf8(header).unwrap(), expected);
        }
    }

    #[test]
    fn every_change_of_one_character_is_refused() {
        let token = genuine();
        for at in 0..token.len() {
            for other in ['A', '_', '.', '=', ' '] {
                let mut changed = token.clone();
                changed.replace_range(at..=at, &other.to_string());
                assert!(changed == token || verdict(&changed).is_err(), "{changed}");
            }
            assert!(verdict(&token[..at]).is_err());
        }
        for longer in [format!("{token}A"), format!("{token}."), format!(" {token}"), format!("{token}\n")] {
            assert!(verdict(&longer).is_err(), "{longer:?}");
        }
    }

    #[test]
    fn a_changed_payload_is_refused_however_well_it_is_signed() {
        let payload = payload();
        for (changed, expected) in [
            (payload.replace("https://a", "https://b"), Refusal::Forged),
            (payload.replace(SEALED_MEMBER, r#", "obol":""#), Refusal::Malformed),
            (payload.replace(PAYLOAD_END, "\"\n}"), Refusal::Malformed),
            (payload.replace("obj_", "oba_"), Refusal::Malformed),
            (payload.replacen("{", "{\"a\":1,", 1), Refusal::Forged),
            ("{}".to_owned(), Refusal::Malformed),
            (String::new(), Refusal::Malformed),
        ] {
            assert_eq!(verdict(&signed(TOY_HEADER, changed.as_bytes())), Err(expected), "{changed}");
        }
    }

    #[test]
    fn sealed_claims_open_only_in_the_token_that_they_were_sealed_for() {
        let plain = {
            let mut plain = Vec::new();
            sample().encode(&mut plain).unwrap();
            plain
        };
        let sealed = seal_bytes(CredentialKind::SignedClaims, plain, &KEY, [7; 12]).unwrap();
        let moved = [SAID.strip_suffix('}').unwrap(), SEALED_MEMBER, &sealed, PAYLOAD_END].concat();
        assert_eq!(verdict(&signed(TOY_HEADER, moved.as_bytes())), Err(Refusal::Forged));
        assert_eq!(verdict(&sealed), Err(Refusal::Malformed), "alone they are no token");
    }

    #[test]
    fn a_header_of_another_key_is_told_from_one_of_another_form() {
        let payload = payload();
        let of = |header: String| verdict(&signed(&header, payload.as_bytes()));
        let kid = encoded([9; THUMBPRINT_BYTES]);
        for algorithm in Algorithm::ALL {
            let header = access_token_header(algorithm, &kid);
            let token = signed(&header, payload.as_bytes());
            assert_eq!(claimed_signing_key(&token), Some(KeyId::from_bytes([9; 4])));
            assert_eq!(of(header), Err(Refusal::UnknownKey));
        }
        for other in [
            access_token_header(Algorithm::Es256, "short"),
            access_token_header(Algorithm::Es256, &format!("{kid}A")),
            encoded(format!(r#"{{"alg":"none","kid":"{kid}","typ":"at+jwt"}}"#)),
            encoded(format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"JWT"}}"#)),
            format!("{TOY_HEADER}A"),
            String::new(),
        ] {
            assert_eq!(of(other.clone()), Err(Refusal::Malformed), "{other}");
        }
    }

    #[test]
    fn both_keys_that_a_token_claims_are_read_without_a_key() {
        let token = genuine();
        assert_eq!(claimed_key(&token), Some(KEY.0));
        assert_eq!(claimed_signing_key(&token), Some(KeyId::from_bytes([0, 1, 2, 3])));
        let opaque = crate::seal(&sample(), &KEY, [7; 12]).unwrap();
        assert_eq!((claimed_key(&opaque), claimed_signing_key(&opaque)), (Some(KEY.0), None));
        for none in ["", "..", "a.b.c", &token[1..]] {
            assert_eq!((claimed_key(none), claimed_signing_key(none)), (None, None), "{none}");
        }
        let other = ToySeal(KeyId::from_bytes(*b"key2"));
        let mut scratch = Scratch::default();
        assert_eq!(open(&token, &other, &mut scratch), Err(Refusal::UnknownKey), "sealed with another");
    }

    #[test]
    fn what_is_no_object_with_a_member_or_too_long_is_not_signed() {
        let made = |said: &str| seal_and_sign(&sample(), said, &KEY, &KEY, [7; 12]);
        for said in ["", "{}", "[]", "{\"a\":1", "\"a\":1}"] {
            assert_eq!(made(said), Err(SealFailed::Claims(ClaimsError::Malformed)), "{said}");
        }
        assert_eq!(made(&format!("{{\"a\":\"{}\"}}", "s".repeat(2_900))), Err(SealFailed::TooLong));
        assert!(made(&format!("{{\"a\":\"{}\"}}", "s".repeat(2_600))).is_ok());
    }
}

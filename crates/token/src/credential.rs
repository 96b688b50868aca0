//! The text shape that all our credentials share: prefix, base64url, CRC-32.
//!
//! The checksum lets a secret scanner tell a real credential from noise without a key, and lets us
//! refuse a mistyped or cut one before any work. It is no protection against forgery.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a credential is good for; each kind has its own prefix, so none passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// `oba_`: a sealed access token.
    AccessToken,
    /// `obr_`: a refresh token.
    RefreshToken,
    /// `obc_`: an authorization code.
    Code,
    /// `obs_`: a client secret that the server generated.
    ClientSecret,
    /// `obw_`: what the cookie of a signed-in browser holds.
    Session,
    /// `obt_`: an authorization request on its way through our pages, sealed.
    Ticket,
    /// `obp_`: the reference to an authorization request that a client has pushed.
    PushedRequest,
    /// `obg_`: the token with which a client manages its own registration.
    Registration,
    /// `obj_`: the sealed claims within a signed access token. By itself it is good for nothing.
    SignedClaims,
}

impl CredentialKind {
    const ALL: [Self; 9] = [
        Self::AccessToken,
        Self::RefreshToken,
        Self::Code,
        Self::ClientSecret,
        Self::Session,
        Self::Ticket,
        Self::PushedRequest,
        Self::Registration,
        Self::SignedClaims,
    ];

    /// The four characters before the base64url text.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::AccessToken => "oba_",
            Self::RefreshToken => "obr_",
            Self::Code => "obc_",
            Self::ClientSecret => "obs_",
            Self::Session => "obw_",
            Self::Ticket => "obt_",
            Self::PushedRequest => "obp_",
            Self::Registration => "obg_",
            Self::SignedClaims => "obj_",
        }
    }

    /// The kind that `text` claims to be by its prefix.
    pub fn claimed_by(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))
    }
}

/// The SHA-256 hash of a credential that carries full entropy; what a store keeps instead of it.
///
/// Made and compared (in constant time) by `obol-keys`. Does not print.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash with these bytes, read back from a store or just computed.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

const CHECKSUM_BYTES: usize = 4;

/// The text of a credential with this payload. The checksum covers prefix and payload.
pub fn to_text(kind: CredentialKind, payload: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(payload.len() + CHECKSUM_BYTES);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&checksum(kind, payload));
    let mut text = String::with_capacity(kind.prefix().len() + bytes.len().div_ceil(3) * 4);
    text.push_str(kind.prefix());
    URL_SAFE_NO_PAD.encode_string(&bytes, &mut text);
    text
}

/// The payload of a credential of this kind, decoded into `buffer`; `None` unless `text` is its exact
/// full form: right prefix, canonical base64url, right checksum, and short enough for `buffer`.
pub fn from_text<'a>(kind: CredentialKind, text: &str, buffer: &'a mut [u8]) -> Option<&'a mut [u8]> {
    let encoded = text.strip_prefix(kind.prefix())?;
    let length = URL_SAFE_NO_PAD.decode_slice(encoded, buffer).ok()?;
    let (payload, found) =
        buffer.get_mut(..length)?.split_at_mut_checked(length.checked_sub(CHECKSUM_BYTES)?)?;
    (*found == checksum(kind, payload)).then_some(payload)
}

fn checksum(kind: CredentialKind, payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(kind.prefix().as_bytes());
    hasher.update(payload);
    hasher.finalize().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_back_and_only_as_its_own_kind() {
        let text = to_text(CredentialKind::RefreshToken, &[7; 32]);
        assert!(text.starts_with("obr_"));
        let mut buffer = [0; 64];
        assert_eq!(from_text(CredentialKind::RefreshToken, &text, &mut buffer), Some(&mut [7; 32][..]));
        for kind in [CredentialKind::AccessToken, CredentialKind::Code, CredentialKind::ClientSecret] {
            let relabelled = text.replace("obr_", kind.prefix());
            assert_eq!(from_text(kind, &relabelled, &mut buffer), None, "the checksum covers the prefix");
        }
    }

    #[test]
    fn every_change_of_one_character_is_noticed() {
        let text = to_text(CredentialKind::AccessToken, b"some payload of a token");
        let mut buffer = [0; 64];
        for at in 0..text.len() {
            for other in [b'A', b'_', b'=', b'.', b' '] {
                let mut changed = text.clone().into_bytes();
                if changed[at] == other {
                    continue;
                }
                changed[at] = other;
                let changed = String::from_utf8(changed).unwrap();
                assert_eq!(from_text(CredentialKind::AccessToken, &changed, &mut buffer), None, "{changed}");
            }
            assert_eq!(from_text(CredentialKind::AccessToken, &text[..at], &mut buffer), None);
        }
        for longer in [format!("{text}A"), format!("{text}="), format!(" {text}"), format!("{text}\n")] {
            assert_eq!(from_text(CredentialKind::AccessToken, &longer, &mut buffer), None, "{longer:?}");
        }
    }

    #[test]
    fn a_payload_longer_than_the_buffer_is_refused() {
        let text = to_text(CredentialKind::AccessToken, &[1; 100]);
        assert_eq!(from_text(CredentialKind::AccessToken, &text, &mut [0; 50]), None);
    }
}

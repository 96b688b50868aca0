//! Secrets of full entropy: client secrets, refresh tokens, authorization codes, and what the cookies of sessions hold. Shown
//! once, stored as SHA-256.
//!
//! A fast hash is right for them: there is nothing to guess in 256 random bits. Each use has its own first word, so
//! that the hash of one kind is never the hash, or the key, of another.

use aws_lc_rs::{constant_time, digest};
use obol_token::{CredentialKind, SecretHash, from_text, to_text};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::random_bytes;
use crate::sealing::{SEAL_OVERHEAD_BYTES, SealKey};

/// A client secret in clear: shown once when it was made, or just presented. Does not print.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PlainSecret(String);

/// Why a text may not become a client secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Too short or too long.
    #[error("a client secret has {min} to {max} characters", min = PlainSecret::MIN_CHARS, max = PlainSecret::MAX_CHARS)]
    Length,
    /// A character outside 0x21 to 0x7E.
    #[error("a client secret holds printable ASCII characters without blanks")]
    Character,
}

impl PlainSecret {
    /// The fewest characters of a secret that an operator chooses.
    pub const MIN_CHARS: usize = 16;
    /// The most characters of a secret.
    pub const MAX_CHARS: usize = 256;

    /// A fresh secret of 256 random bits, `obs_…`.
    pub fn generate() -> Self {
        Self(to_text(CredentialKind::ClientSecret, &random_bytes::<32>()))
    }

    /// A secret that the operator chose. It is hashed fast, so it should be random.
    ///
    /// # Errors
    /// [`SecretError`] when it is too short, too long or not printable ASCII.
    pub fn chosen(text: String) -> Result<Self, SecretError> {
        let secret = Self(text);
        if !(Self::MIN_CHARS..=Self::MAX_CHARS).contains(&secret.0.len()) {
            return Err(SecretError::Length);
        }
        match secret.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(secret),
            false => Err(SecretError::Character),
        }
    }

    /// The secret in clear, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub fn hash(&self) -> SecretHash {
        hash_client_secret(&self.0)
    }
}

impl std::fmt::Debug for PlainSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainSecret(..)")
    }
}

/// Whether `presented` is the client secret with this hash; takes the same time whatever differs.
pub fn is_client_secret(presented: &str, stored: &SecretHash) -> bool {
    same_hash(&hash_client_secret(presented), stored)
}

/// Whether `presented` has the exact form of a secret that [`PlainSecret::generate`] made: 256 random bits, which nobody
/// finds by guessing.
pub fn has_generated_form(presented: &str) -> bool {
    from_text(CredentialKind::ClientSecret, presented, &mut [0; 48])
        .is_some_and(|payload| payload.len() == 32)
}

/// Compares two hashes in constant time.
pub fn same_hash(left: &SecretHash, right: &SecretHash) -> bool {
    constant_time::verify_slices_are_equal(left.as_bytes(), right.as_bytes()).is_ok()
}

fn hash_client_secret(text: &str) -> SecretHash {
    SecretHash::from_bytes(sha256("client secret", &[text.as_bytes()]))
}

/// By which it is known that an assertion was used: of the client and its `jti` (RFC 7523 §3).
pub fn assertion_hash(client_id: &str, jti: &str) -> SecretHash {
    // No client id has a zero byte.
    SecretHash::from_bytes(sha256("assertion", &[client_id.as_bytes(), &[0], jti.as_bytes()]))
}

/// A refresh token: a lineage part that all generations of its family share, and 256 random bits of its own.
///
/// The lineage tells the family of a token of any generation, so that the reuse of an old one is noticed at the cost
/// of one look-up. Does not print.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RefreshToken {
    lineage: [u8; 16],
    secret: [u8; 32],
}

impl RefreshToken {
    const PAYLOAD_BYTES: usize = 16 + 32;

    /// The first refresh token of a new family.
    pub fn generate() -> Self {
        Self { lineage: random_bytes(), secret: random_bytes() }
    }

    /// The next generation of the same family.
    pub fn next(&self) -> Self {
        Self { lineage: self.lineage, secret: random_bytes() }
    }

    /// Reads the text form; `None` unless it is the exact full form of a refresh token.
    pub fn parse(text: &str) -> Option<Self> {
        let mut buffer = [0; Self::PAYLOAD_BYTES + 8];
        let payload = from_text(CredentialKind::RefreshToken, text, &mut buffer)?;
        let (lineage, secret) = payload.split_first_chunk()?;
        let token = Self { lineage: *lineage, secret: <&[u8] as TryInto<_>>::try_into(secret).ok()? };
        buffer.zeroize();
        Some(token)
    }

    /// The text form, `obr_…`.
    pub fn text(&self) -> String {
        let mut payload = [0; Self::PAYLOAD_BYTES];
        let (lineage, secret) = payload.split_at_mut(self.lineage.len());
        lineage.copy_from_slice(&self.lineage);
        secret.copy_from_slice(&self.secret);
        let text = to_text(CredentialKind::RefreshToken, &payload);
        payload.zeroize();
        text
    }

    /// By which the store finds its family.
    pub fn lineage_hash(&self) -> SecretHash {
        SecretHash::from_bytes(sha256("refresh lineage", &[&self.lineage]))
    }

    /// By which the store recognises this generation.
    pub fn hash(&self) -> SecretHash {
        SecretHash::from_bytes(sha256("refresh token", &[&self.lineage, &self.secret]))
    }

    /// Seals the answer that this token was exchanged for, so that only a holder of this token can read it again.
    pub fn seal_answer(&self, answer: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = Vec::with_capacity(answer.len() + SEAL_OVERHEAD_BYTES);
        sealed.extend_from_slice(answer);
        // The key seals one answer ever: a generation is exchanged once, and a lost race seals what nobody stores.
        let nonce = random_bytes();
        self.answer_key()?.seal(nonce, ANSWER, &mut sealed).ok()?;
        sealed.extend_from_slice(&nonce);
        Some(sealed)
    }

    /// The answer that was sealed with [`Self::seal_answer`] of the same token.
    pub fn open_answer(&self, mut sealed: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
        let (body, nonce) = sealed.split_last_chunk_mut::<12>()?;
        let nonce = *nonce;
        Some(Zeroizing::new(self.answer_key()?.open(nonce, ANSWER, body)?.to_vec()))
    }

    fn answer_key(&self) -> Option<SealKey> {
        let mut key = sha256("refresh answer", &[&self.lineage, &self.secret]);
        let opened = SealKey::from_bytes(&key);
        key.zeroize();
        opened
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

const ANSWER: &[u8] = b"obol refresh answer";

macro_rules! random_secret {
    ($(#[$doc:meta])* $name:ident, $kind:expr, $purpose:literal) => {
        $(#[$doc])*
        #[derive(Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// A fresh one.
            pub fn generate() -> Self {
                Self(random_bytes())
            }

            /// Reads the text form; `None` unless it is the exact full form.
            pub fn parse(text: &str) -> Option<Self> {
                let mut buffer = [0; 32 + 8];
                let secret = <&[u8] as TryInto<_>>::try_into(from_text($kind, text, &mut buffer)?).ok()?;
                buffer.zeroize();
                Some(Self(secret))
            }

            /// The text form.
            pub fn text(&self) -> String {
                to_text($kind, &self.0)
            }

            /// What is stored of it.
            pub fn hash(&self) -> SecretHash {
                SecretHash::from_bytes(sha256($purpose, &[&self.0]))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

random_secret!(
    /// An authorization code (RFC 6749 §1.3.1): 256 random bits, `obc_…`. Does not print.
    AuthorizationCode,
    CredentialKind::Code,
    "authorization code"
);
random_secret!(
    /// What the cookie of a signed-in browser holds: 256 random bits, `obw_…`. Does not print.
    SessionSecret,
    CredentialKind::Session,
    "session"
);
random_secret!(
    /// The reference to a pushed authorization request (RFC 9126 §2.2): 256 random bits, `obp_…`. Does not print.
    RequestReference,
    CredentialKind::PushedRequest,
    "pushed request"
);
random_secret!(
    /// A registration access token (RFC 7592 §1.2): 256 random bits, `obg_…`. Does not print.
    RegistrationToken,
    CredentialKind::Registration,
    "registration access token"
);

impl SessionSecret {
    /// What the forms of this session carry, so that no other site can send them (the synchronizer token of the session).
    pub fn form_token(&self) -> String {
        hex::encode(sha256("form", &[&self.0]))
    }

    /// Whether a form carries the token of this session; takes the same time whatever differs.
    pub fn is_form_token(&self, presented: &str) -> bool {
        constant_time::verify_slices_are_equal(self.form_token().as_bytes(), presented.as_bytes()).is_ok()
    }
}

fn sha256(purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"obol ");
    context.update(purpose.as_bytes());
    context.update(&[0]);
    parts.iter().for_each(|part| context.update(part));
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_secret_is_recognised_by_its_hash_only() {
        let secret = PlainSecret::generate();
        assert!(secret.reveal().starts_with("obs_"));
        assert!(has_generated_form(secret.reveal()));
        for other in ["obs_", "a-secret-that-the-operator-chose", &secret.reveal()[..40]] {
            assert!(!has_generated_form(other), "{other}");
        }
        assert!(is_client_secret(secret.reveal(), &secret.hash()));
        assert!(!is_client_secret(&secret.reveal()[..20], &secret.hash()));
        assert!(!is_client_secret(PlainSecret::generate().reveal(), &secret.hash()));
    }

    #[test]
    fn chosen_secrets_have_a_length_and_an_alphabet() {
        for (text, expected) in [
            ("x".repeat(15), Some(SecretError::Length)),
            ("x".repeat(16), None),
            ("x".repeat(256), None),
            ("x".repeat(257), Some(SecretError::Length)),
            ("sixteen chars ok".to_owned(), Some(SecretError::Character)),
        ] {
            assert_eq!(PlainSecret::chosen(text.clone()).err(), expected, "{text}");
        }
    }

    #[test]
    fn a_refresh_token_reads_back_and_generations_share_their_lineage() {
        let first = RefreshToken::generate();
        let next = first.next();
        let read = RefreshToken::parse(&first.text()).unwrap();
        assert_eq!(read.hash(), first.hash());
        assert_eq!(next.lineage_hash(), first.lineage_hash());
        assert_ne!(next.hash(), first.hash());
        assert_ne!(RefreshToken::generate().lineage_hash(), first.lineage_hash());
    }

    #[test]
    fn a_cut_refresh_token_is_none() {
        let text = RefreshToken::generate().text();
        for length in 0..text.len() {
            assert!(RefreshToken::parse(&text[..length]).is_none(), "{length}");
        }
        assert!(RefreshToken::parse(&to_text(CredentialKind::RefreshToken, &[0; 47])).is_none());
        assert!(RefreshToken::parse(&to_text(CredentialKind::RefreshToken, &[0; 49])).is_none());
    }

    #[test]
    fn only_the_same_token_opens_its_answer() {
        let token = RefreshToken::generate();
        let sealed = token.seal_answer(b"the answer").unwrap();
        assert!(!sealed.windows(10).any(|window| window == b"the answer"));
        assert_eq!(token.open_answer(sealed.clone()).unwrap().as_slice(), b"the answer");
        assert_eq!(token.next().open_answer(sealed.clone()), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(token.open_answer(changed), None, "{at}");
        }
        assert_eq!(token.open_answer(Vec::new()), None);
    }

    #[test]
    fn secrets_do_not_print() {
        let (secret, token) = (PlainSecret::generate(), RefreshToken::generate());
        assert_eq!(format!("{secret:?} {token:?}"), "PlainSecret(..) RefreshToken(..)");
    }

    #[test]
    fn codes_and_sessions_read_back_only_as_themselves() {
        let (code, session) = (AuthorizationCode::generate(), SessionSecret::generate());
        assert!(code.text().starts_with("obc_") && session.text().starts_with("obw_"));
        assert_eq!(AuthorizationCode::parse(&code.text()).unwrap().hash(), code.hash());
        assert!(AuthorizationCode::parse(&session.text()).is_none());
        assert!(SessionSecret::parse(&code.text().replace("obc_", "obw_")).is_none());
        assert_ne!(SessionSecret(code.0).hash(), code.hash(), "each use has its own first word");
    }

    #[test]
    fn the_token_of_a_form_belongs_to_one_session() {
        let (session, other) = (SessionSecret::generate(), SessionSecret::generate());
        assert!(session.is_form_token(&session.form_token()));
        for presented in [other.form_token(), String::new(), session.form_token()[1..].to_owned()] {
            assert!(!session.is_form_token(&presented), "{presented}");
        }
    }
}

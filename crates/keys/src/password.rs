//! Passwords chosen by people: Argon2id (RFC 9106), kept as PHC strings.
//!
//! Only these are hashed slowly. Tokens, codes and client secrets are random and need no more than SHA-256.

use std::fmt;

use argon2::password_hash::phc::{self, Output, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::random_bytes;

/// What a password costs at present: 19 MiB, two passes, one lane, 32 bytes out (the OWASP minimum for Argon2id).
const PRESENT: Params = match Params::new(19_456, 2, 1, Some(OUTPUT_BYTES)) {
    Ok(params) => params,
    Err(_) => panic!("parameters that Argon2 accepts, or this does not compile"),
};
const OUTPUT_BYTES: usize = 32;

/// The most that a stored hash may ask for, so that a damaged row cannot take the machine: 256 MiB, 16 passes, 16 lanes.
const MOST: Cost = Cost { memory_kib: 262_144, passes: 16, lanes: 16 };

struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// A password as it was typed. Wiped when dropped; does not print.
pub struct PlainPassword(Zeroizing<String>);

/// Why a text is not a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordLengthError {
    /// Nothing was typed.
    #[error("the password is empty")]
    Empty,
    /// More than [`PlainPassword::MAX_BYTES`].
    #[error("the password is longer than {max} bytes", max = PlainPassword::MAX_BYTES)]
    TooLong,
}

impl PlainPassword {
    /// The most bytes that a password may have. All of them count: nothing is cut.
    pub const MAX_BYTES: usize = 1024;

    /// The password with this text, byte for byte. A text that is refused is wiped as well.
    ///
    /// # Errors
    /// [`PasswordLengthError`] unless it has 1 to 1024 bytes.
    pub fn new(text: String) -> Result<Self, PasswordLengthError> {
        let text = Zeroizing::new(text);
        match text.len() {
            0 => Err(PasswordLengthError::Empty),
            1..=Self::MAX_BYTES => Ok(Self(text)),
            _ => Err(PasswordLengthError::TooLong),
        }
    }

    /// A new random password: 24 characters of base64url, 144 bits.
    pub fn generate() -> Self {
        let bytes = Zeroizing::new(random_bytes::<18>());
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
    }

    /// Its text: to show a generated one once, and to hold a new one against the rules for passwords.
    pub fn danger_text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PlainPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainPassword(..)")
    }
}

/// Why a password could not be hashed or checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// There is no memory for it at present.
    #[error("no memory for hashing a password")]
    Memory,
    /// What is stored is no Argon2id PHC string, or asks for more than 256 MiB, 16 passes or 16 lanes.
    #[error("a stored password hash cannot be read")]
    Unreadable,
}

/// The PHC string for `plain` with a fresh salt and the present cost. Takes some 20 ms and 19 MiB.
///
/// # Errors
/// [`PasswordHashError::Memory`]
pub fn hash_password(plain: &PlainPassword) -> Result<String, PasswordHashError> {
    let salt = random_bytes::<16>();
    let mut output = [0; OUTPUT_BYTES];
    derive(&PRESENT, plain, &salt, &mut output)?;
    Ok(to_phc(&salt, &output))
}

/// Whether `plain` is the password of this PHC string, at the cost that the string names. The results are compared
/// in constant time.
///
/// # Errors
/// [`PasswordHashError`]; neither says anything about the password.
pub fn check_password(plain: &PlainPassword, phc: &str) -> Result<bool, PasswordHashError> {
    let stored = Stored::read(phc)?;
    let mut output = vec![0; stored.output.len()];
    derive(&stored.params, plain, &stored.salt, &mut output)?;
    Ok(output.ct_eq(stored.output.as_bytes()).into())
}

/// Whether a new hash of the same password would cost an attacker more, in any of memory, passes and output.
pub fn needs_rehash(phc: &str) -> bool {
    let weaker = |stored: Stored| {
        stored.params.m_cost() < PRESENT.m_cost()
            || stored.params.t_cost() < PRESENT.t_cost()
            || stored.output.len() < OUTPUT_BYTES
    };
    Stored::read(phc).map_or(true, weaker)
}

/// A PHC string at the present cost that no password is known to fit: 32 random bytes in the place of a result.
///
/// Checking against it takes as long as against a real one, so a name that does not exist cannot be told by time.
pub fn decoy_hash() -> String {
    to_phc(&random_bytes::<16>(), &random_bytes::<OUTPUT_BYTES>())
}

/// The parts of a PHC string.
struct Stored {
    params: Params,
    salt: Salt,
    output: Output,
}

impl Stored {
    fn read(phc: &str) -> Result<Self, PasswordHashError> {
        let unreadable = PasswordHashError::Unreadable;
        let hash = phc::PasswordHash::new(phc).map_err(|_| unreadable)?;
        let params = Params::try_from(&hash).map_err(|_| unreadable)?;
        let (Some(salt), Some(output)) = (hash.salt, hash.hash) else { return Err(unreadable) };
        let known = hash.algorithm == ARGON2ID_IDENT && hash.version == Some(Version::V0x13.into());
        let bounded = params.m_cost() <= MOST.memory_kib
            && params.t_cost() <= MOST.passes
            && params.p_cost() <= MOST.lanes;
        match known && bounded {
            true => Ok(Self { params, salt, output }),
            false => Err(unreadable),
        }
    }
}

fn derive(
    params: &Params,
    plain: &PlainPassword,
    salt: &[u8],
    output: &mut [u8],
) -> Result<(), PasswordHashError> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into(plain.0.as_bytes(), salt, output)
        .map_err(|error| match error {
            argon2::Error::OutOfMemory => PasswordHashError::Memory,
            _ => PasswordHashError::Unreadable,
        })
}

fn to_phc(salt: &[u8], output: &[u8]) -> String {
    let (memory_kib, passes, lanes) = (PRESENT.m_cost(), PRESENT.t_cost(), PRESENT.p_cost());
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
    format!("${ARGON2ID_IDENT}$v=19$m={memory_kib},t={passes},p={lanes}${salt}${output}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> PlainPassword {
        PlainPassword::new(text.to_owned()).unwrap()
    }

    /// `password` with the salt `somesalt`, as computed by the reference implementation of Argon2.
    const REFERENCE: [&str; 3] = [
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=65536,t=4,p=1$c29tZXNhbHQ$kCXUjmjvc5XMqQedpMTsOv+zyJEf5PhtGiUghW9jFyw",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    ];

    #[test]
    fn hashes_of_the_reference_implementation_are_checked_at_their_own_cost() {
        for phc in REFERENCE {
            assert_eq!(check_password(&plain("password"), phc), Ok(true), "{phc}");
            assert_eq!(check_password(&plain("Password"), phc), Ok(false), "{phc}");
        }
    }

    #[test]
    fn a_password_fits_its_own_hash_and_no_other_password_does() {
        let phc = hash_password(&plain("correct horse")).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert_eq!(check_password(&plain("correct horse"), &phc), Ok(true));
        assert_eq!(check_password(&plain("correct horse "), &phc), Ok(false));
    }

    #[test]
    fn equal_passwords_have_different_hashes() {
        assert_ne!(hash_password(&plain("same")), hash_password(&plain("same")));
    }

    #[test]
    fn every_byte_counts_up_to_the_last() {
        let longest = "x".repeat(PlainPassword::MAX_BYTES);
        let phc = hash_password(&plain(&longest)).unwrap();
        let mut other = longest.clone();
        other.replace_range(PlainPassword::MAX_BYTES - 1.., "y");
        assert_eq!(check_password(&plain(&longest), &phc), Ok(true));
        assert_eq!(check_password(&plain(&other), &phc), Ok(false));
        assert_eq!(check_password(&plain(&longest[..72]), &phc), Ok(false));
    }

    #[test]
    fn a_password_has_1_to_1024_bytes() {
        let of = |bytes| PlainPassword::new("x".repeat(bytes)).map(|password| password.danger_text().len());
        assert_eq!(of(0), Err(PasswordLengthError::Empty));
        assert_eq!(of(1), Ok(1));
        assert_eq!(of(1024), Ok(1024));
        assert_eq!(of(1025), Err(PasswordLengthError::TooLong));
    }

    #[test]
    fn a_password_never_prints() {
        assert_eq!(format!("{:?}", plain("hunter2")), "PlainPassword(..)");
    }

    #[test]
    fn generated_passwords_are_24_characters_and_differ() {
        let (one, other) = (PlainPassword::generate(), PlainPassword::generate());
        assert_eq!(one.danger_text().len(), 24);
        assert_ne!(one.danger_text(), other.danger_text());
    }

    #[test]
    fn a_decoy_costs_what_a_real_hash_costs_and_fits_nothing() {
        let decoy = decoy_hash();
        let real = hash_password(&plain("x")).unwrap();
        let cost = |phc: &str| phc.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(cost(&decoy), cost(&real));
        assert_eq!(decoy.len(), real.len());
        assert_eq!(check_password(&plain("x"), &decoy), Ok(false));
        assert_ne!(decoy_hash(), decoy);
    }

    #[test]
    fn a_hash_of_less_memory_passes_or_output_is_due_for_a_new_one() {
        let output = "A".repeat(43);
        for (cost, output, due) in [
            ("m=19456,t=2,p=1", output.as_str(), false),
            ("m=65536,t=3,p=4", output.as_str(), false),
            ("m=19455,t=2,p=1", output.as_str(), true),
            ("m=19456,t=1,p=1", output.as_str(), true),
            ("m=19456,t=2,p=1", &output[..22], true),
        ] {
            let phc = format!("$argon2id$v=19${cost}$c29tZXNhbHQ${output}");
            assert_eq!(needs_rehash(&phc), due, "{phc}");
        }
        assert!(needs_rehash("x"));
    }

    #[test]
    fn hashes_that_are_damaged_foreign_or_beyond_the_bounds_are_not_computed() {
        let output = "A".repeat(43);
        for phc in [
            String::new(),
            "x".to_owned(),
            "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ".to_owned(),
            format!("$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=262145,t=2,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=19456,t=17,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=19456,t=2,p=17$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=1,t=2,p=1$c29tZXNhbHQ${output}"),
        ] {
            let checked = check_password(&plain("password"), &phc);
            assert_eq!(checked, Err(PasswordHashError::Unreadable), "{phc}");
        }
    }
}

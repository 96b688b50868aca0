//! What a new password must be: long enough, not the name, not one that everybody tries first.
//!
//! No rule about kinds of characters and no forced change (NIST SP 800-63B-4 §3.1.1.2).

use obol_keys::PlainPassword;
use obol_store::Username;

/// The fewest characters that a new password may have.
///
/// Deviation: NIST asks for 15 where a password is the only factor. Users of the FortiAuthenticator surface are mostly
/// services that move here with the password they have (8 is the usual minimum there); new ones are best
/// generated, and guessing is slowed after ten tries.
pub const MIN_PASSWORD_CHARS: usize = 8;

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRuleError {
    /// It has fewer characters than [`MIN_PASSWORD_CHARS`].
    #[error("the password has fewer than {MIN_PASSWORD_CHARS} characters")]
    TooShort,
    /// It is the person's name, in whatever spelling.
    #[error("the password is the username")]
    Username,
    /// It is among the first that anybody would try.
    #[error("the password is one of those that are tried first")]
    Common,
}

/// Whether `password` may be the new password of `username`.
pub(crate) fn check_rules(password: &PlainPassword, username: &Username) -> Result<(), PasswordRuleError> {
    let text = password.danger_text();
    if text.chars().count() < MIN_PASSWORD_CHARS {
        return Err(PasswordRuleError::TooShort);
    }
    if text.eq_ignore_ascii_case(username.as_str()) {
        return Err(PasswordRuleError::Username);
    }
    match COMMON.iter().any(|common| text.eq_ignore_ascii_case(common)) {
        true => Err(PasswordRuleError::Common),
        false => Ok(()),
    }
}

/// Passwords of eight characters and more that head every published list, and those that vendors ship. An attacker has
/// ten free tries and some twenty a day after that, so the head of the list is what matters.
const COMMON: &[&str] = &[
    "00000000",
    "0987654321",
    "1111111111",
    "11111111",
    "11223344",
    "12121212",
    "123123123",
    "12341234",
    "1234567890",
    "123456789",
    "12345678",
    "1234qwer",
    "147258369",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "22222222",
    "55555555",
    "66666666",
    "77777777",
    "87654321",
    "88888888",
    "987654321",
    "99999999",
    "a1b2c3d4",
    "aa123456",
    "aaaaaaaa",
    "abc12345",
    "abcd1234",
    "abcdefgh",
    "admin123",
    "admin1234",
    "administrator",
    "asdfasdf",
    "asdfghjk",
    "asdfghjkl",
    "baseball",
    "changeit",
    "changeme",
    "changeme1",
    "changeme123",
    "computer",
    "default1",
    "dragon123",
    "football",
    "fortiauthenticator",
    "fortigate",
    "fortinet",
    "fortinet1",
    "iloveyou",
    "jennifer",
    "letmein1",
    "letmein123",
    "liverpool",
    "master123",
    "michelle",
    "monkey123",
    "p@ssw0rd",
    "p@ssword",
    "passw0rd",
    "password",
    "password!",
    "password1",
    "password12",
    "password123",
    "password1234",
    "princess",
    "q1w2e3r4",
    "qazwsxedc",
    "qwer1234",
    "qwerty12",
    "qwerty123",
    "qwertyui",
    "qwertyuiop",
    "sunshine",
    "superman",
    "test1234",
    "testtest",
    "trustno1",
    "welcome1",
    "welcome123",
    "whatever",
    "zaq12wsx",
    "zxcvbnm1",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Result<(), PasswordRuleError> {
        check_rules(&PlainPassword::new(password.to_owned()).unwrap(), &"Alice@Example.com".parse().unwrap())
    }

    #[test]
    fn seven_characters_are_too_few_and_eight_are_enough() {
        assert_eq!(check("gq8 kd2"), Err(PasswordRuleError::TooShort));
        assert_eq!(check("gq8 kd2z"), Ok(()));
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(check("ßßßßßßß"), Err(PasswordRuleError::TooShort));
        assert_eq!(check("ßßßßßßßß"), Ok(()));
    }

    #[test]
    fn the_name_is_refused_in_every_spelling() {
        assert_eq!(check("aLICE@example.COM"), Err(PasswordRuleError::Username));
    }

    #[test]
    fn what_is_tried_first_is_refused_in_every_spelling() {
        for password in ["password", "PassWord1", "12345678", "fortinet"] {
            assert_eq!(check(password), Err(PasswordRuleError::Common), "{password}");
        }
    }

    #[test]
    fn every_listed_password_is_long_enough_to_need_listing() {
        assert!(COMMON.iter().all(|common| common.chars().count() >= MIN_PASSWORD_CHARS));
    }

    #[test]
    fn no_kind_of_character_is_required_and_1024_bytes_are_taken() {
        assert_eq!(check("correcthorsebattery"), Ok(()));
        assert_eq!(check(&"x".repeat(PlainPassword::MAX_BYTES)), Ok(()));
    }

    #[test]
    fn generated_passwords_keep_the_rules() {
        assert_eq!(check_rules(&PlainPassword::generate(), &"alice".parse().unwrap()), Ok(()));
    }
}

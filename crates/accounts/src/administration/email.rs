//! E-mail addresses, checked only as far as keeps mistakes and control characters out.

use std::str::FromStr;

/// An e-mail address. Only sending mail to it can tell whether it is somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

/// A text is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address is name@domain, at most {max} characters, without blanks", max = Email::MAX_CHARS)]
pub struct EmailError;

impl Email {
    /// The most characters that an address can have (RFC 5321 §4.5.3.1.3, less the angle brackets).
    pub const MAX_CHARS: usize = 254;

    /// Its text, as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        let clean = !text.chars().any(|char| char.is_control() || char.is_whitespace());
        let (name, domain) = text.split_once('@').ok_or(EmailError)?;
        let shaped = !name.is_empty() && !domain.is_empty() && !domain.contains('@');
        match clean && shaped && text.chars().count() <= Self::MAX_CHARS {
            true => Ok(Self(text.to_owned())),
            false => Err(EmailError),
        }
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_at_sign_and_something_on_both_sides() {
        for text in ["alice@example.com", "a@b", "älice@exämple.com", "a.b+c@d"] {
            assert_eq!(text.parse::<Email>().as_ref().map(Email::as_str), Ok(text));
        }
        for text in ["", "alice", "@", "@example.com", "alice@", "a@b@c", "a@@b"] {
            assert_eq!(text.parse::<Email>(), Err(EmailError), "{text:?}");
        }
    }

    #[test]
    fn control_characters_and_blanks_are_refused() {
        for text in ["a@b\r\nBcc: c@d", "a@b\n", "a\0@b", "a b@c", "a@b\u{85}"] {
            assert_eq!(text.parse::<Email>(), Err(EmailError), "{text:?}");
        }
    }

    #[test]
    fn an_address_has_at_most_254_characters() {
        let of = |chars: usize| format!("{}@b", "x".repeat(chars - 2)).parse::<Email>().is_ok();
        assert!(of(254));
        assert!(!of(255));
    }
}

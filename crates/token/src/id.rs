//! Ids are types, never bare strings.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 32 hexadecimal digits.
    #[error("an id is 32 hexadecimal digits")]
    NotHex,
    /// A client id is empty, too long or holds a character outside 0x21 to 0x7E.
    #[error("a client id is 1 to {max} printable ASCII characters without blanks", max = ClientId::MAX_CHARS)]
    NotAClientId,
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these bytes; whoever makes a new one hands in random bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = [0; 32];
                hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
                f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; 16];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError::NotHex)?;
                Ok(Self(bytes))
            }
        }
    };
}

random_id!(
    /// One access token.
    TokenId
);
random_id!(
    /// A token's line of descent: everything that one authorization gave.
    FamilyId
);
random_id!(
    /// A sign-in of a person in a browser (`sid` of OpenID Connect).
    SessionId
);
random_id!(
    /// A person. Never given out again, also after the person was deleted.
    SubjectId
);

/// Which key closed a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// The key id with these bytes.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// Its 4 bytes.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// A client's identifier (RFC 6749 §2.2), chosen by the operator; case-sensitive.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// The most characters that a client id may have.
    pub const MAX_CHARS: usize = 128;

    /// A client id from its text.
    ///
    /// # Errors
    /// [`IdError::NotAClientId`] unless it is 1 to 128 characters of 0x21 to 0x7E.
    pub fn new(text: &str) -> Result<Self, IdError> {
        let fits = (1..=Self::MAX_CHARS).contains(&text.len());
        match fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self(text.into())),
            false => Err(IdError::NotAClientId),
        }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl std::borrow::Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({:?})", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        let id = FamilyId::from_bytes([
            0, 1, 9, 10, 15, 16, 0x7f, 0x80, 0x9a, 0xa9, 0xaf, 0xfa, 0xef, 0xfe, 0xf0, 0xff,
        ]);
        assert_eq!(id.to_string(), "0001090a0f107f809aa9affaeffef0ff");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn hex_of_another_length_or_alphabet_is_refused() {
        for text in ["", "00", &"0".repeat(31), &"0".repeat(33), &"g".repeat(32), &"+f".repeat(16)] {
            assert_eq!(text.parse::<TokenId>(), Err(IdError::NotHex), "{text}");
        }
    }

    #[test]
    fn client_ids_are_printable_and_bounded() {
        for text in ["fcare", "FortiSASE", "a:b%c", &"x".repeat(128)] {
            assert_eq!(ClientId::new(text).map(|id| id.as_str().to_owned()), Ok(text.to_owned()));
        }
        for text in ["", "two words", "tab\t", "ä", "nul\0", &"x".repeat(129)] {
            assert_eq!(ClientId::new(text), Err(IdError::NotAClientId), "{text:?}");
        }
    }
}

//! What a key is for. Of each kind one key is in use at a time, and changes without regard to the others.

/// What a key is for, and with which family of algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// It seals access tokens, and opens them.
    Sealing,
    /// It signs with ECDSA over P-256: ES256.
    EcP256,
    /// It signs with RSA: RS256 and PS256.
    Rsa,
    /// It signs with Ed25519: EdDSA.
    Ed25519,
}

impl KeyKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sealing, Self::EcP256, Self::Rsa, Self::Ed25519];
    /// Those that sign.
    pub const SIGNING: [Self; 3] = [Self::EcP256, Self::Rsa, Self::Ed25519];

    /// Whether it signs; else it seals.
    pub const fn signs(self) -> bool {
        !matches!(self, Self::Sealing)
    }

    /// Its number in stored form.
    pub const fn number(self) -> i64 {
        match self {
            Self::Sealing => 1,
            Self::EcP256 => 2,
            Self::Rsa => 3,
            Self::Ed25519 => 4,
        }
    }

    /// The kind with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_back_from_its_number_and_no_other_number_is_one() {
        for kind in KeyKind::ALL {
            assert_eq!(KeyKind::from_number(kind.number()), Some(kind));
            assert_eq!(kind.signs(), KeyKind::SIGNING.contains(&kind));
        }
        for number in [i64::MIN, -1, 0, 5, i64::MAX] {
            assert_eq!(KeyKind::from_number(number), None);
        }
    }
}

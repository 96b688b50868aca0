//! Scope names and sets of them.

use std::fmt;
use std::str::FromStr;

/// Why a text is not a scope or a list of scopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Empty or longer than 64 characters.
    #[error("a scope name has 1 to {max} characters", max = Scope::MAX_CHARS)]
    Length,
    /// A character outside 0x21 to 0x7E, or `"` or `\`.
    #[error("a scope name holds printable ASCII characters without blank, double quote and backslash")]
    Character,
    /// More scopes in one list than 64.
    #[error("a list holds at most {max} scopes", max = Scopes::MAX_COUNT)]
    TooMany,
}

/// The name of a scope (RFC 6749 §3.3): 1 to 64 characters, case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Box<str>);

impl Scope {
    /// The most characters that a scope name may have.
    pub const MAX_CHARS: usize = 64;

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if !(1..=Self::MAX_CHARS).contains(&text.len()) {
            return Err(ScopeError::Length);
        }
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        match text.bytes().all(allowed) {
            true => Ok(Self(text.into())),
            false => Err(ScopeError::Character),
        }
    }
}

/// A set of scopes in the order in which they were named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// The most scopes in one set.
    pub const MAX_COUNT: usize = 64;

    /// Adds a scope; one that is there already stays where it is.
    ///
    /// # Errors
    /// [`ScopeError::TooMany`] past 64.
    pub fn insert(&mut self, scope: Scope) -> Result<(), ScopeError> {
        if self.contains(&scope) {
            return Ok(());
        }
        if self.0.len() == Self::MAX_COUNT {
            return Err(ScopeError::TooMany);
        }
        self.0.push(scope);
        Ok(())
    }

    /// Whether the set holds this scope.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// Whether every scope of this set is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().all(|scope| other.contains(scope))
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

/// Reads the blank-separated form of RFC 6749 §3.3; several blanks count as one.
impl FromStr for Scopes {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let mut scopes = Self::default();
        for name in text.split(' ').filter(|name| !name.is_empty()) {
            scopes.insert(name.parse()?)?;
        }
        Ok(scopes)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_the_administration_guide() {
        for name in ["read", "!", "~", "urn:x/y", &"s".repeat(64)] {
            assert!(name.parse::<Scope>().is_ok(), "{name}");
        }
        for name in ["\"", "\\", "ä", "a\tb", "a\u{7f}"] {
            assert_eq!(name.parse::<Scope>(), Err(ScopeError::Character), "{name}");
        }
        for name in [String::new(), "s".repeat(65)] {
            assert_eq!(name.parse::<Scope>(), Err(ScopeError::Length), "{name}");
        }
    }

    #[test]
    fn a_list_keeps_its_order_and_drops_repeats() {
        let scopes: Scopes = " write  read write ".parse().unwrap();
        assert_eq!(scopes.to_string(), "write read");
    }

    #[test]
    fn a_list_is_bounded() {
        let names = |count: usize| (0..count).map(|n| format!("s{n} ")).collect::<String>();
        assert!(names(64).parse::<Scopes>().is_ok());
        assert_eq!(names(65).parse::<Scopes>(), Err(ScopeError::TooMany));
    }

    #[test]
    fn scopes_are_case_sensitive() {
        let scopes: Scopes = "read".parse().unwrap();
        assert!(!scopes.contains(&"Read".parse().unwrap()));
        assert!(!"Read".parse::<Scopes>().unwrap().is_subset(&scopes));
    }
}

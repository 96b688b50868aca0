//! The `Authorization` header: Basic (RFC 7617, with the encoding of RFC 6749 §2.3.1) and Bearer (RFC 6750 §2.1).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::params::decode_form;

/// What the `Authorization` header holds.
pub enum Authorization<'a> {
    /// There is none, or it is of another scheme.
    None,
    /// Client credentials.
    Basic(BasicCredentials),
    /// The scheme is Basic and the rest is not well formed.
    MalformedBasic,
    /// A token.
    Bearer(&'a str),
}

/// A client id and secret.
pub struct BasicCredentials {
    /// Both, decoded, one after the other; wiped when dropped.
    text: Zeroizing<String>,
    secret_at: usize,
}

impl BasicCredentials {
    /// The `client_id`, decoded.
    pub fn client_id(&self) -> &str {
        self.text.get(..self.secret_at).unwrap_or_default()
    }

    /// The secret, decoded.
    pub fn client_secret(&self) -> &str {
        self.text.get(self.secret_at..).unwrap_or_default()
    }
}

impl<'a> Authorization<'a> {
    /// Reads the header's value. The scheme is compared without case, and exactly one word follows it.
    pub fn parse(value: &'a str) -> Self {
        let mut words = value.split(' ').filter(|word| !word.is_empty());
        let (Some(scheme), credentials, None) = (words.next(), words.next(), words.next()) else {
            return Self::None;
        };
        if scheme.eq_ignore_ascii_case("basic") {
            return credentials.and_then(parse_basic).map_or(Self::MalformedBasic, Self::Basic);
        }
        match credentials {
            Some(token) if scheme.eq_ignore_ascii_case("bearer") => Self::Bearer(token),
            Some(_) | None => Self::None,
        }
    }
}

impl std::fmt::Debug for Authorization<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic(_) => "Basic(..)",
            Self::MalformedBasic => "MalformedBasic",
            Self::Bearer(_) => "Bearer(..)",
        })
    }
}

/// Id and secret are form-encoded each before they are joined (RFC 6749 §2.3.1).
fn parse_basic(credentials: &str) -> Option<BasicCredentials> {
    let decoded = Zeroizing::new(STANDARD.decode(credentials).ok()?);
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (client_id, rest) = decoded.split_at_checked(colon)?;
    let (client_id, client_secret) = (decode_form(client_id).ok()?, decode_form(rest.get(1..)?).ok()?);
    let text = Zeroizing::new([&*client_id, &*client_secret].concat());
    if let Cow::Owned(copy) = client_secret {
        drop(Zeroizing::new(copy));
    }
    Some(BasicCredentials { text, secret_at: client_id.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn basic(pair: &str) -> Option<(String, String)> {
        match Authorization::parse(&format!("Basic {}", STANDARD.encode(pair))) {
            Authorization::Basic(found) => {
                Some((found.client_id().to_owned(), found.client_secret().to_owned()))
            }
            Authorization::MalformedBasic => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rfc6749_2_3_1_id_and_secret_are_form_encoded() {
        assert_eq!(basic("id:secret"), Some(("id".into(), "secret".into())));
        assert_eq!(basic("a%3Ab:c%2Bd+e"), Some(("a:b".into(), "c+d e".into())));
        assert_eq!(basic("id:with:colon"), Some(("id".into(), "with:colon".into())));
        assert_eq!(basic("id:"), Some(("id".into(), String::new())));
    }

    #[test]
    fn malformed_basic_is_noticed() {
        for pair in ["no colon", "id:%zz", "%:x"] {
            assert_eq!(basic(pair), None, "{pair}");
        }
        for value in ["Basic", "basic ", "Basic !!!", "Basic aWQ6c2VjcmV0=", "BASIC aWQ"] {
            let parsed = Authorization::parse(value);
            assert!(matches!(parsed, Authorization::MalformedBasic), "{value}: {parsed:?}");
        }
    }

    #[test]
    fn the_scheme_is_compared_without_case_and_one_word_follows() {
        for value in ["Bearer abc", "bearer abc", "BEARER abc", "Bearer  abc"] {
            assert!(matches!(Authorization::parse(value), Authorization::Bearer("abc")), "{value}");
        }
        for value in ["", "Bearer", "Bearer ", "Bearer a b", "Bearerabc", "Token abc", "abc"] {
            assert!(matches!(Authorization::parse(value), Authorization::None), "{value}");
        }
    }

    #[test]
    fn what_it_holds_does_not_print() {
        let printed = format!("{:?}", Authorization::parse("Bearer abc"));
        assert_eq!(printed, "Bearer(..)");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(value in ".{0,200}") {
            let _ = Authorization::parse(&value);
        }
    }
}

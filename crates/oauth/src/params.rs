//! Strict parsing of parameters: forms, JSON bodies and query strings.
//!
//! The same rules for all three: a name given twice is an error, an empty value counts as absent, unknown names are
//! ignored, and what is not well formed is refused as a whole (RFC 6749 §3.1, §3.2).

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr2};
use percent_encoding::percent_decode;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::{Zeroize, Zeroizing};

use crate::{ErrorCode, OAuthError};

/// The parameters of one request. What had to be copied out of it is wiped when dropped, for it holds secrets.
#[derive(Default)]
pub struct Params<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

enum Value<'a> {
    Text(Cow<'a, str>),
    /// A JSON list of texts, as far as [`Params::MOST_TEXTS`] and one more.
    Texts(Vec<Cow<'a, str>>),
    /// Another JSON list, or an object: never a parameter of ours.
    Structured,
}

/// Why bytes are not parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedParams {
    /// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("the form is not well formed: percent-encode it as UTF-8")]
    Form,
    /// Not a JSON object, too deep, or not UTF-8.
    #[error("the body is not a well-formed JSON object")]
    Json,
    /// A name occurs twice.
    #[error("a parameter is given twice; give each once")]
    Duplicate,
    /// More than [`Params::MAX_COUNT`].
    #[error("there are more than {max} parameters", max = Params::MAX_COUNT)]
    TooMany,
}

impl<'a> Params<'a> {
    /// The most parameters in one request.
    pub const MAX_COUNT: usize = 100;

    /// The most texts in one JSON list.
    pub const MOST_TEXTS: usize = 1_000;

    /// Reads `application/x-www-form-urlencoded`: a body or a query string.
    ///
    /// # Errors
    /// [`MalformedParams`]
    pub fn from_form(bytes: &'a [u8]) -> Result<Self, MalformedParams> {
        let mut params = Self(Vec::with_capacity(if bytes.is_empty() { 0 } else { 4 }));
        let mut rest = Some(bytes);
        while let Some(bytes) = rest {
            let (pair, after) = cut(bytes, b'&');
            rest = after;
            if !pair.is_empty() {
                let (name, value) = cut(pair, b'=');
                params.insert(decode_form(name)?, Value::Text(decode_form(value.unwrap_or_default())?))?;
            }
        }
        Ok(params)
    }

    /// Reads a JSON object. Numbers and booleans count as their text, `null` as absent.
    ///
    /// # Errors
    /// [`MalformedParams`]
    pub fn from_json(bytes: &'a [u8]) -> Result<Self, MalformedParams> {
        let Object(pairs) = serde_json::from_slice(bytes).map_err(|_| MalformedParams::Json)?;
        let mut params = Self::default();
        for (name, value) in pairs {
            params.insert(name.0, value)?;
        }
        Ok(params)
    }

    /// From names and values that were read elsewhere; no value is one that is no text.
    ///
    /// # Errors
    /// [`MalformedParams`]
    pub(crate) fn from_pairs(
        pairs: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<Self, MalformedParams> {
        let mut params = Self::default();
        for (name, value) in pairs {
            params.insert(name.into(), value.map_or(Value::Structured, |text| Value::Text(text.into())))?;
        }
        Ok(params)
    }

    /// The parameter of this name, if it is there and not empty.
    ///
    /// # Errors
    /// `invalid_request` when it is a JSON list or object.
    pub fn optional(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        match self.0.iter().find(|(candidate, _)| candidate == name) {
            None => Ok(None),
            Some((_, Value::Text(text))) if text.is_empty() => Ok(None),
            Some((_, Value::Text(text))) => Ok(Some(text)),
            Some((_, Value::Texts(_) | Value::Structured)) => Err(OAuthError::new(
                ErrorCode::InvalidRequest,
                format!("The parameter `{name}` must be a text."),
            )),
        }
    }

    /// The parameter of this name.
    ///
    /// # Errors
    /// `invalid_request` naming the parameter when it is absent, empty or not a text.
    pub fn required(&self, name: &str) -> Result<&str, OAuthError> {
        self.optional(name)?.ok_or_else(|| {
            OAuthError::new(ErrorCode::InvalidRequest, format!("The parameter `{name}` is missing; send it."))
        })
    }

    /// The names of all parameters.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// The texts of the JSON list of this name.
    ///
    /// # Errors
    /// `invalid_request` naming the parameter when it is absent, not a list of texts, or longer than
    /// [`Self::MOST_TEXTS`].
    pub fn required_texts(&self, name: &str) -> Result<&[Cow<'a, str>], OAuthError> {
        let wrong = |what: String| Err(OAuthError::new(ErrorCode::InvalidRequest, what));
        match self.0.iter().find(|(candidate, _)| candidate == name) {
            None => wrong(format!("The parameter `{name}` is missing; send it.")),
            Some((_, Value::Texts(texts))) if texts.len() > Self::MOST_TEXTS => {
                wrong(format!("The parameter `{name}` holds at most {} texts.", Self::MOST_TEXTS))
            }
            Some((_, Value::Texts(texts))) => Ok(texts),
            Some((_, Value::Text(_) | Value::Structured)) => {
                wrong(format!("The parameter `{name}` must be a list of texts."))
            }
        }
    }

    fn insert(&mut self, name: Cow<'a, str>, value: Value<'a>) -> Result<(), MalformedParams> {
        if self.0.iter().any(|(known, _)| *known == name) {
            return Err(MalformedParams::Duplicate);
        }
        if self.0.len() == Self::MAX_COUNT {
            return Err(MalformedParams::TooMany);
        }
        self.0.push((name, value));
        Ok(())
    }
}

impl Drop for Params<'_> {
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            let texts = match value {
                Value::Text(text) => std::slice::from_mut(text),
                Value::Texts(texts) => texts,
                Value::Structured => continue,
            };
            for text in texts {
                if let Cow::Owned(text) = text {
                    text.zeroize();
                }
            }
        }
    }
}

impl fmt::Debug for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// What stands before the first `separator`, and what stands after it, if it is there.
fn cut(bytes: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match memchr(separator, bytes).and_then(|at| bytes.split_at_checked(at)) {
        Some((before, after)) => (before, after.get(1..)),
        None => (bytes, None),
    }
}

/// Decodes one half of a pair: `+` is a blank, `%` is followed by two hexadecimal digits, the result is UTF-8.
pub(crate) fn decode_form(encoded: &[u8]) -> Result<Cow<'_, str>, MalformedParams> {
    if memchr2(b'%', b'+', encoded).is_none() {
        return std::str::from_utf8(encoded).map(Cow::Borrowed).map_err(|_| MalformedParams::Form);
    }
    let escapes_are_whole = encoded
        .split(|byte| *byte == b'%')
        .skip(1)
        .all(|after| matches!(after, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()));
    if !escapes_are_whole {
        return Err(MalformedParams::Form);
    }
    let blanks = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte });
    let blanks: Zeroizing<Vec<u8>> = Zeroizing::new(blanks.collect());
    let decoded = percent_decode(&blanks).decode_utf8().map_err(|_| MalformedParams::Form)?;
    Ok(Cow::Owned(decoded.into_owned()))
}

struct Object<'a>(Vec<(Text<'a>, Value<'a>)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// A text, where it lies if it needs no decoding.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
            // The caller refuses one too many; reading on would only cost memory.
            if pairs.len() > Params::MAX_COUNT {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            }
        }
        Ok(Object(pairs))
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(text.to_owned().into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Text(value.to_string().into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Text(value.to_string().into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Value::Text(value.to_string().into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Text(value.to_string().into()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed("")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let (mut texts, mut structured) = (Vec::new(), false);
        // Read as values, not skipped: so depth is limited and texts are UTF-8 in what is ignored, too.
        while let Some(element) = list.next_element::<Value>()? {
            match element {
                // What is one too many shows that there are; the rest would only cost memory.
                Value::Text(text) if texts.len() <= Params::MOST_TEXTS => texts.push(text),
                Value::Text(_) => {}
                Value::Texts(_) | Value::Structured => structured = true,
            }
        }
        Ok(if structured { Value::Structured } else { Value::Texts(texts) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<Text, Value>()?.is_some() {}
        Ok(Value::Structured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(text: &str) -> Result<Params<'_>, MalformedParams> {
        Params::from_form(text.as_bytes())
    }

    fn json(text: &str) -> Result<Params<'_>, MalformedParams> {
        Params::from_json(text.as_bytes())
    }

    #[test]
    fn rfc6749_3_2_a_parameter_given_twice_is_refused() {
        for result in [
            form("token=a&token=a"),
            form("unknown=a&unknown=b"),
            form("token=&token="),
            form("tok%65n=a&token=b"),
            json(r#"{"token":"a","token":"a"}"#),
            json(r#"{"token":null,"token":"a"}"#),
        ] {
            assert_eq!(result.err(), Some(MalformedParams::Duplicate));
        }
    }

    #[test]
    fn rfc6749_3_2_an_empty_parameter_counts_as_absent() {
        for params in [form("token="), form("token"), json(r#"{"token":""}"#), json(r#"{"token":null}"#)] {
            let params = params.unwrap();
            assert!(params.optional("token").unwrap().is_none());
            assert_eq!(params.required("token").unwrap_err().code(), ErrorCode::InvalidRequest);
        }
    }

    #[test]
    fn forms_are_decoded_strictly() {
        assert_eq!(form("a=x+y%2Bz%C3%A4").unwrap().optional("a").unwrap(), Some("x y+zä"));
        assert_eq!(form("a=b=c").unwrap().optional("a").unwrap(), Some("b=c"));
        for text in ["a=%", "a=%4", "a=%zz", "a=%ff", "%=a", "a=%C3"] {
            assert_eq!(form(text).err(), Some(MalformedParams::Form), "{text}");
        }
        assert_eq!(Params::from_form(b"a=\xff").err(), Some(MalformedParams::Form));
    }

    #[test]
    fn json_must_be_one_object() {
        for text in ["", "[]", "\"a\"", "1", "null", "{", "{}x", "{\"a\":}", "{'a':1}"] {
            assert_eq!(json(text).err(), Some(MalformedParams::Json), "{text}");
        }
        assert_eq!(Params::from_json(b"{\"a\":\"\xff\"}").err(), Some(MalformedParams::Json));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(json(&deep).err(), Some(MalformedParams::Json));
    }

    #[test]
    fn json_numbers_count_as_text_and_structures_do_not() {
        let params = json(r#"{"n":123456,"b":true,"l":["x"],"o":{"x":1}}"#).unwrap();
        assert_eq!(params.optional("n").unwrap(), Some("123456"));
        assert_eq!(params.optional("b").unwrap(), Some("true"));
        for name in ["l", "o"] {
            assert_eq!(params.optional(name).unwrap_err().code(), ErrorCode::InvalidRequest);
        }
        assert!(params.optional("unknown").unwrap().is_none(), "unknown structures are ignored");
    }

    #[test]
    fn a_list_of_texts_is_one_parameter() {
        let params = json(r#"{"l":["a","b\u00e4",3],"e":[],"n":[["a"]],"t":"a"}"#).unwrap();
        assert_eq!(params.required_texts("l").unwrap(), ["a", "bä", "3"]);
        assert!(params.required_texts("e").unwrap().is_empty());
        for name in ["n", "t", "unknown"] {
            let error = params.required_texts(name).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidRequest, "{name}");
        }
        assert_eq!(params.optional("l").unwrap_err().code(), ErrorCode::InvalidRequest);
    }

    #[test]
    fn a_list_holds_at_most_a_thousand_texts() {
        let list = |count: usize| format!(r#"{{"l":[{}]}}"#, vec!["\"x\""; count].join(","));
        assert_eq!(json(&list(1_000)).unwrap().required_texts("l").unwrap().len(), 1_000);
        for count in [1_001, 20_000] {
            let error = json(&list(count)).unwrap().required_texts("l").unwrap_err();
            assert!(error.sentence().contains("at most 1000"), "{error:?}");
        }
    }

    #[test]
    fn the_count_is_bounded() {
        let many = |count: usize| (0..count).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        assert!(form(&many(100)).is_ok());
        assert_eq!(form(&many(101)).err(), Some(MalformedParams::TooMany));
        let object = |count: usize| {
            let members: Vec<_> = (0..count).map(|n| format!("\"p{n}\":1")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(json(&object(100)).is_ok());
        assert_eq!(json(&object(50_000)).err(), Some(MalformedParams::TooMany));
    }

    #[test]
    fn values_do_not_print() {
        let printed = format!("{:?}", form("password=hunter2").unwrap());
        assert_eq!(printed, "[\"password\"]");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Params::from_form(&bytes);
            let _ = Params::from_json(&bytes);
        }

        #[test]
        fn any_text_survives_a_form(text in ".{0,40}") {
            let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
            let encoded = format!("a={encoded}");
            let params = form(&encoded).unwrap();
            prop_assert_eq!(params.optional("a").unwrap().unwrap_or_default(), text);
        }
    }
}

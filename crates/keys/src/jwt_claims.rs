//! What JWTs say (RFC 7519 §4).

use std::fmt;

use obol_token::Timestamp;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// The claims of a JWT.
#[derive(Clone, PartialEq)]
pub struct JwtClaims(Map<String, Value>);

impl From<UniqueMembers> for JwtClaims {
    fn from(UniqueMembers(members): UniqueMembers) -> Self {
        Self(members)
    }
}

/// A claim that is there, and no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is not a number of seconds")]
pub struct NotATime;

impl JwtClaims {
    /// The claim of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The claim of this name, if it is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The moment in the claim of this name (RFC 7519 §2, `NumericDate`); fractions of a second are cut.
    ///
    /// # Errors
    /// [`NotATime`] when it is there and is no such number.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, NotATime> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let secs = value.as_i64().or_else(|| whole_secs(value.as_f64()?));
        secs.map(|secs| Some(Timestamp::from_secs(secs))).ok_or(NotATime)
    }

    /// All claims, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl fmt::Debug for JwtClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Within what a JSON number holds exactly.
#[allow(clippy::cast_possible_truncation, reason = "it was compared before")]
fn whole_secs(secs: f64) -> Option<i64> {
    (secs.abs() < 9_007_199_254_740_992.0).then_some(secs.floor() as i64)
}

/// A JSON object in which no name is there twice: of two, others may read the other one (RFC 8725 §2.4).
pub(crate) struct UniqueMembers(pub(crate) Map<String, Value>);

impl<'de> Deserialize<'de> for UniqueMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = UniqueMembers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(UniqueMembers(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<JwtClaims> {
        serde_json::from_str::<UniqueMembers>(text).ok().map(JwtClaims::from)
    }

    #[test]
    fn rfc7519_4_no_claim_is_there_twice() {
        assert_eq!(read(r#"{"a":"1","b":2}"#).unwrap().text("a"), Some("1"));
        for text in
            [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"a":1,"b":2,"a":null}"#, "[]", "1", "", "{"]
        {
            assert!(read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn rfc7519_2_a_time_is_a_number_of_seconds() {
        let claims = read(r#"{"t":1,"f":1.9,"n":-1.5,"h":1e300,"s":"1","b":true,"z":null}"#).unwrap();
        let at = |secs| Ok(Some(Timestamp::from_secs(secs)));
        assert_eq!([claims.time("t"), claims.time("f"), claims.time("n")], [at(1), at(1), at(-2)]);
        assert_eq!(claims.time("none"), Ok(None));
        for name in ["h", "s", "b", "z"] {
            assert_eq!(claims.time(name), Err(NotATime), "{name}");
        }
    }
}

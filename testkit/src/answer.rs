//! What the server answered.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// An HTTP answer, read to its end.
#[derive(Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// From the first byte sent to the last byte read.
    pub took: Duration,
}

impl Answer {
    /// Fails the test unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Fails the test unless status and `error` of the body are these.
    #[track_caller]
    pub fn expect_error(self, status: u16, error: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.json()["error"], error, "{answer:?}");
        answer
    }

    /// A header, if it was sent once.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.get_all(name).iter();
        let first = all.next()?;
        assert!(all.next().is_none(), "{name} was sent twice: {self:?}");
        Some(first.to_str().expect("headers are ASCII"))
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A text of the JSON body.
    #[track_caller]
    pub fn text(&self, key: &str) -> String {
        match self.json().get(key) {
            Some(Value::String(text)) => text.clone(),
            _ => panic!("no text {key}: {self:?}"),
        }
    }

    /// A whole number of the JSON body.
    #[track_caller]
    pub fn integer(&self, key: &str) -> i64 {
        self.json()[key].as_i64().unwrap_or_else(|| panic!("no integer {key}: {self:?}"))
    }

    /// The keys of the JSON body as they stand in it.
    #[track_caller]
    pub fn keys(&self) -> Vec<String> {
        let keys: KeysInOrder =
            serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        keys.0
    }

    /// Everything that an outsider can tell two answers apart by, except the request's id, the date and the time taken.
    pub fn essence(&self) -> Essence {
        let mut headers: Vec<String> = self
            .headers
            .iter()
            .filter(|(name, _)| *name != "x-request-id" && *name != "date")
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        headers.sort();
        Essence { status: self.status, headers, body: String::from_utf8_lossy(&self.body).into_owned() }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} {:?}\n{body}", self.status, self.headers)
    }
}

/// An answer without what differs by nature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Essence {
    status: u16,
    headers: Vec<String>,
    body: String,
}

struct KeysInOrder(Vec<String>);

impl<'de> Deserialize<'de> for KeysInOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = KeysInOrder;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KeysInOrder, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(KeysInOrder(keys))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
        let pairs = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
        Answer { status, headers: pairs.collect(), body: Bytes::from(body), took: Duration::ZERO }
    }

    #[test]
    fn keys_keep_the_order_of_the_body_and_show_duplicates() {
        let answer = answer(200, &[], r#"{"b":1,"a":{"c":[2]},"b":null}"#);
        assert_eq!(answer.keys(), ["b", "a", "b"]);
    }

    #[test]
    fn answers_differ_by_everything_but_request_id_and_date() {
        let one =
            answer(401, &[("date", "a"), ("x-request-id", "1"), ("pragma", "no-cache")], "{}").essence();
        let same =
            answer(401, &[("pragma", "no-cache"), ("x-request-id", "2"), ("date", "b")], "{}").essence();
        assert_eq!(one, same);
        for other in [
            answer(400, &[("pragma", "no-cache")], "{}"),
            answer(401, &[("pragma", "no-cache")], "{} "),
            answer(401, &[("pragma", "none")], "{}"),
            answer(401, &[], "{}"),
        ] {
            assert_ne!(one, other.essence());
        }
    }

    #[test]
    #[should_panic(expected = "sent twice")]
    fn a_header_sent_twice_fails_the_test_that_reads_it() {
        let _ = answer(200, &[("pragma", "a"), ("pragma", "b")], "").header("pragma");
    }
}

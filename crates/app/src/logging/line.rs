//! One record as one line.

use std::fmt::Write;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use tracing::{Level, Metadata};

use super::fields::{Fields, MOST_CHARS};
use crate::printable::{printable, printable_json};

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Names that a field of a JSON record cannot have.
const RESERVED: [&str; 3] = ["timestamp", "level", "target"];

/// A record of this moment, with its line break.
pub(super) fn line(form: Form, metadata: &Metadata<'_>, fields: &Fields) -> String {
    let record = Record { at: Timestamp::now(), level: *metadata.level(), target: metadata.target(), fields };
    record.line(form)
}

/// The record that says that others were lost.
pub(super) fn lost(form: Form, count: u64) -> String {
    let fields = Fields(vec![("message", Value::from("log lines were lost")), ("count", Value::from(count))]);
    let record = Record { at: Timestamp::now(), level: Level::WARN, target: module_path!(), fields: &fields };
    record.line(form)
}

struct Record<'a> {
    at: Timestamp,
    level: Level,
    target: &'a str,
    fields: &'a Fields,
}

impl Record<'_> {
    fn line(&self, form: Form) -> String {
        let mut line = match form {
            Form::Text => self.text(),
            Form::Json => printable_json(serde_json::to_string(self).unwrap_or_default()),
        };
        line.push('\n');
        line
    }

    fn text(&self) -> String {
        let mut line = format!("{:.3} {:>5} {}:", self.at, self.level.as_str(), self.target);
        // Writing to a String cannot fail.
        if let Some((_, message)) = self.fields.0.iter().find(|(name, _)| *name == "message") {
            let _ = write!(line, " {}", printable(message.as_str().unwrap_or_default(), MOST_CHARS));
        }
        for (name, value) in self.fields.0.iter().filter(|(name, _)| *name != "message") {
            let _ = match value.as_str() {
                Some(text) if text.is_empty() || text.contains([' ', '"', '=']) => {
                    write!(line, " {name}={}", printable(&format!("{text:?}"), 2 * MOST_CHARS))
                }
                Some(text) => write!(line, " {name}={}", printable(text, MOST_CHARS)),
                None => write!(line, " {name}={value}"),
            };
        }
        line
    }
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &format_args!("{:.6}", self.at))?;
        map.serialize_entry("level", self.level.as_str())?;
        map.serialize_entry("target", self.target)?;
        for (name, value) in &self.fields.0 {
            match RESERVED.contains(name) {
                true => map.serialize_entry(&format_args!("field_{name}"), value)?,
                false => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

//! The audit files, read back.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// One audit record.
#[derive(Debug, Clone)]
pub struct AuditLine(Value);

impl AuditLine {
    pub(crate) fn read_all(data: &Path) -> Vec<Self> {
        ["audit.jsonl", "audit-refused.jsonl"].iter().flat_map(|name| Self::read(&data.join(name))).collect()
    }

    fn read(path: &Path) -> Vec<Self> {
        let text = fs::read_to_string(path).unwrap_or_default();
        // A last line without its end is still being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(Self::parse).collect()
    }

    fn parse(line: &str) -> Self {
        Self(serde_json::from_str(line).unwrap_or_else(|error| panic!("audit line: {error}: {line}")))
    }

    /// Its `event`.
    pub fn event(&self) -> &str {
        self.0["event"].as_str().unwrap_or_default()
    }

    /// A text of it; empty if absent.
    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    /// The whole record.
    pub fn value(&self) -> &Value {
        &self.0
    }
}

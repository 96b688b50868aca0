//! The fields of a record, each capped in length while it is written.

use std::fmt::{self, Debug, Write};

use serde_json::Value;
use tracing::field::{Field, Visit};

/// The most characters of one value.
pub(super) const MOST_CHARS: usize = 1_024;

/// Names and values, in the order in which they were recorded.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Vec<(&'static str, Value)>);

impl Fields {
    /// Takes the fields of `outer` that this has not.
    pub(super) fn inherit(&mut self, outer: &Self) {
        for (name, value) in &outer.0 {
            if self.0.iter().all(|(own, _)| own != name) {
                self.0.push((name, value.clone()));
            }
        }
    }

    fn put(&mut self, field: &Field, value: Value) {
        match self.0.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, old)) => *old = value,
            None => self.0.push((field.name(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = Capped { text: String::new(), chars_left: MOST_CHARS };
        // An error means that the cap was reached, and the ellipsis says so.
        let _ = write!(text, "{value:?}");
        self.put(field, Value::from(text.text));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }
}

/// Stops the writing of a value that grows too long, rather than cutting it afterwards.
struct Capped {
    text: String,
    chars_left: usize,
}

impl Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match self.chars_left {
                0 => {
                    self.text.pop();
                    self.text.push('…');
                    return Err(fmt::Error);
                }
                _ => self.text.push(character),
            }
            self.chars_left -= 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stops_growing_at_the_cap() {
        let mut capped = Capped { text: String::new(), chars_left: 3 };
        assert!(write!(capped, "äöü").is_ok());
        assert!(write!(capped, "{}", "ß".repeat(1 << 20)).is_err());
        assert_eq!(capped.text, "äö…");
    }
}

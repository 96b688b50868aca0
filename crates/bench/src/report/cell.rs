//! One cell of a table: a text, or a figure with its range.

use crate::Spread;

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    /// The text, or the median.
    pub(super) main: String,
    /// The least and the greatest, where they differ.
    pub(super) range: Option<String>,
}

impl Cell {
    /// A text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { main: text.into(), range: None }
    }

    /// Nothing was measured.
    pub(super) fn dash() -> Self {
        Self::text("-")
    }

    /// A whole number.
    pub(super) fn count(count: u64) -> Self {
        Self::text(grouped(&count.to_string()))
    }

    /// A number, or a dash.
    pub(super) fn number(number: Option<f64>, digits: usize) -> Self {
        number.map_or_else(Self::dash, |number| Self::text(written(number, digits)))
    }

    /// A figure that was taken several times.
    pub(super) fn spread(spread: Spread, digits: usize) -> Self {
        let Spread { median, min, max, .. } = spread;
        let range = format!("{}–{}", written(min, digits), written(max, digits));
        Self { main: written(median, digits), range: Some(range).filter(|_| min < max) }
    }

    /// The same, or a dash.
    pub(super) fn or_dash(spread: Option<Spread>, digits: usize) -> Self {
        spread.map_or_else(Self::dash, |spread| Self::spread(spread, digits))
    }

    /// With a unit after the number.
    pub(super) fn with_unit(mut self, unit: &str) -> Self {
        if !unit.is_empty() {
            self.main.extend([" ", unit]);
        }
        self
    }

    /// On one line.
    pub(super) fn line(&self) -> String {
        match &self.range {
            Some(range) => format!("{} ({range})", self.main),
            None => self.main.clone(),
        }
    }
}

fn written(number: f64, digits: usize) -> String {
    grouped(&format!("{number:.digits$}"))
}

/// With a comma between each three digits before the point.
fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut text = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_shown_where_there_is_one() {
        let spread = Spread { min: 1000.0, max: 20_000.0, ..Spread::single(1234.5) };
        assert_eq!(Cell::spread(spread, 1).line(), "1,234.5 (1,000.0–20,000.0)");
        assert_eq!(Cell::spread(Spread::single(0.5), 2).with_unit("ms").line(), "0.50 ms");
        assert_eq!(Cell::or_dash(None, 2).line(), "-");
    }

    #[test]
    fn long_numbers_are_grouped() {
        for (number, text) in [(1.0, "1"), (999.0, "999"), (1000.0, "1,000"), (-1234567.0, "-1,234,567")] {
            assert_eq!(written(number, 0), text);
        }
        assert_eq!(Cell::count(10_000_000).line(), "10,000,000");
    }
}

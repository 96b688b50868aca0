//! A figure that was taken several times.

use serde::{Serialize, Serializer};

/// The middle one of several values, with the least and the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The middle one; of an even number, the mean of the two in the middle.
    #[serde(serialize_with = "rounded")]
    pub median: f64,
    /// The least.
    #[serde(serialize_with = "rounded")]
    pub min: f64,
    /// The greatest.
    #[serde(serialize_with = "rounded")]
    pub max: f64,
}

impl Spread {
    /// Of these values; `None` when there are none, or when one could not be taken.
    pub(crate) fn of(values: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect::<Option<_>>()?;
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = |at: usize| values.get(at).copied().unwrap_or(max);
        let median = (middle((values.len() - 1) / 2) + middle(values.len() / 2)) / 2.0;
        Some(Self { median, min, max })
    }

    /// The same in another unit.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self { median: self.median * factor, min: self.min * factor, max: self.max * factor }
    }
}

/// To six digits: more is noise.
fn rounded<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    let digits = 5 - value.abs().max(1e-9).log10().floor() as i32;
    let scale = 10_f64.powi(digits);
    serializer.serialize_f64((value * scale).round() / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_six_digits() {
        let spread = Spread { median: 123_456.789, min: 0.012_345_678_9, max: -3.0 };
        let json = serde_json::to_string(&spread).unwrap();
        assert_eq!(json, r#"{"median":123457.0,"min":0.0123457,"max":-3.0}"#);
    }

    #[test]
    fn the_median_is_the_middle_value() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied().map(Some));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0]), Some(Spread { median: 3.0, min: 3.0, max: 3.0 }));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]).map(|spread| spread.median), Some(2.5));
        assert_eq!(Spread::of([Some(1.0), None]), None, "a figure that could not always be taken is none");
    }
}

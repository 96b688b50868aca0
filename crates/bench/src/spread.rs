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
    /// The interval in which the true median lies with 95 % confidence, whatever the distribution: values by rank. From the
    /// least to the greatest for fewer than six.
    pub confident: Interval,
}

/// From here to there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Where it begins.
    #[serde(serialize_with = "rounded")]
    pub from: f64,
    /// Where it ends.
    #[serde(serialize_with = "rounded")]
    pub to: f64,
}

impl Spread {
    /// Of these values; `None` when there are none, or when one could not be taken.
    pub(crate) fn of(values: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect::<Option<_>>()?;
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = |at: usize| values.get(at).copied().unwrap_or(max);
        let median = (middle((values.len() - 1) / 2) + middle(values.len() / 2)) / 2.0;
        let outside = outside_of_confidence(values.len());
        let confident = Interval { from: middle(outside), to: middle(values.len() - 1 - outside) };
        Some(Self { median, min, max, confident })
    }

    /// The same in another unit.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        let confident = Interval { from: self.confident.from * factor, to: self.confident.to * factor };
        Self { median: self.median * factor, min: self.min * factor, max: self.max * factor, confident }
    }

    /// Of one value.
    pub(crate) fn single(value: f64) -> Self {
        Self { median: value, min: value, max: value, confident: Interval { from: value, to: value } }
    }
}

/// How many of so many ordered values lie on each side outside of the interval for the median. That one value more lies
/// below the true median, or above, has the chance of as many heads in so many throws of a coin.
fn outside_of_confidence(count: usize) -> usize {
    const DOUBT: f64 = 0.05;
    let (mut chance, mut sum, mut outside) = (0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX)), 0.0, 0);
    while outside < count / 2 {
        sum += chance;
        if 2.0 * sum > DOUBT {
            break;
        }
        chance *= (count - outside) as f64 / (outside + 1) as f64;
        outside += 1;
    }
    outside.saturating_sub(1)
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
        let confident = Interval { from: 0.0, to: 1.234_567_8 };
        let spread = Spread { median: 123_456.789, min: 0.012_345_678_9, max: -3.0, confident };
        let json = serde_json::to_string(&spread).unwrap();
        let expected =
            r#"{"median":123457.0,"min":0.0123457,"max":-3.0,"confident":{"from":0.0,"to":1.23457}}"#;
        assert_eq!(json, expected);
    }

    #[test]
    fn the_median_is_the_middle_value() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied().map(Some));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0]), Some(Spread::single(3.0)));
        let confident = Interval { from: 1.0, to: 3.0 };
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0, confident }));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]).map(|spread| spread.median), Some(2.5));
        assert_eq!(Spread::of([Some(1.0), None]), None, "a figure that could not always be taken is none");
    }

    /// Ranks as in the tables of the sign test at 5 %.
    #[test]
    fn the_interval_of_the_median_leaves_out_what_chance_may_have_put_there() {
        for (count, outside) in [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (12, 2), (15, 3), (25, 7), (100, 39)]
        {
            assert_eq!(outside_of_confidence(count), outside, "{count}");
        }
        let spread = Spread::of((1..=9).map(|value| Some(f64::from(value)))).unwrap();
        assert_eq!((spread.min, spread.confident, spread.max), (1.0, Interval { from: 2.0, to: 8.0 }, 9.0));
    }
}

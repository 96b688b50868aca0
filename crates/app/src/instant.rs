//! Moments for people and programs: RFC 3339, UTC.

use obol_token::Timestamp;

/// `2026-11-21T10:00:00Z`. What lies outside the years that RFC 3339 can write is written as its last or first moment.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let (least, most) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
    let secs = at.as_secs().clamp(least.as_second(), most.as_second());
    jiff::Timestamp::from_second(secs).unwrap_or(most).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_utc_and_never_fail() {
        assert_eq!(rfc3339(Timestamp::from_secs(0)), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(Timestamp::from_secs(4_294_967_296)), "2106-02-07T06:28:16Z");
        assert!(rfc3339(Timestamp::from_secs(i64::MAX)).starts_with("9999-12-3"));
        assert!(rfc3339(Timestamp::from_secs(i64::MIN)).starts_with("-009999"));
    }
}

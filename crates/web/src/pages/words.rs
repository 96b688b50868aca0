//! Moments and lengths of time in words.

use obol_token::{Lifetime, Timestamp};

use super::messages::Catalog;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How long ago something was; its date when it was not today. Dates are those of UTC.
pub(super) fn when(catalog: &Catalog, then: Timestamp, now: Timestamp) -> String {
    let count = |key: &str, count: i64| catalog.text(key, "count", &count.to_string());
    match then.secs_until(now) {
        secs if secs < MINUTE => catalog.text("time.now", "", ""),
        secs if secs < HOUR => count("time.minutes", secs / MINUTE),
        secs if secs < DAY => count("time.hours", secs / HOUR),
        _ => catalog.text("time.day", "date", &date(then)),
    }
}

/// How long something lives; `None` when it does not end.
pub(super) fn lifetime(catalog: &Catalog, lifetime: Lifetime) -> Option<String> {
    let Lifetime::Secs(secs) = lifetime else { return None };
    let secs = i64::from(secs.get());
    let (key, unit) = match secs {
        _ if secs % DAY == 0 => ("duration.days", DAY),
        _ if secs % HOUR == 0 => ("duration.hours", HOUR),
        _ if secs >= 2 * MINUTE => ("duration.minutes", MINUTE),
        _ => ("duration.seconds", 1),
    };
    Some(catalog.text(key, "count", &(secs / unit).to_string()))
}

fn date(moment: Timestamp) -> String {
    jiff::Timestamp::from_second(moment.as_secs())
        .map(|moment| moment.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::messages::Messages;
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_255_200);

    #[test]
    fn a_moment_is_told_by_its_distance_and_then_by_its_date() {
        let english = Messages::load(None).unwrap().choose("en", "");
        for (ago, words) in [
            (-5, "just now"),
            (0, "just now"),
            (59, "just now"),
            (60, "1 min ago"),
            (3599, "59 min ago"),
            (3600, "1 h ago"),
            (86_399, "23 h ago"),
            (86_400, "on 2026-11-20"),
        ] {
            assert_eq!(when(&english, NOW.plus_secs(-ago), NOW), words, "{ago}");
        }
    }

    #[test]
    fn a_lifetime_is_told_in_its_largest_whole_unit() {
        let english = Messages::load(None).unwrap().choose("en", "");
        for (secs, words) in [
            (0, None),
            (90, Some("90 s")),
            (900, Some("15 min")),
            (3600, Some("1 h")),
            (5400, Some("90 min")),
            (172_800, Some("2 d")),
        ] {
            assert_eq!(lifetime(&english, Lifetime::from_setting_secs(secs)).as_deref(), words, "{secs}");
        }
    }
}

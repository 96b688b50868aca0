//! The time, as tokens and answers write it.

use std::time::UNIX_EPOCH;

/// Seconds since 1970.
pub fn now_secs() -> i64 {
    let since = UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(since.as_secs()).expect("before the end of time")
}

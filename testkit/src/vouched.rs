//! Asking again while a server cannot vouch.

use std::thread;
use std::time::{Duration, Instant};

use crate::Answer;

/// How long a server that has stood still takes at most to read the log again.
const WITHIN: Duration = Duration::from_secs(1);

/// The answer that is not 503, asked for again and again for a second; then the 503.
///
/// A machine that stands still for longer than a lease makes a server answer 503, truthfully and once. One that goes on
/// answering so has another reason.
pub fn vouched(mut ask: impl FnMut() -> Answer) -> Answer {
    let began = Instant::now();
    loop {
        let answer = ask();
        if answer.status != 503 || began.elapsed() > WITHIN {
            return answer;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

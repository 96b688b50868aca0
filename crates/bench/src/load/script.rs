//! What a connection asks, and what the right answer is.

use std::sync::Arc;

use super::request::{Answer, Prepared};
use crate::Wrong;

/// The part of one connection.
pub(crate) trait Script: Send {
    /// The next request; `None` when there is nothing left to ask.
    fn next(&mut self) -> Option<&Prepared>;

    /// Judges the answer to it.
    ///
    /// # Errors
    /// [`Wrong`]: a benchmark that meets one has no figure.
    fn judge(&mut self, answer: &Answer<'_>) -> Result<(), Wrong>;
}

/// What is wrong with a body, if anything is.
pub(crate) type Check = dyn Fn(&[u8]) -> Result<(), String> + Send + Sync;

/// The right answer to one kind of request.
#[derive(Clone)]
pub(crate) struct Right {
    /// What is asked, for a sentence.
    pub(crate) asked: &'static str,
    /// The status.
    pub(crate) status: u16,
    /// The essential content.
    pub(crate) check: Arc<Check>,
    /// The last body that was right: the same bytes need no second look.
    last: Vec<u8>,
}

impl Right {
    /// This status, with a body that passes the check.
    pub(crate) fn new(
        asked: &'static str,
        status: u16,
        check: impl Fn(&[u8]) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self { asked, status, check: Arc::new(check), last: Vec::new() }
    }

    /// Judges an answer.
    ///
    /// # Errors
    /// [`Wrong::Status`], [`Wrong::Content`]
    pub(crate) fn judge(&mut self, answer: &Answer<'_>) -> Result<(), Wrong> {
        let (asked, status) = (self.asked, answer.status);
        if status != self.status {
            let body = beginning(answer.body);
            return Err(Wrong::Status { asked, expected: self.status, found: status, body });
        }
        if !self.last.is_empty() && self.last == answer.body {
            return Ok(());
        }
        (self.check)(answer.body).map_err(|what| {
            let body = beginning(answer.body);
            Wrong::Content { asked, status, what, body }
        })?;
        self.last.clear();
        self.last.extend_from_slice(answer.body);
        Ok(())
    }
}

/// Asks the same requests round and round; every connection begins elsewhere.
pub(crate) struct Cycle {
    requests: Arc<[Prepared]>,
    at: usize,
    right: Right,
}

impl Cycle {
    /// For the connection of this number.
    pub(crate) fn new(requests: Arc<[Prepared]>, connection: usize, right: Right) -> Self {
        // A stride that has no divisor in common with any length in use.
        let at = connection.wrapping_mul(7_919);
        Self { requests, at, right }
    }
}

impl Script for Cycle {
    fn next(&mut self) -> Option<&Prepared> {
        self.at = self.at.wrapping_add(1);
        self.requests.get(self.at.checked_rem(self.requests.len())?)
    }

    fn judge(&mut self, answer: &Answer<'_>) -> Result<(), Wrong> {
        self.right.judge(answer)
    }
}

/// The beginning of a body, for a sentence. Answers with tokens are right ones, or show no token.
fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let cut: String = text.chars().take(200).collect();
    if cut.is_empty() { "an empty body".to_owned() } else { cut }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::request::Fields;
    use super::*;

    fn answer(status: u16, body: &str) -> Answer<'_> {
        Answer { status, fields: Fields::Head(b""), body: body.as_bytes() }
    }

    #[test]
    fn another_status_or_content_is_wrong() {
        let is_ok = |body: &[u8]| if body == b"ok" { Ok(()) } else { Err("it is not ok".to_owned()) };
        let mut right = Right::new("a question", 200, is_ok);
        assert!(right.judge(&answer(200, "ok")).is_ok());
        let status = right.judge(&answer(503, "ok")).unwrap_err().to_string();
        assert!(
            status.contains("a question") && status.contains("200") && status.contains("503"),
            "{status}"
        );
        let content = right.judge(&answer(200, "no")).unwrap_err().to_string();
        assert!(content.contains("it is not ok") && content.ends_with("no"), "{content}");
        assert!(right.judge(&answer(200, "")).unwrap_err().to_string().ends_with("an empty body"));
    }

    #[test]
    fn the_same_bytes_are_looked_at_once() {
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        let mut right = Right::new("a question", 200, move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        for body in ["a", "a", "a", "b", "b", "a"] {
            right.judge(&answer(200, body)).unwrap();
        }
        assert_eq!(looks.load(Ordering::Relaxed), 3);
    }
}

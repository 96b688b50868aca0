//! An answer, and its two ways to the wire: as hyper's response, or written as HTTP/1.1 here.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use obol_oauth::RequestId;
use rustix::time::{ClockId, clock_gettime};

/// What a handler answers with. Length and date come by themselves.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    usual: UsualFields,
    fields: Vec<(HeaderName, HeaderValue)>,
    own: OwnFields,
    request_id: Option<RequestId>,
    body: Vec<u8>,
}

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Header fields that many answers share, written once: each a line as in HTTP/1.1, beginning with its line break.
#[derive(Debug, Clone, Copy, Default)]
pub struct UsualFields(&'static str);

impl UsualFields {
    /// Of `\r\nname: value\r\nname: value`, names in lower case.
    pub const fn written(lines: &'static str) -> Self {
        Self(lines)
    }

    /// Those that can be header fields: all, if they were written rightly.
    fn each(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let pairs = self.0.split("\r\n").filter_map(|line| line.split_once(": "));
        pairs.filter_map(|(name, value)| Some((name.parse().ok()?, HeaderValue::from_static(value))))
    }
}

/// Header fields of one answer, written where they go: many of them cost little more than one.
#[derive(Debug, Clone, Default)]
pub struct OwnFields(String);

/// A value that no header field can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is no visible ASCII")]
pub struct NoFieldValue;

impl OwnFields {
    /// None yet, with room for so many bytes.
    pub fn with_room(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// These and one more, its name in lower case.
    ///
    /// # Errors
    /// [`NoFieldValue`]: control characters would begin other fields.
    pub fn and(mut self, name: &'static str, value: impl fmt::Display) -> Result<Self, NoFieldValue> {
        self.0.push_str("\r\n");
        self.0.push_str(name);
        self.0.push_str(": ");
        let begin = self.0.len();
        // Writing to a String does not fail.
        let _ = write!(self.0, "{value}");
        let visible = |byte: &u8| *byte == b' ' || byte.is_ascii_graphic();
        match self.0.as_bytes().get(begin..).is_some_and(|value| value.iter().all(visible)) {
            true => Ok(self),
            false => Err(NoFieldValue),
        }
    }

    fn each(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let pairs = self.0.split("\r\n").filter_map(|line| line.split_once(": "));
        pairs.filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
    }
}

impl Answer {
    /// An answer with these header fields.
    pub fn new(status: StatusCode, usual: UsualFields, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            usual,
            fields: Vec::new(),
            own: OwnFields::default(),
            request_id: None,
            body: body.into(),
        }
    }

    /// This answer with one more header field. Each name is to be given once.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.push((name, value));
        self
    }

    /// This answer with header fields of its own, in the place of such as were given before.
    #[must_use]
    pub fn with_own(self, own: OwnFields) -> Self {
        Self { own, ..self }
    }

    /// This answer with the id of its request, in `X-Request-Id`.
    #[must_use]
    pub fn to(mut self, request: RequestId) -> Self {
        self.request_id = Some(request);
        self
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its body alone.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// Appends the whole answer to `out`, as HTTP/1.1 writes it (RFC 9112 §4, §6.2).
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.status.canonical_reason().unwrap_or_default().as_bytes());
        out.extend_from_slice(self.usual.0.as_bytes());
        out.extend_from_slice(self.own.0.as_bytes());
        for (name, value) in &self.fields {
            write_field(name.as_str(), value.as_bytes(), out);
        }
        if let Some(id) = &self.request_id {
            write_field(REQUEST_ID.as_str(), id.as_str().as_bytes(), out);
        }
        out.extend_from_slice(b"\r\ncontent-length: ");
        // Writing to a Vec does not fail.
        let _ = write!(out, "{}", self.body.len());
        with_date(|date| write_field("date", date, out));
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&self.body);
    }
}

impl From<Answer> for Response<Full<Bytes>> {
    fn from(answer: Answer) -> Self {
        let mut response = Self::new(Full::from(answer.body));
        *response.status_mut() = answer.status;
        let id = answer.request_id.and_then(|id| HeaderValue::try_from(id.as_str()).ok());
        let id = id.map(|id| (REQUEST_ID.clone(), id));
        let fields = answer.usual.each().chain(answer.own.each()).chain(answer.fields).chain(id);
        response.headers_mut().extend(fields.map(|(name, value)| (Some(name), value)));
        response
    }
}

fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
}

/// The date as a field says it (RFC 9110 §5.6.7), written once a second.
fn with_date(act: impl FnOnce(&[u8])) {
    thread_local! {
        static DATE: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let secs = u64::try_from(clock_gettime(ClockId::RealtimeCoarse).tv_sec).unwrap_or(0);
    DATE.with_borrow_mut(|(written, text)| {
        if *written != secs {
            (*written, *text) = (secs, httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(secs)));
        }
        act(text.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        let usual = UsualFields::written("\r\ncontent-type: application/json\r\npragma: no-cache");
        Answer::new(StatusCode::UNAUTHORIZED, usual, "{}")
            .with(HeaderName::from_static("x-odd"), HeaderValue::from_bytes(b"\xff").unwrap())
            .to(RequestId::new(1, 2))
    }

    #[test]
    fn an_answer_is_written_whole() {
        let mut out = b"before".to_vec();
        answer().write(&mut out);
        let text = String::from_utf8_lossy(&out);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let lines: Vec<_> = head.split("\r\n").collect();
        assert_eq!(
            lines[..6],
            [
                "beforeHTTP/1.1 401 Unauthorized",
                "content-type: application/json",
                "pragma: no-cache",
                "x-odd: \u{fffd}",
                "x-request-id: 0000000000000001-000000000002",
                "content-length: 2"
            ]
        );
        let date = lines[6].strip_prefix("date: ").unwrap();
        let age = httpdate::parse_http_date(date).unwrap().elapsed().unwrap();
        assert!(age.as_secs() < 60, "{date}");
        assert_eq!((lines.len(), body), (7, "{}"));
    }

    #[test]
    fn own_fields_are_the_same_on_both_ways_and_hold_one_line_each() {
        let own = || OwnFields::with_room(9).and("x-a", "b c").unwrap().and("x-empty", "").unwrap();
        let mut out = Vec::new();
        answer().with_own(own().and("x-n", 7).unwrap()).write(&mut out);
        let text = String::from_utf8_lossy(&out);
        assert!(text.contains("\r\nx-a: b c\r\nx-empty: \r\nx-n: 7\r\n"), "{text}");
        let response = Response::from(answer().with_own(own()));
        assert_eq!(
            (&response.headers()["x-a"], &response.headers()["x-empty"]),
            (&"b c".parse().unwrap(), &"".parse().unwrap())
        );
        for wrong in ["a\r\nx-b: c", "\n", "\t", "\0", "\u{7f}", "\u{e4}"] {
            assert_eq!(own().and("x-c", wrong).map(drop), Err(NoFieldValue), "{wrong:?}");
        }
    }

    #[test]
    fn hyper_is_given_the_same() {
        let response = Response::from(answer());
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["pragma"], "no-cache");
        assert_eq!(response.headers()["x-odd"].as_bytes(), b"\xff");
        assert_eq!(response.headers()["x-request-id"], "0000000000000001-000000000002");
        assert_eq!(response.into_body().into_inner().unwrap(), "{}");
    }
}

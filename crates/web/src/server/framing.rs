//! Reads HTTP/1.1 request heads beside hyper and judges what hyper forgives (RFC 9112 §2.2, §3.2, §6.3).
//!
//! hyper drops the evidence before a service sees the request: a `Content-Length` beside `Transfer-Encoding`, two
//! equal lengths, a bare LF. This reader uses the same parser and keeps a verdict per request. When it loses track,
//! requests are refused: a fault in it cannot let one through that hyper would refuse. A request that is there as a
//! whole, and plain, is shown where it lies ([`Limits::whole`]), and hyper need not see it.

use std::collections::VecDeque;
use std::mem::MaybeUninit;

use httparse::{Header, Status, parse_chunk_size};
use memchr::memchr_iter;

use super::Refusal;

/// The most header fields of a request; hyper's own default, past which it answers 431.
const MAX_FIELDS: usize = 100;
/// The most bytes kept of an unfinished head or chunk-size line. hyper refuses earlier, at its own buffer's size.
const MAX_HELD_BYTES: usize = 2 * super::http1::BUFFER_BYTES;

/// Room for the fields of one head.
pub(super) type Slots<'b> = [MaybeUninit<Header<'b>>; MAX_FIELDS];

/// Slots with nothing in them.
pub(super) const fn empty_slots<'b>() -> Slots<'b> {
    [const { MaybeUninit::uninit() }; MAX_FIELDS]
}

/// A request that is there as a whole, with where its head and its body end.
pub(super) struct Lying<'h, 'b> {
    pub(super) request: httparse::Request<'h, 'b>,
    pub(super) head_bytes: usize,
    pub(super) bytes: usize,
}

/// How large a head may be, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) header: usize,
    pub(super) uri: usize,
}

/// The reader's place in one connection's requests.
pub(super) struct Framing {
    limits: Limits,
    at: At,
    held: Vec<u8>,
    /// Whether a CR has begun an empty line before a request.
    in_empty_line: bool,
    verdicts: VecDeque<Result<(), Refusal>>,
    judged: u64,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy)]
enum At {
    Head,
    Body { left: u64 },
    ChunkSize,
    Chunk { left: u64 },
    Trailer(TrailerLine),
    Lost,
}

/// What has been seen of a line of the trailer section.
#[derive(Debug, Clone, Copy)]
struct TrailerLine {
    bytes: usize,
    ends_in_cr: bool,
}

impl TrailerLine {
    const EMPTY: Self = Self { bytes: 0, ends_in_cr: false };
}

impl Limits {
    /// The request at the start of `bytes`, if a request begins there, all of it is there, it is within all limits, and
    /// it asks for nothing but an answer.
    pub(super) fn whole<'h, 'b>(&self, bytes: &'b [u8], slots: &'h mut Slots<'b>) -> Option<Lying<'h, 'b>> {
        let mut request = httparse::Request::new(&mut []);
        let Ok(Status::Complete(head_bytes)) = request.parse_with_uninit_headers(bytes, slots) else {
            return None;
        };
        let body_bytes = match self.decide(bytes.get(..head_bytes)?, &request).ok()? {
            At::Head => 0,
            At::Body { left } => usize::try_from(left).ok()?,
            _ => return None,
        };
        let end = head_bytes.checked_add(body_bytes)?;
        (end <= bytes.len() && asks_for_an_answer_only(&request)).then_some(Lying {
            request,
            head_bytes,
            bytes: end,
        })
    }

    /// What follows this head, or why the request is refused.
    fn decide(&self, block: &[u8], request: &httparse::Request<'_, '_>) -> Result<At, Refusal> {
        if request.path.is_none_or(|target| target.len() > self.uri) {
            Err(Refusal::UriTooLong)
        } else if block.len() > self.header {
            Err(Refusal::HeadersTooLarge)
        } else if has_bare_line_feed(block) || !host_is_clear(request.headers, request.version == Some(1)) {
            Err(Refusal::BadFraming)
        } else {
            decide_body(request.headers)
        }
    }
}

impl Framing {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            at: At::Head,
            held: Vec::new(),
            in_empty_line: false,
            verdicts: VecDeque::new(),
            judged: 0,
        }
    }

    /// Follows bytes that hyper has just been given.
    pub(super) fn saw(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.at {
                At::Head => self.see_head(bytes),
                At::Body { left } => self.skip(bytes, left, |left| At::Body { left }, At::Head),
                At::ChunkSize => self.see_chunk_size(bytes),
                At::Chunk { left } => self.skip(bytes, left, |left| At::Chunk { left }, At::ChunkSize),
                At::Trailer(line) => self.see_trailer(bytes, line),
                At::Lost => return,
            };
        }
    }

    /// How many verdicts there have been, and so requests that hyper has been given whole heads of.
    pub(super) fn judged(&self) -> u64 {
        self.judged
    }

    /// The verdict on the request that hyper hands over now: one per call, in order.
    pub(super) fn take_verdict(&mut self) -> Result<(), Refusal> {
        self.verdicts.pop_front().unwrap_or(Err(Refusal::BadFraming))
    }

    /// Whether a head has begun and not ended.
    pub(super) fn is_in_head(&self) -> bool {
        matches!(self.at, At::Head) && !self.held.is_empty()
    }

    /// Whether the peer may still be sending a request, so that closing at once could destroy the answer.
    pub(super) fn is_mid_request(&self) -> bool {
        !matches!(self.at, At::Head) || !self.held.is_empty() || self.in_empty_line
    }

    fn see_head<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if self.held.is_empty() {
            // Empty lines before a request line are passed over (RFC 9112 §2.2).
            let begun = bytes.iter().position(|&byte| byte != b'\r' && byte != b'\n');
            self.in_empty_line = begun.is_none() && bytes.last() == Some(&b'\r');
            let bytes = begun.map_or(&[][..], |begun| &bytes[begun..]);
            if let Some(end) = end_of_head(bytes, 0) {
                self.judge(&bytes[..end]);
                return &bytes[end..];
            }
            self.hold(bytes);
            return &[];
        }
        let known = self.held.len();
        self.hold(bytes);
        if matches!(self.at, At::Lost) {
            return &[];
        }
        let Some(end) = end_of_head(&self.held, known.saturating_sub(3)) else { return &[] };
        let held = std::mem::take(&mut self.held);
        self.judge(&held[..end]);
        &bytes[end - known..]
    }

    fn see_chunk_size<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some(line_feed) = bytes.iter().position(|&byte| byte == b'\n') else {
            self.hold(bytes);
            return &[];
        };
        self.hold(&bytes[..=line_feed]);
        let line = std::mem::take(&mut self.held);
        self.at = match parse_chunk_size(&line) {
            Ok(Status::Complete((_, 0))) => At::Trailer(TrailerLine::EMPTY),
            // The CRLF after the data belongs to the chunk.
            Ok(Status::Complete((_, size))) => At::Chunk { left: size.saturating_add(2) },
            _ => At::Lost,
        };
        &bytes[line_feed + 1..]
    }

    fn see_trailer<'b>(&mut self, bytes: &'b [u8], line: TrailerLine) -> &'b [u8] {
        let Some(line_feed) = bytes.iter().position(|&byte| byte == b'\n') else {
            let (line_bytes, ends_in_cr) = (line.bytes + bytes.len(), bytes.last() == Some(&b'\r'));
            self.at = At::Trailer(TrailerLine { bytes: line_bytes, ends_in_cr });
            return &[];
        };
        let before = line_feed.checked_sub(1).map_or(line.ends_in_cr, |at| bytes[at] == b'\r');
        self.at = match (before, line.bytes + line_feed) {
            // hyper may take a bare line feed for the end of the line or for a part of it.
            (false, _) => At::Lost,
            (true, 1) => At::Head,
            (true, _) => At::Trailer(TrailerLine::EMPTY),
        };
        &bytes[line_feed + 1..]
    }

    fn skip<'b>(&mut self, bytes: &'b [u8], left: u64, more: fn(u64) -> At, done: At) -> &'b [u8] {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - taken as u64;
        self.at = if left == 0 { done } else { more(left) };
        &bytes[taken..]
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.held.len() + bytes.len() > MAX_HELD_BYTES {
            self.held = Vec::new();
            self.at = At::Lost;
        } else {
            self.held.extend_from_slice(bytes);
        }
    }

    fn judge(&mut self, block: &[u8]) {
        let mut slots = empty_slots();
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(block, &mut slots);
        // What does not parse here does not parse in hyper either, which answers 400 or 431 itself.
        let Ok(Status::Complete(_)) = parsed else {
            self.at = At::Lost;
            return;
        };
        let verdict = self.limits.decide(block, &request);
        self.at = verdict.unwrap_or(At::Lost);
        self.judged += 1;
        self.verdicts.push_back(verdict.map(|_| ()));
    }
}

/// Whether these are empty lines, which mean nothing before a request (RFC 9112 §2.2), and nothing else.
pub(super) fn are_empty_lines(bytes: &[u8]) -> bool {
    bytes.split_inclusive(|&byte| byte == b'\n').all(|line| line == b"\r\n" || line == b"\n")
}

/// Where the empty line that ends a head ends, looking from `from`.
fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    memchr_iter(b'\n', &bytes[from..]).find_map(|found| {
        let after = from + found + 1;
        match bytes[after..] {
            [b'\n', ..] => Some(after + 1),
            [b'\r', b'\n', ..] => Some(after + 2),
            _ => None,
        }
    })
}

fn has_bare_line_feed(block: &[u8]) -> bool {
    memchr_iter(b'\n', block).any(|at| at > 0 && block[at - 1] != b'\r')
}

fn values<'h>(headers: &'h [Header<'_>], name: &'static str) -> impl Iterator<Item = &'h [u8]> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// Exactly one body length, or none: RFC 9112 §6.3 without the repairs that it allows.
fn decide_body(headers: &[Header<'_>]) -> Result<At, Refusal> {
    let mut lengths = values(headers, "content-length");
    let mut codings = values(headers, "transfer-encoding");
    match (lengths.next(), lengths.next(), codings.next(), codings.next()) {
        (None, None, None, None) => Ok(At::Head),
        (Some(length), None, None, None) => match decimal(length) {
            Some(0) => Ok(At::Head),
            Some(left) => Ok(At::Body { left }),
            None => Err(Refusal::BadFraming),
        },
        (None, None, Some(coding), None) if coding.trim_ascii().eq_ignore_ascii_case(b"chunked") => {
            Ok(At::ChunkSize)
        }
        _ => Err(Refusal::BadFraming),
    }
}

/// Nothing that hyper does beyond reading and answering: another protocol, an interim answer, closing, HTTP/1.0.
fn asks_for_an_answer_only(request: &httparse::Request<'_, '_>) -> bool {
    request.version == Some(1)
        && request.headers.iter().all(|field| match field.name.len() {
            6 => !field.name.eq_ignore_ascii_case("expect"),
            7 => !field.name.eq_ignore_ascii_case("upgrade"),
            10 if field.name.eq_ignore_ascii_case("connection") => {
                field.value.eq_ignore_ascii_case(b"keep-alive")
            }
            _ => true,
        })
}

fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// One `Host` that is a host, or none in HTTP/1.0 (RFC 9112 §3.2). It is never used, but a front might use it.
fn host_is_clear(headers: &[Header<'_>], is_http_11: bool) -> bool {
    let mut hosts = values(headers, "host");
    match (hosts.next(), hosts.next()) {
        (None, _) => !is_http_11,
        (Some([]), None) => true,
        (Some(host), None) if is_usual_host(host) => true,
        (Some(host), None) => !host.contains(&b'@') && http::uri::Authority::try_from(host).is_ok(),
        (Some(_), Some(_)) => false,
    }
}

/// A name or an IPv4 address, with or without a port: seen without the parser, which allocates.
fn is_usual_host(host: &[u8]) -> bool {
    let mut parts = host.splitn(2, |&byte| byte == b':');
    let name = parts.next().unwrap_or_default();
    let letters = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte));
    let port = parts.next().is_none_or(|port| port.len() <= 5 && port.iter().all(u8::is_ascii_digit));
    !name.is_empty() && letters && port
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { header: 16 * 1024, uri: 8 * 1024 };

    /// The verdicts on these bytes, given in these pieces, and where the reader stands after them.
    fn read<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> (Vec<Result<(), Refusal>>, String) {
        let mut framing = Framing::new(LIMITS);
        for piece in pieces {
            framing.saw(piece);
        }
        (framing.verdicts.into(), format!("{:?} {:?}", framing.at, framing.held))
    }

    /// Pieces of requests, good and bad, in any order.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let parts: &[&str] = &[
            "GET / HTTP/1.1\r\nhost: a\r\n",
            "POST / HTTP/1.0\r\n",
            "content-length: 3\r\n",
            "transfer-encoding: chunked\r\n",
            "\r\n",
            "\n",
            "\r",
            "abc",
            "3\r\nabc\r\n",
            "0\r\n",
            "t: x\r\n",
            ";",
            "\0",
        ];
        vec(prop::sample::select(parts), 0..16).prop_map(|parts| parts.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn the_verdicts_do_not_depend_on_how_the_bytes_are_split(bytes in bytes(), size in 1..9_usize) {
            prop_assert_eq!(read([&bytes[..]]), read(bytes.chunks(size)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..512), size in 1..9_usize) {
            prop_assert_eq!(read([&bytes[..]]), read(bytes.chunks(size)));
        }
    }

    proptest! {
        #[test]
        fn a_usual_host_is_one_for_the_parser_too(host in "[a-z0-9.:@-]{1,20}") {
            let parsed = http::uri::Authority::try_from(host.as_bytes()).is_ok();
            prop_assert!(!is_usual_host(host.as_bytes()) || parsed, "{}", host);
        }
    }

    #[test]
    fn between_the_bytes_of_an_empty_line_a_request_is_on_its_way() {
        for (bytes, is_mid_request) in
            [("\r", true), ("\r\n", false), ("\r\n\r", true), ("\n", false), ("", false)]
        {
            let mut framing = Framing::new(LIMITS);
            framing.saw(bytes.as_bytes());
            assert_eq!(framing.is_mid_request(), is_mid_request, "{bytes:?}");
            assert!(!framing.is_in_head(), "{bytes:?}");
            framing.saw(b"\nGET / HTTP/1.1\r\nhost: a\r\n\r\n");
            assert_eq!((framing.take_verdict(), framing.is_mid_request()), (Ok(()), false), "{bytes:?}");
        }
    }

    #[test]
    fn a_request_that_was_not_seen_is_refused() {
        assert_eq!(Framing::new(LIMITS).take_verdict(), Err(Refusal::BadFraming));
    }

    #[test]
    fn after_a_trailer_line_with_a_bare_line_feed_nothing_more_is_let_through() {
        for (trailer, next) in [
            ("t: x\r\n\r\n", Ok(())),
            ("t: x\n\r\n", Err(Refusal::BadFraming)),
            ("\n", Err(Refusal::BadFraming)),
        ] {
            let chunked = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
            let bytes = format!("{chunked}{trailer}GET / HTTP/1.1\r\nhost: a\r\n\r\n");
            let mut framing = Framing::new(LIMITS);
            framing.saw(bytes.as_bytes());
            assert_eq!(framing.take_verdict(), Ok(()));
            assert_eq!(framing.take_verdict(), next, "{trailer:?}");
            assert_eq!(framing.take_verdict(), Err(Refusal::BadFraming));
        }
    }

    #[test]
    fn an_endless_head_is_not_kept() {
        let mut framing = Framing::new(LIMITS);
        for _ in 0..100 {
            framing.saw(&[b'a'; 4096]);
        }
        assert!(framing.held.capacity() <= 2 * MAX_HELD_BYTES && framing.is_mid_request());
    }
}

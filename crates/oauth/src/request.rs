//! What the door hands in.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use obol_token::{Position, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Authorization, Endpoint, Params};

/// Which family of endpoints is spoken to; the two never leak into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Surface {
    /// `/api/v1/oauth/…`, the REST surface of FortiAuthenticator.
    FortiAuthenticator,
    /// The endpoints of the RFCs.
    Rfc,
}

/// A request, parsed.
pub struct Request<'a> {
    /// Where it arrived.
    pub endpoint: &'static Endpoint,
    /// The parameters of the URL.
    pub query: Params<'a>,
    /// The parameters of the body.
    pub body: Params<'a>,
    /// The `Authorization` header.
    pub authorization: Authorization<'a>,
    /// The answer must be at least as new as this (`Obol-Min-Position`).
    pub min_position: Option<Position>,
    /// When and whence.
    pub arrival: Arrival,
}

/// When and whence a request came.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Read once, after the request arrived.
    pub now: Timestamp,
    /// Seconds since the machine started instead of the epoch: for counting guesses, by a clock that nobody sets.
    pub since_boot: Timestamp,
    /// The address of the client, or of the last hop that no configured proxy vouches for.
    pub source: IpAddr,
    /// As in the answer's `X-Request-Id`.
    pub request_id: RequestId,
}

/// The id of a request, unlike any other of this and other processes: 16 hexadecimal digits of the process, a hyphen, and
/// the count of requests as 12 digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 29]);

impl RequestId {
    /// The id of the request with this number in this process. The number is cut to 48 bits.
    pub fn new(process: u64, number: u64) -> Self {
        let mut text = [b'-'; 29];
        let [_, _, number @ ..] = number.to_be_bytes();
        let (of_process, rest) = text.split_at_mut(16);
        let (_hyphen, of_number) = rest.split_at_mut(1);
        // Each has two digits of room for a byte.
        let _ = hex::encode_to_slice(process.to_be_bytes(), of_process);
        let _ = hex::encode_to_slice(number, of_number);
        Self(text)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The configured base of every URL that the server prints (RFC 8414 §2), without a final slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer(String);

/// Why a text is not an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the issuer is an https:// URL (or http:// on a loopback host) without query, fragment and final slash"
)]
pub struct IssuerError;

impl Issuer {
    /// The issuer's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of one of our paths. `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The issuer that a surface names: what its discovery document stands under.
    pub fn of(&self, surface: Surface) -> Cow<'_, str> {
        match surface {
            Surface::Rfc => Cow::Borrowed(&self.0),
            Surface::FortiAuthenticator => Cow::Owned(self.url("/api/v1/oauth")),
        }
    }

    /// The path part of the issuer, empty for most.
    pub fn path(&self) -> &str {
        let after_scheme = self.0.find("://").map_or(0, |at| at.saturating_add(3));
        let rest = self.0.get(after_scheme..).unwrap_or_default();
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default()
    }
}

impl FromStr for Issuer {
    type Err = IssuerError;

    fn from_str(text: &str) -> Result<Self, IssuerError> {
        let (scheme, rest) = text.split_once("://").ok_or(IssuerError)?;
        let authority = rest.split('/').next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(ipv6) => ipv6.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        let loopback =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let scheme_fits = scheme == "https" || (scheme == "http" && loopback);
        let plain = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\\"<>".contains(&byte));
        match scheme_fits && !host.is_empty() && plain && !text.ends_with('/') {
            true => Ok(Self(text.to_owned())),
            false => Err(IssuerError),
        }
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8414_2_an_issuer_is_https_without_query_and_fragment() {
        for text in [
            "https://id.example.com",
            "https://id.example.com:8443/tenant",
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:8080",
        ] {
            assert!(text.parse::<Issuer>().is_ok(), "{text}");
        }
        for text in [
            "http://id.example.com",
            "https://id.example.com/",
            "https://id.example.com?x=1",
            "https://id.example.com#x",
            "https://",
            "https:///path",
            "ftp://127.0.0.1",
            "id.example.com",
            "https://user@id.example.com",
            "http://localhost.example.com",
        ] {
            assert_eq!(text.parse::<Issuer>(), Err(IssuerError), "{text}");
        }
    }

    #[test]
    fn request_ids_end_in_their_number() {
        for (number, text) in [
            (0, "00000000000000ff-000000000000"),
            (0xfedc, "00000000000000ff-00000000fedc"),
            (u64::MAX, "00000000000000ff-ffffffffffff"),
        ] {
            assert_eq!(RequestId::new(255, number).as_str(), text);
        }
    }

    #[test]
    fn the_path_of_an_issuer() {
        let path = |text: &str| text.parse::<Issuer>().unwrap().path().to_owned();
        assert_eq!(path("https://id.example.com"), "");
        assert_eq!(path("https://id.example.com/a/b"), "/a/b");
    }
}

//! Addresses that strangers name: read strictly, never mended.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fluent_uri::Uri;

use crate::trouble::Trouble;

/// The longest that is read, in bytes.
const MAX_BYTES: usize = 2_048;
const HTTPS_PORT: u16 = 443;

/// An `https` address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// In lower case.
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// Path and query, as they are sent.
    pub(crate) target: String,
}

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// To be resolved.
    Name(String),
    /// Written as an address.
    Ip(IpAddr),
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`Trouble`], of those that are refused.
    pub(crate) fn parse(url: &str) -> Result<Self, Trouble> {
        if url.len() > MAX_BYTES {
            return Err(Trouble::NotAnAddress);
        }
        let uri = Uri::parse(url).map_err(|_| Trouble::NotAnAddress)?;
        if !uri.scheme().as_str().eq_ignore_ascii_case("https") {
            return Err(Trouble::NotHttps);
        }
        if uri.has_fragment() {
            return Err(Trouble::Fragment);
        }
        let authority = uri.authority().ok_or(Trouble::NotAnAddress)?;
        if authority.has_userinfo() {
            return Err(Trouble::Userinfo);
        }
        let port = match authority.port().map(|port| port.as_str()) {
            None => HTTPS_PORT,
            Some(port) => port.parse().ok().filter(|&port| port != 0).ok_or(Trouble::NotAnAddress)?,
        };
        let path = if uri.path().is_empty() { "/" } else { uri.path().as_str() };
        let query = uri.query().map(|query| format!("?{}", query.as_str())).unwrap_or_default();
        Ok(Self { host: Host::parse(authority.host())?, port, target: format!("{path}{query}") })
    }

    /// Host and port, without the port of the scheme: for the `Host` field, the list of what is allowed, and the log.
    pub(crate) fn authority(&self) -> String {
        let host = match &self.host {
            Host::Name(name) => name.clone(),
            Host::Ip(IpAddr::V4(ip)) => ip.to_string(),
            Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
        };
        if self.port == HTTPS_PORT { host } else { format!("{host}:{}", self.port) }
    }
}

impl Host {
    /// A name as the DNS has them, or an address in its one plain form: what resolvers read as an address in disguise
    /// (`0x7f.1`, `2130706433`) ends in a number, as no public name does (RFC 3696 §2).
    fn parse(text: &str) -> Result<Self, Trouble> {
        if let Some(ip) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            let ip = ip.parse::<Ipv6Addr>().map_err(|_| Trouble::NotAHost)?;
            return Ok(Self::Ip(ip.into()));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(ip.into()));
        }
        let last = text.rsplit('.').next().unwrap_or(text);
        let ends_in_number = last.starts_with(|first: char| first.is_ascii_digit());
        match text.len() <= 253 && text.split('.').all(is_label) && !ends_in_number {
            true => Ok(Self::Name(text.to_ascii_lowercase())),
            false => Err(Trouble::NotAHost),
        }
    }
}

/// RFC 1123 §2.1, and underscores, which are in use.
fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=63).contains(&label.len())
        && label.bytes().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

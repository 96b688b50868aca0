//! The address for which a client has asked a gateway.

/// Longer ones are not gone back to: sealed and in a query they would not fit a request line.
const MOST_BYTES: usize = 2_048;

/// What a client has asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    scheme: String,
    host: String,
    uri: String,
    status_only: bool,
}

impl Address {
    /// Of its parts: scheme, host with port, path with query.
    pub(super) fn of(scheme: &str, host: &str, uri: &str) -> Option<Self> {
        let plain =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\\\"<>".contains(&byte));
        let host_is_plain = !host.is_empty() && plain(host) && !host.contains(['/', '?', '@', ',']);
        let known_scheme = ["http", "https"].contains(&scheme);
        let fits = host.len().saturating_add(uri.len()) < MOST_BYTES;
        (known_scheme && host_is_plain && fits && plain(uri) && uri.starts_with('/')).then(|| Self {
            scheme: scheme.to_owned(),
            host: host.to_ascii_lowercase(),
            uri: uri.to_owned(),
            status_only: false,
        })
    }

    /// Of a whole URL.
    pub(crate) fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (host, uri) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        Self::of(scheme, host, uri)
    }

    /// For a gateway that passes on no redirect, only its status.
    pub(super) fn for_status_only(self) -> Self {
        Self { status_only: true, ..self }
    }

    /// Whether the gateway passes on no redirect.
    pub(super) fn is_for_status_only(&self) -> bool {
        self.status_only
    }

    /// Whether it is at this host.
    pub(crate) fn is_at(&self, host: &str) -> bool {
        self.host.eq_ignore_ascii_case(host)
    }

    /// Whether it is reached by this scheme.
    pub(crate) fn is_by(&self, scheme: &str) -> bool {
        self.scheme == scheme
    }

    /// Scheme and host.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.host)
    }

    /// Path and query.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_from_its_parts_and_from_a_url() {
        let address = Address::of("https", "App.example.com:8443", "/a?b=c").unwrap();
        assert_eq!((&*address.origin(), address.uri()), ("https://app.example.com:8443", "/a?b=c"));
        assert_eq!(Address::of_url("https://app.example.com:8443/a?b=c"), Some(address));
        assert_eq!(Address::of_url("https://a"), Address::of("https", "a", "/"));
    }

    #[test]
    fn what_browsers_could_read_otherwise_is_no_address() {
        for (scheme, host, uri) in [
            ("https", "", "/"),
            ("https", "a", ""),
            ("https", "a", "x"),
            ("javascript", "a", "/"),
            ("HTTPS", "a", "/"),
            ("https", "a@b", "/"),
            ("https", "a/b", "/"),
            ("https", "a,b", "/"),
            ("https", "a b", "/"),
            ("https", "a\\b", "/"),
            ("https", "a", "/\\b"),
            ("https", "a", "/b#c"),
            ("https", "a", "/b c"),
            ("https", "a", "/\u{e4}"),
            ("https", "a", "/\r\nset-cookie:x"),
            ("https", "a", &format!("/{}", "x".repeat(MOST_BYTES))),
        ] {
            assert_eq!(Address::of(scheme, host, uri), None, "{scheme} {host} {uri}");
        }
        for url in ["", "//a/b", "/b", "a.example", "data:text/html,x", "https:/a", "https:///a"] {
            assert_eq!(Address::of_url(url), None, "{url}");
        }
    }
}

//! Redirect URIs: which may be registered, and which fits one that is (RFC 6749 §3.1.2, RFC 9700 §2.1, RFC 8252 §7). Home of RFC 8252.

use fluent_uri::Uri;
use obol_store::ApplicationType;

/// The longest that may be registered.
const MAX_CHARS: usize = 2_000;

/// Why a text may not be registered as a redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// Not a URI with a scheme, or too long.
    #[error("it is not an absolute URI of at most {MAX_CHARS} characters")]
    Form,
    /// RFC 6749 §3.1.2.
    #[error("it has a fragment (`#…`); leave that out")]
    Fragment,
    /// It would hide the host from who reads it.
    #[error("it has a user name or password before the host; leave that out")]
    Userinfo,
    /// A `*`: nothing is matched by patterns.
    #[error("it has a `*`, but redirect URIs are compared letter by letter; register each")]
    Wildcard,
    /// A path that means another one.
    #[error("its path has `.` or `..` segments; write the path that is meant")]
    DotSegments,
    /// `https` without a host.
    #[error("it names no host")]
    NoHost,
    /// In clear over a network.
    #[error("`http` is for 127.0.0.1 and [::1] only (not `localhost`, RFC 8252 §8.3); use https")]
    Clear,
    /// A scheme that runs code, or that any application may claim.
    #[error(
        "its scheme is not https, nor a private one of an application, which is a domain name of its maker \
         in reverse, as in com.example.app (RFC 8252 §7.1)"
    )]
    Scheme,
}

/// Whether a URI may be registered (S-21).
///
/// # Errors
/// [`RedirectUriError`]
pub(crate) fn check_redirect_uri(text: &str) -> Result<(), RedirectUriError> {
    let uri = Uri::parse(text).map_err(|_| RedirectUriError::Form)?;
    if text.len() > MAX_CHARS {
        return Err(RedirectUriError::Form);
    }
    if uri.has_fragment() {
        return Err(RedirectUriError::Fragment);
    }
    if uri.authority().is_some_and(|authority| authority.has_userinfo()) {
        return Err(RedirectUriError::Userinfo);
    }
    if text.contains('*') {
        return Err(RedirectUriError::Wildcard);
    }
    if uri.path().as_str().split('/').any(is_dot_segment) {
        return Err(RedirectUriError::DotSegments);
    }
    let host = uri.authority().map(|authority| authority.host()).unwrap_or_default();
    // Schemes are the same in capitals; what is registered is compared letter by letter, so it is written as usual.
    match uri.scheme().as_str() {
        "https" | "http" if host.is_empty() => Err(RedirectUriError::NoHost),
        "https" => Ok(()),
        "http" if matches!(host, "127.0.0.1" | "[::1]") => Ok(()),
        "http" => Err(RedirectUriError::Clear),
        scheme if scheme.contains('.') && !scheme.bytes().any(|byte| byte.is_ascii_uppercase()) => Ok(()),
        _ => Err(RedirectUriError::Scheme),
    }
}

/// Whether a segment of a path leads to another path.
pub(crate) fn is_dot_segment(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().as_str(), "." | ".." | "%2e" | "%2e%2e" | ".%2e" | "%2e.")
}

/// Whether this URI is one of the client's: byte for byte, but for the port of a loopback address where the client runs on
/// a person's device (RFC 8252 §7.3).
pub(super) fn is_registered(registered: &[String], runs: ApplicationType, presented: &str) -> bool {
    registered.iter().any(|registered| {
        let without_port = || without_loopback_port(registered).zip(without_loopback_port(presented));
        let native = runs == ApplicationType::Native;
        registered == presented || (native && without_port().is_some_and(|(one, other)| one == other))
    })
}

/// Address and rest of an `http` URI at a literal loopback address, without its port.
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    let address =
        ["http://127.0.0.1", "http://[::1]"].into_iter().find(|address| uri.starts_with(address))?;
    let rest = uri.strip_prefix(address)?;
    let after_port = match rest.strip_prefix(':') {
        None => rest,
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (port, after) = rest.split_at_checked(digits)?;
            port.parse::<u16>().ok().filter(|port| *port > 0)?;
            after
        }
    };
    let whole_host = after_port.is_empty() || after_port.starts_with(['/', '?']);
    whole_host.then_some((address, after_port))
}

/// Whether only who holds the domain can receive what is sent there.
pub(crate) fn is_claimed(uri: &str) -> bool {
    uri.starts_with("https://")
}

/// What a person is told of where a registered URI leads: the host, or the scheme of an application.
pub(crate) fn destination_of(uri: &str) -> &str {
    let Some((scheme, rest)) = uri.split_once(':') else { return uri };
    match rest.strip_prefix("//").filter(|_| matches!(scheme, "https" | "http")) {
        Some(rest) => rest.split(['/', '?']).next().unwrap_or(rest),
        None => scheme,
    }
}

/// The sector that a URI stands for: the component host, so without its port (OpenID Connect Core §8.1); of an application's own
/// scheme that scheme. `None` for what is no URI of either kind.
pub(crate) fn sector_of(uri: &str) -> Option<String> {
    let uri = Uri::parse(uri).ok()?;
    let scheme = uri.scheme().as_str();
    let sector = match scheme {
        "https" | "http" => uri.authority()?.host(),
        _ => scheme,
    };
    (!sector.is_empty()).then(|| sector.to_ascii_lowercase())
}

/// The sector of a client with pairwise subjects with which none was stored, as those of the first clients: where it sends people
/// first, with the port.
pub(crate) fn unnamed_sector(redirect_uris: &[String]) -> &str {
    redirect_uris.first().map(|uri| destination_of(uri)).unwrap_or_default()
}

#[cfg(test)]
mod tests;

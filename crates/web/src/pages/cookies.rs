//! The two cookies: who is signed in, and which browser this is.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use obol_keys::SessionSecret;
use obol_oauth::Issuer;

/// How this site names and sets its cookies.
///
/// Deviation: where the issuer is http, which it can be on loopback only, browsers take neither `Secure` nor the prefix
/// `__Host-`; the names go without there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cookies {
    secure: bool,
}

/// One of the cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Holds the secret of a session.
    Session,
    /// Holds a random text that binds forms to the browser that was given them.
    Browser,
    /// At the host of an application behind a gateway: opens the session there.
    GatewayPass,
    /// There, as `Browser` is here.
    GatewayBrowser,
}

impl Cookies {
    /// The cookies of this site.
    pub(super) fn of(issuer: &Issuer) -> Self {
        Self { secure: issuer.as_str().starts_with("https:") }
    }

    /// The session's secret, if the browser holds one.
    pub(super) fn session(self, fields: &HeaderMap) -> Option<SessionSecret> {
        SessionSecret::parse(self.read(fields, Cookie::Session)?)
    }

    /// The value of a cookie; `None` also where there are several, since one of them was planted.
    pub(super) fn read(self, fields: &HeaderMap, cookie: Cookie) -> Option<&str> {
        let fields = fields.get_all(COOKIE).into_iter().filter_map(|field| field.to_str().ok());
        let mut values = fields
            .flat_map(|field| field.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.name(cookie))
            .map(|(_, value)| value);
        let value = values.next()?;
        values.next().is_none().then_some(value).filter(|value| !value.is_empty())
    }

    /// The value of `Set-Cookie` that keeps `value` until the browser is closed.
    pub(super) fn set(self, cookie: Cookie, value: &str) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.name(cookie);
        HeaderValue::try_from(format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")).ok()
    }

    /// The value of `Set-Cookie` that makes the browser forget.
    pub(super) fn forget(self, cookie: Cookie) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.name(cookie);
        HeaderValue::try_from(format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}")).ok()
    }

    fn name(self, cookie: Cookie) -> &'static str {
        match (cookie, self.secure) {
            (Cookie::Session, true) => "__Host-obol-session",
            (Cookie::Session, false) => "obol-session",
            (Cookie::Browser, true) => "__Host-obol-browser",
            (Cookie::Browser, false) => "obol-browser",
            (Cookie::GatewayPass, true) => "__Host-obol-gateway",
            (Cookie::GatewayPass, false) => "obol-gateway",
            (Cookie::GatewayBrowser, true) => "__Host-obol-gateway-browser",
            (Cookie::GatewayBrowser, false) => "obol-gateway-browser",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(issuer: &str) -> Cookies {
        Cookies::of(&issuer.parse().unwrap())
    }

    fn fields(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (COOKIE, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn s_84_cookies_are_host_only_secure_and_out_of_reach_of_scripts() {
        let set = cookies("https://id.example.com").set(Cookie::Session, "x").unwrap();
        assert_eq!(set, "__Host-obol-session=x; Path=/; HttpOnly; SameSite=Lax; Secure");
        let set = cookies("https://id.example.com/tenant").set(Cookie::Browser, "x").unwrap();
        assert_eq!(set, "__Host-obol-browser=x; Path=/; HttpOnly; SameSite=Lax; Secure");
        let forgotten = cookies("https://id.example.com").forget(Cookie::Session).unwrap();
        assert_eq!(forgotten, "__Host-obol-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
    }

    #[test]
    fn http_on_loopback_goes_without_what_needs_tls() {
        let set = cookies("http://127.0.0.1:8080").set(Cookie::Session, "x").unwrap();
        assert_eq!(set, "obol-session=x; Path=/; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_in_any_field() {
        let cookies = cookies("https://id.example.com");
        for (values, found) in [
            (&["__Host-obol-browser=a"][..], Some("a")),
            (&["other=1; __Host-obol-browser=a; more=2"], Some("a")),
            (&["other=1", "__Host-obol-browser=a=b"], Some("a=b")),
            (&["x__Host-obol-browser=a"], None),
            (&["__host-obol-browser=a"], None),
            (&["obol-browser=a"], None),
            (&["__Host-obol-browser="], None),
            (&["__Host-obol-browser"], None),
            (&[], None),
        ] {
            assert_eq!(cookies.read(&fields(values), Cookie::Browser), found, "{values:?}");
        }
    }

    #[test]
    fn a_cookie_that_is_there_twice_counts_as_none() {
        let twice = fields(&["__Host-obol-browser=a; __Host-obol-browser=b"]);
        assert_eq!(cookies("https://id.example.com").read(&twice, Cookie::Browser), None);
    }

    #[test]
    fn what_is_no_secret_of_a_session_is_none() {
        let cookies = cookies("http://localhost:1");
        assert!(cookies.session(&fields(&["obol-session=obw_not-one"])).is_none());
    }
}
